"""From planned lines to the speech of a whole video: who speaks with which voice, which take, what a session keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.dubbing.dubbed import Dubbed, Progress
from syncvoice.dubbing.pace import Pace
from syncvoice.dubbing.plan import Plan, Said
from syncvoice.dubbing.session import Session
from syncvoice.dubbing.speech import placed
from syncvoice.dubbing.takes import Jury
from syncvoice.errors import UserError

if TYPE_CHECKING:
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.several import Rule


@dataclass(frozen=True)
class Wishes:
    """What people may ask for besides.

    Attributes:
        pace: limits of the speech rate.
        track: of a video that holds the subtitles: number or language, "" chooses.
        speaker: who says what nobody else is named for.
        only_cues: numbers of the cues that are spoken (anew); () speaks all.
        takes: of every cue, of which the best is kept; only for engines that draw lots.
        session: folder that keeps spoken cues, so that a dub resumes and cues can be spoken again.
    """

    pace: Pace = field(default_factory=Pace)
    track: str = ""
    speaker: str = ""
    only_cues: tuple[int, ...] = ()
    takes: int = 1
    session: Path | None = None

    def check(self, engine: Any, has_subtitles: bool) -> None:
        """Refuse wishes that an engine cannot fulfil.

        Raises:
            UserError: see the messages.
        """
        self.check_texts(has_subtitles)
        if self.takes < 1:
            raise UserError(f"--takes is {self.takes}; at least one is needed")
        if self.takes > 1 and not engine.is_random:
            raise UserError(f"engine {engine.name} says a text always alike, so --takes {self.takes} helps nothing; "
                            "leave it out, or take another engine")  # fmt: skip

    def check_texts(self, has_subtitles: bool) -> None:
        """Refuse wishes that do not go with the texts.

        Raises:
            UserError: see the messages.
        """
        self.pace.check()
        if self.only_cues and not has_subtitles:
            raise UserError("--only-cue names a cue of subtitles; give them with --subtitles")
        if self.track and not has_subtitles:
            raise UserError("--subtitle-track names a track of a video; give the video with --subtitles")

    def said(self, text: str | None, subtitles: Path | None, language: str) -> Said:
        """Return what people want to hear."""
        return Said(text, subtitles, self.track, self.speaker, language, self.pace)

    def chosen(self, lines: list[Any]) -> list[Any]:
        """Return the lines that shall be spoken.

        Raises:
            UserError: there is no such cue, or nothing is said in it.
        """
        if not self.only_cues:
            return [line for line in lines if line.says]
        there = {place for line in lines for place in line.cue.places}
        for number in self.only_cues:
            if number not in there:
                raise UserError(f"there is no cue {number}; the subtitles have cues 1 to {max(there)}")
        found = [line for line in lines if line.says and set(self.only_cues) & set(line.cue.places)]
        if not found:
            raise UserError(f"nothing is said in cue {', '.join(map(str, self.only_cues))}; choose another")
        return found


@dataclass
class Making:
    """One dub in work.

    Attributes:
        engine: who speaks.
        result: what is told.
        wishes: see there.
        plan: of the texts.
        language: of the texts.
        voices: by speaker, as the engine reads them.
        files: recording of every speaker that has one.
        session: None keeps nothing.
        jury: of takes, None until there are some.
    """

    engine: Any
    result: Dubbed
    wishes: Wishes
    plan: Plan
    language: str
    voices: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    session: Session | None = None
    jury: Jury | None = None

    def assign(self, loaded: Mapping[str, Any], recordings: Mapping[str, Path]) -> None:
        """Give every speaker a voice.

        Raises:
            UserError: a speaker has none.
        """
        from syncvoice.dubbing.voices import assigned

        names, notes = assigned([line.cue for line in self.result.lines if line.says], list(loaded))
        self.result.warn(notes)
        self.voices = {speaker: loaded[name] for speaker, name in names.items()}
        self.files = {speaker: recordings[name] for speaker, name in names.items() if name in recordings}

    def open_session(self, video: Path, several_faces: str, voice_text: str | None) -> None:
        """Open the session that is wished for."""
        if self.wishes.session is None:
            return
        settings = {**self.engine.settings(), "language": self.language, "several_faces": several_faces,
                    "voice_text": voice_text}  # fmt: skip
        files = {"video": video, **{f"voice {name}": path for name, path in self.files.items()}}
        self.session = Session.open(self.wishes.session, settings, files)

    def speech(self, n_frames: int, frames: "FrameSource", several_faces: "Rule", progress: Progress) -> np.ndarray:
        """Return the speech (960 * n_frames,) of the video.

        Raises:
            UserError: an engine cannot speak, or look at the video.
        """
        wanted = self.wishes.chosen(self.result.lines)
        made = self._kept(wanted)
        todo = [line for line in wanted if line.cue.name not in made]
        with self.result.stage("follow the face"):
            if todo:
                self.engine.look(self.result, todo, frames, several_faces, progress)
        with self.result.stage("speak"):
            if todo:
                for line, takes in self.engine.speak(self.result, todo, self.voices, self._seeds(), progress):
                    made[line.cue.name] = self._best(line, takes)
            speech = placed([line.cue for line in self.result.lines], made, n_frames)
            self.result.sounds, self.result.references = made, self.files
            self.result.speech = np.asarray(self.engine.finish(self.result, speech, self.voices, frames))
        return self.result.speech

    def _seeds(self) -> list[int]:
        """Seeds of the takes: the wished one and those after it."""
        first = self.engine.sound.seed if self.engine.is_random else 0
        return list(range(first, first + self.wishes.takes))

    def _kept(self, wanted: list[Any]) -> dict[str, np.ndarray]:
        """Return the sounds that a session has, and tell of them."""
        lines = [line for line in self.result.lines if line.says]
        found, seed = {}, self._seeds()[0]
        for line in lines:
            if self.session is None:
                break
            how = "other" if line not in wanted else "named" if self.wishes.only_cues else "all"
            sound = self.session.find(line.cue, seed, self.wishes.takes, how)
            if sound is not None:
                found[line.cue.name] = sound
        if found:
            count = len(wanted) - sum(line.cue.name in found for line in wanted)
            self.result.notes.append(f"session {self.wishes.session}: {len(found)} cues are kept, {count} are spoken")
        missing = [line.cue.name for line in lines if line not in wanted and line.cue.name not in found]
        if missing:
            where = "" if self.session is None else "not in the session, so "
            self.result.warn([f"{where}silent: {', '.join(missing)}; without --only-cue all cues are spoken"])
        return found

    def _best(self, line: Any, takes: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return the best take of a line, told and kept."""
        seed = next(iter(takes))
        if len(takes) > 1:
            seed, told = self._jury().choose(line.cue, takes)
            self.result.notes.append(told)
        sound = takes[seed]
        if self.session is not None and np.isfinite(sound).all():
            self.session.keep(line.cue, sound, self._seeds()[0], self.wishes.takes, again=bool(self.wishes.only_cues))
        return sound

    def _jury(self) -> Jury:
        """Return who judges takes, made once: by ear too, where Whisper's weights are."""
        if self.jury is None:
            from syncvoice.dubbing.judging import ear_of
            from syncvoice.dubbing.voice import read_reference

            references = {name: read_reference(path, cut=True) for name, path in self.files.items()}
            self.jury = Jury(references, self.language, ear_of(self.language))
        return self.jury
