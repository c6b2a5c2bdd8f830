"""Make the shipped vocoder: mel spectrogram to waveform, from synthetic speech of all pre-training voices.

Losses (our choice): the predicted magnitudes against the true ones (logarithmic, linear, and their mel), and, with a
small weight, the differences of the predicted phase along frequency and time, taken modulo 2 pi. Losses on the sound
itself are left out: while phases are wrong they bend the magnitudes. `Vocoder.decode` makes phases fit afterwards.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.mel_filters import mel_filters
from syncvoice.model.vocoder import HOP, MAX_MAGNITUDE, MEL_BINS, N_FFT, Vocoder
from syncvoice.pretraining.loop import PretrainingRun, fast_arithmetic
from syncvoice.pretraining.settings import VocoderRun, settings_of

MAGNITUDE_FLOOR = 2e-3  # of log-magnitude losses: the corpus's own noise floor
MEL_FLOOR = 1e-7  # of the mel features (public Vocos)
WEIGHTS = {"log_magnitude": 1.0, "convergence": 1.0, "mel": 1.0, "group_delay": 0.1, "frequency": 0.1}
GAIN_DB = 6.0  # random gain of training crops


def spectrum(audio: Tensor, n_fft: int = N_FFT, hop: int = HOP) -> Tensor:
    """Return the centred complex STFT with a Hann window: (B, samples) -> (B, n_fft / 2 + 1, 1 + samples / hop)."""
    window = torch.hann_window(n_fft)
    return torch.stft(audio, n_fft, hop, n_fft, window, center=True, pad_mode="reflect", return_complex=True)


def magnitude(spectra: Tensor) -> Tensor:
    """Return |S| with a finite gradient at zero."""
    return (spectra.real.square() + spectra.imag.square() + 1e-10).sqrt()


def log_mel(magnitudes: Tensor) -> Tensor:
    """Return the natural log mel (B, 100, T) of STFT magnitudes (B, 513, T)."""
    return (mel_filters(N_FFT, MEL_BINS, SAMPLE_RATE).T @ magnitudes).clamp(min=MEL_FLOOR).log()


def _wrapped(difference: Tensor) -> Tensor:
    """Return the absolute angle modulo 2 pi, in [0, pi]."""
    return (difference - 2 * math.pi * torch.round(difference / (2 * math.pi))).abs()


def phase_losses(predicted: Tensor, true: Tensor, magnitudes: Tensor) -> dict[str, Tensor]:
    """Compare phases (B, F, T) where there is energy.

    Returns:
        {"group_delay", "frequency"}: mean absolute differences in radians of the derivatives along frequency and along
        time, weighted by the square root of the magnitude. (The phase itself is not known from a mel.)
    """
    weight = magnitudes.sqrt()
    weight = weight / weight.mean()
    error = predicted - true
    return {
        "group_delay": (_wrapped(error.diff(dim=1)) * weight[:, 1:]).mean(),
        "frequency": (_wrapped(error.diff(dim=2)) * weight[:, :, 1:]).mean(),
    }


def _log_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of log magnitudes above the floor."""
    return (a.clamp(min=MAGNITUDE_FLOOR).log() - b.clamp(min=MAGNITUDE_FLOOR).log()).abs().mean()


def losses(vocoder: Vocoder, audio: Tensor, mel_noise: float = 0.0) -> dict[str, Tensor]:
    """Return all losses of a batch of sounds (B, samples), samples a multiple of 256.

    Args:
        vocoder: in training mode.
        audio: true sound at 24 kHz.
        mel_noise: deviation, in natural-log units, of noise on the input mel: generated mels are not exact.
    """
    true = spectrum(audio)
    magnitudes = magnitude(true)
    clean_mel = log_mel(magnitudes)
    mel = clean_mel
    if mel_noise > 0:
        mel = mel + mel_noise * torch.rand(len(mel), 1, 1) * torch.randn_like(mel)
    with fast_arithmetic():
        hidden = vocoder.backbone(mel)
    log_magnitude, phase = vocoder.head.polar(hidden.float())
    # no gradient is lost below the floor: it is applied to the target only
    target = magnitudes.clamp(min=MAGNITUDE_FLOOR)
    linear = log_magnitude.clamp(max=math.log(MAX_MAGNITUDE)).exp()
    norms = torch.linalg.vector_norm(magnitudes, dim=(1, 2)).clamp(min=1e-3)
    found = {
        "log_magnitude": (log_magnitude - target.log()).abs().mean(),
        "convergence": (torch.linalg.vector_norm(linear - magnitudes, dim=(1, 2)) / norms).mean(),
        "mel": (log_mel(linear) - clean_mel).clamp(-3.0, 3.0).abs().mean(),
    }
    return found | phase_losses(phase, true.angle(), magnitudes)


