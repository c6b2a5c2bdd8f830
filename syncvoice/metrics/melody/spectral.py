"""Mel-cepstral distortion after dynamic time warping, from the log mel spectrum.

Conventions
-----------
Audio is mono float32 at 24 kHz. The cepstrum c is the cosine series of the natural log mel magnitudes of the vocoder's
spectrogram (100 bands, hop 256), log|X(w)| = c_0 + sum c_m cos(m w); coefficients 1 to 13 are compared, 0 (level) is
not. The two sounds are aligned by dynamic time warping (steps right, down and diagonal, cost = Euclidean distance);
MCD = 10 / ln 10 * sqrt(2) * mean distance along the path: the root mean square difference of the two smoothed spectra
in dB. Lower is better; identical sounds give 0, and level does not matter.
This is NOT the MCD of WORLD envelopes (HPMDubbing, pymcd): values do not compare with papers.
The ground truth is the clip's own sound, so the metric exists only where text and language are those of the clip.

Metrics
-------
mcd_dtw      after warping (the study's metric).
mcd          frame by frame, without warping: also measures timing.
mcd_dtw_sl   mcd_dtw times the ratio of the two lengths (HPMDubbing): also measures a wrong length.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from syncvoice.audio import read_wav
from syncvoice.clocks import SAMPLE_RATE
from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Sources, Utterance, cached_by_id, is_silent

N_CEPSTRA = 13
DECIBEL = 10 / np.log(10) * np.sqrt(2)  # 6.1418: natural-log cepstral distance to dB
LOG_SCALE = 0.1  # cached mel features are 0.1 * natural log
Distortion = Callable[[np.ndarray, np.ndarray], float]
FLOOR_DB = 60.0  # our choice: bands more than this below the loudest are silence and count as equal


def mel_cepstra(audio: np.ndarray) -> np.ndarray:
    """Cepstra 1 to 13 of a sound (samples,) at 24 kHz: (frames, 13) float32."""
    from scipy.fft import dct

    from syncvoice.features.mel import log_mel

    log_spectrum = np.asarray(log_mel(audio, None), dtype=np.float32) / LOG_SCALE
    floored = np.maximum(log_spectrum, log_spectrum.max() - FLOOR_DB * np.log(10) / 20)
    orthonormal = dct(floored, type=2, norm="ortho", axis=1)[:, 1 : N_CEPSTRA + 1]
    return orthonormal * np.float32(np.sqrt(2 / floored.shape[1]))


def dtw_path(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Dynamic time warping of two sequences (frames, dims).

    Returns:
        Smallest summed Euclidean distance over monotone paths from start to start to end to end, and that path
        (steps, 2) as pairs of frames (among equally cheap paths the one that prefers diagonal steps).

    Raises:
        ValueError: a sequence is empty or the dimensions differ.
    """
    cost = np.sqrt(_squared_distances(first, second)).astype(np.float64)
    total, origin = _cheapest(cost)
    return total, _trace(origin, *cost.shape)


def dtw_cost(first: np.ndarray, second: np.ndarray) -> tuple[float, int]:
    """Smallest summed distance and number of steps of `dtw_path`."""
    total, path = dtw_path(first, second)
    return total, len(path)


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of all pairs of frames (first, second)."""
    if first.ndim != 2 or second.ndim != 2 or not len(first) or not len(second) or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"DTW needs two non-empty (frames, dims) arrays of equal dims, got {first.shape}, {second.shape}"
        )
    squared = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.maximum(squared, 0)


def _cheapest(cost: np.ndarray) -> tuple[float, np.ndarray]:
    """Cheapest monotone path through a cost matrix (rows, columns), anti-diagonal by anti-diagonal.

    All cells of an anti-diagonal depend on the two before it only, so each is one vector operation.

    Returns:
        Cost of the path, and for every cell, as origin[row + column, row], where its best path comes from:
        0 both indices one less, 1 the row one less, 2 the column one less.
    """
    rows, columns = cost.shape
    padded = np.full((rows, columns + rows), np.inf)
    padded[:, :columns] = cost
    # Rows one cell shorter than they are stored: skewed[d, i] = cost[i, d - i]
    skewed = padded.ravel()[: rows * (columns + rows - 1)].reshape(rows, -1).T
    origin = np.zeros(skewed.shape, np.uint8)
    before = np.full(rows + 1, np.inf)  # diagonal d - 2, shifted by one row: index i holds row i - 1
    last = np.full(rows + 1, np.inf)  # diagonal d - 1
    last[1] = skewed[0, 0]
    for diagonal in range(1, rows + columns - 1):
        best = before[:-1]  # from (i - 1, j - 1)
        for number, candidate in ((1, last[:-1]), (2, last[1:])):
            better = candidate < best
            best = np.where(better, candidate, best)
            origin[diagonal, better] = number
        before, last = last, np.full(rows + 1, np.inf)
        last[1:] = best + skewed[diagonal]
    return float(last[rows]), origin


def _trace(origin: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Path (steps, 2) from the first cell to the last."""
    row, column = rows - 1, columns - 1
    path = [(row, column)]
    while row or column:
        came = origin[row + column, row]
        row, column = row - (came != 2), column - (came != 1)
        path.append((row, column))
    return np.array(path[::-1])


