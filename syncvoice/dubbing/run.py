"""`dub`: a video, a text (or subtitles) and a voice in, a dubbed MP4 out."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.model import DubbingModel, load_dubbing_model
from syncvoice.dubbing.script import check_length, rate_warnings, read_subtitles, syllables, whole_clip
from syncvoice.dubbing.speech import Line, Sound, speak
from syncvoice.errors import UserError
from syncvoice.text.language import check_language

if TYPE_CHECKING:
    from syncvoice.generation.speech import Voice
    from syncvoice.model.guidance import Scales
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.several import Rule

Progress = Callable[[str, int, int], None]  # stage, done, total
log = logging.getLogger(__name__)


@dataclass
class Dubbed:
    """What was made.

    Attributes:
        out: the MP4.
        model: which model spoke.
        seconds: length of the video.
        lines: what is said where, at which rate, guided by what.
        warnings: sentences, also logged.
        timings: seconds of computing per stage.
    """

    out: Path
    model: str = ""
    seconds: float = 0.0
    lines: list[Line] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)

    def warn(self, sentences: Sequence[str]) -> None:
        """Keep and log warnings."""
        for sentence in sentences:
            log.warning("%s", sentence)
        self.warnings += sentences

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Keep the time that a block takes."""
        began = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - began


def dub(video: str | Path, text: str | None = None, *, voice: str | Path, out: str | Path,
        subtitles: str | Path | None = None, language: str = "en", voice_text: str | None = None,
        sound: Sound | None = None, keep_background: str | Path | None = None, model: str | Path | None = None,
        several_faces: "Rule" = "exclude", progress: Progress | None = None) -> Dubbed:  # fmt: skip
    """Dub a video; the file at `out` appears when it is complete.

    The speech follows the face, is exactly as long as the picture and is marked as synthetic in
    the file's metadata, with the model's name. The picture is copied where MP4 can hold it; the video's own sound is
    dropped.

    Args:
        video: any video FFmpeg reads, with one face; at most 30 s unless `subtitles` are given.
        text: what is said; None with `subtitles`.
        voice: recording of the voice to speak with, at least 1 s; the first 10 s are used.
        out: MP4 to write.
        subtitles: SubRip file; every cue is spoken in its own time, with silence between. A cue without a usable face
            is spoken from its text alone, with a warning.
        language: of the text, "en" or "zh".
        voice_text: what the recording says. With it the recording is the context of the speech (ZipVoice), without it
            the voice is a speaker embedding (paper: Dual Speaker Encoder).
        sound: scales, steps and seed; None takes the defaults.
        keep_background: sound without the original voice to lay under the speech, see `mixing`.
        model: weight file or folder of an exported recipe; None takes the default study's, else the shipped one.
        several_faces: "exclude" refuses a picture with a second face; "speaking" takes the face whose lips go with the
            video's own sound, "longest" the one seen longest, "first" the one found first.
        progress: called with (stage, done, total).

    Raises:
        UserError: something cannot be used; says what to do.

    >>> from syncvoice import dub
    >>> result = dub("clip.mp4", "bin blue at f two now", voice="ref.wav", out="example.mp4", model="model")
    >>> result.seconds, [line.guided_by() for line in result.lines]
    (1.6, [('text', 'face', 'lip')])
    """
    files = {"video": video, "voice": voice, "subtitles": subtitles, "background": keep_background}
    inputs = {name: Path(path) for name, path in files.items() if path is not None}
    sound, result, progress = sound or Sound(), Dubbed(Path(out)), progress or _no_progress
    _check(inputs, result.out, text, language)
    sound.check()
    with result.stage("load the model"):
        speaker = load_dubbing_model(None if model is None else Path(model))
        result.model, scales = speaker.name, sound.guidance(language, speaker)
    with result.stage("read the voice"):
        reference = _reference(inputs["voice"], voice_text, language, speaker)
    with result.stage("decode the video"):
        frames, n_frames = _decoded(inputs["video"], one_text=text is not None)
        result.seconds = n_frames / clocks.FPS
    _add_lines(result, n_frames, text, inputs.get("subtitles"), language, scales)
    with result.stage("follow the face"):
        _look(result, frames, speaker, several_faces, progress)
    with result.stage("speak"):
        count = _Counter(progress, "speak")
        speech = speak(result.lines, n_frames, speaker, reference, sound, count.step)
    with result.stage("write the video"):
        _write(result, inputs, speech, sound.seed)
    return result


