"""Make the shipped lip timing networks: lip shapes per 10 ms, learned from clips whose phone times are known.

Clips come from prepared manifests: recorded ones (GRID: words from `.align` files, phones by forced alignment inside
them) and synthetic ones. Some clips are held out by their names; they choose nothing in this run and give its figures.
Curves are varied on the fly (our choice): cropped, warped in time, scaled and shifted, with noise.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.lip_timing.check import HeldOut, figures_of
from syncvoice.lip_timing.curves import mouth_values, network_input, normalised
from syncvoice.lip_timing.network import ROWS_PER_FRAME, ROWS_PER_SECOND, LipReader
from syncvoice.lip_timing.visemes import N_VISEMES, OF_PHONE_CLASS, VISEME_NAMES
from syncvoice.minidub.speech import Phone
from syncvoice.networks.recogniser import CtcRecogniser
from syncvoice.pretraining.clip_pool import ClipPool, with_silences
from syncvoice.pretraining.loop import PretrainingRun
from syncvoice.pretraining.settings import RunSettings, settings_of
from syncvoice.records.clips import Clip
from syncvoice.section import Probability, Section
from syncvoice.text.alignment import SILENCE, phones_of_text
from syncvoice.text.grid_grammar import spoken_text
from syncvoice.text.phones import phone_class
from syncvoice.video.store import TrackReader

NOT_A_ROW = -100
LEAST_FRAMES = 20  # of a crop


class NetworkSizes(Section):
    """Sizes of `syncvoice.lip_timing.network`."""

    nets: int = Field(ge=1)
    channels: int = Field(ge=1)
    kernel: int = Field(ge=1)
    dilations: tuple[int, ...]
    dropout: Probability


class Source(Section):
    """Clips to learn from: prepared manifests, and by how much their phone times come after those of the mouth.

    Word times of GRID's `.align` files are times of the mouth (see `syncvoice.lip_timing.timing`), those of synthetic
    clips are times of the sound.
    """

    manifests: list[str]
    lag_s: float = Field(ge=0)
    attribution: str  # of the data, kept beside the weights


class LipTimingRun(RunSettings):
    """Settings of a run (config/pretrain/lip_timing.yaml).

    Attributes:
        sources: name -> clips; every source is drawn from equally often.
        held_out: share of every source's clips, by crc32 of their ids, that only give figures.
        aligner: recogniser that finds phones inside known words.
        batch_size: clips of a step, for each network.
        label_smoothing: of the cross-entropy.
        crop_share: of the clips that are cropped, their normalisation computed anew.
        gain, shift, noise: standard deviations of the log gain, offset and per-frame noise of a curve.
        warp: largest relative change of speed.
    """

    sources: dict[str, Source]
    held_out: Probability
    aligner: str
    batch_size: int = Field(ge=1)
    label_smoothing: Probability
    crop_share: Probability
    gain: float
    shift: float
    noise: float
    warp: float


@dataclass(frozen=True)
class Example:
    """A clip to learn from: mouth values (frames, 8), phone edges in seconds and the classes between them."""

    values: np.ndarray
    ends: np.ndarray
    classes: np.ndarray


def is_held_out(clip: str, share: float) -> bool:
    """Tell whether a clip is kept from training."""
    return zlib.crc32(clip.encode()) / 2**32 >= 1 - share


def example_of(landmarks: np.ndarray, phones: Sequence[Phone], lag_s: float) -> Example:
    """Return the example of a clip.

    Args:
        landmarks: (frames, 478, 3).
        phones: contiguous from 0 to the end.
        lag_s: by which their times come after the mouth's.
    """
    ends = np.array([phone.end_s for phone in phones])
    ends[:-1] = np.maximum(ends[:-1] - lag_s, 0.0)
    classes = OF_PHONE_CLASS[[phone_class(phone.symbol) for phone in phones]]
    return Example(mouth_values(landmarks), ends, classes)


def fitted(phones: Sequence[Phone], clip: Clip) -> Sequence[Phone]:
    """Stretch aligned phones so that every word begins and ends at its known times.

    A forced alignment has a bias of some ten milliseconds, which would otherwise be learned. Phones that are known, or
    of words that espeak-ng counts differently, stay as they are.
    """
    if clip.phones or not clip.words:
        return phones
    spoken = [phone for phone in phones if phone.symbol != SILENCE]
    _, starts = phones_of_text(spoken_text(clip.text, clip.source), clip.language)
    if len(starts) != len(clip.words):
        return phones
    moved: list[tuple[str, float, float]] = []
    for (_, begin, end), first, last in zip(clip.words, starts, [*starts[1:], len(spoken)], strict=True):
        edges = np.array([spoken[first].start_s, *(phone.end_s for phone in spoken[first:last])])
        edges = begin + (edges - edges[0]) * (end - begin) / (edges[-1] - edges[0])
        moved += zip(
            (phone.symbol for phone in spoken[first:last]), edges[:-1].tolist(), edges[1:].tolist(), strict=True
        )
    return with_silences(moved, clip.n_frames / clocks.FPS)


class Batches:
    """Draws varied examples; every source is drawn from equally often."""

    def __init__(self, sources: Sequence[Sequence[Example]], settings: LipTimingRun, rng: np.random.Generator) -> None:
        """Keep the examples."""
        self._sources, self._settings, self._rng = sources, settings, rng

    def _item(self) -> tuple[np.ndarray, np.ndarray]:
        """Return network input (frames, 24) and labels (4 * frames,) of one varied clip."""
        settings, rng = self._settings, self._rng
        source = self._sources[int(rng.integers(len(self._sources)))]
        example = source[int(rng.integers(len(source)))]
        n_frames = len(example.values)
        first, last = 0.0, float(n_frames)
        if rng.random() < settings.crop_share and n_frames > LEAST_FRAMES:
            length = rng.uniform(max(LEAST_FRAMES, 0.4 * n_frames), n_frames)
            first = rng.uniform(0, n_frames - length)
            last = first + length
        speed = float(np.exp(rng.uniform(-settings.warp, settings.warp)))
        frames = max(LEAST_FRAMES, round((last - first) / speed))
        edges = first + (last - first) * _warped(np.arange(ROWS_PER_FRAME * frames + 1), settings.warp, rng)
        centres = edges[ROWS_PER_FRAME // 2 :: ROWS_PER_FRAME] - 0.5  # of frames, on the old axis of frame centres
        columns = [np.interp(centres, np.arange(n_frames), column) for column in example.values.T]
        curves = normalised(np.stack(columns, axis=1))
        curves = curves * np.exp(rng.normal(0, settings.gain, curves.shape[1]))
        curves += rng.normal(0, settings.shift, curves.shape[1]) + rng.normal(0, settings.noise, curves.shape)
        times = (edges[:-1] + edges[1:]) / 2 / clocks.FPS
        labels = np.append(example.classes, 0)[np.searchsorted(example.ends, times, side="right")]
        return network_input(curves), labels

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return inputs (B, T, 24) and labels (B, 4 T), padded with NOT_A_ROW."""
        items = [self._item() for _ in range(self._settings.batch_size)]
        longest = max(len(curves) for curves, _ in items)
        inputs = np.zeros((len(items), longest, items[0][0].shape[1]), np.float32)
        labels = np.full((len(items), ROWS_PER_FRAME * longest), NOT_A_ROW)
        for row, (curves, wanted) in enumerate(items):
            inputs[row, : len(curves)], labels[row, : len(wanted)] = curves, wanted
        return torch.from_numpy(inputs), torch.from_numpy(labels)


