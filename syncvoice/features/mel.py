"""Log mel spectrogram as ZipVoice and Vocos define it (VocosFbank; golden values in tests/golden/vocos.json)."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from syncvoice import clocks
from syncvoice.mel_filters import mel_filters

N_FFT = 1024
N_MELS = 100
FLOOR = 1e-7  # magnitudes are clamped here before the logarithm
FEATURE_SCALE = 0.1  # ZipVoice multiplies the natural log by this

Audio = TypeVar("Audio", np.ndarray, Tensor)


def log_mel(audio: Audio, n_frames: int | None = None) -> Audio:
    """Return ZipVoice features of mono 24 kHz sound: natural log mel magnitudes times 0.1.

    Hann window 1024, hop 256, centred with reflection, magnitudes, 100 HTK mel bands 0-12 kHz without normalisation
    (reference implementation).

    Args:
        audio: (..., samples) in [-1, 1], more than 512 samples.
        n_frames: length in video frames, for which T = `clocks.mel_frames(n_frames)`; None takes
            round-half-up(samples / 256), which is the same for sound of 960 * n_frames samples.

    Returns:
        (..., T, 100) float32, array or tensor like the input; surplus frames are cut, the last one is repeated.
    """
    samples = torch.as_tensor(audio, dtype=torch.float32)
    frames = (samples.shape[-1] + clocks.HOP // 2) // clocks.HOP if n_frames is None else clocks.mel_frames(n_frames)
    window = torch.hann_window(N_FFT, device=samples.device)
    flat = samples.reshape(-1, samples.shape[-1])
    spectrum = torch.stft(flat, N_FFT, clocks.HOP, window=window, center=True, pad_mode="reflect", return_complex=True)
    filters = mel_filters(N_FFT, N_MELS, clocks.SAMPLE_RATE).to(samples.device)
    mel = torch.matmul(spectrum.abs().transpose(1, 2), filters)
    mel = mel.clamp(min=FLOOR).log() * FEATURE_SCALE
    mel = _with_length(mel, frames).reshape(*samples.shape[:-1], frames, N_MELS)
    return mel.numpy() if isinstance(audio, np.ndarray) else mel


def _with_length(mel: Tensor, frames: int) -> Tensor:
    """Cut (batch, time, bands) or repeat its last frame to `frames`."""
    missing = frames - mel.shape[1]
    return mel[:, :frames] if missing <= 0 else torch.cat([mel, mel[:, -1:].expand(-1, missing, -1)], dim=1)
