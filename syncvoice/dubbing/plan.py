"""The plan before the work: per cue its time, syllables, rate against the natural one, and whether that can be said."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from syncvoice import clocks
from syncvoice.dubbing.arranging import paced
from syncvoice.dubbing.pace import NATURAL, Pace, is_hurried, rate_warnings
from syncvoice.dubbing.script import Cue, check_length, syllables, whole_clip
from syncvoice.dubbing.speakers import tag_of
from syncvoice.dubbing.subtitles import read_subtitles
from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES, check_language

HEADER_SECONDS = 60  # a longer video is planned by the length in its header: decoding it would take minutes


@dataclass(frozen=True)
class PlannedCue:
    """A cue and whether its text fits.

    Attributes:
        cue: text and time, moved where that helps.
        syllables: of the text, 0 for silence.
        language, pace: that the verdict goes by.
    """

    cue: Cue
    syllables: int
    language: str
    pace: Pace

    @property
    def rate(self) -> float:
        """Syllables per second that the text needs."""
        return self.syllables / self.cue.seconds if self.cue.n_frames else 0.0

    @property
    def of_natural(self) -> float:
        """The rate in times of the natural one."""
        return self.rate / NATURAL[self.language]

    @property
    def verdict(self) -> str:
        """One of "silent", "fits", "slow", "fast", "nobody can follow"."""
        if not self.syllables:
            return "silent"
        if is_hurried(self.rate, self.language):
            return "nobody can follow"
        if self.rate > self.pace.fastest(self.language):
            return "fast"
        return "slow" if self.rate < self.pace.slowest(self.language) else "fits"

    @property
    def problems(self) -> list[str]:
        """Return sentences with the numbers, where the text does not fit or nothing is said."""
        if self.syllables:
            return rate_warnings(self.cue, self.syllables, self.language, self.pace)
        return [f"{self.cue.where()} has nothing to say ({self.cue.text!r}) and stays silent"]


@dataclass
class Plan:
    """What will be spoken when.

    Attributes:
        cues: in order of time.
        notes: what was moved, joined or left out, and why.
    """

    cues: list[PlannedCue]
    notes: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """Notes, and sentences about texts that do not fit."""
        return [*self.notes, *(problem for cue in self.cues for problem in cue.problems)]

    def table(self) -> str:
        """Return the plan for people: a line per cue."""
        rows = [("cue", "time (s)", "speaker", "syllables", "per s", "of natural", "verdict", "text")]
        for one in self.cues:
            times = f"{one.cue.start / clocks.FPS:.2f}-{one.cue.stop / clocks.FPS:.2f}"
            numbers = (str(one.syllables), f"{one.rate:.1f}", f"{one.of_natural:.2f} x")
            rows.append((one.cue.name, times, one.cue.speaker or "-", *numbers, one.verdict, one.cue.text))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
        lines = []
        for row in rows:
            lines.append("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
        return "\n".join(lines)


@dataclass(frozen=True)
class Said:
    """What people want to hear.

    Attributes:
        text: of the whole clip, None with subtitles.
        subtitles: file, None with a text.
        track: of a video that holds subtitles: number or language, "" chooses.
        speaker: who says what no other speaker is named for.
        language: of the text.
        pace: limits of the speech rate.
    """

    text: str | None = None
    subtitles: Path | None = None
    track: str = ""
    speaker: str = ""
    language: str = "en"
    pace: Pace = field(default_factory=Pace)


def make_plan(said: Said, n_frames: int, voices: Collection[str] = ()) -> Plan:
    """Return what is spoken when, and warn of texts that do not fit their time.

    Args:
        said: the texts.
        n_frames: length of the video at 25 fps.
        voices: names that a voice was given for.

    Raises:
        UserError: see `whole_clip` and `read_subtitles`; or there is no text to say.
    """
    said.pace.check()
    notes: list[str] = []
    if said.subtitles is None:
        name, text = tag_of(said.text or "", voices)
        cues = [replace(cue, speaker=name) for cue in whole_clip(text, n_frames)]
    else:
        cues, notes = read_subtitles(said.subtitles, n_frames, voices, said.track, said.language)
    check_language(" ".join(cue.text for cue in cues if not cue.silent), said.language)
    cues = [replace(cue, speaker=cue.speaker or said.speaker) for cue in cues]
    needed = {cue.name: 0 if cue.silent else syllables_of(cue.text, said.language) for cue in cues}
    cues, moved = paced(cues, needed, n_frames, said.language, said.pace, borrow=said.subtitles is not None)
    if not any(needed.values()):
        source = f"text {said.text!r}" if said.subtitles is None else f"{said.subtitles}"
        raise UserError(f"{source} has not one syllable to say; write {LANGUAGES[said.language].name} words")
    return Plan([PlannedCue(cue, needed[cue.name], said.language, said.pace) for cue in cues], [*notes, *moved])


def syllables_of(text: str, language: str) -> int:
    """Count the syllables of a text by its symbols."""
    from syncvoice.text.tokenizer import EmiliaTokenizer

    return syllables(EmiliaTokenizer().tokens(text, language))


def plan_video(video: Path, said: Said, voices: Collection[str] = ()) -> Plan:
    """Return the plan of a video without any work on it: no weights, no faces, no output.

    Raises:
        UserError: the video cannot be read, or see `make_plan`.
    """
    return make_plan(said, frames_by_header(video, said.subtitles is None), voices)


def frames_by_header(path: Path, one_text: bool) -> int:
    """Return the length of a video in frames at 25 fps: exact for a short one, by the header for a long one.

    Raises:
        UserError: the video cannot be read, or is too long for one text.
    """
    from syncvoice.video.decode import ClipProblem, FrameSource, opened

    try:
        with opened(path) as container:
            seconds = (container.duration or 0) / 1e6
            if one_text:  # its sound may outlast the picture
                check_length(seconds, slack=0.5)
            if seconds > HEADER_SECONDS and container.streams.video:
                return round(seconds * clocks.FPS)
        return FrameSource(path).count()
    except ClipProblem as problem:
        raise UserError(f"{path}: {problem.message}") from problem
