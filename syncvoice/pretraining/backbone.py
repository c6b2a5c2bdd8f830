"""Pre-training of the small backbone and speaker encoder on synthetic speech: sound, text and phone times, no video.

The network is the paper's model at small size. Two aids make it learn the alignment of text and speech within hours on
two cores, both our choice and both gone at inference:

- timing hints: in part of the clips the Text-Visual Fusion gets the articulation and prosody curves that phone times
  and sound imply. The backbone so learns to follow timing that enters through the text condition. The hint fusion is
  not part of any recipe: fine-tuning starts with a new, zero-initialised fusion of real lip and face features.
- a phone head on a middle stack predicts the phone of every frame (cross-entropy, decaying weight).

Sequences are [context | target] of one voice, or the target alone with the speaker embedding.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from syncvoice.clocks import mel_frame_times, mel_frames
from syncvoice.features.mel import log_mel
from syncvoice.minidub import voices
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig, pad_stack
from syncvoice.pretraining.data import open_pool
from syncvoice.pretraining.joined_pool import AnyPool
from syncvoice.pretraining.loop import PretrainingRun
from syncvoice.pretraining.optimisers import optimisers
from syncvoice.pretraining.settings import BackboneRun, settings_of
from syncvoice.seeding import rng
from syncvoice.text.articulation import articulation, prosody
from syncvoice.text.phones import PHONE_CLASSES, phone_class
from syncvoice.training.objective import Batch, predict
from syncvoice.training.optimisers import hidden_matrices
from syncvoice.training.shapes import padded, same_shapes, symbol_rows

log = logging.getLogger(__name__)


class BackbonePretraining(nn.Module):
    """The model with hint fusion, and the phone head."""

    def __init__(self, config: SyncVoiceConfig, phone_stack: int) -> None:
        super().__init__()
        self.model = SyncVoice(config)
        self.phone_stack = phone_stack
        self.phone_head = nn.Linear(config.backbone.fm_decoder_dim, len(PHONE_CLASSES))


@dataclass
class Clip:
    """One utterance of the pool, ready for batches; arrays in float16 to keep the pool in memory."""

    mel: np.ndarray  # (T, 100)
    tokens: list[int]
    hints: np.ndarray  # (N, 7): articulation and prosody
    phone: np.ndarray  # (T,) classes
    voice: str
    n_frames: int


def read_clips(pool: AnyPool) -> list[Clip]:
    """Compute features of a whole pool (about 2 ms and 45 kB per utterance)."""
    from tqdm import tqdm

    clips = []
    for i in tqdm(range(len(pool)), desc="features", mininterval=5.0, disable=None):
        u = pool[i]
        hints = np.concatenate([articulation(u.phones, u.n_frames), prosody(u.audio, 24_000, u.n_frames)], axis=1)
        ends = np.array([phone.end_s for phone in u.phones])
        classes = np.array([phone_class(phone.symbol) for phone in u.phones])
        index = np.searchsorted(ends, mel_frame_times(mel_frames(u.n_frames)), side="right").clip(max=len(ends) - 1)
        mel = log_mel(u.audio, u.n_frames).astype(np.float16)
        clips.append(
            Clip(mel, u.tokens.tolist(), hints.astype(np.float16), classes[index].astype(np.int16), u.voice, u.n_frames)
        )
    return clips


class Batches:
    """Random batches of about `batch_frames` mel frames, clips of like length together."""

    def __init__(self, clips: list[Clip], settings: BackboneRun, seed: int, embeddings: dict[int, Tensor]) -> None:
        """Group clips by voice; a clip is a target if another one of its voice can be its reference."""
        self.clips, self.settings, self.embeddings = clips, settings, embeddings
        self.draw = rng(seed, "batches")
        self.references = references(clips, settings.references_per_voice)
        self.targets = [i for i in range(len(clips)) if set(self.references[clips[i].voice]) - {i}]
        self.by_length = sorted(self.targets, key=lambda i: clips[i].n_frames)

    def __call__(self, longest_share: float) -> Iterator[Batch]:
        """Yield batches of one round of 600 clips, drawn from the shortest `longest_share` of all targets."""
        pool = self.by_length[: max(1, int(len(self.by_length) * longest_share))]
        chosen = self.draw.choice(len(pool), min(600, len(pool)), replace=False)
        items = []
        for target in (pool[c] for c in chosen):
            group = [r for r in self.references[self.clips[target].voice] if r != target]
            reference = group[int(self.draw.integers(len(group)))]
            context = bool(self.draw.random() >= self.settings.drop_context)
            frames = len(self.clips[target].mel) + (len(self.clips[reference].mel) if context else 0)
            items.append((frames, target, reference, context))
        groups = same_shapes([item[0] for item in items], self.settings.batch_frames)
        for g in self.draw.permutation(len(groups)):
            width, group = groups[g]
            yield self.batch([items[i][1:] for i in group], width)

    def batch(self, items: list[tuple[int, int, bool]], width: int) -> Batch:
        """Assemble (target, reference, with context) triples, padded to `width` mel frames."""
        tokens, segments, features = [], [], []
        for target, reference, context in items:
            t, r = self.clips[target], self.clips[reference]
            tokens.append((r.tokens if context else []) + t.tokens)
            segments.append(((len(r.tokens), len(r.mel)) if context else (0, 0), (len(t.tokens), len(t.mel))))
            features.append(torch.from_numpy(np.concatenate([r.mel, t.mel]) if context else t.mel).float())
        hints = pad_stack([torch.from_numpy(self.clips[t].hints).float() for t, _, _ in items])
        hints = hints + self.settings.hint_noise * torch.randn_like(hints)
        reference_mels = [torch.from_numpy(self.clips[r].mel).float() for _, r, _ in items]
        embedding = next(iter(self.embeddings.values())).numel()
        script = Script(
            tokens, segments, {"lip": hints[..., :5], "face": hints[..., 5:]}, padded(pad_stack(reference_mels)),
            torch.tensor([len(mel) for mel in reference_mels]),
            torch.stack([self.embeddings.get(r, torch.zeros(embedding)) for _, r, _ in items]),
            least=(symbol_rows(tokens), width),
        )  # fmt: skip
        u = torch.from_numpy(self.draw.random(len(items)))
        only = self.settings.one_speaker_branch  # share of clips that keep one branch alone, per branch
        script.keep_branches = {"pretrained": (u >= only).float(), "learnable": (u < 1 - only).float()}
        keep = [not context or bool(self.draw.random() >= self.settings.drop_speaker) for _, _, context in items]
        x_1 = padded(pad_stack(features), width)
        return Batch([str(t) for t, _, _ in items], script, x_1, torch.tensor(keep).float())

    def phones(self, batch: Batch) -> Tensor:
        """Phone classes of a batch's target frames at mel rate (B, T), -100 elsewhere."""
        classes = torch.full(batch.features.shape[:2], -100)
        for row, name, (context, target) in zip(classes, batch.clip_ids, batch.script.segments, strict=True):
            row[context[1] : context[1] + target[1]] = torch.from_numpy(self.clips[int(name)].phone.astype(np.int64))
        return classes


