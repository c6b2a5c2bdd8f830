"""What is spoken when: cues, and the single one of a clip with one text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from syncvoice import clocks
from syncvoice.errors import UserError

MAX_SECONDS = 30  # of one piece of speech (our choice: the models learn from clips of a few seconds)
MIN_FRAMES = 10  # as the prepare step
VOWELS = frozenset("aeiouyæɐɑɒɔøœɘəɚɛɜɝɞɪɨʉɯɤʊʌᵻ")
SYLLABIC = "\u0329"  # combining mark under a consonant that is a syllable
_FINAL = re.compile(r"[a-zêü]+[1-5]")


@dataclass(frozen=True)
class Cue:
    """A text and the video frames in which it is said.

    Attributes:
        name: what people call it; also the name that its noise is drawn by.
        text: what is said.
        start, stop: frames at 25 fps, stop excluded.
        places: of the cues in the subtitle file that it holds, counted from 1; () without subtitles.
        speaker: who says it, "" if nobody is named.
        silent: a sound or a song, which nobody speaks.
    """

    name: str
    text: str
    start: int
    stop: int
    places: tuple[int, ...] = ()
    speaker: str = ""
    silent: bool = False

    @property
    def n_frames(self) -> int:
        """Length in video frames."""
        return self.stop - self.start

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.n_frames / clocks.FPS

    def where(self) -> str:
        """Name and time, for messages."""
        return f"{self.name} ({self.start / clocks.FPS:.2f} to {self.stop / clocks.FPS:.2f} s)"


def whole_clip(text: str, n_frames: int) -> list[Cue]:
    """Return the single cue of a clip without subtitles.

    Raises:
        UserError: the clip is too long for one piece of speech or too short.
    """
    check_length(n_frames / clocks.FPS)
    check_frames(n_frames)
    return [Cue("clip", text, 0, n_frames)]


def check_length(seconds: float, slack: float = 0.0) -> None:
    """Refuse a clip that is too long for one text; `slack` seconds more are let pass.

    Raises:
        UserError: it is; says what to do.
    """
    if seconds > MAX_SECONDS + slack:
        raise UserError(
            f"the clip lasts {seconds:.1f} s and one text may fill at most {MAX_SECONDS} s: give the text with its "
            "times as --subtitles FILE.srt, or cut the clip into pieces"
        )


def check_frames(n_frames: int) -> None:
    """Refuse a video that is too short for any speech.

    Raises:
        UserError: it is.
    """
    if n_frames < MIN_FRAMES:
        raise UserError(f"the clip has {n_frames} frames at 25 fps, at least {MIN_FRAMES} are needed; use a longer one")


def syllables(tokens: Iterable[str]) -> int:
    """Count syllables of Emilia symbols: runs of IPA vowels, syllabic consonants and Mandarin finals."""
    count, in_vowel = 0, False
    for token in tokens:
        is_vowel = token in VOWELS
        count += (is_vowel and not in_vowel) or token == SYLLABIC or bool(_FINAL.fullmatch(token))
        in_vowel = is_vowel
    return count
