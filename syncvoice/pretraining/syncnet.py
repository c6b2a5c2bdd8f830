"""Train the small SyncNet that scores lip sync.

Training (our choice): windows of lips and of sound from the same clips; each window of lips must find its own sound
among all windows of the batch, its neighbours in time included, and the other way round (InfoNCE). Neighbours teach
delays, other clips teach phonemes. The corpus is rendered faces that speak with espeak voices; the check at the end
uses voices and sentences that no shipped weight has seen. A study with real clips continues the run on its own
training clips (`manifests` in the settings, `--start weights/syncnet.safetensors`).
"""

import csv
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from syncvoice.audio import resample
from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of
from syncvoice.metrics.lip_sync.check import SyncClip, sync_clips, syncnet_check
from syncvoice.metrics.lip_sync.distances import SAMPLES_PER_FRAME_16K
from syncvoice.metrics.lip_sync.syncnet_mini import shrink
from syncvoice.networks.syncnet import LIP_WINDOW, MFCC_PER_FRAME, MFCC_WINDOW, SyncNet, SyncNetConfig, mfcc
from syncvoice.pretraining.loop import PretrainingRun
from syncvoice.pretraining.settings import SyncNetRun, settings_of
from syncvoice.seeding import rng

log = logging.getLogger(__name__)

NOISE_DB = (200, 25, 12)  # level of the noise variants below the speech
START_TEMPERATURE = 0.15  # of the squared radius


