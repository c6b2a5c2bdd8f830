"""Small video files for tests: a photographed face that moves, sound with clicks, any frame rate and container."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from syncvoice.video.track import STABLE_INDEX, STABLE_LAYOUT

RATE = 24_000
ROOT = Path(__file__).parents[2]


def real_data(name: str) -> Path:
    """A file or folder of real recordings beside or in the checkout; the tests that use it are skipped without it."""
    inside = ROOT / "shared" / "data" / name
    return inside if inside.exists() else ROOT.parent / "shared" / "data" / name


@lru_cache(maxsize=1)
def portrait() -> np.ndarray:
    """A face, RGB (224, 224, 3) uint8."""
    from skimage.data import astronaut

    return cv2.resize(astronaut()[0:280, 80:360], (224, 224), interpolation=cv2.INTER_AREA)


def face_frames(n: int) -> list[np.ndarray]:
    """A face that sways by a few pixels."""
    return [np.roll(portrait(), round(4 * np.sin(k / 4)), axis=1) for k in range(n)]


def blank_frames(n: int, size: int = 64) -> list[np.ndarray]:
    """Pictures without a face; the grey level tells the number: 3 k."""
    return [np.full((size, size, 3), 3 * k % 256, np.uint8) for k in range(n)]


def clicks(n_samples: int, at: tuple[int, ...] = ()) -> np.ndarray:
    """Silence with clicks of 12 samples."""
    audio = np.zeros(n_samples, np.float32)
    for position in at:
        audio[position : position + 12] = 0.8
    return audio


def write_video(
    path: Path,
    frames: list[np.ndarray],
    audio: np.ndarray | None,
    fps: Fraction | int = 25,
    times: list[Fraction] | None = None,
    sound_from: float = 0.0,
    codec: str = "libx264",
    sound_codec: str = "pcm_s16le",
    rate: int = RATE,
    layout: str = "mono",
) -> Path:
    """Write a video file; the suffix gives the container (.mkv keeps time stamps and PCM as they are).

    audio: (samples,), or (channels, samples) with its `layout`; times: of the pictures in seconds, for variable rate;
    sound_from: time of the first sample in seconds.
    """
    with av.open(f"file:{path}", "w") as target:
        picture = target.add_stream(codec, rate=fps)
        picture.height, picture.width = frames[0].shape[:2]
        picture.pix_fmt = "yuv420p"
        if codec == "libx264":
            picture.options = {"preset": "ultrafast", "crf": "10"}
        if times is not None:
            picture.codec_context.time_base = picture.time_base = Fraction(1, 1000)
        sound = None
        if audio is not None:
            sound = target.add_stream(sound_codec, rate=rate, layout=layout)
        packets = []
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = number, 1 / Fraction(fps)
            packets += picture.encode(frame)
        packets += picture.encode(None)
        if sound is not None:
            channels = np.atleast_2d(audio)
            for start in range(0, channels.shape[1], 1024):
                block = np.clip(channels[:, start : start + 1024] * 32767, -32768, 32767).astype(np.int16)
                packed = np.ascontiguousarray(block.T.reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = start + round(sound_from * rate)
                packets += sound.encode(frame)
            packets += sound.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * Fraction(p.time_base)):
            target.mux(packet)
    return path


def turn(path: Path, degrees: int) -> Path:
    """Set the display matrix of an MP4, as a phone does that was held sideways: players turn it clockwise."""
    unit, zero, minus = (value.to_bytes(4, "big", signed=True) for value in (1 << 16, 0, -(1 << 16)))
    matrices = {0: (unit, zero, zero, unit), 90: (zero, unit, minus, zero), 180: (minus, zero, zero, minus)}
    matrices[270] = (zero, minus, unit, zero)
    rows = {angle: a + b + zero + c + d + zero for angle, (a, b, c, d) in matrices.items()}
    data = bytearray(path.read_bytes())
    position = data.index(rows[0], data.index(b"tkhd"))
    data[position : position + len(rows[0])] = rows[degrees]
    path.write_bytes(data)
    return path


class StillFace:
    """A detector without a network: a schematic face in the middle of every frame."""

    name, version, weights_sha256 = "still_face", "1", None

    def detect(self, frames: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        faces = self.detect_all(frames)
        return np.concatenate(faces), np.ones(len(faces), bool)

    def detect_all(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        return [self._face(*frame.shape[:2])[None] for frame in frames]

    def count_faces(self, frames: Sequence[np.ndarray]) -> list[int]:
        return [1] * len(frames)

    def _face(self, height: int, width: int) -> np.ndarray:
        points = np.zeros((478, 3), np.float32)
        points[STABLE_INDEX] = STABLE_LAYOUT * min(height, width) * 0.4
        points[:, :2] += width / 2, height / 2
        return points
