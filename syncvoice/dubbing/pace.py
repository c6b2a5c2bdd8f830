"""How fast may a text be spoken? Limits both ways, and the sentences for texts that break them."""

import math
from dataclasses import dataclass

from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES

# Syllables per second of unhurried speech, short pauses included (our choice, between careful reading and quick talk).
NATURAL = {**dict.fromkeys(LANGUAGES, 6.0), "en": 5.0, "zh": 5.0}
FASTEST, SLOWEST = 1.4, 0.2  # times the natural rate (our choice: brisk conversation lies well inside)
HURRIED = 1.5  # times the fastest usual rate: beyond it no speaker is understood (our choice)
BORROWED_SECONDS = 0.5  # of silence at either side of a cue (our choice: about the pause between two sentences)


@dataclass(frozen=True)
class Pace:
    """Limits of the speech rate.

    Attributes:
        max_rate, min_rate: times the natural rate.
        borrow_s: seconds of silence that a hurried cue may take from either side.
    """

    max_rate: float = FASTEST
    min_rate: float = SLOWEST
    borrow_s: float = BORROWED_SECONDS

    def check(self) -> None:
        """Refuse limits that mean nothing.

        Raises:
            UserError: they are not positive, not finite, or in the wrong order.
        """
        if not 0 < self.min_rate < self.max_rate < math.inf:
            raise UserError(
                f"the speech rate may go from {self.min_rate:g} to {self.max_rate:g} times the natural one; give "
                f"--min-rate and --max-rate as rising numbers above 0, e.g. {SLOWEST} and {FASTEST}"
            )
        if not 0 <= self.borrow_s <= 5:
            raise UserError(f"--borrow is {self.borrow_s:g}; choose 0 to 5 seconds")

    def fastest(self, language: str) -> float:
        """Syllables per second at the upper limit."""
        return self.max_rate * NATURAL[language]

    def slowest(self, language: str) -> float:
        """Syllables per second at the lower limit."""
        return self.min_rate * NATURAL[language]


def is_hurried(rate: float, language: str) -> bool:
    """Whether a text needs so many syllables per second that nobody could say it."""
    return rate > HURRIED * FASTEST * NATURAL[language]


def rate_warnings(cue: Cue, needed: int, language: str, pace: Pace | None = None) -> list[str]:
    """Return a warning if a text of `needed` syllables breaks the limits in a cue's time, else nothing."""
    pace = pace or Pace()
    rate, slowest, fastest = needed / cue.seconds, pace.slowest(language), pace.fastest(language)
    if slowest <= rate <= fastest:
        return []
    says = (
        f"{cue.where()}: the text has {needed} syllables for {cue.seconds:.2f} s, {rate:.1f} per second where "
        f"{slowest:g} to {fastest:g} are usual"
    )
    if rate > fastest:
        return [f"{says}; shorten it to about {int(fastest * cue.seconds)} syllables"]
    return [f"{says}; the speech may be drawn out, lengthen the text or cut the clip"]
