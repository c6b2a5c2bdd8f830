"""Put generated speech on a video: picture packets copied unchanged where MP4 can hold them, sound as AAC.

The file says in its metadata that the speech is synthetic. Time zero of picture and sound is the first picture, and an
edit list hides the encoder's priming, so decoded sound starts where it should. Same input, same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
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


def dub(video_in: Path | str, audio: np.ndarray, out: Path | str, synthetic: bool = True) -> None:
    """Write an MP4 with the picture of `video_in` and `audio` as its sound.

    Args:
        video_in: any video FFmpeg reads.
        audio: (samples,) mono at 24 kHz in [-1, 1], starting with the first picture.
        out: MP4 file to write, atomically.
        synthetic: mark the speech as synthetic in the metadata.

    Raises:
        UserError: the video cannot be read or the sound has another shape.
    """
    video_in, out = Path(video_in), Path(out)
    if audio.ndim != 1 or not len(audio):
        raise UserError(f"sound for {out} has shape {audio.shape}; expected mono samples (samples,)")
    try:
        with atomic_path(out.with_suffix(".mp4")) as temporary, _container(temporary, synthetic) as target:
            if _can_copy(video_in):
                packets = _copied_picture(video_in, target)
            else:
                packets = _encoded_picture(video_in, target)
            _interleave(target, packets, _encoded_sound(audio, target))
    except ClipProblem as problem:
        raise UserError(f"{video_in}: {problem.message}") from problem
    except av.error.FFmpegError as error:
        raise UserError(f"{video_in} cannot be dubbed ({error.strerror}); check that it plays") from error


@contextmanager
def _container(path: Path, synthetic: bool) -> Iterator[Any]:
    """Open an MP4 for writing, without time stamps or encoder versions, index at the front."""
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(f"file:{path}", "w", format="mp4", options=options) as target:
        if synthetic:
            target.metadata.update(title="Synthetic speech", comment=NOTICE, description=NOTICE)
        yield target


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
    with av.open(f"file:{path}") as source:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None or packet.pts is not None]
        start = min(packet.pts for packet in packets if packet.pts is not None)
        for packet in packets:
            packet.pts = None if packet.pts is None else packet.pts - start
            packet.dts = None if packet.dts is None else packet.dts - start
            packet.stream = copy
    return iter([(_time(packet), packet) for packet in packets])


def _encoded_picture(path: Path, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an H.264 stream to `target`; yield (decoding time, packet) of the video at 25 fps."""
    frames = FrameSource(path)
    frames.count()
    height, width = (side // 2 * 2 for side in next(iter(frames)).shape[:2])  # 4:2:0 colour needs even sides
    stream = target.add_stream("libx264", rate=clocks.FPS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": "18", "preset": "veryfast"}
    stream.codec_context.thread_count = 1
    return _picture_packets(frames, stream, height, width)


def _picture_packets(frames: FrameSource, stream: Any, height: int, width: int) -> Iterator[tuple[Fraction, Any]]:
    """Encode frames; yield (decoding time, packet)."""
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, clocks.FPS)
        yield from ((_time(packet), packet) for packet in stream.encode(frame))
    yield from ((_time(packet), packet) for packet in stream.encode(None))


def _encoded_sound(audio: np.ndarray, target: Any) -> Iterator[tuple[Fraction, Any]]:
    """Add an AAC stream to `target`; yield (decoding time, packet) of mono 24 kHz sound."""
    stream = target.add_stream("aac", rate=AUDIO_RATE, layout="mono", bit_rate=AUDIO_BIT_RATE)
    return _sound_packets(np.clip(resample(audio, clocks.SAMPLE_RATE, AUDIO_RATE), -1, 1), stream)


def _sound_packets(samples: np.ndarray, stream: Any) -> Iterator[tuple[Fraction, Any]]:
    """Encode samples in frames of 1024; yield (decoding time, packet)."""
    for start in range(0, len(samples), 1024):
        block = np.ascontiguousarray(samples[None, start : start + 1024], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        yield from ((_time(packet), packet) for packet in stream.encode(frame))
    yield from ((_time(packet), packet) for packet in stream.encode(None))


def _interleave(target: Any, *sources: Iterator[tuple[Fraction, Any]]) -> None:
    """Write packets of all streams in the order of their decoding times (the container is small, all fit in memory)."""
    packets = [(time, number, packet) for number, source in enumerate(sources) for time, packet in source]
    for _, _, packet in sorted(packets, key=lambda entry: entry[:2]):
        target.mux(packet)


def _time(packet: Any) -> Fraction:
    """Decoding time of a packet in seconds."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return stamp * Fraction(packet.time_base)
