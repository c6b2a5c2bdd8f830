"""Phones of generated speech beside those that the video shows: what the measures of phone times have in common.

Conventions: see `phone_times`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import (
    NotApplicable,
    ScoreError,
    Scorer,
    Sources,
    Utterance,
    is_silent,
    require_same_text,
)
from syncvoice.metrics.timing.phone_error import Interval
from syncvoice.text.alignment import SILENCE, AlignedPhone, align

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser


def word_starts(phones: Sequence[Interval], words: Sequence[Interval]) -> list[int] | None:
    """Indices of the phones that begin a word; None when words are unknown.

    Args:
        phones, words: (symbol, start_s, end_s); silences are no phones.
    """
    if not words:
        return None
    starts = np.array([start for _, start, _ in phones])
    return sorted({int(np.abs(starts - start).argmin()) for symbol, start, _ in words if symbol != SILENCE})


class PhoneAligner(Scorer):
    """Align generated speech to the phones of the clip."""

    NAME = "ctc_aligned"

    def __init__(self, recogniser: "CtcRecogniser", clips: Mapping[str, Any], weights_sha256: str = "") -> None:
        """Score against clips: id -> object with `phones`, `words`, `text` and `language`."""
        self._recogniser: Any = recogniser
        self._clips = clips
        self.weights_sha256 = weights_sha256

    @classmethod
    def from_sources(cls, sources: Sources) -> Self:
        """Load the recogniser from the weights folder."""
        from syncvoice.networks.recogniser import CtcRecogniser

        path = sources.weight_file("recogniser")
        return cls(CtcRecogniser.load(path), sources.clips, sha256_of(path))

    def aligned(self, utterance: Utterance) -> tuple[list[AlignedPhone], list[Interval]]:
        """Return the phones of the generated speech, and those of the video, both without silences.

        Raises:
            NotApplicable: the clip says something else, or nobody knows its phone times.
            ScoreError: the sound is silent or too short.
        """
        clip = require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        phones = [phone for phone in clip.phones if phone[0] != SILENCE]
        if not phones:
            raise NotApplicable("phone times of the clip are not known")
        if is_silent(utterance.audio_16k):
            raise ScoreError("sound is silent: nothing to align")
        log_probs, fps = self._recogniser.phone_log_probs(utterance.audio_16k)
        starts = word_starts(phones, clip.words)
        try:
            return align(np.asarray(log_probs), fps, [p[0] for p in phones], self._recogniser.phones, starts), phones
        except ValueError as error:
            raise ScoreError(str(error)) from error
