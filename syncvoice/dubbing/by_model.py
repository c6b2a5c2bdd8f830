"""The engine that speaks with a SyncVoice model: a trained recipe guided by text, face and lips."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from syncvoice.dubbing.dubbed import Counter, Dubbed, Progress
from syncvoice.dubbing.model import DubbingModel, load_dubbing_model
from syncvoice.dubbing.script import Cue, syllables
from syncvoice.dubbing.speech import Line, Sound, spoken
from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES

if TYPE_CHECKING:
    from syncvoice.generation.speech import Voice
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.several import Rule
    from syncvoice.video.track import Track

LEARNED = ("en", "zh")  # languages of the public weights, and of models that were trained from them


@dataclass
class ModelEngine:
    """A model and how it is sampled.

    Attributes:
        speaker: the model, loaded.
        sound: how to sample.
        is_random: another seed is another reading.
        has_voice: it speaks without a recording.
    """

    speaker: DubbingModel
    sound: Sound
    is_random: ClassVar[bool] = True
    has_voice: ClassVar[bool] = False

    @classmethod
    def load(cls, model: Path | None, sound: Sound) -> "ModelEngine":
        """Load a weight file or folder of an exported recipe; None takes the default.

        Raises:
            UserError: files are missing or do not fit together, or a scale means nothing.
        """
        sound.check()
        return cls(load_dubbing_model(model), sound)

    @property
    def name(self) -> str:
        """What people are told."""
        return self.speaker.name

    def begin(self, language: str) -> None:
        """Refuse a language or scales that the model cannot follow.

        Raises:
            UserError: see `Sound.guidance`; or models have not learned the language.
        """
        if language not in LEARNED:
            known, all_of_them = ", ".join(LEARNED), ", ".join(LANGUAGES)
            raise UserError(
                f"model {self.speaker.name} speaks {known}, not {language}; --engine timed speaks {all_of_them}"
            )
        self.sound.guidance(language, self.speaker)

    def read_voice(self, path: Path | None, text: str | None, language: str, speaker: str) -> "Voice":
        """Return the reference voice.

        Raises:
            UserError: there is no recording, it cannot be used, or its text says nothing.
        """
        from syncvoice.dubbing.voice import read_voice
        from syncvoice.text.tokenizer import EmiliaTokenizer

        if path is None:
            raise UserError("a model takes its voice from a recording; give one with --voice")
        tokens: list[int] = []
        if text is not None:
            tokens = self.speaker.text.tokenizer().encode(text, language)
            if not syllables(EmiliaTokenizer().tokens(text, language)):
                raise UserError(f"the text {text!r} of the voice has not one syllable; write what the recording says")
        return read_voice(path, tokens, self.speaker.model, self.speaker.weights["speaker_encoder"])

    def line(self, cue: Cue, language: str, needed: int) -> Line:
        """Return a cue of `needed` syllables as the model speaks it."""
        tokens = self.speaker.text.tokenizer().encode(cue.text, language) if needed else []
        return Line(cue, tokens, needed / cue.seconds, self.sound.guidance(language, self.speaker))

    def look(self, result: Dubbed, lines: list[Line], frames: "FrameSource", several_faces: "Rule",
             progress: Progress) -> None:  # fmt: skip
        """Fill in the visual features of lines; one without a usable face, or a stretch of it, is left to its text.

        Raises:
            UserError: no line has a usable face.
        """
        from syncvoice.dubbing.faces import LOOKS, extractors_of, follow_cues, visual_features
        from syncvoice.video.decode import ClipProblem

        conditions = [condition for condition in lines[0].scales.active() if condition != "text"]
        if not conditions:
            return
        extractors = extractors_of(self.speaker.seen, conditions)  # refused before the video is looked at
        count, total = Counter(progress, "follow the face"), sum(line.cue.n_frames for line in lines)
        found = follow_cues(frames, [line.cue for line in lines], several_faces, lambda: count.step(total), LOOKS)
        problems = [track.message for track in found if isinstance(track, ClipProblem)]
        if len(problems) == len(found):
            off = " and ".join(conditions)
            raise UserError(f"{frames.path}: {problems[0]}; with scale 0 of {off} the text is spoken without looking")
        for line, track in zip(lines, found, strict=True):
            if isinstance(track, ClipProblem):
                line.without_face()
                result.warn([f"{line.cue.where()} is spoken from its text alone: {track.message}"])
            else:
                line.visual = visual_features(track, extractors)
                self._leave_gaps(result, line, track)

    def _leave_gaps(self, result: Dubbed, line: Line, track: "Track") -> None:
        """Leave the stretches of a line without a face to its text, and tell them."""
        import torch

        from syncvoice.dubbing.faces import seen_of

        seen, where = seen_of(track)
        if where:
            line.seen = torch.from_numpy(seen)
            result.warn([f"{line.cue.where()} shows no face from {where} of its time; there the text alone leads"])

    def speak(self, result: Dubbed, lines: list[Line], voices: "Mapping[str, Voice]", seeds: Sequence[int],
              progress: Progress) -> Iterator[tuple[Line, dict[int, np.ndarray]]]:  # fmt: skip
        """Yield lines with their sounds by seed, see `speech.spoken`."""
        count = Counter(progress, "speak")
        yield from spoken(lines, self.speaker, voices, self.sound, seeds, count.step)

    def finish(self, result: Dubbed, speech: np.ndarray, voices: "Mapping[str, Voice]",
               frames: "FrameSource") -> np.ndarray:  # fmt: skip
        """Return the speech as it is: a model learns its level."""
        return speech

    def settings(self) -> dict[str, Any]:
        """Return what the sound of a line depends on, its seed apart."""
        return {"model": self.name, **{name: value for name, value in asdict(self.sound).items() if name != "seed"}}

    def note(self) -> str:
        """Return what the file's metadata says of the speech."""
        return f"Model {self.name}, seed {self.sound.seed}."