def _no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


class _Counter:
    """Counts the steps of a stage."""

    def __init__(self, progress: Progress, stage: str) -> None:
        self.progress, self.stage, self.done = progress, stage, 0

    def step(self, total: int) -> None:
        """Tell that one more of `total` steps is done."""
        self.done += 1
        self.progress(self.stage, self.done, total)


def _check(inputs: Mapping[str, Path], out: Path, text: str | None, language: str) -> None:
    """Refuse what needs no computing to refuse.

    Raises:
        UserError: see the messages.
    """
    for name, path in inputs.items():
        if not path.is_file():
            raise UserError(f"{name} {path} does not exist; check the path")
        if out.exists() and out.samefile(path):
            raise UserError(f"the output {out} is the {name} itself; choose another name")
    if out.suffix.lower() != ".mp4":
        raise UserError(f"the output {out} must end with .mp4; only MP4 is written")
    if (text is None) == ("subtitles" not in inputs):
        raise UserError("give either a text for the whole clip, or subtitles for texts with their times")
    if language not in ("en", "zh"):
        raise UserError(f"language {language!r} is unknown; choose en or zh")
    check_language(text or "", language)


def _reference(path: Path, text: str | None, language: str, speaker: DubbingModel) -> "Voice":
    """Return the reference voice.

    Raises:
        UserError: the recording cannot be used, or its text says nothing.
    """
    from syncvoice.dubbing.voice import read_voice
    from syncvoice.text.tokenizer import EmiliaTokenizer

    tokens: list[int] = []
    if text is not None:
        tokenizer = EmiliaTokenizer()
        tokens = tokenizer.encode(text, language)
        if not syllables(tokenizer.tokens(text, language)):
            raise UserError(f"the text {text!r} of the voice has not one syllable; write what the recording says")
    return read_voice(path, tokens, speaker.model, speaker.weights["speaker_encoder"])


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
               scales: "Scales") -> None:  # fmt: skip
    """Fill in the lines, and warn of texts that do not fit their time.

    Raises:
        UserError: see `whole_clip` and `read_subtitles`; or there is no text to say.
    """
    from syncvoice.text.tokenizer import EmiliaTokenizer

    cues, warnings = ([], []) if subtitles is None else read_subtitles(subtitles, n_frames)
    result.warn(warnings)
    check_language(" ".join(cue.text for cue in cues), language)
    tokenizer = EmiliaTokenizer()
    for cue in cues or whole_clip(text or "", n_frames):
        needed = syllables(tokenizer.tokens(cue.text, language))
        line = Line(cue, tokenizer.encode(cue.text, language) if needed else [], needed / cue.seconds, scales)
        result.lines.append(line)
        if needed:
            result.warn(rate_warnings(cue, needed, language))
        elif cues:
            result.warn([f"{cue.where()} has nothing to say ({cue.text!r}) and stays silent"])
    if not any(line.tokens for line in result.lines):
        source = f"text {text!r}" if subtitles is None else f"{subtitles}"
        raise UserError(f"{source} has not one syllable to say; write English or Mandarin words")


def _look(result: Dubbed, frames: "FrameSource", speaker: DubbingModel, several_faces: "Rule",
          progress: Progress) -> None:  # fmt: skip
    """Fill in the visual features of the lines; a line without a usable face is left to its text.

    Raises:
        UserError: no line has a usable face.
    """
    from syncvoice.dubbing.faces import extractors_of, follow_cues, visual_features
    from syncvoice.video.decode import ClipProblem

    lines = [line for line in result.lines if line.tokens]
    conditions = [condition for condition in lines[0].scales.active() if condition != "text"]
    if not conditions:
        return
    extractors = extractors_of(speaker.seen, conditions)  # refused before the video is looked at
    count, total = _Counter(progress, "follow the face"), sum(line.cue.n_frames for line in lines)
    found = follow_cues(frames, [line.cue for line in lines], several_faces, lambda: count.step(total))
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


def _write(result: Dubbed, inputs: Mapping[str, Path], speech: np.ndarray, seed: int) -> None:
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
    put_sound(inputs["video"], audio, result.out, rate=rate, note=f"Model {result.model}, seed {seed}.")
