"""Speaker similarity: cosine of d-vectors (GE2E, Wan et al. 2018; implementation yistLin/dvector).

The SPK-SIM of StyleDubber, ProDubber and EmoDubber. A GE2E network too, but not the one of Resemblyzer: other weights,
log mel features and pooling, so values do not compare.

Conventions
-----------
Audio is mono float32 at 16 kHz, its peak at -3 dBFS, silence taken out; 40 log mel bands (HTK, power, 50 to 8000 Hz,
window 25 ms, hop 10 ms); the whole utterance passes the network at once, as in the reference. Values lie in [-1, 1],
higher is more alike. Differs from the reference: silence is found in blocks of 0.1 s whose peak stays below 1 % of full
scale (the reference calls sox, which cuts at the exact sample), and more than 60 s are cut.

The public file is a TorchScript program, which this project does not run; the asset is its state dict.

Metrics: sim_o and sim_o_other, as in `similarity`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.errors import UserError
from syncvoice.mel_filters import mel_filters
from syncvoice.metrics.scorer import Sources
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer

if TYPE_CHECKING:
    import torch

ASSET = "dvector"
RATE_HZ = 16_000
N_FFT = 400  # 25 ms
HOP = 160  # 10 ms
N_MELS = 40
LOWEST_HZ = 50.0
FLOOR = 1e-9  # added to the power before the logarithm
PEAK = 10 ** (-3 / 20)
BLOCK = 1600  # 0.1 s
SILENT_PEAK = 0.01  # of full scale
LONGEST_S = 60


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Log mel power of a sound (samples,), centred with reflection: (1 + samples // 160, 40) float32."""
    padded = np.pad(audio.astype(np.float32), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return np.log(power.astype(np.float32) @ mel_filters(N_FFT, N_MELS, RATE_HZ, low=LOWEST_HZ).numpy() + FLOOR)


def prepare(audio: np.ndarray) -> np.ndarray:
    """Raise or lower the peak to -3 dBFS and take silent blocks out; (samples,) float32.

    Raises:
        SilentSound: nothing is left.
    """
    audio = audio[: LONGEST_S * RATE_HZ]
    peak = float(np.abs(audio).max()) if len(audio) else 0.0
    if peak < 1e-4:
        raise SilentSound("sound is silent: no voice to compare")
    level = (audio * (PEAK / peak)).astype(np.float32)
    blocks = [level[start : start + BLOCK] for start in range(0, len(level), BLOCK)]
    loud = np.concatenate([block for block in blocks if np.abs(block).max() >= SILENT_PEAK])
    if len(loud) < N_FFT:
        raise SilentSound(f"sound has {len(loud)} samples without silence, {N_FFT} are needed")
    return loud


class DvectorEncoder:
    """LSTM layers and a linear layer; the last frame, or with a layer `linear` an attentive mean over frames."""

    def __init__(self, state: Mapping[str, "torch.Tensor"], weights_sha256: str = "") -> None:
        """Make the network that a state dict describes.

        Raises:
            UserError: keys are missing or do not fit.
        """
        import torch

        from syncvoice.records.weights import load_strict

        if "lstm.weight_ih_l0" not in state or "embedding.weight" not in state:
            raise UserError(f"d-vector weights need keys lstm.* and embedding.*; found {', '.join(sorted(state)[:4])}")
        layers = sum(name.startswith("lstm.weight_ih_l") for name in state)
        outputs, cells = state["embedding.weight"].shape
        parts = {
            "lstm": torch.nn.LSTM(state["lstm.weight_ih_l0"].shape[1], cells, layers, batch_first=True),
            "embedding": torch.nn.Linear(cells, outputs),
        }
        if "linear.weight" in state:
            parts["linear"] = torch.nn.Linear(outputs, 1)
        self._network = torch.nn.ModuleDict(parts)
        load_strict(self._network, state, "the d-vector file")
        self.weights_sha256 = weights_sha256

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, float32 of length 1.

        Raises:
            SilentSound: there is no voice.
        """
        import torch

        with torch.inference_mode():
            raw = self.pooled(torch.from_numpy(log_mel(prepare(audio)))[None])[0].numpy()
        return raw / np.linalg.norm(raw)

    def pooled(self, mels: "torch.Tensor") -> "torch.Tensor":
        """Map log mels (B, frames, 40) to (B, outputs), not normalised."""
        import torch

        states, _ = self._network["lstm"](mels)
        if "linear" not in self._network:
            return self._network["embedding"](states[:, -1])
        values = torch.tanh(self._network["embedding"](states))
        return (values * self._network["linear"](values).softmax(dim=1)).sum(dim=1)


class DvectorSimilarityScorer(SpeakerSimilarityScorer):
    """Similarity by d-vectors."""

    NAME = "ge2e_dvector"

    @classmethod
    def from_sources(cls, sources: Sources) -> "DvectorSimilarityScorer":
        """Load the weights; references come from the study's manifests.

        Raises:
            UserError: they are not there.
        """
        from syncvoice.records.weights import open_weights

        what = "the state dict of yistLin/dvector's dvector.pt (licence not stated) as safetensors"
        path = sources.asset_file(ASSET, f"sim_o.{cls.NAME}", what)
        weights = open_weights(path)
        return cls(DvectorEncoder(weights.state, weights.sha256), sources.references)
