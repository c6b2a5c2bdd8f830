"""Where the words of a text shall be spoken: from the lips, from the movement of the mouth, or naturally."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.lip_timing.activity import phrases_of
from syncvoice.lip_timing.timing import Face, Span, later, time_phones
from syncvoice.timed_speech.boundaries import LEAST
from syncvoice.timed_speech.phrases import spans_in_phrases
from syncvoice.timed_speech.script import ScriptWord

if TYPE_CHECKING:
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.timed_speech.speaking import NaturalSpeaker

LEAD_S, TAIL_S = 0.15, 0.1  # silence around speech that follows nothing
FASTEST, SLOWEST = 1.45, 0.6  # own duration over spoken duration that still sounds natural (our choice)


@dataclass(frozen=True)
class Placed:
    """Words in time.

    Attributes:
        spans: start and end of the sound of every word in seconds.
        followed: "lips", "mouth" or "nothing".
        natural_s: how long the voice takes for the words by itself.
        doubt_s: per word, how sure its start is (`lip_timing.timing.Timing`); None without lips.
    """

    spans: list[Span]
    followed: str
    natural_s: float
    doubt_s: tuple[float, ...] | None = None

    @property
    def spoken_s(self) -> float:
        """How long the words last, pauses left out."""
        return sum(end - start for start, end in self.spans)

    @property
    def rate(self) -> float:
        """Speed over the voice's own; 2 is twice as fast."""
        return self.natural_s / max(self.spoken_s, 1e-6)


def word_spans(reader: "LipReader", face: Face | None, n_frames: int, script: Sequence[ScriptWord],
               speaker: "NaturalSpeaker", follow: str) -> Placed:  # fmt: skip
    """Place the words of a script.

    Args:
        reader: the lip timing networks.
        face: the mesh of the clip; None if nobody is seen.
        n_frames: length of the clip at 25 fps.
        script: the words.
        speaker: whose own durations count.
        follow: "lips" (they say the text), "mouth" (only when it speaks) or "nothing".

    Raises:
        ValueError: the clip is too short for the text.
    """
    natural = speaker.natural(script)
    if LEAST * natural.sum() > n_frames / clocks.FPS:
        raise ValueError(
            f"the voice needs {natural.sum():.1f} s for the text and the clip lasts {n_frames / clocks.FPS:.1f} s; "
            f"it can speak at most {1 / LEAST:.1f} times as fast"
        )
    if follow == "lips":
        phones = [phone for word in script for phone in word.phones]
        starts = np.cumsum([0, *(len(word.phones) for word in script)])[:-1].tolist()
        timing = time_phones(reader, face, n_frames, phones, starts)
        if timing.by_lips:
            return Placed(later(timing.words), "lips", float(natural.sum()), timing.doubt_s)
    elif follow == "mouth":
        phrases = phrases_of(reader, face, n_frames)
        if phrases is not None:
            spans = spans_in_phrases(script, natural, later(phrases))
            return Placed(within(spans, n_frames), "mouth", float(natural.sum()))
    return Placed(natural_spans(natural, n_frames), "nothing", float(natural.sum()))


def within(spans: Sequence[Span], n_frames: int) -> list[Span]:
    """Squeeze spans so that the last ends with the clip."""
    end, last = n_frames / clocks.FPS, spans[-1][1]
    if last <= end:
        return list(spans)
    first = spans[0][0]
    factor = (end - first) / (last - first)
    return [(first + (a - first) * factor, first + (b - first) * factor) for a, b in spans]


def natural_spans(natural: np.ndarray, n_frames: int) -> list[Span]:
    """Own durations (words,) from shortly after the start; faster if they would not fit."""
    seconds = n_frames / clocks.FPS
    room = max(seconds - LEAD_S - TAIL_S, 0.8 * seconds)
    factor = min(1.0, room / float(natural.sum()))
    lead = min(LEAD_S, (seconds - float(natural.sum()) * factor) / 2)
    edges = lead + np.concatenate([[0.0], np.cumsum(natural * factor)])
    return [(float(a), float(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def rate_problems(placed: Placed, n_words: int) -> list[str]:
    """Return a sentence if the text is too long or too short to sound natural, else nothing."""
    rate = placed.rate
    if SLOWEST <= rate <= FASTEST:
        return []
    what = {"lips": "the lips speak for", "mouth": "the mouth speaks for"}.get(placed.followed, "there is room for")
    says = f"the voice needs {placed.natural_s:.1f} s for the text and {what} {placed.spoken_s:.1f} s"
    fitting = max(1, round(n_words / rate * (FASTEST if rate > FASTEST else SLOWEST)))
    if rate > FASTEST:
        return [
            f"{says}: {rate:.1f} times as fast, up to {FASTEST} sounds natural; shorten it to about {fitting} words"
        ]
    return [f"{says}: {rate:.1f} times as fast, from {SLOWEST} on sounds natural; lengthen it to about {fitting} words"]
