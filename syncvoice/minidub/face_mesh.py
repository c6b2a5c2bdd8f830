"""The portrait behind every face of MiniDub: the picture, its mesh and where skin, hair and background are.

The picture is `skimage.data.astronaut()`: the NASA portrait of Eileen Collins, public domain, inside the wheel of
scikit-image. She is a real person; the corpus credits her, and no endorsement is implied. All coordinates are pixels
of a square canvas around the head that leaves a margin for movement around the rendered frame.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from syncvoice.video.mesh_points import CHIN, FACE_OVAL, FOREHEAD, LOWER_INNER

CANVAS = 336  # pixels, width and height of the canvas
MARGIN = 24  # pixels of canvas around the rendered frame: no movement shows its edge
FRAME = CANVAS - 2 * MARGIN  # 288, size of a rendered frame

_ZOOM = 1.44  # canvas pixels per pixel of the picture
_CENTRE = (227.0, 103.0)  # pixel of the picture in the middle of the canvas


@dataclass(frozen=True)
class Portrait:
    """The picture on the canvas: image uint8 (CANVAS, CANVAS, 3) RGB; landmarks float64 (468, 3) in canvas pixels
    (z towards the camera is negative); person, skin and hair: float32 (CANVAS, CANVAS) in [0, 1].
    """

    image: np.ndarray
    landmarks: np.ndarray
    person: np.ndarray
    skin: np.ndarray
    hair: np.ndarray


@lru_cache(maxsize=1)
def portrait() -> Portrait:
    """Load the picture and measure it with MediaPipe's mesh and person segmentation, once per process."""
    from mediapipe.python.solutions import face_mesh, selfie_segmentation
    from skimage.data import astronaut

    picture = astronaut()
    size = np.array([picture.shape[1], picture.shape[0], picture.shape[1]], np.float64)
    with face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=False) as mesh:
        found = mesh.process(picture).multi_face_landmarks[0].landmark
    points = np.array([(point.x, point.y, point.z) for point in found], np.float64) * size
    with selfie_segmentation.SelfieSegmentation(model_selection=0) as segmentation:
        person = segmentation.process(picture).segmentation_mask
    corner = np.array(_CENTRE) - CANVAS / 2 / _ZOOM
    landmarks = np.column_stack([(points[:, :2] - corner) * _ZOOM, points[:, 2] * _ZOOM])
    image, person = _on_canvas(picture, corner), np.clip(_on_canvas(person, corner), 0, 1)
    person = _without_wall(image, landmarks, person)
    skin, hair = _regions(image, landmarks, person)
    return Portrait(image, landmarks, person, skin, hair)


def _on_canvas(picture: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Zoom the part of the picture that the canvas shows; what lies outside the picture repeats its edge."""
    matrix = np.array([[1 / _ZOOM, 0, corner[0]], [0, 1 / _ZOOM, corner[1]]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (CANVAS, CANVAS), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _without_wall(image: np.ndarray, landmarks: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Take the bright, colourless wall between cheek and hair out of the silhouette (h, w)."""
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    wall = colours[person < 0.02]
    chroma = np.linalg.norm(colours[..., 1:] - np.median(wall, axis=0)[1:], axis=-1)
    alike = np.clip((colours[..., 0] - 140) / 20, 0, 1) * np.clip((9 - chroma) / 4, 0, 1)
    outside = 1 - polygon_mask(landmarks[list(FACE_OVAL), :2], CANVAS)
    alike[int(landmarks[CHIN, 1]) + 4 :] = 0  # the suit is bright, too
    return (person * (1 - cv2.GaussianBlur(alike * outside, (0, 0), 0.8))).astype(np.float32)


def _regions(image: np.ndarray, landmarks: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Soft masks of skin and hair: two Gaussian colour models inside the silhouette of the head."""
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    oval = polygon_mask(landmarks[list(FACE_OVAL), :2], CANVAS)
    chin_y, brow_y = landmarks[CHIN, 1], landmarks[FOREHEAD, 1]
    rows = np.arange(CANVAS, dtype=np.float32)[:, None]
    inside = cv2.erode(oval, np.ones((25, 25), np.uint8)) > 0.5
    above = (person > 0.9) & (rows < brow_y - 12) & (rows > brow_y - 60)
    affinity = [_likelihood(colours, colours[region]) for region in (inside & (colours[..., 0] > 150), above)]
    share = affinity[0] / (affinity[0] + affinity[1] + 1e-12)
    head = person * np.clip((chin_y + 26 - rows) / 8, 0, 1)
    core = cv2.erode(oval, np.ones((9, 9), np.uint8)) * (rows > brow_y + 14)
    columns = np.arange(CANVAS, dtype=np.float32)[None, :]
    jaw = (columns > landmarks[172, 0] - 4) & (columns < landmarks[397, 0] + 4) & (rows > landmarks[2, 1])
    neck = jaw * np.clip((colours[..., 0] - 60) / 40, 0, 1) * (person > 0.6) * (rows < chin_y + 45)
    skin = np.maximum(np.maximum(share, core) * head * (colours[..., 0] > 70), neck)
    ear_y = landmarks[list(LOWER_INNER), 1].mean()
    hair = (1 - np.maximum(share, core)) * head * np.clip((ear_y - rows) / 8, 0, 1)
    return cv2.GaussianBlur(skin.astype(np.float32), (0, 0), 1.5), cv2.GaussianBlur(
        hair.astype(np.float32), (0, 0), 1.5
    )


def _likelihood(colours: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Density of a Gaussian fitted to sample (n, 3), at every colour (h, w, 3)."""
    mean = sample.mean(axis=0)
    precision = np.linalg.inv(np.cov(sample.T) + 4.0 * np.eye(3)).astype(np.float32)
    away = colours - mean
    return np.exp(-0.5 * np.einsum("hwi,ij,hwj->hw", away, precision, away)) * np.sqrt(np.linalg.det(precision))


def polygon_mask(points: np.ndarray, size: int) -> np.ndarray:
    """Fill a polygon (n, 2) in pixels with anti-aliased edge: float32 (size, size) in [0, 1]."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255
