"""Put generated speech on a video: picture packets copied unchanged where MP4 can hold them, sound as AAC.

The file says in its metadata that the speech is synthetic. Time zero of picture and sound is the first picture, and an
edit list hides the encoder's priming, so decoded sound starts where it should. Same input, same bytes.
"""

import heapq
from collections.abc import Iterable, Iterator
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
from syncvoice.video.decode import ClipProblem, FrameSource, opened

COPIED_CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4")  # what players expect in MP4; others become H.264
AUDIO_RATE = 48_000  # Hz in the file: every player takes it
AUDIO_BIT_RATE = 160_000
NOTICE = "This video holds synthetic speech, made by SyncVoice."


def put_sound(video_in: Path | str, audio: np.ndarray, out: Path | str, synthetic: bool = True,
              rate: int = clocks.SAMPLE_RATE, note: str = "") -> None:  # fmt: skip
    """Write an MP4 with the picture of `video_in` and `audio` as its only sound.

    Args:
        video_in: any video FFmpeg reads.
        audio: (samples,) mono or (samples, channels) with one or two channels, in [-1, 1], starting with the first
            picture.
        out: MP4 file to write, atomically.
        synthetic: mark the speech as synthetic in the metadata.
        rate: of `audio`, Hz.
        note: sentence to add to the mark, e.g. which model spoke.

    Raises:
        UserError: the video cannot be read or the sound has another shape.
    """
    video_in, out = Path(video_in), Path(out)
    if audio.ndim not in (1, 2) or not len(audio) or (audio.ndim == 2 and audio.shape[1] not in (1, 2)):
        raise UserError(f"sound for {out} has shape {audio.shape}; expected (samples,) or (samples, 1 or 2 channels)")
    notice = f"{NOTICE} {note}".strip() if synthetic else ""
    try:
        with atomic_path(out.with_suffix(".mp4")) as temporary, _container(temporary, notice) as target:
            if _can_copy(video_in):
                packets = _copied_picture(video_in, target)
            else:
                packets = _encoded_picture(video_in, target)
            _interleave(target, packets, _encoded_sound(audio, rate, target))
    except ClipProblem as problem:
        raise UserError(f"{video_in}: {problem.message}") from problem
    except av.error.FFmpegError as error:
        raise UserError(f"{video_in} cannot be dubbed ({error.strerror}); check that it plays") from error


def write_clip(path: Path, frames: Iterable[np.ndarray], audio: np.ndarray) -> None:
    """Write a recording at 25 fps as H.264 and lossless FLAC in Matroska, atomically.

    Args:
        path: .mkv to write.
        frames: RGB (height, width, 3) uint8, all of one size.
        audio: (960 * frames,) mono at 24 kHz.

    Raises:
        ClipProblem: the picture cannot be encoded.
    """
    try:
        with atomic_path(path) as temporary, _container(temporary, "", "matroska") as target:
            stream = target.add_stream("flac", rate=clocks.SAMPLE_RATE, layout="mono")
            samples = (np.clip(audio, -1, 1) * 32767).round().astype(np.int16)[None]
            sound = _sound_packets(samples, stream, "mono", "s16", clocks.SAMPLE_RATE)
            _interleave(target, _encoded_frames(iter(frames), target), sound)
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
    """Return how long the picture of `path` lasts in a file that `put_sound` writes, in seconds.

    Raises:
        ClipProblem: broken file or no picture.
    """
    if not _can_copy(path):
        return Fraction(FrameSource(path).count(), clocks.FPS)
    start, end = _picture_span(path)
    return end - start


def _picture_span(path: Path) -> tuple[Fraction, Fraction]:
    """Return the times in seconds at which the first picture appears and the last one goes."""
    with av.open(f"file:{path}") as source:
        stream = source.streams.video[0]
        shown = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in source.demux(stream)
            if packet.pts is not None
        ]
        unit = Fraction(stream.time_base)
    return min(start for start, _ in shown) * unit, max(end for _, end in shown) * unit


def _can_copy(path: Path) -> bool:
    """Tell whether the picture's packets can go into MP4 as they are (known codec, no rotation).

    Raises:
        ClipProblem: broken file or no picture.
    """
    with opened(path) as source:
        if not source.streams.video:
            raise ClipProblem("no_video", "holds no picture; choose a video")
        stream = source.streams.video[0]
        first = next(source.decode(stream), None)
        if first is None:
            raise ClipProblem("broken_file", "holds no decodable picture; choose another video")
        return stream.codec_context.name in COPIED_CODECS and not first.rotation


def _copied_picture(path: Path, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add the picture stream to `target`; yield (decoding time in seconds, packet) with the first picture at zero."""
    start, _ = _picture_span(path)
    source = av.open(f"file:{path}")
    stream = source.streams.video[0]
    return _copied_packets(source, target.add_stream_from_template(stream), int(start / Fraction(stream.time_base)))


def _copied_packets(source: Any, copy: Any, start: int) -> Iterator[tuple[Fraction, Any]]:
    """Yield (decoding time, packet) of an open source's picture as packets of the stream `copy`."""
    with source:
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is None and packet.pts is None:
                continue
            packet.pts = None if packet.pts is None else packet.pts - start
            packet.dts = None if packet.dts is None else packet.dts - start
            packet.stream = copy
            yield _time(packet), packet


def _encoded_picture(path: Path, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an H.264 stream to `target`; yield (decoding time, packet) of the video at 25 fps."""
    return _encoded_frames(iter(FrameSource(path)), target)


def _encoded_frames(frames: Iterator[np.ndarray], target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an H.264 stream to `target`; yield (decoding time, packet) of RGB frames at 25 fps."""
    first = next(frames)
    height, width = (side // 2 * 2 for side in first.shape[:2])  # 4:2:0 colour needs even sides
    if not height or not width:
        raise ClipProblem("broken_file", "the picture is a single pixel high or wide; choose another video")
    stream = target.add_stream("libx264", rate=clocks.FPS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    # With x264's macroblock tree the bytes of a 360x288 picture differed from run to run (our measurement).
    stream.options = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}
    stream.codec_context.thread_count = 1
    return _picture_packets(chain([first], frames), stream, height, width)


def _picture_packets(
    frames: Iterable[np.ndarray], stream: Any, height: int, width: int
) -> Iterator[tuple[Fraction, Any]]:
    """Encode frames; yield (decoding time, packet)."""
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, clocks.FPS)
        yield from ((_time(packet), packet) for packet in stream.encode(frame))
    yield from ((_time(packet), packet) for packet in stream.encode(None))


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
