"""Decode any video to the project's clocks: 25 fps RGB frames and mono 24 kHz sound that starts with the picture.

Frames of another rate (29.97, 30, 50 fps, variable) are resampled by nearest time stamp. Time zero is the first
picture; sound that starts earlier is cut, sound that starts later is led by silence, holes are filled with silence.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.video.media import REASONS, ClipProblem, Limits, check_length, opened, stream_of, too_long
from syncvoice.video.shown import (
    MAX_HOLE_SECONDS,
    SQUARE,
    Upright,
    duration_of,
    hole,
    picture_of,
    step_of,
    timed_frames,
)

__all__ = [
    "REASONS",
    "ClipProblem",
    "DecodedClip",
    "FrameSource",
    "Limits",
    "decode_clip",
    "decode_sound",
    "fit",
    "opened",
    "read_sound",
]

log = logging.getLogger(__name__)
CACHE_BYTES = 300_000_000  # frames of a clip stay in memory up to this size; larger clips are decoded once per pass
GAP_SECONDS = 0.06  # a jump of sound time stamps larger than this is a hole (or an overlap), smaller ones are jitter
SOUND_RATES = (4_000, 192_000)  # samples per second that recordings have
# A listener's mix of more than two channels, ITU-R BS.775: the centre, where speech is, counts on both sides.
CHANNEL_WEIGHTS = {"FL": 1.0, "FR": 1.0, "FC": 2**0.5, "LFE": 0.0, "LFE2": 0.0}
SURROUND_WEIGHT = 0.5**0.5  # of every other channel


class FrameSource:
    """The RGB frames of a video at 25 fps; may be iterated many times.

    Attributes:
        path: the video file.
        start_s: time stamp of the first picture in seconds (known after `count`).
        pixel_shape: width / height of a pixel (known after `count`).
    """

    def __init__(self, path: Path | str, cache_bytes: int = CACHE_BYTES, limits: Limits | None = None) -> None:
        """Open nothing yet; `cache_bytes` limits the frames kept in memory."""
        self.path = Path(path)
        self.start_s = 0.0
        self.pixel_shape = SQUARE
        self._limits = limits or Limits()
        self._cache_bytes = cache_bytes
        self._frames: list[np.ndarray] | None = None
        self._count: int | None = None

    def count(self) -> int:
        """Number of frames at 25 fps (decodes the video on the first call).

        Raises:
            ClipProblem: broken_file, no_video, too_large or too_long.
        """
        if self._count is None:
            kept: list[np.ndarray] | None = []
            number = 0
            for number, frame in enumerate(self._decode(), start=1):
                if kept is not None:
                    kept.append(frame)
                    if frame.nbytes * number > self._cache_bytes:
                        kept = None
            self._frames, self._count = kept, number
        return self._count

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield frames (height, width, 3) uint8 RGB in order."""
        self.count()
        return iter(self._frames) if self._frames is not None else self._decode()

    def pick(self, numbers: Collection[int]) -> dict[int, np.ndarray]:
        """Return some frames by number; decodes no further than the last of them and keeps nothing else.

        Raises:
            ClipProblem: broken_file or no_video; too_short where the video has fewer frames.
        """
        frames = iter(self._frames) if self._frames is not None else self._decode()
        last = max(numbers, default=-1)
        picked = {number: frame for number, frame in zip(range(last + 1), frames, strict=False) if number in numbers}
        if missing := set(numbers) - set(picked):
            raise ClipProblem("too_short", f"{self.path.name} has no frame {min(missing)}; the file was changed")
        return picked

    def _decode(self) -> Iterator[np.ndarray]:
        """Decode the file and yield one frame per 1/25 s."""
        with opened(self.path) as container:
            stream = picture_of(container, self.path, self._limits)
            step, upright = step_of(stream), Upright(stream)
            timed = timed_frames(container.decode(stream), step, self._limits)
            most = int(self._limits.max_seconds * clocks.FPS)
            for number, (frame, start) in enumerate(_at_25_fps(timed, step, upright)):
                if number >= most:
                    raise too_long("picture", self._limits)
                self.start_s, self.pixel_shape = float(start), upright.pixel_shape
                yield frame