def mcd_dtw(generated: np.ndarray, original: np.ndarray) -> float:
    """Mel-cepstral distortion in dB between two cepstra sequences (frames, 13) of any lengths."""
    total, steps = dtw_cost(generated, original)
    return float(DECIBEL * total / steps)


def mcd(generated: np.ndarray, original: np.ndarray) -> float:
    """Mel-cepstral distortion in dB frame by frame, without alignment; a longer sequence is cut to the shorter.

    Raises:
        ValueError: a sequence is empty.
    """
    frames = min(len(generated), len(original))
    if not frames:
        raise ValueError(f"MCD needs frames in both sounds, got {len(generated)} and {len(original)}")
    return float(DECIBEL * np.linalg.norm(generated[:frames] - original[:frames], axis=1).mean())


def mcd_dtw_sl(generated: np.ndarray, original: np.ndarray) -> float:
    """MCD-DTW times the ratio of the longer to the shorter sequence: warping hides a wrong speed, this does not."""
    lengths = sorted((len(generated), len(original)))
    return mcd_dtw(generated, original) * lengths[1] / lengths[0]


class McdScorer:
    """Distortion against the clip's own sound; its cepstra are computed once per job."""

    NAME = "melcep13"
    VERSION = "1"
    weights_sha256 = ""
    DISTORTIONS: Mapping[str, Distortion] = {"mcd_dtw": mcd_dtw}

    def __init__(self, clips: Mapping[str, Any]) -> None:
        """Score against recordings: clip id -> object with `audio`, `text` and `language`."""
        self._clips = clips
        self._original = cached_by_id(self._cepstra)

    @classmethod
    def from_sources(cls, sources: Sources) -> "McdScorer":
        """Read ground truth from the task's manifest."""
        return cls(sources.clips)

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """The same metrics for every row."""
        return [f"{name}.{self.NAME}" for name in self.DISTORTIONS]

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        if is_silent(utterance.audio):
            raise ScoreError("sound is silent: it has no spectrum to compare")
        generated, original = mel_cepstra(utterance.audio), self._original(utterance.row["clip"])
        values = (distortion(generated, original) for distortion in self.DISTORTIONS.values())
        return [Score(name, value) for name, value in zip(self.metrics_for(utterance.row), values, strict=True)]

    def _cepstra(self, clip_id: str) -> np.ndarray:
        """Cepstra of a clip's own sound."""
        return mel_cepstra(read_wav(self._clips[clip_id].audio, SAMPLE_RATE)[0])


class McdVariantsScorer(McdScorer):
    """The variants of the literature beside MCD-DTW: without alignment, and with a penalty for the length."""

    DISTORTIONS: Mapping[str, Distortion] = {"mcd": mcd, "mcd_dtw_sl": mcd_dtw_sl}


def require_same_text(utterance: Utterance, clip: Any) -> Any:
    """Return the clip if it is ground truth for this utterance: same language and text.

    Raises:
        NotApplicable: it is not, or there is no clip.
    """
    if clip is None:
        raise NotApplicable("the clip is not in the manifest: no ground truth")
    if clip.language != utterance.row["language"] or clip.text.strip() != utterance.row["text"].strip():
        raise NotApplicable("the clip says something else (translation): no ground truth")
    return clip
