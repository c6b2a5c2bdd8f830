"""Put generated speech on a video: picture packets copied unchanged where they show what a player shows, sound as AAC.

Other pictures are encoded again at their own times, size and pixel shape. The file says in its metadata that the
speech is synthetic. Time zero of picture and sound is the first picture, and an edit list hides the encoder's priming,
so decoded sound starts where it should. Same input, same bytes.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.video.media import ClipProblem, stream_of
from syncvoice.video.shown import MATRICES, SQUARE, Colours, Shown, colours_of, look_at, shown_pictures

AUDIO_RATE = 48_000  # Hz in the file: every player takes it
AUDIO_BIT_RATE = 160_000
QUALITY = 18  # constant rate factor of x264: hardly visible
KNOWN_STEPS = tuple(Fraction(base, rate) for rate in (24_000, 25_000, 30_000, 50_000, 60_000) for base in (1000, 1001))
FINE_CLOCK = Fraction(1, 90_000)  # for pictures at irregular times
VIDEO_RANGE = 1  # of FFmpeg's numbers
NOTICE = "This video holds synthetic speech, made by SyncVoice."


def put_sound(video_in: Path | str, audio: np.ndarray, out: Path | str, synthetic: bool = True,
              rate: int = clocks.SAMPLE_RATE, note: str = "") -> str:  # fmt: skip
    """Write an MP4 with the picture of `video_in` and `audio` as its only sound.

    Args:
        video_in: any video FFmpeg reads.
        audio: (samples,) mono or (samples, channels) with one or two channels, in [-1, 1], starting with the first
            picture.
        out: MP4 file to write, atomically.
        synthetic: mark the speech as synthetic in the metadata.
        rate: of `audio`, Hz.
        note: sentence to add to the mark, e.g. which model spoke.

    Returns:
        a sentence that says why the picture was encoded again, "" if it was copied.

    Raises:
        UserError: the video cannot be read or the sound has another shape.
    """
    video_in, out = Path(video_in), Path(out)
    if audio.ndim not in (1, 2) or not len(audio) or (audio.ndim == 2 and audio.shape[1] not in (1, 2)):
        raise UserError(f"sound for {out} has shape {audio.shape}; expected (samples,) or (samples, 1 or 2 channels)")
    notice = f"{NOTICE} {note}".strip() if synthetic else ""
    try:
        shown = look_at(video_in)
        with atomic_path(out) as temporary, _container(temporary, notice) as target:
            picture = _encoded_picture if shown.obstacle else _copied_picture
            _interleave(target, picture(video_in, shown, target), _encoded_sound(audio, rate, target))
    except ClipProblem as problem:
        raise UserError(f"{video_in}: {problem.message}") from problem
    except av.error.FFmpegError as error:
        raise UserError(f"{video_in} cannot be dubbed ({error.strerror}); check that it plays") from error
    return f"the picture of {video_in.name} is encoded again: {shown.obstacle}" if shown.obstacle else ""


def write_clip(path: Path, frames: Iterable[np.ndarray], audio: np.ndarray, pixel_shape: Fraction = SQUARE,
               quality: int = QUALITY) -> None:  # fmt: skip
    """Write a recording at 25 fps as H.264 and lossless FLAC in Matroska, atomically.

    Args:
        path: .mkv to write.
        frames: RGB (height, width, 3) uint8, all of one size.
        audio: (960 * frames,) mono at 24 kHz.
        pixel_shape: width / height of a pixel.
        quality: constant rate factor of x264; higher is worse.

    Raises:
        ClipProblem: the picture cannot be encoded.
    """
    try:
        with atomic_path(path) as temporary, _container(temporary, "", "matroska") as target:
            stream = target.add_stream("flac", rate=clocks.SAMPLE_RATE, layout="mono")
            samples = (np.clip(audio, -1, 1) * 32767).round().astype(np.int16)[None]
            sound = _sound_packets(samples, stream, "mono", "s16", clocks.SAMPLE_RATE)
            _interleave(target, _encoded_frames(iter(frames), target, None, pixel_shape, quality=quality), sound)
    except av.error.FFmpegError as error:
        raise ClipProblem("broken_file", f"the picture cannot be encoded ({error}); convert the video") from error


@contextmanager
def _container(path: Path, notice: str, kind: str = "mp4") -> Iterator[Any]:
    """Open a file for writing, without time stamps or encoder versions, an MP4's index in front; mark it if asked."""
    options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if kind == "mp4" else {})}
    with av.open(f"file:{path}", "w", format=kind, options=options) as target:
        if notice:
            target.metadata.update(title="Synthetic speech", comment=notice, description=notice)
        yield target


