"""Phone time error by class of phone, and how the clip itself was spoken: where a dub goes off, and in which clips.

Conventions
-----------
As `phone_times`, of which every value is a part: the error of a phone is the absolute difference of the start of the
generated phone (forced alignment) and the start that the video shows. The value of a class is the mean over the clip's
phones of it; a clip without any has none. Classes by manner are disjoint; those by what the lips do cut across them.
The aligner errs by class too: what it finds in recorded speech is the value of the row `ground_truth`, and no row can
be trusted below it. Classes are our choice.

Metrics
-------
phone_time_error_vowel, .._plosive, .._fricative, .._nasal, .._approximant   by manner; affricates are plosives, ms.
phone_time_error_bilabial      p b m: the lips shut, ms.
phone_time_error_labiodental   f v: the lower lip on the teeth, ms.
phone_time_error_inner         consonants that the lips have no part in, ms.
speaking_rate.ctc_aligned            phones per second of the clip's own speech, pauses left out (known times).
level.ctc_aligned                 mean power of the clip's own sound while it speaks, dB re full scale.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.metrics.scorer import Score, Sources, Utterance, cached_by_id
from syncvoice.metrics.timing.phone_alignment import PhoneAligner
from syncvoice.metrics.timing.phone_error import Interval
from syncvoice.records.sound import sound_of
from syncvoice.text.alignment import SILENCE, AlignedPhone
from syncvoice.text.phones import canonical_phones

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser

MANNERS: dict[str, frozenset[str]] = {
    "plosive": frozenset("p b t d k ɡ ʔ pʰ tʰ kʰ tʃ dʒ tɕ tɕʰ ts tsʰ ʈʂ ʈʂʰ".split()),
    "fricative": frozenset("f v θ ð s z ʃ ʒ h x ɕ ʂ ʐ".split()),
    "nasal": frozenset("m n ŋ".split()),
    "approximant": frozenset("l ɾ ɹ j w".split()),
}
BILABIAL, LABIODENTAL = frozenset("p b m pʰ".split()), frozenset("f v".split())
ROUNDED = frozenset("w ɹ ʃ ʒ tʃ dʒ".split())  # the lips take part, less than in the two above
CLASSES = ("vowel", *MANNERS, "bilabial", "labiodental", "inner")


def classes_of(symbol: str) -> set[str]:
    """Return the classes of a phone, of which the first part counts where it has several; none for pauses.

    Raises:
        UserError: the phone is unknown.

    >>> sorted(classes_of("m")), sorted(classes_of("dʒ")), sorted(classes_of("aɪ")), sorted(classes_of("t"))
    (['bilabial', 'nasal'], ['plosive'], ['vowel'], ['inner', 'plosive'])
    """
    phones = canonical_phones(symbol)
    if not phones or symbol == SILENCE:
        return set()
    manner = next((name for name, members in MANNERS.items() if phones[0] in members), "vowel")
    lips = {"bilabial": BILABIAL, "labiodental": LABIODENTAL}
    found = {manner} | {name for name, members in lips.items() if phones[0] in members}
    return found | ({"inner"} if manner != "vowel" and phones[0] not in BILABIAL | LABIODENTAL | ROUNDED else set())


def errors_by_class(aligned: Sequence[AlignedPhone], shown: Sequence[Interval]) -> dict[str, float]:
    """Return the mean absolute difference of start times in milliseconds, by class that occurs.

    Args:
        aligned: phones of the sound.
        shown: (symbol, start_s, end_s) of the video, without silences, same length.

    Raises:
        ValueError: the lengths differ.
    """
    errors: dict[str, list[float]] = {}
    for phone, (symbol, start, _) in zip(aligned, shown, strict=True):
        for name in classes_of(symbol):
            errors.setdefault(name, []).append(1000 * abs(phone.start_s - start))
    return {name: float(np.mean(errors[name])) for name in CLASSES if name in errors}


def speaking_rate(phones: Sequence[Interval]) -> float:
    """Return phones per second of (symbol, start_s, end_s) without silences."""
    return len(phones) / sum(end - start for _, start, end in phones)


def level(sound: np.ndarray, phones: Sequence[Interval], rate: int) -> float:
    """Return the mean power of a sound (samples,) within phones (symbol, start_s, end_s), dB re full scale."""
    spoken = np.concatenate([sound[round(start * rate) : round(end * rate)] for _, start, end in phones])
    return float(10 * np.log10(np.square(spoken, dtype=np.float64).mean() + 1e-20))


class PhoneClassScorer(PhoneAligner):
    """Align generated speech and compare with the times the video shows, class by class."""

    METRICS = tuple(f"phone_time_error_{name}" for name in CLASSES)

    def __init__(self, recogniser: "CtcRecogniser", clips: Mapping[str, Any], weights_sha256: str = "",
                 remember: int | None = None) -> None:  # fmt: skip
        """Score against clips, see `PhoneAligner`; remember how so many of them are spoken (None: all)."""
        super().__init__(recogniser, clips, weights_sha256)
        self._delivery = cached_by_id(self._delivery_of, remember)

    @classmethod
    def from_sources(cls, sources: Sources) -> "PhoneClassScorer":
        """Load the recogniser from the weights folder."""
        scorer = super().from_sources(sources)
        return cls(scorer._recogniser, sources.clips, scorer.weights_sha256, sources.remember)

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """Return the ids of all classes, and of what is known of the clip itself."""
        return [*super().metrics_for(row), "speaking_rate.ctc_aligned", "level.ctc_aligned"]

    def why_absent(self, metric: str) -> str:
        """Say why a class has no value."""
        return "the clip has no phone of this class"

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        aligned, phones = self.aligned(utterance)
        found = errors_by_class(aligned, phones)
        values = {f"phone_time_error_{name}.{self.NAME}": value for name, value in found.items()}
        values |= self._delivery(utterance.row["clip"])
        return [Score(name, value) for name, value in values.items()]

    def _delivery_of(self, clip_id: str) -> dict[str, float]:
        """Return rate and level of a clip's own speech."""
        clip = self._clips[clip_id]
        phones = [phone for phone in clip.phones if phone[0] != SILENCE]
        loudness = level(sound_of(clip, SCORER_SAMPLE_RATE), phones, SCORER_SAMPLE_RATE)
        return {"speaking_rate.ctc_aligned": speaking_rate(phones), "level.ctc_aligned": loudness}
