"""Face features from mesh points above the nose base only: head pose and motion, brows, eyes; no mouth, no jaw.

How far the head nods is left out: the network places the whole mesh at once, and the nod that it sees follows the jaw.
From MiniDub's uncoupled faces, whose heads move without the voice, the study's linear probe (table
`visual_feature_probe`) read the opening of the mouth with the nod (R² 0.50) and does not without (-0.04). `shift_y`
keeps what of a nod moves the eyes up and down.
"""

import numpy as np

from syncvoice.features.base import ExtractorSettings
from syncvoice.features.mesh import (
    MESH,
    Aligned,
    MeshExtractor,
    align,
    around_median,
    standardised,
    with_differences,
)

ALIGN_FRAMES = 3
# Points that carry the head pose (layout as in video/track.py; our own measurement): eye corners, bridge of the nose,
# temples, top of the forehead.
POSE_POINTS = {
    33: (-0.500, 0.000, 0.000),
    263: (0.500, 0.000, 0.000),
    133: (-0.190, 0.025, -0.058),
    362: (0.190, 0.025, -0.058),
    168: (0.000, -0.024, -0.252),
    6: (0.000, 0.070, -0.292),
    197: (0.000, 0.159, -0.340),
    195: (0.000, 0.242, -0.395),
    127: (-0.778, 0.016, 0.563),
    356: (0.778, 0.016, 0.563),
    10: (0.000, -0.601, -0.254),
}
BROWS_INNER = (107, 55, 336, 285)
BROWS_MIDDLE = (105, 66, 52, 65, 334, 296, 282, 295)
BROWS_OUTER = (70, 63, 46, 53, 300, 293, 276, 283)
BROW_GAP = ((107, 336), (55, 285))
EYELIDS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373))
EYE_LINE = (33, 133, 362, 263)
USED_POINTS = frozenset(
    {*POSE_POINTS, *BROWS_INNER, *BROWS_MIDDLE, *BROWS_OUTER, *EYE_LINE, *sum(BROW_GAP, ()), *sum(EYELIDS, ())}
)
# name, standard deviation, standard deviation of the difference; angles in radians, lengths in outer eye distances,
# all relative to the clip's own median. Measured on GRID and on MiniDub, each counting half (our own measurement).
VALUES: tuple[tuple[str, float, float], ...] = (
    ("yaw", 0.0181, 0.0038),
    ("roll", 0.0167, 0.0034),
    ("shift_x", 0.0447, 0.0079),
    ("shift_y", 0.0319, 0.0102),
    ("log_size", 0.0056, 0.0019),
    ("brow_inner", 0.0149, 0.0055),
    ("brow_middle", 0.0161, 0.0058),
    ("brow_outer", 0.0135, 0.0049),
    ("brow_gap", 0.0065, 0.0035),
    ("eye_opening", 0.0158, 0.0078),
)
_STD = np.array([row[1] for row in VALUES] + [row[2] for row in VALUES])


def face_features(landmarks: np.ndarray) -> np.ndarray:
    """Return face features of a clip; points outside `USED_POINTS` do not matter.

    Args:
        landmarks: (frames, 478, 3) pixels.

    Returns:
        (frames, 20) float32, roughly zero mean and unit variance: the 10 entries of `VALUES`, then their differences.
    """
    values = around_median(raw_face_values(align(landmarks, POSE_POINTS, ALIGN_FRAMES)))
    return standardised(with_differences(values), np.zeros(2 * len(VALUES)), _STD)


def raw_face_values(face: Aligned) -> np.ndarray:
    """The 10 measures (frames, 10) in the order of `VALUES`."""
    rotation = face.rotation  # picture = rotation @ face axis
    eye_line = face.mean(1, *EYE_LINE)
    size = np.median(face.scale)
    return np.stack(
        [
            np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2]),
            np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]),
            face.centre[:, 0] * size,
            face.centre[:, 1] * size,
            -np.log(face.scale),
            eye_line - face.mean(1, *BROWS_INNER),
            eye_line - face.mean(1, *BROWS_MIDDLE),
            eye_line - face.mean(1, *BROWS_OUTER),
            face.distance(*BROW_GAP),
            face.distance(*EYELIDS),
        ],
        axis=1,
    )


class Settings(ExtractorSettings):
    """No settings."""

    network = MESH


class Extractor(MeshExtractor):
    """(n_frames, 20) float32 at 25 fps."""

    name = "mesh_face"
    version = "2"  # 1 held the nod too
    dim: int | None = 2 * len(VALUES)

    def from_landmarks(self, landmarks: np.ndarray) -> np.ndarray:
        """Return the feature of landmarks (n_frames, 478, 3) in pixels, for clips outside any manifest."""
        return face_features(landmarks)
