"""From a filled form to a dubbed clip, a picture and scores, with engines that stay loaded between runs."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from syncvoice.app.form import Form
from syncvoice.app.player import playable
from syncvoice.app.told import on_the_page, sentence
from syncvoice.dubbing import Dubbed, Dubber
from syncvoice.text.subtitles import read_entries

Progress = Callable[[str, int, int], None]  # stage, done, total


@dataclass(frozen=True)
class Score:
    """One number about a dub, and who says it.

    Attributes:
        question: what was asked, e.g. "words".
        what: title of the metric, which names its scorer; "" where there is no number.
        value: with its unit, as text.
        better: which way is better, as text.
        note: why there is no number.
    """

    question: str
    what: str = ""
    value: str = ""
    better: str = ""
    note: str = ""


class Draw(Protocol):
    """Draws the sound of a source and of a dub with the opening of the lips."""

    def __call__(self, source: Path, dubbed: Path, out: Path) -> str:
        """Write a PNG; returns a sentence that says why there is none, else ""."""
        ...


class Judge(Protocol):
    """Scores one dub."""

    def __call__(self, dubbed: Path, source: Path, text: str, language: str, voice: Path) -> Iterator[list[Score]]:
        """Yield the scores of one scorer after the other."""
        ...


@dataclass(frozen=True)
class Shown:
    """What the page shows of a run; later values hold more.

    Attributes:
        dubbed: the file to download.
        player: the same for the browser's player.
        picture: PNG of sound and lips.
        scores: so far.
        notes: sentences about the dub.
        model: which model spoke.
        error: a sentence; then the run is over.
        done: whether nothing more follows.
    """

    dubbed: Path | None = None
    player: Path | None = None
    picture: Path | None = None
    scores: list[Score] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: str = ""
    error: str = ""
    done: bool = False


class Workshop:
    """Dubs what forms ask for.

    Attributes:
        folder: for everything that is made; the caller removes it.
    """

    def __init__(self, folder: Path, draw: Draw, judge: Judge) -> None:
        """Load nothing yet."""
        self.folder, self._draw, self._judge = folder, draw, judge
        self._dubbers: dict[str, Dubber] = {}

    def source(self, video: Path | None) -> tuple[Path | None, str]:
        """Return a copy of an uploaded video for the player, or None and a sentence that says why there is none."""
        if video is None:
            return None, ""
        try:
            return playable(video, self._place() / f"{video.stem}.mp4"), ""
        except Exception as error:  # whatever a stranger's file does, the page goes on
            return None, sentence(error, [video])

    def run(self, form: Form, progress: Progress) -> Iterator[Shown]:
        """Dub, draw and score; yields what there is to show whenever there is more. Errors are shown, never raised."""
        shown = Shown()
        try:
            for shown in self._run(form, progress):
                yield shown
        except Exception as error:  # a page has no other place to tell it
            yield replace(shown, error=sentence(error, form.files), done=True)

    def _run(self, form: Form, progress: Progress) -> Iterator[Shown]:
        """Yield what there is to show.

        Raises:
            UserError: the form is not filled in, or the clip cannot be dubbed.
        """
        form.check()
        assert form.video is not None and form.voice is not None
        place = self._place()
        if form.engine not in self._dubbers:
            progress("load the model", 0, 0)
        dubber = self._dubber(form)
        result = dubber.dub(
            form.video, form.text.strip() or None, voice=form.voice, out=place / f"{form.video.stem}_dubbed.mp4",
            subtitles=form.subtitles, language=form.language, voice_text=form.voice_text.strip() or None,
            progress=progress,
        )  # fmt: skip
        notes = [on_the_page(note, form.files) for note in notes_of(result, dubber)]
        player = playable(result.out, place / "player.mp4")
        shown = Shown(result.out, player, notes=notes, model=result.model)
        yield shown
        progress("draw sound and lips", 0, 0)
        picture = place / "picture.png"
        lacking = self._draw(form.video, result.out, picture)
        shown = replace(shown, picture=None if lacking else picture, notes=[*notes, *filter(None, [lacking])])
        yield shown
        progress("score", 0, 0)
        for scores in self._judge(result.out, form.video, text_of(form), form.language, form.voice):
            shown = replace(shown, scores=[*shown.scores, *scores])
            yield shown
        yield replace(shown, done=True)

    def _dubber(self, form: Form) -> Dubber:
        """Return the engine of a form, loaded when it is first asked for.

        Raises:
            UserError: its weights are missing.
        """
        if form.engine not in self._dubbers:
            self._dubbers[form.engine] = Dubber(form.engine)
        return self._dubbers[form.engine].tuned(form.sound, form.follow)

    def _place(self) -> Path:
        """Return a new folder for one run."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def text_of(form: Form) -> str:
    """Return all that is said, for scorers of words."""
    if form.subtitles is None:
        return form.text.strip()
    return " ".join(entry.text for entry in read_entries(form.subtitles))


def notes_of(result: Dubbed, dubber: Dubber) -> list[str]:
    """Return what a person should know of a dub: who spoke and why, what led the speech, warnings."""
    guides = {line.guided_by() for line in result.lines}
    led = " or ".join(sorted(" + ".join(names) for names in guides if names))
    return [f"Spoken by {result.model}, because {dubber.why}; led by {led}.", *result.warnings, *result.notes]