def crop(audio: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random stretch of `n_samples` at a random gain; shorter sound is padded with faint noise."""
    missing = n_samples - len(audio)
    if missing > 0:
        audio = np.concatenate([audio, rng.normal(0.0, 1e-4, missing).astype(np.float32)])
    start = int(rng.integers(0, len(audio) - n_samples + 1))
    piece = audio[start : start + n_samples]
    gain = 10 ** (rng.uniform(-GAIN_DB, GAIN_DB) / 20)
    return (piece * min(gain, 0.99 / max(float(np.abs(piece).max()), 1e-6))).astype(np.float32)


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Train the vocoder; write weights, curve and provenance.

    Args:
        values: see config/pretrain/vocoder.yaml.
        out: weight file to write.
        start: weights to continue from, or None.
        minutes: time limit, or None for the steps of the settings.
    """
    from syncvoice.pretraining.data import sounds_of
    from syncvoice.pretraining.optimisers import optimisers

    settings = settings_of(VocoderRun, values, "vocoder")
    pretraining = PretrainingRun("vocoder", settings, out, start, minutes)
    pool = sounds_of(settings)
    pretraining.metadata |= pool.provenance()
    rng = np.random.default_rng(pretraining.seed)
    vocoder = Vocoder(settings.config)
    pretraining.load_start(vocoder)
    name, rate = settings.optimiser, settings.learning_rate
    optimiser = optimisers(vocoder, name, rate, vocoder.backbone.convnext.parameters(), betas=(0.8, 0.99))
    n_samples = HOP * settings.crop_frames
    for _ in pretraining.steps():
        chosen = rng.integers(0, len(pool), settings.batch_size)
        audio = torch.from_numpy(np.stack([crop(pool.audio(int(i)), n_samples, rng) for i in chosen]))
        found = losses(vocoder, audio, settings.mel_noise)
        pretraining.update(optimiser, sum(WEIGHTS[key] * value for key, value in found.items()))
        pretraining.record({key: value.item() for key, value in found.items()})
        if pretraining.save_due():
            pretraining.save(vocoder)
    pretraining.save(vocoder)  # first: a check that fails must not cost the training
    # A study that trains the vocoder further judges it by its own row `vocoder_copy`.
    pretraining.save(vocoder, {} if settings.manifests is not None else evaluate(vocoder.eval(), settings))


@torch.inference_mode()
def evaluate(vocoder: Vocoder, settings: VocoderRun) -> dict[str, float]:
    """Copy test sentences of unseen voices through the vocoder and compare with the originals.

    Returns:
        {"n", "mel_l1", "log_stft_l1", "spectral_convergence"}: means over clips (natural-log units, ratio).
    """
    from syncvoice.pretraining.data import unseen_utterances

    rows = []
    for utterance in unseen_utterances(settings, settings.check_per_voice):
        audio = torch.from_numpy(utterance.audio)[None]
        audio = audio[:, : audio.shape[1] // HOP * HOP]
        true = magnitude(spectrum(audio))
        copy = vocoder.decode(0.1 * log_mel(true).transpose(1, 2), audio.shape[1])
        found = magnitude(spectrum(copy))
        convergence = torch.linalg.vector_norm(found - true) / torch.linalg.vector_norm(true)
        mel = (log_mel(found) - log_mel(true)).abs().mean()
        rows.append([mel.item(), _log_distance(found, true).item(), convergence.item()])
    means = np.mean(rows, axis=0).round(4).tolist()
    return {"n": len(rows), **dict(zip(("mel_l1", "log_stft_l1", "spectral_convergence"), means, strict=True))}
