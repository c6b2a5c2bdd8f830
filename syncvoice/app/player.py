"""Clips that a browser plays: H.264 and AAC in MP4, whatever the source is."""

from pathlib import Path

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError

EVERYWHERE = ("h264", "vp9", "av1")  # Chromium, Firefox and Safari play them in MP4


def playable(video: Path, out: Path) -> Path:
    """Write a copy of a clip for the browser's player, with its own sound; the picture is encoded only where it must.

    Args:
        video: any video FFmpeg reads.
        out: .mp4 to write.

    Raises:
        UserError: the video cannot be read.
    """
    from syncvoice.video.decode import ClipProblem, FrameSource, fit, opened
    from syncvoice.video.media import stream_of
    from syncvoice.video.mux import put_sound, write_clip

    try:
        with opened(video) as container:
            codec = stream_of(container.streams.video, video, "no_video", "video").codec_context.codec.canonical_name
        frames = FrameSource(video)
        samples = clocks.samples(frames.count())
        sound = fit(_own_sound(video, frames.start_s), samples)
        picture = video
        if codec not in EVERYWHERE:
            picture = out.with_suffix(".mkv")
            write_clip(picture, frames, sound, frames.pixel_shape)
        put_sound(picture, sound, out, synthetic=False)
        if picture != video:
            picture.unlink()
    except ClipProblem as problem:
        raise UserError(f"{video}: {problem.message}") from problem
    return out


def _own_sound(video: Path, start_s: float) -> np.ndarray:
    """Return the sound (samples,) of a clip at 24 kHz from its first picture on; none at all without a sound stream.

    Raises:
        ClipProblem: it cannot be decoded.
    """
    from syncvoice.video.decode import ClipProblem, read_sound

    try:
        return read_sound(video, start_s)
    except ClipProblem as problem:
        if problem.reason != "no_audio":
            raise
        return np.zeros(0, np.float32)