Part = Literal["train", "check"]


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Train SyncNet; write weights, curve and provenance with the figures of its check.

    Args:
        values: see config/pretrain/syncnet.yaml.
        out: weight file to write.
        start: weights to continue from, or None.
        minutes: time limit, or None for the steps of the settings.
    """
    settings = settings_of(SyncNetRun, values, "syncnet")
    network = SyncNet(SyncNetConfig(**settings.config))
    size = network.config.image_size
    clips = clips_of_part(settings, "train", size)  # before the run begins: its time limit is for training
    pretraining = PretrainingRun("syncnet", settings, out, start, minutes)
    network = SyncNet(network.config)  # with the seed of the run
    pretraining.load_start(network)
    pretraining.metadata |= provenance(settings, "train", clips)
    train(
        network, Batches(clips, settings.batch_clips, settings.batch_windows, pretraining.seed), pretraining, settings
    )
    pretraining.save(network)
    if settings.manifests is not None and "check" not in settings.manifests:  # the study's rule check_syncnet checks it
        pretraining.save(network, {})
        return
    check_clips = clips_of_part(settings, "check", size)
    pretraining.metadata |= provenance(settings, "check", check_clips)
    check = syncnet_check(SyncNet.load(out), check_clips)  # of the weights as they are stored, in half precision
    pretraining.save(network, check.as_dict())
    log.info("check on %d clips: %s", check.clips, "passed" if check.passed else f"NOT passed: {check}")


# -- corpus ----------------------------------------------------------------------------------------------------------


def clips_of_part(settings: SyncNetRun, part: Part, size: int) -> list[SyncClip]:
    """Clips of part `train` or `check`: from prepared manifests, or from a corpus that is made when absent.

    Raises:
        UserError: the settings name neither, or nothing usable is there.
    """
    if settings.manifests is not None:
        return load_manifests([Path(path) for path in settings.manifests[part]], size)
    corpus, work = settings.made()
    folder = work / part
    pool = folder / "mouths.npz"
    if not pool.exists():
        if not (folder / "clips.csv").exists():
            from syncvoice.minidub.corpus import make_shard

            make_shard(corpus, part, 0, folder)
        save_pool(pool, load_corpus(folder, size))
    return load_pool(pool)


def load_corpus(folder: Path, size: int) -> list[SyncClip]:
    """Track the faces of a corpus folder (clips.csv and its videos); clips without a usable face are logged.

    Raises:
        UserError: no clip is usable.
    """
    from tqdm import tqdm

    from syncvoice.video.prepare import mouth_and_audio

    with open(folder / "clips.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    clips = []
    for row in tqdm(rows, desc=f"mouths of {folder.name}", unit="clip", disable=None):
        try:
            frames, audio = mouth_and_audio(folder / row["media"])
        except UserError as error:
            log.warning("%s left out: %s", row["clip"], error)
            continue
        clips.append(SyncClip(row["clip"], shrink(frames, size), resample(audio, SAMPLE_RATE, SCORER_SAMPLE_RATE)))
    if not clips:
        raise UserError(f"no usable clip in {folder}; see the log for the reasons")
    return clips


def load_manifests(paths: Iterable[Path], size: int) -> list[SyncClip]:
    """Read prepared clips; those without mouth crops are logged.

    Raises:
        UserError: a manifest cannot be read, or no clip is usable.
    """
    from syncvoice.records.clips import clips_of

    clips = sync_clips((clip for path in paths for clip in clips_of(path)), size)
    if not clips:
        raise UserError(f"no usable clip in {', '.join(map(str, paths))}; see the log for the reasons")
    return clips


def save_pool(path: Path, clips: Sequence[SyncClip]) -> None:
    """Write clips as one npz file, so that a second run need not track faces again."""
    arrays: dict[str, np.ndarray] = {"names": np.array([clip.name for clip in clips])}
    for index, clip in enumerate(clips):
        arrays[f"frames{index}"] = clip.frames
        arrays[f"audio{index}"] = np.round(np.clip(clip.audio, -1, 1) * 32767).astype(np.int16)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def load_pool(path: Path) -> list[SyncClip]:
    """Read what `save_pool` wrote."""
    with np.load(path) as arrays:
        return [
            SyncClip(name, arrays[f"frames{index}"], arrays[f"audio{index}"].astype(np.float32) / 32767)
            for index, name in enumerate(arrays["names"].tolist())
        ]


def provenance(settings: SyncNetRun, part: Part, clips: Sequence[SyncClip]) -> dict[str, Any]:
    """What a part was made of: number of clips, voices and sentence split, digest of the corpus table."""
    described: dict[str, Any] = {f"{part}_clips": len(clips)}
    if settings.manifests is not None:
        from syncvoice.records.clips import clips_of

        used = {clip.name for clip in clips}
        paths = {str(path): sha256_of(Path(path)) for path in settings.manifests[part]}
        speakers = {clip.speaker for path in paths for clip in clips_of(path) if clip.id in used}
        prefix = "" if part == "train" else f"{part}_"
        facts = {f"{prefix}voices": sorted(speakers), f"{part}_clip_ids": sorted(used), f"{part}_manifests": paths}
        return described | facts
    corpus, work = settings.made()
    table = work / part / "clips.csv"
    used = {clip.name for clip in clips}
    with open(table, encoding="utf-8", newline="") as file:
        voices = sorted({row["speaker"] for row in csv.DictReader(file) if row["clip"] in used})
    prefix = "" if part == "train" else f"{part}_"
    return described | {
        f"{prefix}voices": voices,
        f"{prefix}sentence_split": corpus.splits[part].sentences,
        f"{prefix}corpus_sha256": sha256_of(table),
    }


# -- batches ---------------------------------------------------------------------------------------------------------


class Batches:
    """Endless batches of consecutive windows from random clips, with augmentation; a function of (seed, step)."""

    def __init__(self, clips: Sequence[SyncClip], clips_per_batch: int, windows: int, seed: int) -> None:
        """Compute the MFCC of every clip, clean and with noise.

        Raises:
            UserError: fewer than two clips are long enough.
        """
        self.windows = windows
        self.clips_per_batch = clips_per_batch
        self.seed = seed
        needed = windows + LIP_WINDOW
        long = [clip for clip in clips if min(len(clip.frames), len(clip.audio) // SAMPLES_PER_FRAME_16K) >= needed]
        if len(long) < 2:
            raise UserError(f"SyncNet training needs at least two clips of {needed} frames, found {len(long)}")
        self.frames = [clip.frames for clip in long]
        self.mfcc = [self._sounds(clip, seed) for clip in long]

    @staticmethod
    def _sounds(clip: SyncClip, seed: int) -> list[np.ndarray]:
        """MFCC of the clip, clean and at two noise levels: three arrays (MFCC frames, 13) float32."""
        noise = rng(seed, "noise", clip.name).standard_normal(len(clip.audio)) * (clip.audio.std() + 1e-5)
        sounds = [clip.audio + noise * 10 ** (-level / 20) for level in NOISE_DB]
        return [mfcc(np.round(np.clip(sound, -1, 1) * 32767)).astype(np.float32) for sound in sounds]

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch of a step: lips (clips, 1, windows + 4, 48, 48) and sound (clips * windows, 1, 13, 20)."""
        random = rng(self.seed, "batch", step)
        chosen = random.choice(len(self.frames), self.clips_per_batch, replace=len(self.frames) < self.clips_per_batch)
        lips, sounds = zip(*(self._draw(index, random) for index in chosen), strict=True)
        return torch.from_numpy(np.stack(lips))[:, None], torch.from_numpy(np.concatenate(sounds))[:, None]

    def _draw(self, index: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Augmented windows of one clip: lips (windows + 4, 48, 48), sound (windows, 13, 20), both float32."""
        frames, coefficients = self.frames[index], self.mfcc[index][random.integers(len(NOISE_DB))]
        of_lips = len(frames) - LIP_WINDOW + 1
        of_sound = (len(coefficients) - MFCC_WINDOW) // MFCC_PER_FRAME + 1
        start = int(random.integers(0, min(of_lips, of_sound) - self.windows + 1))
        lips = augment_lips(frames[start : start + self.windows + LIP_WINDOW - 1], random)
        # A constant in the cepstrum is a linear filter: another microphone, room or level.
        filtered = coefficients + random.normal(0, [0.7] + [1.5] * 12).astype(np.float32)
        view = np.lib.stride_tricks.sliding_window_view(filtered, MFCC_WINDOW, axis=0)[::MFCC_PER_FRAME]
        return lips, view[start : start + self.windows]


def augment_lips(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Random mirror, shift of up to 3 pixels, contrast and brightness, the same in all frames; float32 0..255."""
    if random.random() < 0.5:
        frames = frames[:, :, ::-1]
    size = frames.shape[1]
    padded = np.pad(frames, ((0, 0), (3, 3), (3, 3)), mode="edge")
    y, x = random.integers(0, 7, 2)
    moved = padded[:, y : y + size, x : x + size].astype(np.float32)
    mean = moved.mean()
    return np.clip((moved - mean) * random.uniform(0.7, 1.3) + mean + random.normal(0, 15), 0, 255).astype(np.float32)


# -- training --------------------------------------------------------------------------------------------------------


def contrastive_loss(lips: Tensor, sounds: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE over a batch, similarity = -squared distance / temperature.

    Args:
        lips, sounds: (windows, embedding); row i of one belongs to row i of the other.
        temperature: scalar, in units of squared distance.

    Returns:
        loss, and the share of lips whose nearest sound is their own.
    """
    squared = lips.square().sum(1)[:, None] + sounds.square().sum(1) - 2 * lips @ sounds.T
    target = torch.arange(len(lips))
    logits = -squared / temperature
    loss = (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2
    return loss, (logits.detach().argmax(1) == target).float().mean()


def train(network: SyncNet, batches: Batches, pretraining: PretrainingRun, settings: SyncNetRun) -> None:
    """Train a network in place until the run's limit; it ends in evaluation mode."""
    log_temperature = nn.Parameter(torch.tensor(math.log(START_TEMPERATURE * network.config.radius**2)))
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1] + [log_temperature]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
    network.train()
    for step in pretraining.steps():
        images, sounds = batches[step]
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            lips, audio = network.embed_lips(images), network.embed_audio(sounds)
        loss, top1 = contrastive_loss(lips.float(), audio.float(), log_temperature.exp())
        pretraining.update(optimiser, loss)
        pretraining.record({"loss": loss.item(), "top1": top1.item()})
        if pretraining.save_due():
            pretraining.save(network)
    network.eval()
