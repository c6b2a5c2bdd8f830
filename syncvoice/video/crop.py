"""Cut aligned mouth and face pictures out of frames.

Mouth: every frame is mapped by a similarity transform of points that speech does not move (smoothed over time) to a
mean face, then cut around the smoothed centre of the lips, as lip-reading front-ends do. Face: a steady square box.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from syncvoice.video.track import STABLE_INDEX, STABLE_LAYOUT, similarity_2d, smooth

MOUTH_SIZE = 96  # pixels
FACE_SIZE = 112
MOUTH_PIXELS_PER_UNIT = 100.0  # outer eye corners lie 100 px apart, so a closed mouth is about 55 px wide (our choice)
LIPS = np.array(
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409]
)  # outer lip contour of the mesh
JPEG_QUALITY = 95


def mouth_transforms(landmarks: np.ndarray, size: int = MOUTH_SIZE) -> np.ndarray:
    """Matrices (frames, 2, 3) that map source pixels to a mouth crop of `size` x `size` pixels.

    Args:
        landmarks: (frames, 478, 3) pixels.
        size: edge of the crop; the field of view is the same for every size.
    """
    layout = STABLE_LAYOUT[:, :2] * MOUTH_PIXELS_PER_UNIT * size / MOUTH_SIZE
    stable = smooth(landmarks[:, STABLE_INDEX, :2])
    matrix = similarity_2d(stable, layout)
    lips = smooth(landmarks[:, LIPS, :2].mean(axis=1))
    centre = np.einsum("nij,nj->ni", matrix[:, :, :2], lips) + matrix[:, :, 2]
    matrix[:, :, 2] += (size - 1) / 2 - centre
    return matrix


def box_transforms(boxes: np.ndarray, size: int = FACE_SIZE, margin: float = 0.0) -> np.ndarray:
    """Matrices (frames, 2, 3) that map square boxes (frames, 4) to crops of `size` x `size` pixels.

    Args:
        boxes: x0, y0, x1, y1 in source pixels.
        size: edge of the crop, for example 112, 224 (SyncNet v2), 256 (EmoNet).
        margin: share of the box's side added on every side.
    """
    side = (boxes[:, 2] - boxes[:, 0]).astype(np.float64)
    scale = size / (side * (1 + 2 * margin))
    origin = boxes[:, :2] - (margin * side)[:, None]
    matrix = np.zeros((len(boxes), 2, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, :, 2] = -origin * scale[:, None] + (scale[:, None] - 1) / 2  # pixel centres, not corners
    return matrix


def crops(frames: Iterable[np.ndarray], transforms: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield RGB crops (size, size, 3) uint8 of frames (height, width, 3), one per transform."""
    for frame, matrix in zip(frames, transforms, strict=True):
        yield warp(frame, matrix, size)


def warp(frame: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Map a frame through a (2, 3) matrix to (size, size, channels); shrinks by area first, so that nothing aliases."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = int(1 / scale) if scale < 0.5 else 1
    if factor > 1:
        height, width = (side // factor * factor for side in frame.shape[:2])
        frame = cv2.resize(frame[:height, :width], (width // factor, height // factor), interpolation=cv2.INTER_AREA)
        linear = matrix[:, :2] * factor
        matrix = np.column_stack([linear, matrix[:, 2] + matrix[:, :2] @ np.full(2, (factor - 1) / 2)])
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def grey(image: np.ndarray) -> np.ndarray:
    """Convert RGB (height, width, 3) to grey (height, width) uint8."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def encode_jpeg(image: np.ndarray) -> np.ndarray:
    """Encode grey (height, width) or RGB (height, width, 3) as JPEG bytes (bytes,) uint8."""
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].reshape(-1)


def decode_jpeg(data: np.ndarray, colour: bool) -> np.ndarray:
    """Decode JPEG bytes to RGB (height, width, 3) when `colour`, else grey (height, width)."""
    if not colour:
        return cv2.imdecode(np.asarray(data), cv2.IMREAD_GRAYSCALE)
    return cv2.cvtColor(cv2.imdecode(np.asarray(data), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
