"""Speech of an experiment: one batch of work for all utterances of a task and all points of a sweep.

Known duration: the speech is exactly as long as the video. Noise of an utterance is drawn from (seed, utterance), so
rows of a table differ by their conditions, never by luck; batches are formed by length, so results depend on the list
of utterances and not on the machine's load.
"""

import csv
import io
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from syncvoice import clocks
from syncvoice.audio import read_wav, write_wav
from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore
from syncvoice.files import atomic_path
from syncvoice.model.guidance import Scales
from syncvoice.model.solver import Conditions, euler
from syncvoice.model.syncvoice import Script, SyncVoice, pad_stack, pad_visual
from syncvoice.model.vocoder import Vocoder
from syncvoice.records.clips import Clip
from syncvoice.records.tasks import Utterance
from syncvoice.seeding import generator, rng

log = logging.getLogger(__name__)

BATCH_FRAMES = 2600  # mel frames per batch before guidance multiplies them; keeps memory under 2 GB


@dataclass(frozen=True)
class Voice:
    """A reference recording: tokens of its text, mel features (T, 100), CAM++ embedding (E,)."""

    tokens: list[int]
    mel: Tensor
    embedding: Tensor | None


@dataclass(frozen=True)
class Request:
    """One utterance to generate."""

    name: str
    tokens: list[int]
    voice: Voice
    visual: Mapping[str, Tensor]  # per modality (n_frames, dim)
    n_frames: int
    seed: int


@dataclass(frozen=True)
class Sampling:
    """How speech is sampled from a model.

    Attributes:
        scales: guidance scales.
        num_steps, t_shift: Euler steps and time grid.
        voice: "context" (reference as context speech) or "speaker" (reference as speaker embedding).
        expansion: text expansion, "segments" or "average" (ZipVoice's rule).
    """

    scales: Scales
    num_steps: int = 8
    t_shift: float = 0.5
    voice: str = "context"
    expansion: str = "segments"


def point_name(scales: Scales) -> str:
    """Name of a point of a sweep, used as folder, e.g. face1.0_lip2.0."""
    return f"face{scales.face:.1f}_lip{scales.lip:.1f}"


@torch.inference_mode()
def sample_mels(model: SyncVoice, requests: Sequence[Request], sampling: Sampling,
                on_step: Callable[[], None] | None = None) -> list[Tensor]:  # fmt: skip
    """Sample mel features of a batch.

    Returns:
        one (mel_frames(n_frames), 100) tensor per request.

    Raises:
        UserError: a scale asks for a condition that the model or the request does not have.
    """
    script = script_of(model, requests, sampling)
    context = script.context_lengths()
    width = model.config.backbone.feat_dim
    x_0, speech = [], []
    for request, frames, start in zip(requests, script.lengths(), context, strict=True):
        x_0.append(torch.randn(frames, width, generator=generator(request.seed, request.name)))
        voice = request.voice.mel if start else torch.zeros(0, width)
        speech.append(torch.cat([voice, torch.zeros(frames - start, width)]))
    conditions = Conditions(
        model.condition_subsets(script, sampling.scales, sampling.expansion), pad_stack(speech),
        model.embed_speaker(script) if sampling.voice == "speaker" else None, model.padding(script),
    )  # fmt: skip
    x_1 = euler(
        model.backbone, pad_stack(x_0), conditions, sampling.scales, sampling.num_steps, sampling.t_shift, on_step
    )
    return [x[start:frames] for x, start, frames in zip(x_1, context, script.lengths(), strict=True)]


