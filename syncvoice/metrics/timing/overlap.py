"""How far a dub speaks while the original speaks, in any language.

Conventions
-----------
Speech is where the level is high: blocks of 10 ms whose level lies less than 30 dB below the sound's loudest block,
with gaps of up to 0.2 s closed and bursts shorter than 50 ms left out (our choice). Sounds are mono at 16 kHz.

Metrics
-------
overlap        share of the dub's speaking time in which the original speaks too. Higher is better; a published share
               of human dubs found its speech otherwise and is no yardstick here.
speaking_time  the dub's speaking time over the original's, minus one; 0 is as long.
"""

from typing import Any

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.metrics.activity import speaking
from syncvoice.metrics.scorer import (
    NotApplicable,
    Score,
    ScoreError,
    Scorer,
    Sources,
    Utterance,
    cached_by_id,
    is_silent,
)
from syncvoice.records.sound import sound_of


def compare(dub: np.ndarray, original: np.ndarray) -> dict[str, float]:
    """Compare where two sounds speak, bool (blocks,) each; the shorter one is silent after its end.

    Raises:
        ScoreError: one of them never speaks.
    """
    for name, flags in (("speech", dub), ("original", original)):
        if not flags.any():
            raise ScoreError(f"the {name} never speaks: no time to compare")
    common = min(len(dub), len(original))
    both = (dub[:common] & original[:common]).sum()
    return {"overlap": float(both / dub.sum()), "speaking_time": float(dub.sum() / original.sum() - 1)}


class OverlapScorer(Scorer):
    """Compare with the clip's own sound, whatever it says."""

    NAME = "energy"
    METRICS = ("overlap", "speaking_time")

    def __init__(self, clips: Any, remember: int | None = None) -> None:
        """Score against clips: id -> manifest entry."""
        self._clips = clips
        self._original = cached_by_id(self._speaking_of, remember)

    @classmethod
    def from_sources(cls, sources: Sources) -> "OverlapScorer":
        """Keep the clips."""
        return cls(sources.clips, sources.remember)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        if is_silent(utterance.audio_16k):
            raise ScoreError("sound is silent: no speech to compare")
        found = compare(speaking(utterance.audio_16k), self._original(utterance.row["clip"]))
        return [Score(f"{name}.{self.NAME}", value) for name, value in found.items()]

    def _speaking_of(self, clip_id: str) -> np.ndarray:
        """Where a clip's own sound speaks.

        Raises:
            NotApplicable: there is none.
        """
        clip = self._clips.get(clip_id)
        if clip is None:
            raise NotApplicable("the clip is not in the manifest: no sound of the original")
        return speaking(sound_of(clip, SCORER_SAMPLE_RATE))