def references(clips: list[Clip], per_voice: int) -> dict[str, list[int]]:
    """Indices of each voice's shortest clips: reference voices are short, as in the study."""
    by_voice: dict[str, list[int]] = {}
    for i in sorted(range(len(clips)), key=lambda i: clips[i].n_frames):
        by_voice.setdefault(clips[i].voice, []).append(i)
    return {voice: group[:per_voice] for voice, group in sorted(by_voice.items())}


def embed_references(pool: AnyPool, indices: list[int], weights: str | None, width: int) -> dict[int, Tensor]:
    """CAM++ embeddings of the reference clips; zeros as long as there is no speaker encoder to start from."""
    if not weights or not Path(weights).exists():
        log.warning("no speaker encoder at %s: the pretrained branch sees zeros in this run", weights)
        return {i: torch.zeros(width) for i in indices}
    from syncvoice.audio import resample
    from syncvoice.networks.camplus import CAMPPlus, fbank

    encoder = CAMPPlus.load(Path(weights)).eval()
    with torch.no_grad():
        return {i: encoder(fbank(torch.from_numpy(resample(pool.audio(i), 24_000, 16_000)))[None])[0] for i in indices}


def train_step(trainer: BackbonePretraining, batch: Batch, batches: Batches, settings: BackboneRun, share: float
               ) -> tuple[Tensor, dict[str, float]]:  # fmt: skip
    """Loss of one batch: flow matching, weighted over flow time, plus the decaying phone loss."""
    t = torch.rand(len(batch.clip_ids))
    has_context = [context[1] > 0 for context, _ in batch.script.segments]
    average = all(has_context) and batches.draw.random() < settings.average_expansion
    keep: list[Tensor] = []
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
        prediction = predict(
            trainer.model, batch, settings.masking, "average" if average else "segments", t=t, keep=keep
        )
        logits = trainer.phone_head(keep[trainer.phone_stack]).float()
    flow = prediction.loss()
    weighted = prediction.loss("noise_share")
    phone = nn.functional.cross_entropy(logits.flatten(0, 1), batches.phones(batch).flatten(), ignore_index=-100)
    weight = settings.phone_weight * max(0.1, 1 - share)
    return weighted + weight * phone, {
        "flow": float(flow.detach()),
        "weighted": float(weighted.detach()),
        "phone": float(phone.detach()),
    }


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average whose memory grows with the steps, so that early saves are no mixture of noise."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        """Averaged parameter after one more step."""
        n = float(count)
        return torch.lerp(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return average


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Make or continue the backbone weights; see `PretrainingRun` for limits, curve and provenance."""
    settings = settings_of(BackboneRun, values, "backbone")
    run = PretrainingRun("backbone", settings, out, start, minutes)
    pool = open_pool(settings, voices.BACKBONE_VOICES)
    clips = read_clips(pool)
    trainer = BackbonePretraining(SyncVoiceConfig.of(settings.config), settings.phone_stack)
    run.load_start(trainer)
    indices = [i for group in references(clips, settings.references_per_voice).values() for i in group]
    embeddings = embed_references(pool, indices, settings.speaker_encoder, trainer.model.config.pretrained_speaker_dim)
    batches = Batches(clips, settings, run.seed, embeddings)
    run.metadata = {**pool.provenance(), "speaker_encoder": settings.speaker_encoder}
    optimiser = optimisers(
        trainer,
        settings.optimiser,
        settings.learning_rate,
        hidden_matrices(trainer),
        betas=(0.9, 0.98),
    )
    average = torch.optim.swa_utils.AveragedModel(trainer, avg_fn=moving_average(settings.average_decay))
    stream: Iterator[Batch] = iter(())
    for _ in run.steps():
        batch = next(stream, None)
        if batch is None:
            curriculum = 1.0 if start else min(1.0, 0.4 + 3 * run.progress())
            stream = batches(curriculum)
            batch = next(stream)
        loss, losses = train_step(trainer, batch, batches, settings, run.progress())
        run.update(optimiser, loss, clip=settings.gradient_clip)
        average.update_parameters(trainer)
        run.record({**losses, "clips": len(batch.clip_ids)})
        if run.save_due():
            run.save(average.module)
    run.save(average.module, {"flow_loss_last_steps": float(run.curve[-1]["flow"]) if run.curve else None})