def _warped(edges: np.ndarray, warp: float, rng: np.random.Generator) -> np.ndarray:
    """Map equally spaced edges to [0, 1], faster here and slower there."""
    knots = np.exp(rng.uniform(-warp, warp, 5))
    pace = np.interp(np.linspace(0, 4, len(edges) - 1), np.arange(5), knots)
    total = np.concatenate([[0.0], np.cumsum(pace)])
    return np.asarray(total / total[-1])


def statistics_of(examples: Sequence[Example]) -> dict[str, Any]:
    """What the search needs: {"log_prior": per class, "durations": mean and deviation of log seconds per class}."""
    rows = np.full(N_VISEMES, 1.0)
    logs: list[list[float]] = [[] for _ in range(N_VISEMES)]
    for example in examples:
        seconds = np.diff(np.concatenate([[0.0], example.ends]))
        np.add.at(rows, example.classes, seconds * ROWS_PER_SECOND)
        for viseme, length in zip(example.classes, seconds, strict=True):
            logs[viseme].append(float(np.log(max(length, 1 / ROWS_PER_SECOND))))
    everything = np.concatenate([values for values in logs[1:] if values])
    durations = [
        (float(np.mean(values)), max(0.25, float(np.std(values)))) if len(values) > 4
        else (float(everything.mean()), float(everything.std()))
        for values in logs
    ]  # fmt: skip
    return {
        "log_prior": np.round(np.log(rows / rows.sum()), 4).tolist(),
        "durations": [[round(mean, 4), round(std, 4)] for mean, std in durations],
    }


