"""A text in another language than the lips', spread over the phrases of the mouth instead of the whole video.

The mouth then says when somebody speaks and when not, and nothing of what; our choice, for the study `questions`.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.timed_speech.phrases import shared_out
from syncvoice.timed_speech.script import ScriptWord

if TYPE_CHECKING:
    from syncvoice.lip_timing.timing import Span

_MARKS = frozenset(",.;:!?")
_INITIAL, _FINAL = re.compile(r"[a-z]+0"), re.compile(r"[a-zêü]+[1-5]")


def units_of(tokens: Sequence[str]) -> list[tuple[int, str]]:
    """Cut symbols where a phrase may end: behind words, and behind syllables of Mandarin.

    Args:
        tokens: Emilia symbols.

    Returns:
        per unit the number of its symbols (with the space or marks after it) and the last of its marks, "" for none.

    >>> units_of(["n0", "i3", "h0", "ao3", ",", "w0", "o3"])
    [(2, ''), (3, ','), (2, '')]
    >>> units_of(["ð", "ə", " ", "b", "e", "."])
    [(3, ''), (3, '.')]
    """
    units: list[tuple[int, str]] = []
    open_unit = False
    for token in tokens:
        closes = token == " " or token in _MARKS
        if not open_unit and not (closes and units):
            units.append((0, ""))
        elif open_unit and _INITIAL.fullmatch(token):
            units.append((0, ""))  # an initial behind something that is no syllable: a word in another script
        count, mark = units[-1]
        units[-1] = (count + 1, token if token in _MARKS else mark)
        open_unit = not closes and not _FINAL.fullmatch(token)
    return units


def parts_in_phrases(tokens: Sequence[str], phrases: "Sequence[Span]", n_frames: int) -> tuple[tuple[int, int], ...]:
    """Cut a text into (tokens, mel frames): silence, a phrase, silence, a phrase, ..., silence.

    Every phrase of the text fills its phrase of the mouth at about the same rate; breaks fall on punctuation where they
    can (see `timed_speech.phrases.shared_out`).

    Args:
        tokens: Emilia symbols of the text.
        phrases: when the mouth's sound is heard, start and end in seconds, rising, at least one.
        n_frames: length of the video at 25 fps.

    >>> parts_in_phrases(["n0", "i3", ",", "h0", "ao3"], [(0.2, 0.6), (1.0, 1.4)], 40)
    ((0, 19), (3, 37), (0, 38), (2, 37), (0, 19))
    """
    total = clocks.mel_frames(n_frames)
    units = units_of(tokens)
    words = [ScriptWord("", (), mark) for _, mark in units]
    lengths = [count for count, _ in units]
    parts: list[tuple[int, int]] = []
    frame = 0
    for share in shared_out(words, np.array(lengths, float), phrases):
        start, end = (_frame(time, total) for time in (share.start, share.start + share.seconds))
        parts += [(0, start - frame), (sum(lengths[share.first : share.last]), end - start)]
        frame = end
    return (*parts, (0, total - frame))


def _frame(time: float, total: int) -> int:
    """Return the mel frame of a time, within 0 .. total."""
    return min(total, max(0, round(time * clocks.MEL_FPS)))
