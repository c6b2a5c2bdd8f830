"""Videos made worse on purpose, in one way and by a known amount: what unconstrained recordings do to a front-end.

Our choice throughout, for the study `questions`. Every perturbation knows where the face of the clean clip is (its
prepared landmarks), so that what hides the mouth hides the mouth, and lengths that must mean the same for near and far
faces are in outer eye distances. Random parts are drawn from (seed, kind, clip). A clip keeps its length, its frames
their times.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.section import Section
from syncvoice.seeding import rng

Kind = Literal[
    "none", "background", "light", "pose", "compression", "mouth_hidden", "blur", "frame_drops", "sound_late"
]  # fmt: skip
AMOUNTS: dict[str, tuple[str, float, float]] = {  # what `amount` is, and between which values it may lie
    "none": ("nothing", 0.0, 0.0),
    "background": ("drift in widths of the picture per second", 0.0, 5.0),
    "light": ("share of the light that is taken away where it is darkest", 0.0, 1.0),
    "pose": ("largest turn in the plane of the picture, degrees", 0.0, 90.0),
    "compression": ("constant rate factor of x264", 18.0, 51.0),
    "mouth_hidden": ("share of the frames", 0.0, 1.0),
    "blur": ("standard deviation of the Gaussian, outer eye distances", 0.0, 2.0),
    "frame_drops": ("share of the frames", 0.0, 1.0),
    "sound_late": ("milliseconds, negative: early", -2000.0, 2000.0),
}

EYES = (33, 263)  # outer corners
MOUTH = (61, 291, 0, 17)  # corners, and the outer edges of both lips in the middle
HEAD = (1.35, 1.7)  # half axes of the ellipse that background leaves alone, over the half width and height of the mesh
SHADOW_HZ = 0.5
TURN_HZ, SWAY_HZ = 0.5, 0.3
SWAY = 0.3  # how far a face moves to each side while it turns, outer eye distances
COVER = (0.75, 0.5)  # half axes of what hides a mouth, outer eye distances: lips, and the chin of an open mouth
COVER_COLOUR = (96, 96, 96)

Frames = np.ndarray  # (frames, height, width, 3) uint8 RGB


class Perturbation(Section):
    """One way in which a video is made worse.

    Attributes:
        kind: `none` (encoded again, nothing else); `background`: everything but head and neck is replaced by clutter
            that drifts; `light`: a soft shadow wanders across the picture; `pose`: the picture turns in its plane and
            sways; `compression`; `mouth_hidden`: something grey before the mouth, once, without a break; `blur`;
            `frame_drops`: single frames are lost and those before them stay; `sound_late`: sound against picture.
        amount: how strong, see `AMOUNTS`.
        seed: of random parts.
    """

    kind: Kind
    amount: float = 0.0
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _amount_fits(self) -> "Perturbation":
        """Every kind has its own measure."""
        what, low, high = AMOUNTS[self.kind]
        if not low <= self.amount <= high:
            raise ValueError(f"amount is {self.amount}; of {self.kind} it is: {what}, from {low:g} to {high:g}")
        return self

    @property
    def quality(self) -> int:
        """Constant rate factor of x264 with which the clip is encoded."""
        from syncvoice.video.mux import QUALITY

        return round(self.amount) if self.kind == "compression" else QUALITY


def perturbed(frames: Frames, landmarks: np.ndarray, clip: str, how: Perturbation) -> Frames:
    """Return the frames of a clip, made worse.

    Args:
        frames: (frames, height, width, 3) uint8 RGB at 25 fps.
        landmarks: (frames, 478, 3) of the clean clip, pixels.
        clip: its id, which random parts are drawn from.
        how: what is done.

    Raises:
        ValueError: the numbers of frames and landmarks differ.
    """
    if len(frames) != len(landmarks):
        raise ValueError(f"{len(frames)} frames and landmarks of {len(landmarks)}; expected the same number")
    change = _CHANGES.get(how.kind)
    return frames if change is None else change(frames, landmarks, how.amount, rng(how.seed, how.kind, clip))


def delayed(sound: np.ndarray, how: Perturbation) -> np.ndarray:
    """Return the sound (samples,) at 24 kHz, late where the kind says so; what leaves the clip is lost."""
    late = round(how.amount * SAMPLE_RATE / 1000) if how.kind == "sound_late" else 0
    moved = np.zeros_like(sound)
    kept = max(0, len(sound) - abs(late))
    moved[max(0, late) : max(0, late) + kept] = sound[max(0, -late) : max(0, -late) + kept]
    return moved


def eye_distance(landmarks: np.ndarray) -> float:
    """Return the median distance of the outer eye corners in pixels, of landmarks (frames, 478, 3)."""
    first, second = (landmarks[:, corner, :2] for corner in EYES)
    return float(np.median(np.linalg.norm(first - second, axis=1)))


def _background(frames: Frames, landmarks: np.ndarray, drift: float, random: np.random.Generator) -> Frames:
    """Replace what lies outside head and neck by coloured clutter that drifts sideways."""
    import cv2

    height, width = frames.shape[1:3]
    coarse = random.integers(0, 256, (max(2, height // 24), max(2, width // 24), 3)).astype(np.uint8)
    coarse = np.concatenate([coarse, coarse[:, ::-1]], axis=1)  # no seam where it comes round
    clutter = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    out = np.empty_like(frames)
    for number, (frame, points) in enumerate(zip(frames, landmarks[:, :, :2], strict=True)):
        behind = np.roll(clutter, -round(number * drift * width / FPS), axis=1)[:, :width].astype(np.float32)
        matte = _head_matte(points, height, width)[..., None]
        out[number] = (matte * frame + (1 - matte) * behind).round().astype(np.uint8)
    return out


def _head_matte(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return 1 (height, width) around mesh points (478, 2), 0 far from them, with a soft rim of a tenth of the face."""
    import cv2

    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low) / 2 * HEAD
    centre = (low + high) / 2
    hard = np.zeros((height, width), np.float32)
    box = (tuple(map(float, centre)), tuple(map(float, 2 * half)), 0.0)
    cv2.ellipse(hard, box, 1.0, -1)
    return cv2.GaussianBlur(hard, (0, 0), max(1.0, 0.05 * float(half[0])))