@dataclass(frozen=True)
class DecodedClip:
    """A decoded clip: frames at 25 fps and sound at 24 kHz, both exactly `n_frames` video frames long."""

    frames: FrameSource
    audio: np.ndarray
    n_frames: int


def decode_clip(
    path: Path | str, tolerance_frames: float = 5.0, minimum_frames: int = 10, limits: Limits | None = None
) -> DecodedClip:
    """Decode the picture and the sound of a video file.

    Args:
        path: any file FFmpeg reads.
        tolerance_frames: largest accepted difference between the lengths of sound and picture, in video frames.
        minimum_frames: shorter clips are refused.
        limits: larger and longer clips are refused.

    Returns:
        frames and sound; sound is cut or padded with silence to exactly 960 * n_frames samples.

    Raises:
        ClipProblem: broken_file, no_video, no_audio, too_large, too_long, too_short or length_mismatch.
    """
    frames = FrameSource(path, limits=limits)
    n_frames = frames.count()
    if n_frames < minimum_frames:
        raise ClipProblem(
            "too_short",
            f"{n_frames} video frames at 25 fps where at least {minimum_frames} are needed; use a longer clip",
        )
    audio = read_sound(path, frames.start_s, limits)
    found = len(audio) / clocks.SAMPLES_PER_FRAME
    if abs(found - n_frames) > tolerance_frames:
        raise ClipProblem(
            "length_mismatch",
            f"sound lasts {found:.1f} video frames and the picture {n_frames}; more than {tolerance_frames:g} frames "
            "apart, cut both to the same span",
        )
    return DecodedClip(frames, fit(audio, clocks.samples(n_frames)), n_frames)


def decode_sound(path: Path | str, minimum_frames: int = 10, limits: Limits | None = None) -> tuple[np.ndarray, int]:
    """Decode a clip without picture: mono 24 kHz sound of exactly 960 * n_frames samples, and n_frames.

    Raises:
        ClipProblem: broken_file, no_audio, too_long or too_short.
    """
    audio = read_sound(path, None, limits)
    n_frames = clocks.video_frames(len(audio))
    if n_frames < minimum_frames:
        raise ClipProblem(
            "too_short",
            f"sound lasts {n_frames} video frames where at least {minimum_frames} are needed; use a longer clip",
        )
    return audio[: clocks.samples(n_frames)], n_frames


def read_sound(path: Path | str, start_s: float | None, limits: Limits | None = None) -> np.ndarray:
    """Decode the first sound stream as mono float32 in [-1, 1] at 24 kHz.

    Args:
        path: any file FFmpeg reads.
        start_s: container time of the first returned sample; None takes the first sample there is.
        limits: longer sound is refused.

    Raises:
        ClipProblem: broken_file, no_audio or too_long.
    """
    path, limits = Path(path), limits or Limits()
    with opened(path) as container:
        stream = stream_of(container.streams.audio, path, "no_audio", "sound")
        check_length(container, limits)
        lossless = stream.codec_context.name.startswith("pcm_f")
        rate = 0
        pieces: list[np.ndarray] = []
        length = 0
        for frame in container.decode(stream):
            rate = rate or _checked_rate(frame.sample_rate)
            if frame.sample_rate != rate or length > limits.max_seconds * rate:
                raise too_long("sound", limits) if frame.sample_rate == rate else _rate_changes(rate, frame)
            piece = _mono(frame)
            if frame.pts is not None:
                time = float(frame.pts * frame.time_base)
                start_s = time if start_s is None else start_s
                if time - start_s - length / rate > MAX_HOLE_SECONDS:
                    raise hole("sound", time - start_s - length / rate)
                piece, silence = _place(piece, round((time - start_s) * rate) - length, first=length == 0, rate=rate)
                pieces.append(np.zeros(silence, np.float32))
                length += silence
            pieces.append(piece)
            length += len(piece)
    if not length:
        raise ClipProblem("no_audio", f"{path.name} has a sound stream without a single sample; add sound to it")
    sound = _within_full_scale(np.concatenate(pieces), path) if lossless else np.concatenate(pieces)
    return np.clip(resample(sound, rate, clocks.SAMPLE_RATE), -1.0, 1.0)  # resampling and lossy coding overshoot


