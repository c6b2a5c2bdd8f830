"""What a player shows of a picture: which frames, when, upright, all of one size and pixel shape.

A file may hold packets that nobody sees: before an edit list's start, or before the first whole frame of a stream that
was cut without decoding. What counts is what the decoder gives out, so picture, sound and speech have one zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from syncvoice import clocks
from syncvoice.video.media import ClipProblem, Limits, check_length, check_size, opened, stream_of

LOOKAHEAD = 8  # frames that tell whether time stamps are in the order of showing
MAX_HOLE_SECONDS = 10  # a longer jump of time stamps is a broken file, not a pause
COPIED_CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4")  # what players expect in MP4; others become H.264
SQUARE = Fraction(1)
MATRICES = (1, 5, 6, 7, 9)  # BT.709, BT.601 (two names), SMPTE 240M, BT.2020: those that swscale and x264 both know


@dataclass(frozen=True)
class Shown:
    """The shown span of a picture and whether its packets give the same picture when they are copied.

    Attributes:
        times: time stamps of the shown frames in seconds, rising.
        end: when the last frame goes, seconds.
        obstacle: why copied packets would show something else; "" if they may be copied.
    """

    times: list[Fraction]
    end: Fraction
    obstacle: str = ""

    @property
    def start(self) -> Fraction:
        """When the first frame appears: zero of picture and sound."""
        return self.times[0]

    @property
    def seconds(self) -> Fraction:
        """How long the picture is shown."""
        return self.end - self.start


def look_at(path: Path, limits: Limits | None = None) -> Shown:
    """Decode a picture once, to see what is shown and whether its packets may be copied.

    Raises:
        ClipProblem: the file cannot be used.
    """
    limits = limits or Limits()
    with opened(path) as container:
        stream = picture_of(container, path, limits)
        watched = _Watched(container, stream)
        step = step_of(stream)
        last: tuple[Fraction, Any] | None = None
        times: list[Fraction] = []
        for time, frame in timed_frames(watched, step, limits):
            watched.look(frame)
            times.append(time)
            last = time, frame
        if last is None:
            raise ClipProblem("broken_file", f"{path.name} holds no decodable picture; choose another video")
        return Shown(times, last[0] + duration_of(last[1], step), watched.obstacle())


@dataclass
class _Watched:
    """Packets and frames of an open picture as they pass."""

    container: Any
    stream: Any
    packets: list[int | None] = field(default_factory=list)
    hidden: int = 0
    frames: list[int | None] = field(default_factory=list)
    looks: set[tuple[int, ...]] = field(default_factory=set)

    def __iter__(self) -> Iterator[Any]:
        """Yield decoded frames; remember what they came from."""
        for packet in self.container.demux(self.stream):
            if packet.size:
                self.packets.append(packet.pts)
                self.hidden += packet.is_discard
            for frame in packet.decode():
                self.frames.append(frame.pts)
                yield frame

    def look(self, frame: Any) -> None:
        """Remember a frame's size and how it is turned."""
        self.looks.add((frame.width, frame.height, *turn_of(frame)))

    def obstacle(self) -> str:
        """Say why the packets may not be copied; "" if they may."""
        codec = self.stream.codec_context.codec.canonical_name
        if codec not in COPIED_CODECS:
            return f"MP4 players do not expect {codec}"
        if len({look[:2] for look in self.looks}) > 1:
            return "the size of the picture changes"
        if {look[2:] for look in self.looks} != {UPRIGHT}:
            return "the picture is stored turned or mirrored"
        stamps = [stamp for stamp in self.packets if stamp is not None]
        if len(stamps) < len(self.packets):
            return "the picture has no time stamps"
        unseen = len(self.packets) - len(self.frames)
        if self.hidden or unseen > 0:
            return f"{max(self.hidden, unseen)} of its {len(self.packets)} stored frames are shown by no player"
        if set(stamps) != set(self.frames) or not _rising([stamp for stamp in self.frames if stamp is not None]):
            return "its time stamps contradict each other"
        return ""


def picture_of(container: Any, path: Path, limits: Limits) -> Any:
    """Return the picture stream of an open file, ready to be decoded within limits.

    Raises:
        ClipProblem: no picture, too large or too long.
    """
    stream = stream_of(container.streams.video, path, "no_video", "video")
    stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    check_size(stream.codec_context, limits)
    check_length(container, limits)
    return stream


def step_of(stream: Any) -> Fraction:
    """Return how long a frame without a duration is shown, seconds."""
    return 1 / Fraction(stream.average_rate or stream.guessed_rate or clocks.FPS)


def duration_of(frame: Any, step: Fraction) -> Fraction:
    """Return how long the last frame is shown, seconds; `step` where it does not say."""
    seconds = (frame.duration or 0) * Fraction(frame.time_base or 0)
    return seconds if 0 < seconds <= MAX_HOLE_SECONDS else step


