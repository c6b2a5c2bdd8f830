"""Timing against the clip's own sound, both forced-aligned to the script: for clips whose phone times nobody knows.

Conventions
-----------
Audio is mono float32 at 16 kHz. The phones of the script come from espeak-ng; generated speech and the clip's own sound
are aligned to them by the same recogniser (`text.alignment`), so that its constant errors cancel. Values are defined
where the dub says what the clip says. Lower is better, 0 is perfect. Where the phone times of a clip are known, use
`phone_time_error.ctc_aligned` (`phone_times`), which trusts the aligner once and not twice.

Metrics
-------
phone_time_error   mean absolute difference of the phone start times, ms.
speech_rate_error  |rate / rate of the clip - 1|, with rate = phones per second of speech, pauses left out.
duration_error     absolute difference of the time from the first phone to the end of the last, ms.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.files import sha256_of
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
from syncvoice.metrics.timing.phone_error import phone_time_error
from syncvoice.records.sound import sound_of
from syncvoice.text.alignment import AlignedPhone, align_clip


def speech_rate(aligned: Sequence[AlignedPhone]) -> float:
    """Phones per second of speech, pauses left out.

    Raises:
        ValueError: there is no phone, or all are empty.
    """
    seconds = sum(phone.end_s - phone.start_s for phone in aligned)
    if seconds <= 0:
        raise ValueError(f"{len(aligned)} phones last {seconds} s; a speech rate needs phones with a length")
    return len(aligned) / seconds


def span(aligned: Sequence[AlignedPhone]) -> float:
    """Seconds from the first phone to the end of the last."""
    return aligned[-1].end_s - aligned[0].start_s


def compare(generated: Sequence[AlignedPhone], original: Sequence[AlignedPhone]) -> dict[str, float]:
    """Compare two alignments of the same phones; keys and units as in the module's docstring.

    Raises:
        ValueError: the numbers of phones differ, or there is none.
    """
    shown = [(phone.symbol, phone.start_s, phone.end_s) for phone in original]
    return {
        "phone_time_error": phone_time_error(generated, shown),
        "speech_rate_error": abs(speech_rate(generated) / speech_rate(original) - 1),
        "duration_error": 1000 * abs(span(generated) - span(original)),
    }


class TimingScorer(Scorer):
    """Align generated speech and the clip's own sound; the latter once per job."""

    NAME = "ctc_forced"
    METRICS = ("phone_time_error", "speech_rate_error", "duration_error")

    def __init__(
        self, recogniser: Any, clips: Mapping[str, Any], weights_sha256: str = "", remember: int | None = None
    ) -> None:
        """Score against clips: id -> object with `audio`, `text`, `language` and `source`."""
        self._recogniser = recogniser
        self._clips = clips
        self.weights_sha256 = weights_sha256
        self._original = cached_by_id(self._align_clip, remember)

    @classmethod
    def from_sources(cls, sources: Sources) -> "TimingScorer":
        """Load the recogniser from the weights folder."""
        from syncvoice.networks.recogniser import CtcRecogniser

        path = sources.weight_file("recogniser")
        return cls(CtcRecogniser.load(path), sources.clips, sha256_of(path), sources.remember)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        clip = require_same_text(utterance, self._clips.get(utterance.row["clip"]))
        found = compare(self._align(utterance.audio_16k, clip), self._original(utterance.row["clip"]))
        return [Score(f"{name}.{self.NAME}", value) for name, value in found.items()]

    def _align_clip(self, clip_id: str) -> list[AlignedPhone]:
        """Align a clip's own sound."""
        clip = self._clips[clip_id]
        return self._align(sound_of(clip, SCORER_SAMPLE_RATE), clip)

    def _align(self, audio: Any, clip: Any) -> list[AlignedPhone]:
        """Align a sound (samples,) at 16 kHz to a clip's script.

        Raises:
            ScoreError: it is silent or too short, or the script has no phone.
        """
        if is_silent(audio):
            raise ScoreError("sound is silent: nothing to align")
        try:
            return align_clip(self._recogniser, audio, clip, use_words=False)  # both sounds alike: errors cancel
        except ValueError as error:
            raise ScoreError(str(error)) from error
