"""The sounds of a folder of speech: read from any file, and made fit for what scores them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.errors import raise_if_passing
from syncvoice.metrics.scorer import PLAIN_SOUNDS, ScoreError, Utterance, check_audio, is_silent

SOUNDS = PLAIN_SOUNDS | {
    ".m4a",
    ".aac",
    ".opus",
    ".oga",
    ".wma",
    ".aiff",
    ".aif",
    ".au",
    ".caf",
    ".amr",
    ".mka",
    ".mp2",
}
VIDEOS = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".avi", ".mpg", ".mpeg", ".webm"))
USUAL_LEVELS = (0.01, 0.5)  # of loud stretches, re full scale: -40 to -6 dB (our choice)
LEVEL = 0.1  # to which other sounds are brought
LENGTH_SLACK_S = 0.5  # by which a sound may differ from its video without a note


def read_utterance(path: Path, row: Mapping[str, str]) -> Utterance:
    """Read a sound, or the sound of a video from its first picture on.

    Raises:
        ScoreError: it cannot be read, or is too short, not finite or silent.
    """
    from syncvoice.audio import resample

    read = _sound if path.suffix.lower() in PLAIN_SOUNDS else _sound_of_video
    audio, rate, note = read(path)
    utterance = Utterance(row, "", resample(audio, rate, SAMPLE_RATE), None, note)
    check_audio(utterance.audio)
    if is_silent(utterance.audio):
        raise ScoreError("sound is silent")
    if rate != SAMPLE_RATE:  # straight from the file: resampling twice would cost accuracy
        utterance.audio_16k = resample(audio, rate, SCORER_SAMPLE_RATE)
    return utterance


def match_video(utterance: Utterance, video: Path | None, sound: Path) -> None:
    """Bring a sound to the level that lip-sync networks know, and note where it does not last as long as its video.

    Their inputs depend on the level: a sound at a hundredth of it scores *better*. Levels of ordinary recordings stay.
    """
    import numpy as np

    blocks = utterance.audio[: len(utterance.audio) // 480 * 480].reshape(-1, 480)  # 20 ms
    level = float(np.percentile(np.sqrt(np.mean(np.square(blocks, dtype=np.float64), axis=1)), 95))
    notes = [utterance.note] if utterance.note else []
    if not USUAL_LEVELS[0] <= level <= USUAL_LEVELS[1]:
        gain = LEVEL / level
        utterance.audio, utterance.audio_16k = utterance.audio * gain, utterance.audio_16k * gain
        notes.append(f"level changed by {20 * np.log10(gain):+.0f} dB before lip sync")
    if video is not None and video != sound:
        seconds, shown = len(utterance.audio) / SAMPLE_RATE, video_seconds(video)
        if shown is not None and abs(shown - seconds) > LENGTH_SLACK_S:
            notes.append(f"sound lasts {seconds:.2f} s, its video {shown:.2f} s: only their common start is compared")
    utterance.note = "; ".join(notes)


def video_seconds(path: Path) -> float | None:
    """How long a video is shown; None where that cannot be told (scoring then says why)."""
    from syncvoice.video.decode import ClipProblem
    from syncvoice.video.shown import look_at

    try:
        return float(look_at(path).seconds)
    except ClipProblem:
        return None


def _sound(path: Path) -> tuple[Any, int, str]:
    """Samples, rate and note of a sound file."""
    import numpy as np
    import soundfile

    try:
        audio, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise_if_passing(error, path)
        raise ScoreError(f"{path.name} cannot be read as sound ({error})") from error
    if not np.isfinite(audio).all():
        raise ScoreError(f"sound holds {int((~np.isfinite(audio)).sum())} samples that are not finite")
    return (
        audio.mean(axis=1, dtype=np.float32) if audio.shape[1] > 1 else audio[:, 0],
        rate,
        _note(rate, audio.shape[1]),
    )


def _sound_of_video(path: Path) -> tuple[Any, int, str]:
    """Samples, rate and note of a sound that FFmpeg reads; a video's starts with its first picture."""
    from syncvoice.video.decode import ClipProblem, FrameSource, opened, read_sound

    try:
        with opened(path) as container:
            known = [stream.codec_context for stream in container.streams.audio if stream.codec_context is not None]
            found = [(codec.sample_rate, codec.channels) for codec in known]
        start = None
        if path.suffix.lower() in VIDEOS:
            frames = FrameSource(path, cache_bytes=0)
            frames.count()
            start = frames.start_s
        audio = read_sound(path, start)
    except ClipProblem as problem:
        raise ScoreError(problem.message) from problem
    return audio, SAMPLE_RATE, _note(*found[0], how="mean" if found[0][1] == 2 else "mix")


def _note(rate: int, channels: int, how: str = "mean") -> str:
    """What had to be done to a sound, as a message."""
    notes = [f"{how} of {channels} channels"] if channels > 1 else []
    notes += [f"resampled from {rate} Hz to {SCORER_SAMPLE_RATE} Hz"] if rate != SCORER_SAMPLE_RATE else []
    return "; ".join(notes)
