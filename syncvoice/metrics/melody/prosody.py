"""Prosody against the clip's own sound: correlation and error of pitch, correlation of level.

Conventions
-----------
Audio is mono float32 at 24 kHz; frames are those of the mel spectrum (hop 256). The two sounds are aligned by dynamic
time warping of mel cepstra (`cepstra`), so that prosody is compared phone by phone and not timing.
Pitch is from YIN (`pitch`), compared on a logarithmic scale in frames that are voiced in both sounds.
The metrics exist only where text and language are those of the clip. All definitions here are our choice.

Metrics
-------
f0_corr      Pearson correlation of log pitch, -1 to 1, higher is better. Blind to the voice's own pitch and range.
f0_rmse      root mean square difference of pitch in semitones, lower is better. Includes the voice's own pitch.
energy_corr  Pearson correlation of the level in dB over all frames (at most 60 dB below the loudest), higher is better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from syncvoice.clocks import HOP, SAMPLE_RATE
from syncvoice.metrics.melody.cepstra import FLOOR_DB, dtw_path, mel_cepstra
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
from syncvoice.pitch import level_db, pitch_hz
from syncvoice.records.sound import sound_of

MIN_VOICED = 10  # frames voiced in both sounds (0.1 s); with fewer a correlation says nothing


@dataclass(frozen=True)
class Prosody:
    """Cepstra (frames, 13), log pitch in semitones (frames,) with NaN where unvoiced, level in dB (frames,)."""

    cepstra: np.ndarray
    semitones: np.ndarray
    level: np.ndarray


def prosody_of(audio: np.ndarray) -> Prosody:
    """Measure a sound (samples,) at 24 kHz; all three have the same number of frames.

    Raises:
        ScoreError: it is silent.
    """
    if is_silent(audio):
        raise ScoreError("sound is silent: it has no prosody")
    cepstra = mel_cepstra(audio)
    level = level_db(audio, SAMPLE_RATE, HOP)
    semitones = 12 * np.log2(pitch_hz(audio, SAMPLE_RATE, HOP))
    frames = min(len(cepstra), len(level))
    level = np.maximum(level, level.max() - FLOOR_DB)
    return Prosody(cepstra[:frames], semitones[:frames], level[:frames])


def compare(generated: Prosody, original: Prosody) -> dict[str, float]:
    """Compare two sounds after warping.

    Returns:
        f0_corr, f0_rmse (semitones) and energy_corr; NaN where not defined (fewer than 10 frames voiced in both, or a
        constant).
    """
    _, path = dtw_path(generated.cepstra, original.cepstra)
    ours, theirs = generated.semitones[path[:, 0]], original.semitones[path[:, 1]]
    both = np.isfinite(ours) & np.isfinite(theirs)
    pitch = (ours[both], theirs[both]) if both.sum() >= MIN_VOICED else None
    return {
        "f0_corr": correlation(*pitch) if pitch else float("nan"),
        "f0_rmse": float(np.sqrt(np.mean((pitch[0] - pitch[1]) ** 2))) if pitch else float("nan"),
        "energy_corr": correlation(generated.level[path[:, 0]], original.level[path[:, 1]]),
    }


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation of two series; NaN if one is constant."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / scale) if scale > 1e-9 else float("nan")


class ProsodyScorer(Scorer):
    """Prosody against the clip's own sound, which is measured once per job."""

    NAME = "yin_dtw"
    METRICS = ("f0_corr", "f0_rmse", "energy_corr")

    def __init__(self, clips: Mapping[str, Any], remember: int | None = None) -> None:
        """Score against recordings: clip id -> object with `audio`, `text` and `language`."""
        self._clips = clips
        self._original = cached_by_id(self._measure, remember)

    @classmethod
    def from_sources(cls, sources: Sources) -> "ProsodyScorer":
        """Read ground truth from the task's manifest."""
        return cls(sources.clips, sources.remember)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        found = compare(prosody_of(utterance.audio), self._original(utterance.row["clip"]))
        return [Score(f"{name}.{self.NAME}", value) for name, value in found.items()]

    def _measure(self, clip_id: str) -> Prosody:
        """Measure a clip's own sound."""
        return prosody_of(sound_of(self._clips[clip_id], SAMPLE_RATE))