def timed_frames(frames: Any, step: Fraction, limits: Limits) -> Iterator[tuple[Fraction, Any]]:
    """Yield (time in seconds, frame), times rising; a frame without time stamp follows the one before after `step`.

    Decoders give frames in the order of showing. Where presentation stamps run backwards there (AVI with packed B
    frames), they are guesses, and the decoding stamps, which rise, are taken.

    Raises:
        ClipProblem: too_large, or time stamps jump by more than `MAX_HOLE_SECONDS`.
    """
    last: Fraction | None = None
    frames = iter(frames)
    ahead = list(islice(frames, LOOKAHEAD))
    by_dts = _runs_backwards([frame.pts for frame in ahead]) and _rising([frame.dts for frame in ahead])
    for frame in chain(ahead, frames):
        check_size(frame, limits)
        stamp = frame.dts if by_dts else frame.pts
        if stamp is not None:
            time = stamp * Fraction(frame.time_base)
        else:
            time = Fraction(0) if last is None else last + step
        if last is not None and time <= last:  # a repeated or backward time stamp: no time passes
            continue
        if last is not None and time - last > MAX_HOLE_SECONDS:
            raise hole("picture", float(time - last))
        yield time, frame
        last = time


def _rising(stamps: Sequence[int | None]) -> bool:
    """Tell whether all stamps are there and each is above the one before."""
    return None not in stamps and all(a < b for a, b in pairwise(stamps))  # type: ignore[operator]


def _runs_backwards(stamps: Sequence[int | None]) -> bool:
    """Tell whether a stamp is below the one before."""
    return any(a is not None and b is not None and b < a for a, b in pairwise(stamps))


def hole(kind: str, seconds: float) -> ClipProblem:
    """Return the problem of a jump in time stamps."""
    return ClipProblem("broken_file", f"time stamps of the {kind} jump by {seconds:.0f} s; cut the clip at the jump")


UPRIGHT = (0, 0, 0)


def turn_of(frame: Any) -> tuple[int, int, int]:
    """Return how a player turns a frame: (swap x and y, then mirror left-right, then mirror up-down), each 0 or 1.

    The display matrix maps stored x, y to x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12); other angles than
    quarter turns are rounded to them.
    """
    found = frame.side_data.get("DISPLAYMATRIX") if frame.side_data else None
    if found is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].tolist()
    if not (a or b or c or d):
        return UPRIGHT
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return 0, int(a < 0), int(d < 0)
    return 1, int(c < 0), int(b < 0)


class Upright:
    """Turns frames of one video to RGB pictures as a player shows them, all of the first one's size.

    Attributes:
        pixel_shape: width / height of a pixel of the first picture (1 until there is one).
    """

    def __init__(self, stream: Any) -> None:
        """Convert frames of a picture stream."""
        self.pixel_shape = SQUARE
        self._stored_shape = pixel_shape_of(stream)
        self._size: tuple[int, int] | None = None
        self._converter = VideoReformatter()  # kept: setting up a conversion takes longer than converting a frame

    def rgb(self, frame: Any) -> np.ndarray:
        """Return (height, width, 3) uint8."""
        image = self._converter.reformat(frame, format="rgb24").to_ndarray()
        swap, across, down = turn_of(frame)
        if swap:
            image = image.transpose(1, 0, 2)
        image = np.ascontiguousarray(image[:: -1 if down else 1, :: -1 if across else 1])
        if self._size is None:
            self._size = image.shape[0], image.shape[1]
            self.pixel_shape = 1 / self._stored_shape if swap else self._stored_shape
        return image if image.shape[:2] == self._size else fitted(image, *self._size)


def pixel_shape_of(stream: Any) -> Fraction:
    """Return width / height of a stored pixel; square where the file does not say."""
    shape = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(shape) if shape and shape > 0 else SQUARE


@dataclass(frozen=True)
class Colours:
    """What the numbers of a picture mean, as FFmpeg numbers it; 2 says nothing."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


def colours_of(path: Path) -> Colours:
    """Return the colour tags of a video's first picture; none where its matrix is not one of common video.

    Raises:
        ClipProblem: the file cannot be used.
    """
    with opened(path) as container:
        stream = picture_of(container, path, Limits())
        frame = next(iter(container.decode(stream)), None)
        context = stream.codec_context
        if frame is None or int(frame.colorspace) not in MATRICES:
            return Colours()
        return Colours(int(frame.colorspace), int(context.color_primaries), int(context.color_trc))


def fitted(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture into another size; its proportions stay, black fills the rest."""
    import cv2

    scale = min(height / image.shape[0], width / image.shape[1])
    inner = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
    resized = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    out[top : top + inner[0], left : left + inner[1]] = resized
    return out


def shown_pictures(path: Path, limits: Limits | None = None) -> Iterator[tuple[np.ndarray, Fraction]]:
    """Yield every shown picture, RGB (height, width, 3) uint8, with the shape of its pixels.

    Raises:
        ClipProblem: the file cannot be used.
    """
    limits = limits or Limits()
    with opened(path) as container:
        stream = picture_of(container, path, limits)
        upright = Upright(stream)
        for _, frame in timed_frames(container.decode(stream), step_of(stream), limits):
            image = upright.rgb(frame)
            yield image, upright.pixel_shape