def _within_full_scale(sound: np.ndarray, path: Path) -> np.ndarray:
    """Turn sound of floating point that exceeds full scale down, and say so: clipping would distort it."""
    peak = float(np.abs(sound[np.isfinite(sound)]).max(initial=0.0))
    if peak <= 1:
        return sound
    log.warning("%s exceeds full scale by %.1f dB and is turned down", path.name, 20 * np.log10(peak))
    return sound / peak


def fit(audio: np.ndarray, n_samples: int) -> np.ndarray:
    """Cut (samples,) or pad it with silence at the end to exactly `n_samples`."""
    return np.pad(audio[:n_samples], (0, max(0, n_samples - len(audio))))


def _place(piece: np.ndarray, gap: int, first: bool, rate: int) -> tuple[np.ndarray, int]:
    """Return the part of `piece` to append and the number of silent samples before it; `gap` < 0 is an overlap."""
    if not first and abs(gap) <= GAP_SECONDS * rate:
        return piece, 0
    return (piece, gap) if gap >= 0 else (piece[-gap:], 0)


def _mono(frame: Any) -> np.ndarray:
    """Return one channel as float32 (samples,) in [-1, 1]: the mean of two, a listener's mix of more."""
    values, channels = frame.to_ndarray(), frame.layout.channels
    if not frame.format.is_planar:
        values = values.reshape(-1, len(channels)).T
    if values.dtype.kind == "u":
        values = (values.astype(np.float32) - 128) / 128
    elif values.dtype.kind == "i":
        values = values.astype(np.float32) / float(-np.iinfo(values.dtype).min)
    if len(channels) <= 2:
        return values.mean(axis=0, dtype=np.float32)
    weights = np.array([CHANNEL_WEIGHTS.get(channel.name, SURROUND_WEIGHT) for channel in channels], np.float32)
    return weights @ values / max(weights.sum(), 1.0)


def _checked_rate(rate: int) -> int:
    """Return a sample rate that recordings have.

    Raises:
        ClipProblem: broken_file.
    """
    low, high = SOUND_RATES
    if not low <= rate <= high:
        raise ClipProblem(
            "broken_file", f"the sound has {rate} samples per second, expected {low} to {high}; convert it"
        )
    return rate


def _rate_changes(rate: int, frame: Any) -> ClipProblem:
    """Return the problem of a stream that changes its sample rate."""
    return ClipProblem(
        "broken_file",
        f"the sound changes from {rate} to {frame.sample_rate} samples per second; convert it to one rate",
    )


def _at_25_fps(
    timed: Iterator[tuple[Fraction, Any]], step: Fraction, upright: Upright
) -> Iterator[tuple[np.ndarray, Fraction]]:
    """Pick for every instant k / 25 s the frame with the nearest time stamp (the earlier one of two equally near).

    Args:
        timed: (time in seconds, frame), times rising.
        step: how long the last frame is shown if it does not say so, seconds.
        upright: makes pictures of frames.

    Yields:
        (RGB frame, time of the video's first frame in seconds).
    """
    held = next(timed, None)
    if held is None:
        return
    start, emitted = held[0], 0
    for following in timed:
        middle = (held[0] + following[0]) / 2 - start
        wanted = int(middle * clocks.FPS) + 1  # instants 0 .. middle
        if wanted > emitted:
            image = upright.rgb(held[1])
            for _ in range(emitted, wanted):
                yield image, start
            emitted = wanted
        held = following
    image = upright.rgb(held[1])
    for _ in range(emitted, max(round((held[0] + duration_of(held[1], step) - start) * clocks.FPS), 1)):
        yield image, start