def script_of(model: SyncVoice, requests: Sequence[Request], sampling: Sampling) -> Script:
    """Texts, segments and features of a batch of requests.

    Raises:
        UserError: see `sample_mels`.
    """
    wanted = [c for c in sampling.scales.active() if c != "text"]
    for modality in wanted:
        if modality not in model.config.visual_dims:
            raise UserError(
                f"scale of {modality} is {getattr(sampling.scales, modality)}, but the model has no {modality} branch "
                f"(it has: {', '.join(model.config.visual_dims) or 'none'}); set the scale to 0 or take another recipe"
            )
        lacking = [r.name for r in requests if modality not in r.visual]
        if lacking:
            raise UserError(f"utterance '{lacking[0]}' has no {modality} features, which scale {modality} needs")
    if sampling.voice == "speaker" and model.speaker is None:
        raise UserError("voice is 'speaker', but the model has no speaker encoder; set voice: context")
    context = sampling.voice == "context"
    tokens = [(r.voice.tokens if context else []) + r.tokens for r in requests]
    segments = [
        ((len(r.voice.tokens), len(r.voice.mel)) if context else (0, 0), (len(r.tokens), clocks.mel_frames(r.n_frames)))
        for r in requests
    ]
    visual = {m: pad_visual([r.visual[m] for r in requests]) for m in wanted}
    script = Script(tokens, segments, visual)
    if not context:
        script.reference = pad_stack([r.voice.mel for r in requests])
        script.reference_lengths = torch.tensor([len(r.voice.mel) for r in requests])
        script.reference_embedding = torch.stack([embedding_of(r) for r in requests])
    return script


def embedding_of(request: Request) -> Tensor:
    """CAM++ embedding of a request's voice.

    Raises:
        UserError: there is none.
    """
    if request.voice.embedding is None:
        raise UserError(f"utterance '{request.name}' has no speaker embedding; run the features step for its reference")
    return request.voice.embedding


def batches_by_length(requests: Sequence[Request], context: bool) -> list[list[Request]]:
    """Group requests of like length; the order is fixed by length and name."""

    def frames(request: Request) -> int:
        """Mel frames of a sequence."""
        return clocks.mel_frames(request.n_frames) + (len(request.voice.mel) if context else 0)

    batches: list[list[Request]] = []
    for request in sorted(requests, key=lambda r: (frames(r), r.name)):
        if not batches or frames(request) * (len(batches[-1]) + 1) > BATCH_FRAMES:
            batches.append([])
        batches[-1].append(request)
    return batches


def synthesise(model: SyncVoice, vocoder: Vocoder, requests: Sequence[Request], sampling: Sampling,
               on_step: Callable[[], None] | None = None) -> Iterator[tuple[Request, np.ndarray, float]]:  # fmt: skip
    """Generate speech.

    Yields:
        (request, float32 sound of 960 * n_frames samples at 24 kHz, seconds of computing).
    """
    for batch in batches_by_length(requests, sampling.voice == "context"):
        began = time.perf_counter()
        mels = sample_mels(model, batch, sampling, on_step)
        sampled = (time.perf_counter() - began) / len(batch)
        for request, mel in zip(batch, mels, strict=True):
            began = time.perf_counter()
            sound = decode(vocoder, mel, request.n_frames)
            yield request, sound, sampled + time.perf_counter() - began


@torch.inference_mode()
def decode(vocoder: Vocoder, mel: Tensor, n_frames: int) -> np.ndarray:
    """Vocode features (T, 100) to exactly 960 * n_frames samples."""
    return vocoder.decode(mel[None], clocks.samples(n_frames))[0].numpy()


