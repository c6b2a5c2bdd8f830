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
from syncvoice.dubbing.judging import worth
from syncvoice.dubbing.making import Making, Wishes
from syncvoice.dubbing.plan import Plan, make_plan, plan_video
from syncvoice.dubbing.script import check_length
from syncvoice.dubbing.speech import Sound
from syncvoice.dubbing.voice_check import check_voice
from syncvoice.dubbing.voices import Voices, assigned, voices_of
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
        self.worth = worth(self.name)
        log.info("%s speaks: %s", self.name, self.why)
        log.info("%s", self.worth)

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

    def dub(self, video: str | Path, text: str | None = None, *, voice: Voices = None, out: str | Path,
            subtitles: str | Path | None = None, language: str = "en", voice_text: str | None = None,
            keep_background: str | Path | None = None, several_faces: "Rule" = "exclude",
            progress: Progress | None = None, wishes: Wishes | None = None) -> Dubbed:  # fmt: skip
        """Dub one video; arguments, result and errors as of `dub`."""
        recordings, wishes = voices_of(voice), wishes or Wishes()
        inputs = inputs_of(video, recordings, subtitles, keep_background)
        result, engine, show = Dubbed(Path(out), self.name), self._engine, progress or _no_progress
        _check(inputs, result.out, text, language)
        wishes.check(engine, subtitles is not None)
        engine.begin(language)
        with result.stage("read the voice"):
            loaded = _loaded(engine, recordings, voice_text, language)
            result.advise([told for path in dict.fromkeys(recordings.values()) for told in check_voice(path)])
        with result.stage("decode the video"):
            frames, n_frames = _decoded(inputs["video"], one_text=text is not None)
            result.seconds = n_frames / clocks.FPS
        said, result.is_random = wishes.said(text, inputs.get("subtitles"), language), engine.is_random
        making = Making(engine, result, wishes, make_plan(said, n_frames, recordings), language)
        log.info("the plan:\n%s", making.plan.table())
        result.warn(making.plan.warnings)
        result.lines += [engine.line(one.cue, language, one.syllables) for one in making.plan.cues]
        making.assign(loaded, recordings)
        making.open_session(inputs["video"], several_faces, voice_text)
        speech = making.speech(n_frames, frames, several_faces, show)
        with result.stage("write the video"):
            _write(result, inputs, speech, engine.note())
        return result


def dub(video: str | Path, text: str | None = None, *, voice: Voices = None, out: str | Path,
        subtitles: str | Path | None = None, language: str = "en", voice_text: str | None = None,
        sound: Sound | None = None, keep_background: str | Path | None = None, model: str | Path | None = None,
        several_faces: "Rule" = "exclude", progress: Progress | None = None, engine: str = "auto", follow: str = "auto",
        voice_blend: Mapping[str, float] | None = None, wishes: Wishes | None = None) -> Dubbed:  # fmt: skip
    """Dub a video; the file at `out` appears when it is complete.

    The speech follows the face, is exactly as long as the picture and is marked as synthetic in
    the file's metadata, with the model's name. The picture is copied where MP4 can hold it; the video's own sound is
    dropped.

    Args:
        video: any video FFmpeg reads, with one face; at most 30 s unless `subtitles` are given.
        text: what is said; None with `subtitles`.
        voice: recording of the voice to speak with, at least 1 s; the first 10 s are used. The timed engine takes the
            stock voices nearest to it, and needs none with `voice_blend`. A mapping gives one to each speaker that the
            subtitles name, "" to all others.
        out: MP4 to write.
        subtitles: SubRip, WebVTT or SubStation file, or a video with a subtitle track; every cue is spoken in its own
            time, with silence between. A cue without a usable face is spoken from its text alone, with a warning.
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
        wishes: limits of the speech rate, takes, single cues, a session; see there.

    Raises:
        UserError: something cannot be used; says what to do.

    >>> from syncvoice import dub
    >>> result = dub("clip.mp4", "bin blue at f two now", voice="ref.wav", out="example.mp4", model="model")
    >>> result.seconds, [line.guided_by() for line in result.lines]
    (1.6, [('text', 'face', 'lip')])
    """
    _check(inputs_of(video, voices_of(voice), subtitles, keep_background), Path(out), text, language)
    began = Dubbed(Path(out))
    with began.stage("load the model"):
        dubber = Dubber(engine, model=model, sound=sound, follow=follow, voice_blend=voice_blend)
    result = dubber.dub(
        video, text, voice=voice, out=out, subtitles=subtitles, language=language, voice_text=voice_text,
        keep_background=keep_background, several_faces=several_faces, progress=progress, wishes=wishes,
    )  # fmt: skip
    result.timings = {**began.timings, **result.timings}
    return result


def plan_of(video: Path, clip: Mapping[str, Any]) -> tuple[Plan, list[str]]:
    """Return the plan of a clip and advice about its voices, without any model.

    Args:
        video: the clip.
        clip: arguments of `Dubber.dub`.

    Raises:
        UserError: as of `dub`, as far as it needs no model.
    """
    recordings, wishes = voices_of(clip.get("voice")), clip.get("wishes") or Wishes()
    subtitles, language = clip.get("subtitles"), str(clip.get("language", "en"))
    inputs = inputs_of(video, recordings, subtitles, clip.get("keep_background"))
    _check(inputs, None, clip.get("text"), language)
    wishes.check_texts(subtitles is not None)
    plan = plan_video(video, wishes.said(clip.get("text"), inputs.get("subtitles"), language), list(recordings))
    if recordings:
        plan.notes += assigned([one.cue for one in plan.cues if one.syllables], list(recordings))[1]
    return plan, [told for path in dict.fromkeys(recordings.values()) for told in check_voice(path)]


def inputs_of(video: str | Path, recordings: Mapping[str, Path], subtitles: str | Path | None,
              background: str | Path | None) -> dict[str, Path]:  # fmt: skip
    """Return all files that are read, by what people call them."""
    voices = {f"voice of {name}" if name else "voice": path for name, path in recordings.items()}
    files = {"video": video, **voices, "subtitles": subtitles, "background": background}
    return {name: Path(path) for name, path in files.items() if path is not None}


def _no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def _check(inputs: Mapping[str, Path], out: Path | None, text: str | None, language: str) -> None:
    """Refuse what needs no computing to refuse; without `out` nothing is written.

    Raises:
        UserError: see the messages.
    """
    for name, path in inputs.items():
        if not path.is_file():
            raise UserError(f"{name} {path} does not exist; check the path")
    if out is not None:
        check_output(out, inputs)
    if out is not None and out.suffix.lower() != ".mp4":
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


def _loaded(engine: Any, recordings: Mapping[str, Path], voice_text: str | None, language: str) -> dict[str, Any]:
    """Return the voices by speaker, as an engine reads them; "" is that of all others.

    Raises:
        UserError: there is none, or one cannot be used.
    """
    wanted: dict[str, Path | None] = dict(recordings)
    if not wanted or (engine.has_voice and "" not in wanted):
        wanted[""] = None
    return {
        name: engine.read_voice(path, None if name else voice_text, language, name) for name, path in wanted.items()
    }


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
