"""The engine that speaks naturally at times that the lips tell: lip timing, then a public TTS model.

Where the lips say another language than the text, times come from the phrases and pauses of the mouth; where no usable
face is seen, speech has its natural durations. The voice is the stock voice, or blend, nearest to the recording.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.dubbed import Counter, Dubbed, Progress
from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.places import find_path
from syncvoice.timed_speech.fitting import rate_problems

if TYPE_CHECKING:
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.lip_timing.timing import Face
    from syncvoice.networks.kokoro import Kokoro
    from syncvoice.timed_speech.fitting import Placed
    from syncvoice.timed_speech.script import ScriptWord
    from syncvoice.timed_speech.speaking import NaturalSpeaker
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.several import Rule

LIP_TIMING = "weights/lip_timing.safetensors"
Follow = Literal["auto", "lips", "mouth", "nothing"]
FOLLOWS: tuple[Follow, ...] = ("auto", "lips", "mouth", "nothing")


@dataclass
class TimedLine:
    """A cue and what it is spoken from.

    Attributes:
        cue: text and time.
        script: its words; [] stays silent.
        syllables_per_s: speech rate that the text needs.
        follow: "lips", "mouth" or "nothing".
        face: the mesh, None without a usable face.
        words: word, start and end in seconds from the start of the video, once it is spoken.
    """

    cue: Cue
    script: "list[ScriptWord]"
    syllables_per_s: float
    follow: str
    face: "Face | None" = None
    words: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def says(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.script)

    def guided_by(self) -> tuple[str, ...]:
        """What leads the speech; () for silence."""
        if not self.script:
            return ()
        return {"lips": ("text", "lip"), "mouth": ("text", "mouth")}.get(self.follow, ("text",))


@dataclass(frozen=True)
class TimedVoice:
    """A speaker, what people are told of the voice, and the recording it shall be near (24 kHz), if there is one."""

    speaker: "NaturalSpeaker"
    told: str
    reference: np.ndarray | None


@dataclass
class TimedEngine:
    """The TTS model and the lip timing networks, loaded.

    Attributes:
        network: the TTS model.
        reader: the lip timing networks.
        follow: what the words follow; "auto" takes the lips for English and the mouth for other languages.
        blend: stock voices and weights; None takes those nearest to the recording.
    """

    network: "Kokoro"
    reader: "LipReader"
    follow: Follow = "auto"
    blend: Mapping[str, float] | None = None
    digest: str = ""
    is_random: ClassVar[bool] = False

    @property
    def has_voice(self) -> bool:
        """Whether it speaks without a recording."""
        return self.blend is not None

    @classmethod
    def load(cls, follow: Follow = "auto", blend: Mapping[str, float] | None = None) -> "TimedEngine":
        """Load the registered TTS model and the shipped lip timing networks.

        Raises:
            UserError: a file is missing, or `follow` has another value.
        """
        from syncvoice.lip_timing.network import LipReader
        from syncvoice.networks.kokoro import Kokoro

        if follow not in FOLLOWS:
            raise UserError(f"follow is {follow!r}; choose {', '.join(FOLLOWS)}")
        path = find_path(LIP_TIMING)
        return cls(Kokoro.from_assets(), LipReader.load(path), follow, blend, sha256_of(path)[:12])

    @property
    def name(self) -> str:
        """What people are told."""
        return f"timed (Kokoro-82M v1.0, lip timing {self.digest})"

    def begin(self, language: str) -> None:
        """Every language that `script_of` reads will do; it refuses the others."""

    def read_voice(self, path: Path | None, text: str | None, language: str, speaker: str) -> TimedVoice:
        """Return the blend that was asked for, or the nearest one; a speaker who is named takes the nearest.

        Raises:
            UserError: neither recording nor blend, or the recording cannot be used.
        """
        from syncvoice.dubbing.voice import read_reference
        from syncvoice.networks.kokoro import blend
        from syncvoice.timed_speech.speaking import NaturalSpeaker

        reference = None if path is None else read_reference(path, cut=True)
        if self.blend is not None and not speaker:
            told = ",".join(f"{name}={weight:g}" for name, weight in self.blend.items())
            return TimedVoice(NaturalSpeaker(self.network, blend(self.blend)), told, reference)
        if reference is None:
            raise UserError("no voice is given; name a recording with --voice, or stock voices with --voice-blend")
        chosen = self._nearest(reference, language)
        told = f"{chosen.told()} ({chosen.pitch_hz:.0f} Hz, the recording {chosen.wanted_hz:.0f} Hz)"
        return TimedVoice(NaturalSpeaker(self.network, blend(chosen.parts)), told, reference)

    def _nearest(self, reference: np.ndarray, language: str) -> Any:
        """Return the blend of stock voices nearest to a recording at 24 kHz."""
        from syncvoice.networks.ge2e import Ge2eNetwork
        from syncvoice.timed_speech.voices import TABLE, StockVoices, Wanted, measure, nearest_blend

        wanted = Wanted(*measure(reference, Ge2eNetwork.installed()), language)
        return nearest_blend(wanted, StockVoices.load(find_path(TABLE)))

    def line(self, cue: Cue, language: str, needed: int) -> TimedLine:
        """Return a cue of `needed` syllables as it will be spoken.

        Raises:
            UserError: the TTS model cannot read the text.
        """
        from syncvoice.timed_speech.script import script_of

        follow = self.follow if self.follow != "auto" else "lips" if language == "en" else "mouth"
        return TimedLine(cue, script_of(cue.text, language) if needed else [], needed / cue.seconds, follow)

    def look(self, result: Dubbed, lines: list[TimedLine], frames: "FrameSource", several_faces: "Rule",
             progress: Progress) -> None:  # fmt: skip
        """Follow the face through the lines; one without a usable face will have natural durations.

        Raises:
            UserError: the rule `several_faces` is unknown, or needs sound and there is none.
        """
        from syncvoice.dubbing.faces import LOOKS, follow_cues
        from syncvoice.lip_timing.timing import Face
        from syncvoice.video.decode import ClipProblem

        watched = [line for line in lines if line.follow != "nothing"]
        if not watched:
            return
        count, total = Counter(progress, "follow the face"), sum(line.cue.n_frames for line in watched)
        cues = [line.cue for line in watched]
        found = follow_cues(frames, cues, several_faces, lambda: count.step(total), LOOKS)
        for line, track in zip(watched, found, strict=True):
            if isinstance(track, ClipProblem):
                line.follow = "nothing"
                result.warn([f"{line.cue.where()} is spoken without looking: {track.message}"])
            else:
                line.face = Face(track.landmarks, track.found)

    def speak(self, result: Dubbed, lines: list[TimedLine], voices: Mapping[str, TimedVoice], seeds: Sequence[int],
              progress: Progress) -> Iterator[tuple[TimedLine, dict[int, np.ndarray]]]:  # fmt: skip
        """Yield lines with their sound, the same for every seed; among several, one that cannot be said is silent.

        Raises:
            UserError: no text can be said in its time.
        """
        count, problems = Counter(progress, "speak"), []
        for line in lines:
            try:
                sound = self._line(result, line, voices[line.cue.speaker].speaker)
            except UserError as error:
                problems.append(error)
                if len(problems) == len(lines):
                    raise
                result.warn([f"{error}; until then it is silent"])
                continue
            finally:
                count.step(len(lines))
            yield line, {seeds[0]: sound}

    def finish(self, result: Dubbed, speech: np.ndarray, voices: Mapping[str, TimedVoice],
               frames: "FrameSource") -> np.ndarray:  # fmt: skip
        """Return the speech as loud as the video's own, and tell whose voices it has."""
        from syncvoice.timed_speech.speaking import levelled

        speech = levelled(speech, source_level(frames))
        for voice in {id(voice): voice for voice in voices.values()}.values():
            names = [name for name, other in voices.items() if other is voice]
            self._tell_voice(result, [] if len(names) == len(voices) else names, voice, speech)
        return speech

    def settings(self) -> dict[str, Any]:
        """Return what the sound of a line depends on."""
        return {"model": self.name, "follow": self.follow, "blend": dict(self.blend or {})}

    def _line(self, result: Dubbed, line: TimedLine, speaker: "NaturalSpeaker") -> np.ndarray:
        """Speak one line, and fill in its words."""
        from syncvoice.timed_speech.fitting import word_spans

        cue = line.cue
        try:
            placed = word_spans(self.reader, line.face, cue.n_frames, line.script, speaker, line.follow)
        except ValueError as error:
            raise UserError(f"{cue.where()}: {error}; shorten the text or lengthen the clip") from error
        if placed.followed != line.follow:
            result.warn([f"{cue.where()} has natural durations: the picture does not show a speaking mouth"])
            line.follow = placed.followed
        result.warn([f"{cue.where()}: {problem}" for problem in rate_problems(placed, len(line.script))])
        self._tell_doubt(result, line, placed)
        spoken = speaker.speak(line.script, placed.spans, cue.n_frames)
        offset = cue.start / clocks.FPS
        line.words = [
            (word.text, start + offset, end + offset)
            for word, (start, end) in zip(line.script, spoken.spans, strict=True)
        ]
        return spoken.sound

    def _tell_doubt(self, result: Dubbed, line: TimedLine, placed: "Placed") -> None:
        """Note how sure the lips are of the words, or warn that they are not."""
        from syncvoice.lip_timing.timing import LIKELY_ERRORS, likely_error_s

        if placed.doubt_s is None:
            return
        likely = likely_error_s(placed.doubt_s)
        says = f"{line.cue.where()}: half of the words likely start within {1000 * likely:.0f} ms of the lips"
        if likely < LIKELY_ERRORS[-1][1]:
            result.notes.append(says)
        else:
            result.warn([f"{says}; the lips leave open when they are said. Is it the text that they say?"])

    def _tell_voice(self, result: Dubbed, names: list[str], voice: TimedVoice, speech: np.ndarray) -> None:
        """Note which voice spoke, and how near it is to the recording by a network that did not choose it.

        names: of the speakers with this voice, [] for all.
        """
        from syncvoice.dubbing.nearness import nearness

        who = f" of {', '.join(name or 'all others' for name in names)}" if names else ""
        result.notes.append(f"voice{who}: {voice.told}; a stock voice, no clone of the recording")
        if voice.reference is None:
            return
        cues = [line.cue for line in result.lines if line.says and line.cue.speaker in names]
        parts = [speech[clocks.samples(cue.start) : clocks.samples(cue.stop)] for cue in cues]
        result.notes.append(nearness(voice.reference, np.concatenate(parts) if names else speech))

    def note(self) -> str:
        """Return what the file's metadata says of the speech."""
        return f"Model {self.name}."


def source_level(frames: "FrameSource") -> float:
    """Level of the speech in a video's own sound; that of an ordinary voice if it has none."""
    from syncvoice.timed_speech.speaking import LEVEL_RMS, speech_level
    from syncvoice.video.decode import ClipProblem, read_sound

    try:
        level = speech_level(read_sound(frames.path, frames.start_s))
    except ClipProblem:
        level = 0.0
    return level if np.isfinite(level) and level > 1e-3 else LEVEL_RMS