def _light(frames: Frames, landmarks: np.ndarray, taken: float, random: np.random.Generator) -> Frames:
    """Let a soft shadow, a picture wide from light to light, wander across."""
    width, phase = frames.shape[2], random.uniform()
    across = np.arange(width) / width
    out = np.empty_like(frames)
    for number, frame in enumerate(frames):
        shadow = 0.5 - 0.5 * np.cos(2 * np.pi * (across - SHADOW_HZ * number / FPS + phase))
        out[number] = (frame * (1 - taken * shadow)[None, :, None]).round().astype(np.uint8)
    return out


def _pose(frames: Frames, landmarks: np.ndarray, degrees: float, random: np.random.Generator) -> Frames:
    """Turn the picture about the face and let it sway; pixels at the edge are held."""
    import cv2

    height, width = frames.shape[1:3]
    centre = landmarks[:, :, :2].mean(axis=(0, 1))
    turn, sway = random.uniform(0, 2 * np.pi, 2)
    out = np.empty_like(frames)
    for number, frame in enumerate(frames):
        seconds = number / FPS
        angle = degrees * np.sin(2 * np.pi * TURN_HZ * seconds + turn)
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(angle), 1.0)
        matrix[0, 2] += SWAY * eye_distance(landmarks) * np.sin(2 * np.pi * SWAY_HZ * seconds + sway)
        out[number] = cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return out


def _mouth_hidden(frames: Frames, landmarks: np.ndarray, share: float, random: np.random.Generator) -> Frames:
    """Hold something grey before the mouth, which it follows, in one run of frames."""
    import cv2

    length = round(share * len(frames))
    start = int(random.integers(0, len(frames) - length + 1))
    axes = 2 * eye_distance(landmarks) * np.array(COVER)
    out = frames.copy()
    for number in range(start, start + length):
        centre = landmarks[number, list(MOUTH), :2].mean(axis=0)
        picture = np.ascontiguousarray(out[number])
        cv2.ellipse(picture, (tuple(map(float, centre)), tuple(map(float, axes)), 0.0), COVER_COLOUR, -1)
        out[number] = picture
    return out


def _blur(frames: Frames, landmarks: np.ndarray, deviation: float, random: np.random.Generator) -> Frames:
    """Blur like a lens out of focus."""
    import cv2

    sigma = deviation * eye_distance(landmarks)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames]) if sigma > 0 else frames


def _frame_drops(frames: Frames, landmarks: np.ndarray, share: float, random: np.random.Generator) -> Frames:
    """Lose frames, any but the first; the last one that came stays."""
    lost = random.permutation(len(frames) - 1)[: round(share * (len(frames) - 1))] + 1
    shown = np.arange(len(frames))
    shown[lost] = 0
    return frames[np.maximum.accumulate(shown)]


_CHANGES: dict[str, Callable[[Frames, np.ndarray, float, np.random.Generator], Frames]] = {
    "background": _background,
    "light": _light,
    "pose": _pose,
    "mouth_hidden": _mouth_hidden,
    "blur": _blur,
    "frame_drops": _frame_drops,
}
assert set(AMOUNTS) == set(get_args(Kind))
