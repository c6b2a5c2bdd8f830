"""Mel-cepstral distortion after dynamic time warping, from the log mel spectrum.

Conventions
-----------
Audio is mono float32 at 24 kHz. Mel cepstra 1 to 13 of the two sounds are aligned by dynamic time warping (`cepstra`);
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

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.metrics.melody.cepstra import dtw_cost, mel_cepstra
from syncvoice.metrics.scorer import (
    Score,
    ScoreError,
    Scorer,
    Sources,
    Utterance,
    cached_by_id,
    is_silent,
    require_same_text,
)
from syncvoice.records.sound import sound_of

DECIBEL = 10 / np.log(10) * np.sqrt(2)  # 6.1418: natural-log cepstral distance to dB
Distortion = Callable[[np.ndarray, np.ndarray], float]


def mcd_dtw(generated: np.ndarray, original: np.ndarray) -> float:
    """Mel-cepstral distortion in dB between two cepstra sequences (frames, 13) of any lengths.

    >>> tone = np.sin(np.arange(SAMPLE_RATE) / 20).astype(np.float32)
    >>> mcd_dtw(mel_cepstra(tone), mel_cepstra(0.5 * tone)) < 0.01  # level does not count
    True
    """
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


class McdScorer(Scorer):
    """Distortion against the clip's own sound; its cepstra are computed once per job."""

    NAME = "melcep13"
    METRICS: tuple[str, ...] = ("mcd_dtw",)
    DISTORTIONS: tuple[Distortion, ...] = (mcd_dtw,)  # one for each of METRICS

    def __init__(self, clips: Mapping[str, Any]) -> None:
        """Score against recordings: clip id -> object with `audio`, `text` and `language`."""
        self._clips = clips
        self._original = cached_by_id(self._cepstra)

    @classmethod
    def from_sources(cls, sources: Sources) -> "McdScorer":
        """Read ground truth from the task's manifest."""
        return cls(sources.clips)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        if is_silent(utterance.audio):
            raise ScoreError("sound is silent: it has no spectrum to compare")
        generated, original = mel_cepstra(utterance.audio), self._original(utterance.row["clip"])
        values = (distortion(generated, original) for distortion in self.DISTORTIONS)
        return [Score(name, value) for name, value in zip(self.metrics_for(utterance.row), values, strict=True)]

    def _cepstra(self, clip_id: str) -> np.ndarray:
        """Cepstra of a clip's own sound."""
        return mel_cepstra(sound_of(self._clips[clip_id], SAMPLE_RATE))


class McdVariantsScorer(McdScorer):
    """The variants of the literature beside MCD-DTW: without alignment, and with a penalty for the length."""

    METRICS = ("mcd", "mcd_dtw_sl")
    DISTORTIONS = (mcd, mcd_dtw_sl)
