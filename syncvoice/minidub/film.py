"""Writing a clip of MiniDub: H.264 pictures and AAC sound in MP4, the same bytes for the same input."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.files import atomic_path

QUALITY = "20"  # constant rate factor of x264
KEY_FRAMES = "25"  # frames from key frame to key frame
X264 = "mbtree=0"  # the macroblock tree's vector code makes bytes differ from run to run, even with one thread
SOUND_BITS = 96_000  # per second


def write_film(path: Path, frames: Iterable[np.ndarray], audio: np.ndarray, image_size: int) -> None:
    """Write frames and sound as MP4, atomically.

    Encoders run in one thread and write neither dates nor versions of the container, so bytes repeat.

    Args:
        path: file to write.
        frames: uint8 (h, w, 3) RGB at 25 fps; scaled to `image_size` squared pixels where they differ.
        audio: float32 (samples,) mono at 24 kHz.
        image_size: even number of pixels.
    """
    with atomic_path(path) as temporary, av.open(str(temporary), "w", options={"fflags": "+bitexact"}) as film:
        options = {"crf": QUALITY, "preset": "veryfast", "g": KEY_FRAMES, "x264-params": X264, "flags": "+bitexact"}
        pictures = film.add_stream("libx264", rate=FPS, options=options)
        pictures.width = pictures.height = image_size
        pictures.pix_fmt = "yuv420p"
        pictures.codec_context.thread_count = 1
        sound = film.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"flags": "+bitexact"})
        sound.bit_rate = SOUND_BITS
        for index, frame in enumerate(frames):
            if frame.shape[0] != image_size:
                frame = cv2.resize(frame, (image_size, image_size), interpolation=cv2.INTER_AREA)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            film.mux(pictures.encode(picture))
        film.mux(pictures.encode(None))
        _mux_sound(film, sound, audio)


def _mux_sound(film: av.container.OutputContainer, sound: av.audio.stream.AudioStream, audio: np.ndarray) -> None:
    """Encode and mux mono sound (samples,)."""
    samples = np.ascontiguousarray(np.clip(audio, -1, 1)[None], dtype=np.float32)
    block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    film.mux(sound.encode(block))
    film.mux(sound.encode(None))