class RequestBuilder:
    """Turn task rows into requests, from cached features."""

    def __init__(self, stores: Mapping[str, Mapping[str, FeatureStore]], visual: Iterable[str], seed: int,
                 speaker_encoder: Path | None) -> None:  # fmt: skip
        """Keep open stores {split: {feature: store}}; `speaker_encoder` is needed for the speaker embedding."""
        from syncvoice.text.tokenizer import EmiliaTokenizer

        self.stores, self.visual, self.seed = stores, tuple(visual), seed
        self.tokenizer = EmiliaTokenizer()
        self._voices: dict[str, Voice] = {}
        self._encoder: Any = None
        if speaker_encoder is not None:
            from syncvoice.networks.camplus import CAMPPlus

            self._encoder = CAMPPlus.load(speaker_encoder).eval()

    def voice(self, row: Utterance) -> Voice:
        """Reference voice of a row, cached by reference.

        Raises:
            UserError: the row has no reference.
        """
        if not row.reference:
            raise UserError(f"utterance '{row.utterance}' has no reference recording of speaker '{row.speaker}'")
        if row.reference not in self._voices:
            store = self.stores[row.reference_split]
            embedding = None
            if self._encoder is not None:
                with torch.inference_mode():
                    embedding = self._encoder(torch.from_numpy(store["speaker"][row.reference])[None])[0]
            tokens = self.tokenizer.encode(row.reference_text, row.reference_language)
            self._voices[row.reference] = Voice(tokens, torch.from_numpy(store["mel"][row.reference]), embedding)
        return self._voices[row.reference]

    def request(self, row: Utterance, text: str, video: str) -> Request:
        """Request for a row that says `text` and follows the clip `video` (the row's own, but for controls).

        Raises:
            UserError: no reference, or a text without a known symbol.
        """
        tokens = self.tokenizer.encode(text, row.language)
        if not tokens:
            raise UserError(f"utterance '{row.utterance}': text {text!r} has no symbol that the tokenizer knows")
        visual = {}
        for modality in self.visual:
            found = torch.from_numpy(self.stores[row.split][modality][video])[: row.n_frames]
            visual[modality] = torch.cat([found, found[-1:].expand(row.n_frames - len(found), -1)])
        return Request(row.utterance, tokens, self.voice(row), visual, row.n_frames, self.seed)


def swapped(rows: Sequence[Utterance], seed: int, what: str) -> list[Utterance]:
    """Give every row a partner for a control: another clip, said in another text, chosen by seed.

    Partners form one cycle in random order, so every row has exactly one and none has itself; rows of equal text are
    moved apart where that is possible.

    Raises:
        UserError: fewer than two rows.
    """
    if len(rows) < 2:
        raise UserError(f"control '{what}' needs at least two utterances, the task has {len(rows)}")
    order = sorted(range(len(rows)), key=lambda i: rng(seed, "swap", what, rows[i].utterance).random())
    partner = {order[k]: order[(k + 1) % len(order)] for k in range(len(order))}
    return [rows[partner[i]] for i in range(len(rows))]


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write utterances.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["utterance", "point", "wav", "status", "message"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def points_of(settings: Mapping[str, Any]) -> list[tuple[str, Scales]]:
    """Points of an experiment: one without name, or the grid of its sweep."""
    scales = Scales(**settings["scales"])
    sweep = settings.get("sweep")
    if not sweep:
        return [("", scales)]
    grid = itertools.product(sweep["face"], sweep["lip"])
    return [(point_name(s), s) for s in (replace(scales, face=face, lip=lip) for face, lip in grid)]


def copy_of(kind: str, clip: Clip, vocoder: Vocoder | None, mel: np.ndarray | None, seed: int) -> np.ndarray:
    """Sound of a row without model: recording, recording through mel and vocoder, or noise."""
    if kind == "vocoder_copy":
        assert vocoder is not None and mel is not None
        return decode(vocoder, torch.from_numpy(mel), clip.n_frames)
    audio, _ = read_wav(clip.audio, clocks.SAMPLE_RATE)
    if kind == "noise":  # as loud as the recording
        noise = rng(seed, "noise", clip.id).standard_normal(len(audio)).astype(np.float32)
        return noise * float(np.sqrt(np.mean(audio**2)))
    return audio


def save(folder: Path, name: str, point: str, sound: np.ndarray) -> dict[str, object]:
    """Write a WAV and return its row; sound that is not finite becomes a failed row."""
    if not np.isfinite(sound).all():
        message = "the generated sound is not finite; look at the model's training curve"
        return {"utterance": name, "point": point, "wav": "", "status": "failed", "message": message}
    wav = Path(point) / f"{name}.wav"
    write_wav(folder / wav, sound, clocks.SAMPLE_RATE)
    return {"utterance": name, "point": point, "wav": wav.as_posix(), "status": "ok", "message": ""}
