"""From per-frame detections to a track: lost frames filled, geometry normalised, a steady face box."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from syncvoice.video.media import ClipProblem

# Mesh points that neither speech nor blinks move, and where they lie in a mean face (our own measurement on 12 tracked
# faces, made symmetric). Origin: midpoint of the outer eye corners; unit: distance of the outer eye corners; x to the
# viewer's right, y down, z towards the back.
STABLE_POINTS = {
    33: (-0.500, 0.000, 0.000),  # outer eye corners
    263: (0.500, 0.000, 0.000),
    133: (-0.190, 0.025, -0.058),  # inner eye corners
    362: (0.190, 0.025, -0.058),
    168: (0.000, -0.024, -0.252),  # bridge of the nose, downwards
    6: (0.000, 0.070, -0.292),
    197: (0.000, 0.159, -0.340),
    195: (0.000, 0.242, -0.395),
    2: (0.000, 0.573, -0.254),  # base of the nose
}
STABLE_INDEX = np.array(list(STABLE_POINTS))
STABLE_LAYOUT = np.array(list(STABLE_POINTS.values()), np.float64)
BOX_CENTRE = (0.0, 0.45)  # centre and side of the face box in the units above: forehead to an open mouth's chin
BOX_SIDE = 2.4
SMOOTHING_FRAMES = 12  # window of the lip-reading reference front-end


@dataclass(frozen=True)
class Track:
    """A face through a clip.

    Attributes:
        landmarks: (frames, 478, 3) float32 pixels of the source frame, lost frames filled.
        found: (frames,) bool, False where the detector saw no face.
        box: (frames, 4) float32 steady square box x0, y0, x1, y1 in pixels; may reach over the frame's edge.
        n_faces: faces from which this one was chosen; 1 where no other was seen or looked for.
        rule: how it was chosen (prepare setting `several_faces`), "" if unknown.
    """

    landmarks: np.ndarray
    found: np.ndarray
    box: np.ndarray
    n_faces: int = 1
    rule: str = ""


def make_track(landmarks: np.ndarray, found: np.ndarray, max_gap: int = 5) -> Track:
    """Fill lost frames and compute the face box.

    Args:
        landmarks: (frames, 478, 3), any value where not found.
        found: (frames,) bool.
        max_gap: longest run of lost frames that is filled.

    Raises:
        ClipProblem: no_face (in no frame), face_lost (a longer run).
    """
    filled = fill_gaps(landmarks, found, max_gap)
    return Track(quantised(filled), found.astype(bool), face_boxes(filled))


def fill_gaps(landmarks: np.ndarray, found: np.ndarray, max_gap: int) -> np.ndarray:
    """Interpolate lost frames linearly between neighbours (nearest frame at the clip's ends).

    Raises:
        ClipProblem: no_face or face_lost.
    """
    if not found.any():
        raise ClipProblem("no_face", f"no face found in any of {len(found)} frames; use a clip that shows a face")
    longest, start = longest_gap(found)
    if longest > max_gap:
        raise ClipProblem(
            "face_lost",
            f"no face in {longest} frames in a row from frame {start}; at most {max_gap} are filled; cut the clip "
            "there, or let a study fill more (prepare: max_gap_frames)",
        )
    if found.all():
        return landmarks.astype(np.float32)
    known = np.flatnonzero(found)
    wanted = np.arange(len(found))
    right = np.clip(np.searchsorted(known, wanted), 0, len(known) - 1)
    left = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 1)
    before, after = known[left], known[right]
    weight = np.where(after > before, (wanted - before) / np.maximum(after - before, 1), 0.0)[:, None, None]
    return ((1 - weight) * landmarks[before] + weight * landmarks[after]).astype(np.float32)


def longest_gap(found: np.ndarray) -> tuple[int, int]:
    """Return length and start of the longest run of False (0, 0 if there is none)."""
    edges = np.diff(np.concatenate([[0], ~found.astype(bool), [0]]).astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return 0, 0
    lengths = ends - starts
    return int(lengths.max()), int(starts[lengths.argmax()])


def quantised(landmarks: np.ndarray) -> np.ndarray:
    """Round pixels to 1/128: far below the detector's noise, and the file shrinks to half."""
    return (np.round(landmarks * 128) / 128).astype(np.float32)


def smooth(values: np.ndarray, window: int = SMOOTHING_FRAMES) -> np.ndarray:
    """Centred moving average over axis 0; the window shrinks at the clip's ends."""
    before, after = window // 2, window - window // 2
    total = np.concatenate([np.zeros_like(values[:1], np.float64), np.cumsum(values, axis=0, dtype=np.float64)])
    index = np.arange(len(values))
    high, low = np.minimum(index + after, len(values)), np.maximum(index - before, 0)
    count = (high - low).reshape(-1, *[1] * (values.ndim - 1))
    return (total[high] - total[low]) / count


def similarity_2d(points: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """Least-squares similarity transforms (rotation, scale, shift) that map `points` onto `layout`.

    Args:
        points: (frames, points, 2).
        layout: (points, 2).

    Returns:
        (frames, 2, 3) float64 matrices [sR | t].
    """
    centre, target = points.mean(axis=1), layout.mean(axis=0)
    a, b = points - centre[:, None], layout - target
    power = (a**2).sum(axis=(1, 2))
    cosine = (a * b).sum(axis=(1, 2)) / power
    sine = (a[..., 0] * b[:, 1] - a[..., 1] * b[:, 0]).sum(axis=1) / power
    rotation = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    shift = target - np.einsum("nij,nj->ni", rotation, centre)
    return np.concatenate([rotation, shift[..., None]], axis=-1)


def face_boxes(landmarks: np.ndarray) -> np.ndarray:
    """Square, axis-parallel face boxes (frames, 4), smoothed in place and size; speech does not move them."""
    matrix = similarity_2d(landmarks[:, STABLE_INDEX, :2].astype(np.float64), STABLE_LAYOUT[:, :2])
    rotation = matrix[:, :, :2]
    inverse = np.linalg.inv(rotation)
    centre = np.einsum("nij,nj->ni", inverse, np.asarray(BOX_CENTRE) - matrix[:, :, 2])
    side = BOX_SIDE / np.sqrt(np.linalg.det(rotation))
    centre, half = smooth(centre), smooth(side)[:, None] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def read_mouth(path: Path | str, clip: str) -> np.ndarray:
    """Grey mouth crops (frames, size, size) uint8 of a clip in a track shard.

    Raises:
        UserError: the shard or the clip is missing.
    """
    from syncvoice.video.store import TrackReader

    with TrackReader(path) as reader:
        return reader.mouth(clip)
