"""GE2E speaker embeddings (Wan et al. 2018; weights of the package Resemblyzer).

Audio is mono float32 at 16 kHz. Level is raised to -30 dBFS, never lowered; long silences are cut; the mel
spectrogram is 40 bands of power, not log (window 25 ms, hop 10 ms); 1.6 s partials, 1.3 per second, are embedded,
averaged and scaled to length 1. Cosines lie in [0, 1] (embeddings are not negative), higher is more alike. Differs
from Resemblyzer: silence is found by energy relative to the loudest part, not by webrtcvad (a package that needs an
old setuptools), so values differ in the second decimal; the network and everything after it are the same.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from syncvoice.errors import UserError
from syncvoice.mel_filters import mel_filters

if TYPE_CHECKING:
    import torch

RATE_HZ = 16_000
N_FFT = 400  # 25 ms
HOP = 160  # 10 ms
N_MELS = 40
PARTIAL = 160  # mel frames of a partial, 1.6 s
PARTIALS_PER_S = 1.3
MIN_COVERAGE = 0.75  # a last partial with less sound is dropped
TARGET_DBFS = -30.0
SILENCE_DB = 40.0  # our choice: a 30 ms block this far below the loudest one is silence
BLOCK = 480  # 30 ms
KEEP_BLOCKS = 6  # silence of up to 6 blocks stays


class NoVoice(ValueError):
    """There is no voice in the sound."""


def mel_spectrogram(audio: np.ndarray) -> np.ndarray:
    """Power mel spectrogram of a sound (samples,), centred, zero-padded: (1 + samples // 160, 40) float32."""
    padded = np.pad(audio, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)  # periodic Hann
    power = np.abs(np.fft.rfft(frames * window.astype(np.float32), axis=1)) ** 2
    filters = mel_filters(N_FFT, N_MELS, RATE_HZ, scale="slaney", by_area=True).numpy()  # librosa's default
    return power.astype(np.float32) @ filters


def prepare(audio: np.ndarray) -> np.ndarray:
    """Raise the level to -30 dBFS if it is below and cut long silences; (samples,) float32 at 16 kHz.

    Raises:
        NoVoice: nothing is left.
    """
    rms = np.sqrt(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0
    if rms < 1e-5:
        raise NoVoice("sound is silent: no voice to compare")
    gain = max(1.0, 10 ** (TARGET_DBFS / 20) / rms)
    return cut_silence((audio * gain).astype(np.float32))


def cut_silence(audio: np.ndarray) -> np.ndarray:
    """Drop 30 ms blocks that are silent and far from speech; pauses of up to 0.2 s stay."""
    blocks = len(audio) // BLOCK
    if blocks < 2:
        return audio
    cut = audio[: blocks * BLOCK].reshape(blocks, BLOCK)
    level = 10 * np.log10(np.mean(np.square(cut, dtype=np.float64), axis=1) + 1e-12)
    voiced = level > level.max() - SILENCE_DB
    near = np.convolve(voiced, np.ones(KEEP_BLOCKS + 1), mode="same") > 0
    return cut[near].reshape(-1)


def partial_starts(n_samples: int) -> list[int]:
    """First mel frames of the partials of a sound (facts of the reference implementation)."""
    step = round(RATE_HZ / PARTIALS_PER_S / HOP)
    n_frames = -(-(n_samples + 1) // HOP)
    starts = list(range(0, max(1, n_frames - PARTIAL + step + 1), step))
    coverage = (n_samples - starts[-1] * HOP) / (PARTIAL * HOP)
    return starts[:-1] if coverage < MIN_COVERAGE and len(starts) > 1 else starts


class Ge2eNetwork:
    """GE2E network: three LSTM layers of 256, linear layer with ReLU, length 1.

    >>> sound = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    >>> embedding = Ge2eNetwork.installed().embed(sound)
    >>> embedding.shape, round(float(embedding @ embedding), 3)
    ((256,), 1.0)
    """

    def __init__(self, weights: Path) -> None:
        """Load the weight file of Resemblyzer (tensors only, nothing in it is executed)."""
        import torch

        from syncvoice.records.weights import open_weights

        self._lstm = torch.nn.LSTM(N_MELS, 256, 3, batch_first=True)
        self._linear = torch.nn.Linear(256, 256)
        opened = open_weights(weights, "model_state")
        opened.into(torch.nn.ModuleDict({"lstm": self._lstm, "linear": self._linear}), ("similarity_*",))  # of training
        self.weights_sha256 = opened.sha256

    @classmethod
    def installed(cls) -> Self:
        """Load the weights inside the installed package, without importing it (its import needs webrtcvad).

        Raises:
            UserError: the package is not installed.
        """
        found = importlib.util.find_spec("resemblyzer")
        if found is None or not found.submodule_search_locations:
            raise UserError(
                "package Resemblyzer is not installed; SIM-o needs its weight file: pip install Resemblyzer"
            )
        return cls(Path(found.submodule_search_locations[0]) / "pretrained.pt")

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, (256,) float32 of length 1.

        Raises:
            NoVoice: there is no voice.
        """
        return self.embed_prepared(prepare(audio))

    def embed_prepared(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound whose level and silences are already right."""
        import torch

        starts = partial_starts(len(audio))
        needed = (starts[-1] + PARTIAL) * HOP
        mel = mel_spectrogram(np.pad(audio, (0, max(0, needed - len(audio)))))
        with torch.inference_mode():
            partials = self._forward(torch.from_numpy(np.stack([mel[start : start + PARTIAL] for start in starts])))
        mean = partials.mean(0).numpy()
        return mean / np.linalg.norm(mean)

    def _forward(self, mels: "torch.Tensor") -> "torch.Tensor":
        """Partials (partials, 160, 40) -> (partials, 256), each of length 1."""
        import torch

        _, (hidden, _) = self._lstm(mels)
        raw = torch.relu(self._linear(hidden[-1]))
        return raw / raw.norm(dim=1, keepdim=True)
