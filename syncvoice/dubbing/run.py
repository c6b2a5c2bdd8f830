"""`dub` and `Dubber`: a video, a text (or subtitles) and a voice in, a dubbed MP4 out."""

import copy
import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.dubbed import Dubbed, Progress
from syncvoice.dubbing.engine import choose_engine
from syncvoice.dubbing.script import check_length, rate_warnings, read_subtitles, syllables, whole_clip
from syncvoice.dubbing.speech import Sound
from syncvoice.errors import UserError
from syncvoice.outputs import check_output
from syncvoice.text.language import LANGUAGES, check_language

if TYPE_CHECKING:
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.several import Rule

log = logging.getLogger(__name__)


class Dubber:
    """An engine that stays loaded between clips.

    >>> dubber = Dubber()                                            # doctest: +SKIP
    >>> dubber.dub("clip.mp4", "Hello there.", voice="me.wav", out="dubbed.mp4")  # doctest: +SKIP
    """

    def __init__(self, engine: str = "auto", *, model: str | Path | None = None, sound: Sound | None = None,
                 follow: str = "auto", voice_blend: Mapping[str, float] | None = None) -> None:  # fmt: skip
        """Load an engine.

        Args:
            engine: "auto" takes a full-size model if its weights are there, else "timed": natural speech at times that
                the lips tell. "small" is the model of the default study, "zipvoice" the full-size one.
            model: weight file or folder of an exported recipe, which then speaks.
            sound: scales, steps and seed of a model; None takes the defaults.
            follow: what words of the timed engine follow: "lips" (they say the text), "mouth" (phrases and pauses, for
                a translation), "nothing"; "auto" takes the lips for English and the mouth for other languages.
            voice_blend: stock voices of the timed engine and their weights; None takes the nearest to the recording.

        Raises:
            UserError: weights are missing, or the wishes contradict each other.
        """
        self.sound = sound or Sound()
        chosen = choose_engine(engine, None if model is None else Path(model), self.sound, follow, voice_blend)
        self._engine: Any = chosen.engine
        self.why = chosen.why
        log.info("%s speaks: %s", self.name, self.why)

    @property
    def name(self) -> str:
        """Which model speaks."""
        return str(self._engine.name)

    def tuned(self, sound: Sound, follow: str) -> "Dubber":
        """Return this engine sampled, or led, in another way, with nothing loaded again; what it lacks is left out.

        Args:
            sound: of a model.
            follow: of the timed engine.

        Raises:
            UserError: a value of `sound` means nothing.
        """
        sound.check()
        has = {entry.name for entry in dataclasses.fields(self._engine)}
        wishes = {name: value for name, value in (("sound", sound), ("follow", follow)) if name in has}
        other = copy.copy(self)
        other.sound, other._engine = sound, dataclasses.replace(self._engine, **wishes)
        return other

    def dub(self, video: str | Path, text: str | None = None, *, voice: str | Path | None = None, out: str | Path,
            subtitles: str | Path | None = None, language: str = "en", voice_text: str | None = None,
            keep_background: str | Path | None = None, several_faces: "Rule" = "exclude",
            progress: Progress | None = None) -> Dubbed:  # fmt: skip
        """Dub one video; arguments, result and errors as of `dub`."""
        files = {"video": video, "voice": voice, "subtitles": subtitles, "background": keep_background}
        inputs = {name: Path(path) for name, path in files.items() if path is not None}
        result, engine, show = Dubbed(Path(out), self.name), self._engine, progress or _no_progress
        _check(inputs, result.out, text, language)
        engine.begin(language)
        with result.stage("read the voice"):
            reference = engine.read_voice(inputs.get("voice"), voice_text, language, result)
        with result.stage("decode the video"):
            frames, n_frames = _decoded(inputs["video"], one_text=text is not None)
            result.seconds = n_frames / clocks.FPS
        _add_lines(result, n_frames, text, inputs.get("subtitles"), language, engine)
        lines = [line for line in result.lines if line.says]
        with result.stage("follow the face"):
            engine.look(result, lines, frames, several_faces, show)
        with result.stage("speak"):
            speech = engine.speak(result, lines, n_frames, reference, frames, show)
        with result.stage("write the video"):
            _write(result, inputs, speech, engine.note())
        return result


