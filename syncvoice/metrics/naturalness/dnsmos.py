"""Predicted naturalness: DNSMOS P.835 (Reddy et al. 2022).

Conventions
-----------
Audio is mono float32 at 16 kHz in [-1, 1]; louder samples are clipped. The network hears 9.01 s. A longer sound is cut
into windows that start every second and their values are averaged. A shorter one is appended to itself (doubling) until
it is long enough, as the package speechmos does, and its first window is scored: the package scores later windows too,
which hold the same sound again (`all_windows`; a test bounds the difference). Values are mean opinion scores from 1 to
5, after the polynomials of the published non-personalised model. Higher is better. DNSMOS judges noise and distortion;
it knows nothing of the script.

Speed: nearly all work lies in four convolutions over time and frequency. Their output at a frame depends on four frames
to each side, so it repeats with a repeated sound, and neighbouring windows share it: each frame is convolved once
(`_Network`). Values agree with those of the whole network to rounding (tested).

Metrics: dnsmos_sig (speech), dnsmos_bak (background), dnsmos_ovrl (overall).
"""

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import Score, Scorer, Sources, Utterance
from syncvoice.networks.onnx_parts import cut

RATE_HZ = 16_000
WINDOW_S = 9.01
MODEL = "dnsmos_models/sig_bak_ovr.onnx"
# Tensors of the network: the sound, its log spectrum (1, 1, frames, 161), maps after four convolutions, the output.
SOUND, SPECTRUM, OUTPUT = "input_1", "adjusted_input6", "Identity:0"
MAPS = "mos_estimator_logpow/conv2d_3/Relu:0"  # (1, 32, frames, 161)
HOP = 160  # samples between frames
FRAMES = 900  # of one window
STEP = RATE_HZ // HOP  # frames from one window to the next
REACH = 4  # the four convolutions see this many frames to each side
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


class _Network:
    """The network in three parts, so that no frame is convolved twice; on one thread, whatever the number of cores."""

    def __init__(self, model: Path) -> None:
        """Cut the ONNX file into spectrum, convolutions at full resolution, and the rest."""
        self._spectrum = _session(cut(model, SOUND, SPECTRUM, (1, int(WINDOW_S * RATE_HZ))))
        self._convolutions = _session(cut(model, SPECTRUM, MAPS, (1, 1, "frames", 161)))
        self._rest = _session(cut(model, MAPS, OUTPUT, (1, 32, "frames", 161)))

    def __call__(self, batch: np.ndarray, period: int | None) -> np.ndarray:
        """Map windows (windows, 144160), one second apart, to raw outputs (windows, 3).

        Args:
            batch: windows of one sound.
            period: frames after which the sound repeats, None if it does not.
        """
        spectra = (self._spectrum.run(None, {SOUND: window[None]})[0] for window in batch)
        return np.concatenate([self._rest.run(None, {MAPS: maps})[0] for maps in self._maps(spectra, period)])

    def _maps(self, spectra: Iterator[np.ndarray], period: int | None) -> Iterator[np.ndarray]:
        """Convolve spectra (1, 1, 900, 161) of consecutive windows, each new frame once: (1, 32, 900, 161)."""
        maps = self._first(next(spectra), period)
        yield maps
        for spectrum in spectra:
            start = self._convolve(spectrum[:, :, : 2 * REACH])[:, :, :REACH]
            shared = maps[:, :, STEP + REACH : FRAMES - REACH]
            end = self._convolve(spectrum[:, :, -(STEP + 2 * REACH) :])[:, :, REACH:]
            maps = np.concatenate([start, shared, end], axis=2)
            yield maps

    def _first(self, spectrum: np.ndarray, period: int | None) -> np.ndarray:
        """Convolve one window; of a repeated sound one period and both ends."""
        if period is None or period + 4 * REACH >= FRAMES:
            return self._convolve(spectrum)
        # The ends of the two pieces that touch each other are wrong, and not used.
        pieces = np.concatenate([spectrum[:, :, : period + 2 * REACH], spectrum[:, :, -2 * REACH :]], axis=2)
        maps = self._convolve(pieces)
        middle = REACH + np.arange(FRAMES - 2 * REACH) % period
        return np.concatenate([maps[:, :, :REACH], maps[:, :, middle], maps[:, :, -REACH:]], axis=2)

    def _convolve(self, spectrum: np.ndarray) -> np.ndarray:
        """Map (1, 1, frames, 161) to (1, 32, frames, 161), zero-padded at both ends."""
        return self._convolutions.run(None, {SPECTRUM: np.ascontiguousarray(spectrum)})[0]


def _session(model: bytes) -> Any:
    """Make a network run on one thread, so that values do not depend on the number of cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _period(samples: int) -> int | None:
    """Frames after which a sound of `samples`, appended to itself, repeats; None if that exceeds a window."""
    period = math.lcm(samples, HOP) // HOP
    return period if samples < int(WINDOW_S * RATE_HZ) and period < FRAMES else None


class DnsmosScorer(Scorer):
    """Scores with the P.835 network."""

    NAME = "p835"
    METRICS = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak")

    def __init__(self, model: Path) -> None:
        """Load the ONNX model."""
        self._network = _Network(model)
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

    def predict(self, audio: np.ndarray, all_windows: bool = False) -> Dnsmos:
        """Predict the opinion scores of a sound (samples,) at 16 kHz; for `all_windows` see `windows`."""
        batch = windows(np.clip(audio, -1.0, 1.0), all_windows)
        raw = self._network(batch, _period(len(audio)))
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
