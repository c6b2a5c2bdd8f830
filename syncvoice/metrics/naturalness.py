"""Predicted naturalness: DNSMOS P.835 (Reddy et al. 2022).

Conventions
-----------
Audio is mono float32 at 16 kHz in [-1, 1]; louder samples are clipped. The network hears 9.01 s. A longer sound is cut
into windows that start every second and their values are averaged. A shorter one is appended to itself (doubling) until
it is long enough, as the package speechmos does, and its first window is scored: the package scores later windows too,
which hold the same sound again and cost three times as much (`all_windows`; a test bounds the difference). Values are
mean opinion scores from 1 to 5, after the polynomials of the published non-personalised model. Higher is better. DNSMOS
judges noise and distortion; it knows nothing of the script.

Metrics: dnsmos_sig (speech), dnsmos_bak (background), dnsmos_ovrl (overall).
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.metrics.scoring import Score, Sources, Utterance

RATE_HZ = 16_000
WINDOW_S = 9.01
MODEL = "dnsmos_models/sig_bak_ovr.onnx"
# Polynomials (highest power first) from network output to MOS, published with the model.
SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
OVERALL = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True)
class Dnsmos:
    """Predicted opinion scores, 1 to 5."""

    signal: float
    background: float
    overall: float


def windows(audio: np.ndarray, all_windows: bool = False) -> np.ndarray:
    """Cut or repeat a sound (samples,) at 16 kHz into windows (windows, 144160) float32.

    Args:
        audio: the sound.
        all_windows: keep the windows after the first of a repeated sound too, as the package speechmos does.

    Raises:
        ValueError: the sound is empty.
    """
    if not len(audio):
        raise ValueError("DNSMOS needs a sound of at least one sample")
    size = int(WINDOW_S * RATE_HZ)
    repeated = len(audio) < size
    while len(audio) < size:
        audio = np.concatenate([audio, audio])
    count = 1 if repeated and not all_windows else int(np.floor(len(audio) / RATE_HZ) - WINDOW_S) + 1
    starts = [index * RATE_HZ for index in range(count) if index * RATE_HZ + size <= len(audio)]
    return np.stack([audio[start : start + size] for start in starts]).astype(np.float32)


class DnsmosScorer:
    """The P.835 network on one thread, so that values do not depend on the number of cores."""

    NAME = "p835"

    def __init__(self, model: Path) -> None:
        """Load the ONNX model."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.weights_sha256 = sha256_of(model)
        self.VERSION = f"speechmos {version('speechmos')}, repeated sounds: first window"

    @classmethod
    def from_sources(cls, _sources: Sources) -> "DnsmosScorer":
        """Load the model that lies inside the installed package speechmos, without importing the package.

        Raises:
            UserError: the package is not installed.
        """
        found = importlib.util.find_spec("speechmos")
        if found is None or not found.submodule_search_locations:
            raise UserError(
                "package speechmos is not installed; DNSMOS needs the networks inside it: pip install speechmos"
            )
        return cls(Path(found.submodule_search_locations[0]) / MODEL)

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """Three metrics for every row."""
        return [f"dnsmos_{part}.{self.NAME}" for part in ("ovrl", "sig", "bak")]

    def predict(self, audio: np.ndarray, all_windows: bool = False) -> Dnsmos:
        """Predict the opinion scores of a sound (samples,) at 16 kHz; for `all_windows` see `windows`."""
        batch = windows(np.clip(audio, -1.0, 1.0), all_windows)
        raw = np.concatenate([self._session.run(None, {"input_1": window[None]})[0] for window in batch])
        values = [np.polyval(poly, raw[:, column]).mean() for column, poly in enumerate((SIGNAL, BACKGROUND, OVERALL))]
        return Dnsmos(*map(float, values))

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        found = self.predict(utterance.audio_16k)
        names = self.metrics_for(utterance.row)
        return [
            Score(name, value)
            for name, value in zip(names, (found.overall, found.signal, found.background), strict=True)
        ]