def dub(video: str | Path, text: str | None = None, *, voice: str | Path | None = None, out: str | Path,
        subtitles: str | Path | None = None, language: str = "en", voice_text: str | None = None,
        sound: Sound | None = None, keep_background: str | Path | None = None, model: str | Path | None = None,
        several_faces: "Rule" = "exclude", progress: Progress | None = None, engine: str = "auto", follow: str = "auto",
        voice_blend: Mapping[str, float] | None = None) -> Dubbed:  # fmt: skip
    """Dub a video; the file at `out` appears when it is complete.

    The speech follows the face, is exactly as long as the picture and is marked as synthetic in
    the file's metadata, with the model's name. The picture is copied where MP4 can hold it; the video's own sound is
    dropped.

    Args:
        video: any video FFmpeg reads, with one face; at most 30 s unless `subtitles` are given.
        text: what is said; None with `subtitles`.
        voice: recording of the voice to speak with, at least 1 s; the first 10 s are used. The timed engine takes the
            stock voices nearest to it, and needs none with `voice_blend`.
        out: MP4 to write.
        subtitles: SubRip file; every cue is spoken in its own time, with silence between. A cue without a usable face
            is spoken from its text alone, with a warning.
        language: of the text, of LANGUAGES; the models know en and zh, natural speech all.
        voice_text: what the recording says. With it the recording is the context of the speech (ZipVoice), without it
            the voice is a speaker embedding (paper: Dual Speaker Encoder).
        sound: scales, steps and seed; None takes the defaults.
        keep_background: sound without the original voice to lay under the speech, see `mixing`.
        model: weight file or folder of an exported recipe, which then speaks.
        several_faces: "exclude" refuses a picture with a second face; "speaking" takes the face whose lips go with the
            video's own sound, "longest" the one seen longest, "first" the one found first.
        progress: called with (stage, done, total).
        engine, follow, voice_blend: see `Dubber`, which also keeps the models loaded between clips.

    Raises:
        UserError: something cannot be used; says what to do.

    >>> from syncvoice import dub
    >>> result = dub("clip.mp4", "bin blue at f two now", voice="ref.wav", out="example.mp4", model="model")
    >>> result.seconds, [line.guided_by() for line in result.lines]
    (1.6, [('text', 'face', 'lip')])
    """
    inputs = {"video": video, "voice": voice, "subtitles": subtitles, "background": keep_background}
    _check({name: Path(path) for name, path in inputs.items() if path is not None}, Path(out), text, language)
    began = Dubbed(Path(out))
    with began.stage("load the model"):
        dubber = Dubber(engine, model=model, sound=sound, follow=follow, voice_blend=voice_blend)
    result = dubber.dub(
        video, text, voice=voice, out=out, subtitles=subtitles, language=language, voice_text=voice_text,
        keep_background=keep_background, several_faces=several_faces, progress=progress,
    )  # fmt: skip
    result.timings = {**began.timings, **result.timings}
    return result


def _no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def _check(inputs: Mapping[str, Path], out: Path, text: str | None, language: str) -> None:
    """Refuse what needs no computing to refuse.

    Raises:
        UserError: see the messages.
    """
    for name, path in inputs.items():
        if not path.is_file():
            raise UserError(f"{name} {path} does not exist; check the path")
    check_output(out, inputs)
    if out.suffix.lower() != ".mp4":
        raise UserError(f"the output {out} must end with .mp4; only MP4 is written")
    if (text is None) == ("subtitles" not in inputs):
        raise UserError("give either a text for the whole clip, or subtitles for texts with their times")
    if language not in LANGUAGES:
        raise UserError(f"language {language!r} is unknown; choose one of {', '.join(LANGUAGES)}")
    check_language(text or "", language)


def _decoded(path: Path, one_text: bool) -> "tuple[FrameSource, int]":
    """Return the frames of a video and their number at 25 fps.

    Raises:
        UserError: the video cannot be decoded, or is too long for one text.
    """
    from syncvoice.video.decode import ClipProblem, FrameSource, opened

    try:
        if one_text:  # by the header, before a long film is decoded; its sound may outlast the picture
            with opened(path) as container:
                check_length((container.duration or 0) / 1e6, slack=0.5)
        frames = FrameSource(path)
        return frames, frames.count()
    except ClipProblem as problem:
        raise UserError(f"{path}: {problem.message}") from problem


def _add_lines(result: Dubbed, n_frames: int, text: str | None, subtitles: Path | None, language: str,
               engine: Any) -> None:  # fmt: skip
    """Fill in the lines, and warn of texts that do not fit their time.

    Raises:
        UserError: see `whole_clip` and `read_subtitles`; or there is no text to say.
    """
    from syncvoice.text.espeak import phonemize
    from syncvoice.text.tokenizer import EmiliaTokenizer

    cues, warnings = ([], []) if subtitles is None else read_subtitles(subtitles, n_frames)
    result.warn(warnings)
    check_language(" ".join(cue.text for cue in cues), language)
    tokenizer = EmiliaTokenizer()
    for cue in cues or whole_clip(text or "", n_frames):
        known = language in tokenizer.languages
        needed = syllables(tokenizer.tokens(cue.text, language) if known else phonemize(cue.text, language))
        result.lines.append(engine.line(cue, language, needed))
        if needed:
            result.warn(rate_warnings(cue, needed, language))
        elif cues:
            result.warn([f"{cue.where()} has nothing to say ({cue.text!r}) and stays silent"])
    if not any(line.says for line in result.lines):
        source = f"text {text!r}" if subtitles is None else f"{subtitles}"
        raise UserError(f"{source} has not one syllable to say; write {LANGUAGES[language].name} words")


def _write(result: Dubbed, inputs: Mapping[str, Path], speech: np.ndarray, note: str) -> None:
    """Write the video.

    Raises:
        UserError: the background cannot be used, or the picture cannot be written.
    """
    from syncvoice.dubbing.mixing import RATE, mix
    from syncvoice.video.decode import fit
    from syncvoice.video.mux import picture_seconds, put_sound

    picture = picture_seconds(inputs["video"])
    if abs(picture - len(speech) / clocks.SAMPLE_RATE) < 1 / clocks.FPS:  # 29.97 fps pictures end between our frames
        speech = fit(speech, round(picture * clocks.SAMPLE_RATE))
    audio, rate = speech, clocks.SAMPLE_RATE
    if "background" in inputs:
        if inputs["background"].samefile(inputs["video"]):
            result.warn(["the background is the video itself: its original speech stays under the new one"])
        (audio, warnings), rate = mix(speech, inputs["background"]), RATE
        result.warn(warnings)
    said = put_sound(inputs["video"], audio, result.out, rate=rate, note=note)
    result.warn([said] if said else [])