def picture_seconds(path: Path) -> Fraction:
    """Return how long the picture of `path` is shown, and lasts in a file that `put_sound` writes, in seconds.

    Raises:
        ClipProblem: broken file or no picture.
    """
    return look_at(path).seconds


def _copied_picture(path: Path, shown: Shown, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add the picture stream to `target`; yield (decoding time in seconds, packet) with the first picture at zero."""
    source = av.open(f"file:{path}")
    stream = stream_of(source.streams.video, path, "no_video", "video")
    copy = target.add_stream_from_template(stream, opaque=not _encodes(stream.codec_context.name))
    return _copied_packets(source, stream, copy, int(shown.start / Fraction(stream.time_base)))


def _encodes(codec: str) -> bool:
    """Tell whether a codec of this name can encode: PyAV makes a stream from a decoder only when it copies it whole."""
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _copied_packets(source: Any, stream: Any, copy: Any, start: int) -> Iterator[tuple[Fraction, Any]]:
    """Yield (decoding time, packet) of an open source's picture as packets of the stream `copy`."""
    with source:
        for packet in source.demux(stream):
            if packet.dts is None and packet.pts is None:
                continue
            packet.pts = None if packet.pts is None else packet.pts - start
            packet.dts = None if packet.dts is None else packet.dts - start
            packet.stream = copy
            yield _time(packet), packet


def _encoded_picture(path: Path, shown: Shown, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an H.264 stream to `target`; yield (decoding time, packet) of every shown picture at its own time."""
    times = [time - shown.start for time in [*shown.times, shown.end]]
    pictures = shown_pictures(path)
    first, shape = next(pictures)
    frames = chain([first], (image for image, _ in pictures))
    return _encoded_frames(frames, target, times, shape, colours_of(path))


def _encoded_frames(
    frames: Iterator[np.ndarray],
    target: Any,
    times: Sequence[Fraction] | None = None,
    pixel_shape: Fraction = SQUARE,
    colours: Colours | None = None,
    quality: int = QUALITY,
) -> Iterator[tuple[Fraction, Any]]:
    """Add an H.264 stream to `target`; yield (decoding time, packet) of RGB frames.

    Args:
        frames: (height, width, 3) uint8, all of one size.
        target: open container.
        times: of the frames in seconds from 0, and of the end; None means 25 fps.
        pixel_shape: width / height of a pixel.
        colours: tags of the source, which the file then has too; the range is that of video (16 to 235).
        quality: constant rate factor.
    """
    first = next(frames)
    height, width = (side // 2 * 2 for side in first.shape[:2])  # 4:2:0 colour needs even sides
    if not height or not width:
        raise ClipProblem("broken_file", "the picture is a single pixel high or wide; choose another video")
    step, stamps = _clock(times)
    stream = target.add_stream("libx264", rate=_rate(times, step))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = step
    if pixel_shape != SQUARE:
        stream.codec_context.sample_aspect_ratio = pixel_shape.limit_denominator(255)
    if colours is not None:
        _tag(stream.codec_context, colours)
    # With x264's macroblock tree the bytes of a 360x288 picture differed from run to run (our measurement).
    # MP4 keeps durations in coding order, so irregular ones need coding in the order of showing.
    ordered = ":bframes=0" if step == FINE_CLOCK else ""
    stream.options = {"crf": str(quality), "preset": "veryfast", "x264-params": f"mbtree=0{ordered}"}
    stream.codec_context.thread_count = 1
    cut = (image[:height, :width] for image in chain([first], frames))
    return _picture_packets(cut, stream, step, stamps)


def _tag(context: Any, colours: Colours) -> None:
    """Say in a stream what its colours mean."""
    if colours != Colours():
        context.colorspace, context.color_primaries = colours.matrix, colours.primaries
        context.color_trc, context.color_range = colours.transfer, VIDEO_RANGE


def _clock(times: Sequence[Fraction] | None) -> tuple[Fraction, Sequence[int]]:
    """Return the unit of the time stamps and every frame's stamp, the end's last: whole frames for an even rate."""
    if times is None:
        return Fraction(1, clocks.FPS), range(10**9)
    step = (times[-1] / (len(times) - 1)).limit_denominator(1001 * 120)
    step = next((known for known in KNOWN_STEPS if abs(known - step) * len(times) < step / 2), step)
    if all(abs(time - number * step) < step / 4 for number, time in enumerate(times)):
        return step, range(len(times))
    return FINE_CLOCK, [round(time / FINE_CLOCK) for time in times]


def _rate(times: Sequence[Fraction] | None, step: Fraction) -> Fraction:
    """Return the (mean) frame rate."""
    return 1 / step if step != FINE_CLOCK or not times else (len(times) - 1) / times[-1]


def _picture_packets(
    frames: Iterable[np.ndarray], stream: Any, step: Fraction, stamps: Sequence[int]
) -> Iterator[tuple[Fraction, Any]]:
    """Encode frames; yield (decoding time, packet)."""
    lasts: dict[int, int] = {}

    def told(packets: Iterable[Any]) -> Iterator[tuple[Fraction, Any]]:
        """Say how long each picture is shown: the encoder guesses it from the mean rate."""
        for packet in packets:
            packet.duration = round(lasts.pop(packet.pts) * step / Fraction(packet.time_base))
            yield _time(packet), packet

    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if (matrix := int(stream.codec_context.colorspace)) in MATRICES:  # else FFmpeg takes that of BT.601
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=VIDEO_RANGE)
        frame.pts, frame.time_base = stamps[number], step
        lasts[frame.pts] = stamps[number + 1] - stamps[number]
        yield from told(stream.encode(frame))
    yield from told(stream.encode(None))


def _encoded_sound(audio: np.ndarray, rate: int, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an AAC stream to `target`; yield (decoding time, packet) of sound (samples,) or (samples, channels)."""
    channels = np.atleast_2d(audio.T)  # (channels, samples)
    layout = "mono" if len(channels) == 1 else "stereo"
    stream = target.add_stream("aac", rate=AUDIO_RATE, layout=layout, bit_rate=AUDIO_BIT_RATE)
    samples = np.stack([resample(channel, rate, AUDIO_RATE) for channel in channels])
    return _sound_packets(np.clip(samples, -1, 1).astype(np.float32), stream, layout, "fltp", AUDIO_RATE)


def _sound_packets(
    samples: np.ndarray, stream: Any, layout: str, kind: str, rate: int
) -> Iterator[tuple[Fraction, Any]]:
    """Encode (channels, samples) of a sample format in frames of 1024; yield (decoding time, packet)."""
    for start in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format=kind, layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield from ((_time(packet), packet) for packet in stream.encode(frame))
    yield from ((_time(packet), packet) for packet in stream.encode(None))


def _interleave(target: Any, *sources: Iterator[tuple[Fraction, Any]]) -> None:
    """Write packets of all streams in the order of their decoding times; few are in memory at a time."""
    for _, packet in heapq.merge(*sources, key=lambda entry: entry[0]):
        target.mux(packet)


def _time(packet: Any) -> Fraction:
    """Decoding time of a packet in seconds."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return stamp * Fraction(packet.time_base)
