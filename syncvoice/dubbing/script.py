"""What is spoken when: one text for the whole clip, or the cues of a subtitle file; and whether it fits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES
from syncvoice.text.subtitles import read_entries

MAX_SECONDS = 30  # of one piece of speech (our choice: the models learn from clips of a few seconds)
MIN_FRAMES = 10  # as the prepare step
# Syllables per second of time on screen, pauses included (our choice: brisk conversation lies well inside).
USUAL_RATE = {**dict.fromkeys(LANGUAGES, (1.0, 8.5)), "en": (1.0, 7.0), "zh": (1.0, 7.0)}
HURRIED = 1.5  # times the fastest usual rate: beyond it no speaker is understood (our choice)
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
    """

    name: str
    text: str
    start: int
    stop: int

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
    cue = Cue("clip", text, 0, n_frames)
    if n_frames < MIN_FRAMES:
        raise UserError(f"the clip has {n_frames} frames at 25 fps, at least {MIN_FRAMES} are needed; use a longer one")
    return [cue]


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


def read_subtitles(path: Path, n_frames: int) -> tuple[list[Cue], list[str]]:
    """Read the cues of a SubRip file; markup is removed, lines of a cue are joined.

    Args:
        path: the file, UTF-8.
        n_frames: length of the video; a cue that reaches beyond it is cut.

    Returns:
        cues in order of time, and warnings.

    Raises:
        UserError: the file cannot be read; a cue is too short, too long, starts after the video or overlaps another.
    """
    cues, warnings = [], []
    for number, entry in enumerate(read_entries(path), start=1):
        start, stop = (round(time * clocks.FPS) for time in (entry.start_s, entry.end_s))
        cue = Cue(_name(number, entry.number), entry.text, start, stop)
        if start >= n_frames:
            raise UserError(
                f"{path}: {cue.where()} starts after the video's end ({n_frames / clocks.FPS:.2f} s); check that the "
                "subtitles belong to this video"
            )
        if stop > n_frames:
            warnings.append(f"{cue.where()} reaches beyond the video and is cut at {n_frames / clocks.FPS:.2f} s")
            cue = Cue(cue.name, cue.text, start, n_frames)
        _check_cue(path, cue)
        cues.append(cue)
    if not cues:
        raise UserError(f"{path} holds no cue; expected a SubRip file with numbers, times and texts")
    cues.sort(key=lambda cue: cue.start)
    for first, second in zip(cues, cues[1:], strict=False):
        if second.start < first.stop:
            raise UserError(f"{path}: {first.where()} and {second.where()} overlap; one voice speaks, move their times")
    return cues, warnings


def _name(place: int, label: int | None) -> str:
    """Return the name of a cue: its place in the file, which is unique; the printed number is a label for people."""
    return f"cue {place}" if label in (None, place) else f"cue {place} (numbered {label})"


def _check_cue(path: Path, cue: Cue) -> None:
    """Refuse a cue of impossible length.

    Raises:
        UserError: it is too short or too long.
    """
    if cue.n_frames < MIN_FRAMES:
        raise UserError(f"{path}: {cue.where()} is shorter than {MIN_FRAMES / clocks.FPS:.1f} s; move its times")
    if cue.seconds > MAX_SECONDS:
        raise UserError(f"{path}: {cue.where()} is longer than {MAX_SECONDS} s; split it")


def syllables(tokens: Iterable[str]) -> int:
    """Count syllables of Emilia symbols: runs of IPA vowels, syllabic consonants and Mandarin finals."""
    count, in_vowel = 0, False
    for token in tokens:
        is_vowel = token in VOWELS
        count += (is_vowel and not in_vowel) or token == SYLLABIC or bool(_FINAL.fullmatch(token))
        in_vowel = is_vowel
    return count


def is_hurried(rate: float, language: str) -> bool:
    """Whether a text needs so many syllables per second that nobody could say it."""
    return rate > HURRIED * USUAL_RATE[language][1]


def rate_warnings(cue: Cue, needed: int, language: str) -> list[str]:
    """Return a warning if people rarely speak so many syllables in a cue's time, else nothing."""
    rate, (slowest, fastest) = needed / cue.seconds, USUAL_RATE[language]
    if slowest <= rate <= fastest:
        return []
    says = (
        f"{cue.where()}: the text has {needed} syllables for {cue.seconds:.2f} s, {rate:.1f} per second where "
        f"{slowest:g} to {fastest:g} are usual"
    )
    if rate > fastest:
        return [f"{says}; shorten it to about {int(fastest * cue.seconds)} syllables"]
    return [f"{says}; the speech may be drawn out, lengthen the text or cut the clip"]
