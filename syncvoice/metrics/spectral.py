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
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from syncvoice.audio import read_wav
from syncvoice.clocks import SAMPLE_RATE
from syncvoice.metrics.scoring import NotApplicable, Score, Sources, Utterance, cached_by_id

N_CEPSTRA = 13
DECIBEL = 10 / np.log(10) * np.sqrt(2)  # 6.1418: natural-log cepstral distance to dB
LOG_SCALE = 0.1  # cached mel features are 0.1 * natural log
FLOOR_DB = 60.0  # our choice: bands more than this below the loudest are silence and count as equal


def mel_cepstra(audio: np.ndarray) -> np.ndarray:
    """Cepstra 1 to 13 of a sound (samples,) at 24 kHz: (frames, 13) float32."""
    from scipy.fft import dct

    from syncvoice.features.mel import log_mel

    log_spectrum = np.asarray(log_mel(audio, None), dtype=np.float32) / LOG_SCALE
    floored = np.maximum(log_spectrum, log_spectrum.max() - FLOOR_DB * np.log(10) / 20)
    orthonormal = dct(floored, type=2, norm="ortho", axis=1)[:, 1 : N_CEPSTRA + 1]
    return orthonormal * np.float32(np.sqrt(2 / floored.shape[1]))


def dtw_cost(first: np.ndarray, second: np.ndarray) -> tuple[float, int]:
    """Dynamic time warping of two sequences (frames, dims).

    Returns:
        Smallest summed Euclidean distance over monotone paths from start to start to end to end, and the number of
        steps of that path (among equally cheap paths the one that prefers diagonal steps).

    Raises:
        ValueError: a sequence is empty or the dimensions differ.
    """
    if first.ndim != 2 or second.ndim != 2 or not len(first) or not len(second) or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"DTW needs two non-empty (frames, dims) arrays of equal dims, got {first.shape}, {second.shape}"
        )
    squared = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return _cheapest_path(np.sqrt(np.maximum(squared, 0)).astype(np.float64))


def _cheapest_path(cost: np.ndarray) -> tuple[float, int]:
    """Cheapest monotone path through a cost matrix (rows, columns), anti-diagonal by anti-diagonal.

    All cells of an anti-diagonal depend on the two before it only, so each is one vector operation.
    """
    rows, columns = cost.shape
    skewed = np.full((rows + columns - 1, rows), np.inf)  # skewed[d, i] = cost[i, d - i]
    i, j = np.indices(cost.shape)
    skewed[i + j, i] = cost
    before = np.full(rows + 1, np.inf)  # diagonal d - 2, shifted by one row: index i holds row i - 1
    last = np.full(rows + 1, np.inf)  # diagonal d - 1
    steps_before, steps_last = np.zeros(rows + 1, np.int64), np.zeros(rows + 1, np.int64)
    last[1], steps_last[1] = skewed[0, 0], 1
    for diagonal in range(1, rows + columns - 1):
        best, steps = before[:-1], steps_before[:-1]  # from (i - 1, j - 1)
        for candidate, candidate_steps in ((last[:-1], steps_last[:-1]), (last[1:], steps_last[1:])):
            better = candidate < best
            best, steps = np.where(better, candidate, best), np.where(better, candidate_steps, steps)
        before, steps_before = last, steps_last
        last, steps_last = np.full(rows + 1, np.inf), np.zeros(rows + 1, np.int64)
        last[1:], steps_last[1:] = best + skewed[diagonal], steps + 1
    return float(last[rows]), int(steps_last[rows])


def mcd_dtw(generated: np.ndarray, original: np.ndarray) -> float:
    """Mel-cepstral distortion in dB between two cepstra sequences (frames, 13) of any lengths."""
    total, steps = dtw_cost(generated, original)
    return float(DECIBEL * total / steps)


class McdScorer:
    """Distortion against the clip's own sound; its cepstra are computed once per job."""

    NAME = "melcep13"
    VERSION = "1"
    weights_sha256 = ""

    def __init__(self, clips: Mapping[str, Any]) -> None:
        """Score against recordings: clip id -> object with `audio`, `text` and `language`."""
        self._clips = clips
        self._original = cached_by_id(self._cepstra)

    @classmethod
    def from_sources(cls, sources: Sources) -> "McdScorer":
        """Read ground truth from the task's manifest."""
        return cls(sources.clips)

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """One metric for every row."""
        return [f"mcd_dtw.{self.NAME}"]

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        value = mcd_dtw(mel_cepstra(utterance.audio), self._original(utterance.row["clip"]))
        return [Score(self.metrics_for(utterance.row)[0], value)]

    def _cepstra(self, clip_id: str) -> np.ndarray:
        """Cepstra of a clip's own sound."""
        return mel_cepstra(read_wav(self._clips[clip_id].audio, SAMPLE_RATE)[0])


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