@dataclass(frozen=True)
class Corpus:
    """Examples of the sources to learn from, and the clips that are held out, with their landmarks."""

    examples: dict[str, list[Example]]
    held_out: dict[str, list[HeldOut]]
    provenance: dict[str, Any]


def read_corpus(settings: LipTimingRun) -> Corpus:
    """Read all clips.

    Raises:
        UserError: a manifest is missing, or a clip has no face or cannot be aligned.
    """
    aligner = CtcRecogniser.load(settings.aligner)
    examples: dict[str, list[Example]] = {}
    held_out: dict[str, list[HeldOut]] = {}
    provenance: dict[str, Any] = {}
    for name, source in settings.sources.items():
        pool = ClipPool([Path(path) for path in source.manifests], aligner)
        examples[name], held_out[name] = [], []
        for index, (clip, points) in enumerate(with_landmarks(pool.clips)):
            if is_held_out(clip.id, settings.held_out):
                held_out[name].append(HeldOut(clip, points, source.lag_s))
            else:
                examples[name].append(example_of(points, fitted(pool.phones(index), clip), source.lag_s))
        provenance[name] = {
            "attribution": source.attribution,
            "train_clips": len(examples[name]),
            "held_out": sorted(one.clip.id for one in held_out[name]),
            "speakers": sorted({clip.speaker for clip in pool.clips}),
            "train_clip_ids": sorted(clip.id for clip in pool.clips if not is_held_out(clip.id, settings.held_out)),
        }
    return Corpus(examples, held_out, provenance)


def with_landmarks(clips: Iterable[Clip]) -> Iterator[tuple[Clip, np.ndarray]]:
    """Yield clips with their landmarks (frames, 478, 3).

    Raises:
        UserError: a clip has no face.
    """
    with ExitStack() as stack:
        readers: dict[Path, TrackReader] = {}
        for clip in clips:
            if clip.track is None:
                raise UserError(f"clip '{clip.id}' has no tracked face; lip timing learns from videos")
            if clip.track not in readers:
                readers[clip.track] = stack.enter_context(TrackReader(clip.track))
            yield clip, readers[clip.track].landmarks(clip.id)


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Train the networks; write weights, curve and provenance.

    Args:
        values: see `LipTimingRun`.
        out: weight file to write.
        start: weights to continue from, or None.
        minutes: time limit, or None for the steps of the settings.

    Raises:
        UserError: the settings or the clips cannot be used.
    """
    checked = settings_of(LipTimingRun, values, "lip_timing")
    sizes = settings_of(NetworkSizes, checked.config, "lip_timing")
    corpus = read_corpus(checked)
    everything = [example for part in corpus.examples.values() for example in part]
    config = {**sizes.model_dump(), **statistics_of(everything), "visemes": list(VISEME_NAMES)}
    pretraining = PretrainingRun("lip_timing", checked.model_copy(update={"config": config}), out, start, minutes)
    pretraining.metadata |= {"data": corpus.provenance}
    model = LipReader(config)
    pretraining.load_start(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=checked.learning_rate, weight_decay=0.02)
    batches = Batches(list(corpus.examples.values()), checked, np.random.default_rng(pretraining.seed))
    for _ in pretraining.steps():
        loss, right = losses(model, batches, checked.label_smoothing)
        pretraining.update(optimiser, loss)
        pretraining.record({"loss": loss.item() / len(model.nets), "right": right})
        if pretraining.save_due():
            pretraining.save(model)
    pretraining.save(model)  # first: a check that fails must not cost the training
    pretraining.save(model, figures_of(model.eval(), corpus.held_out))


def losses(model: LipReader, batches: Batches, smoothing: float) -> tuple[Tensor, float]:
    """Summed cross-entropy of the networks, each on its own batch, and the share of right rows."""
    total, right = torch.zeros(()), 0.0
    for net in model.nets:
        inputs, labels = batches.draw()
        logits = net(inputs).flatten(0, 1)
        wanted = labels.flatten()
        total = total + functional.cross_entropy(logits, wanted, ignore_index=NOT_A_ROW, label_smoothing=smoothing)
        known = wanted != NOT_A_ROW
        right += float((logits.argmax(-1)[known] == wanted[known]).float().mean()) / len(model.nets)
    return total, right
