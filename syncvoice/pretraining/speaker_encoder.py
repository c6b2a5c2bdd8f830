"""Make the shipped speaker encoder: a small CAM++ that tells synthetic voices apart.

Additive angular margin softmax over the pre-training voices (scale 32, margin 0.2 as for the public weights), random
crops of English and Mandarin; the check is the equal error rate on voices that it never heard.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.minidub import natural_voices, voices
from syncvoice.networks.camplus import MEL_BINS, CAMPPlus, fbank, log_fbank
from syncvoice.pretraining.data import at_16k, open_pool, unseen_utterances
from syncvoice.pretraining.joined_pool import AnyPool
from syncvoice.pretraining.loop import PretrainingRun, fast_arithmetic
from syncvoice.pretraining.settings import SpeakerEncoderRun, settings_of

SCALE = 32.0
MARGIN = 0.2  # radians
MARGIN_STEPS = 0.3  # share of the run over which the margin grows from 0


class MarginSoftmax(nn.Module):
    """Additive angular margin softmax (ArcFace) over speakers."""

    def __init__(self, embedding_size: int, n_speakers: int) -> None:
        """Make one direction per speaker."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_speakers, embedding_size))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, embeddings: Tensor, speakers: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        """Return the loss and the share of right speakers, for embeddings (B, E) and speaker indices (B,)."""
        cosine = functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))
        angle = cosine.clamp(-1 + 1e-6, 1 - 1e-6).acos()
        own = functional.one_hot(speakers, len(self.weight)).bool()
        logits = SCALE * torch.where(own, (angle + margin).clamp(max=torch.pi).cos(), cosine)
        right = (cosine.argmax(dim=1) == speakers).float().mean()
        return functional.cross_entropy(logits, speakers), right


class FbankCache:
    """Filter banks of pool utterances, computed once (float16, about 40 kB each)."""

    def __init__(self, pool: AnyPool) -> None:
        """Keep a reference to the pool."""
        self._pool = pool
        self._items: dict[int, Tensor] = {}

    def crop(self, index: int, n_frames: int, rng: np.random.Generator) -> Tensor:
        """Return a random mean-normalised stretch (n_frames, 80); shorter utterances are repeated."""
        if index not in self._items:
            self._items[index] = log_fbank(at_16k(self._pool.audio(index))).half()
        features = self._items[index]
        if len(features) < n_frames:
            features = features.repeat(-(-n_frames // len(features)), 1)
        start = int(rng.integers(0, len(features) - n_frames + 1))
        piece = features[start : start + n_frames].float()
        return piece - piece.mean(dim=0, keepdim=True)


def equal_error_rate(same: np.ndarray, other: np.ndarray) -> float:
    """Return the rate at which misses equal false alarms, 0..1.

    Args:
        same: similarities of pairs of one speaker.
        other: similarities of pairs of two speakers.
    """
    thresholds = np.sort(np.concatenate([same, other]))
    misses = np.searchsorted(np.sort(same), thresholds, side="left") / len(same)
    alarms = 1 - np.searchsorted(np.sort(other), thresholds, side="left") / len(other)
    best = int(np.argmin(np.abs(misses - alarms)))
    return float((misses[best] + alarms[best]) / 2)


@torch.inference_mode()
def evaluate(encoder: CAMPPlus, settings: SpeakerEncoderRun) -> dict[str, float]:
    """Return equal error rates on unseen voices and test sentences.

    Returns:
        {"n", "eer", "eer_cross_language", "eer_same_sex"} over all pairs, pairs of English with Mandarin, and
        impostor pairs of one sex; "mean_same", "mean_other": mean similarities.
    """
    sex = {voice.name: voice.sex for voice in voices.UNSEEN_VOICES}
    sex |= {voice.name: voice.sex for voice in natural_voices.UNSEEN_VOICES}
    found = list(unseen_utterances(settings, settings.check_per_voice))
    embeddings = torch.cat([encoder(fbank(at_16k(u.audio))[None]) for u in found])
    similarity = (functional.normalize(embeddings) @ functional.normalize(embeddings).T).numpy()
    first, second = np.triu_indices(len(found), 1)
    values = similarity[first, second]
    same = np.array([found[i].voice == found[j].voice for i, j in zip(first, second, strict=True)])
    cross = np.array([found[i].language != found[j].language for i, j in zip(first, second, strict=True)])
    one_sex = np.array([sex[found[i].voice] == sex[found[j].voice] for i, j in zip(first, second, strict=True)])
    figures = {
        "eer": equal_error_rate(values[same], values[~same]),
        "eer_cross_language": equal_error_rate(values[same & cross], values[~same & cross]),
        "eer_same_sex": equal_error_rate(values[same], values[~same & one_sex]),
        "mean_same": float(values[same].mean()),
        "mean_other": float(values[~same].mean()),
    }
    return {"n": len(found), **{key: round(value, 4) for key, value in figures.items()}}


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Train the speaker encoder; write weights, curve and provenance.

    Args:
        values: see config/pretrain/speaker_encoder.yaml.
        out: weight file to write.
        start: weights to continue from, or None.
        minutes: time limit, or None for the steps of the settings.
    """
    settings = settings_of(SpeakerEncoderRun, values, "speaker_encoder")
    pretraining = PretrainingRun("speaker_encoder", settings, out, start, minutes)
    pool = open_pool(settings)
    pretraining.metadata |= pool.provenance()
    rng = np.random.default_rng(pretraining.seed)
    names = sorted(set(pool.voice))
    speaker_of = np.array([names.index(name) for name in pool.voice])
    encoder = CAMPPlus(**settings.config)
    pretraining.load_start(encoder)
    classifier = MarginSoftmax(encoder.embedding_size, len(names))
    parameters = [*encoder.parameters(), *classifier.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=0.02)
    cache = FbankCache(pool)
    shortest, longest = settings.crop_frames
    for _ in pretraining.steps():
        chosen = rng.integers(0, len(pool), settings.batch_size)
        n_frames = int(rng.integers(shortest, longest + 1))
        batch = torch.stack([cache.crop(int(i), n_frames, rng) for i in chosen])
        batch = batch + settings.noise * torch.rand(len(batch), 1, 1) * torch.randn(len(batch), n_frames, MEL_BINS)
        margin = MARGIN * min(1.0, pretraining.progress() / MARGIN_STEPS)
        with fast_arithmetic():
            embeddings = encoder(batch)
        loss, right = classifier(embeddings.float(), torch.from_numpy(speaker_of[chosen]), margin)
        pretraining.update(optimiser, loss)
        pretraining.record({"loss": loss.item(), "accuracy": right.item()})
        if pretraining.save_due():
            pretraining.save(encoder)
    pretraining.save(encoder)  # first: a check that fails must not cost the training
    pretraining.save(encoder, evaluate(encoder.eval(), settings))
