"""Lip features from the face mesh: contour distances, opening, width, protrusion and jaw, without head pose."""

import numpy as np

from syncvoice.features.base import ExtractorSettings
from syncvoice.features.mesh import (
    MESH,
    MeshExtractor,
    align,
    around_median,
    standardised,
    with_differences,
)
from syncvoice.features.mouth import ALIGN_FRAMES, OPENING, raw_lip_values
from syncvoice.video.track import STABLE_POINTS

# name, mean, standard deviation, standard deviation of the difference; unit: outer eye distance.
# Measured on GRID clips of 11 speakers and on MiniDub, each corpus counting half (our own measurement).
VALUES: tuple[tuple[str, float, float, float], ...] = (
    ("inner_centre", *OPENING, 0.025),  # gaps between the lips, absolute: 0 is closed for everybody
    ("inner_middle", 0.083, 0.066, 0.024),
    ("inner_side", 0.065, 0.052, 0.019),
    ("inner_area", 0.032, 0.030, 0.011),
    ("outer_centre", 0.0, 0.059, 0.023),  # from here on relative to the clip's own median
    ("outer_side", 0.0, 0.050, 0.020),
    ("inner_width", 0.0, 0.046, 0.020),
    ("outer_width", 0.0, 0.045, 0.020),
    ("upper_lip_height", 0.0, 0.0127, 0.0059),
    ("jaw", 0.0, 0.0191, 0.0082),
    ("upper_thickness", 0.0, 0.0086, 0.0039),
    ("lower_thickness", 0.0, 0.0093, 0.0046),
    ("upper_protrusion", 0.0, 0.0071, 0.0038),
    ("lower_protrusion", 0.0, 0.0180, 0.0069),
    ("corner_raise", 0.0, 0.0187, 0.0076),
)
_MEAN = np.array([row[1] for row in VALUES] + [0.0] * len(VALUES))
_STD = np.array([row[2] for row in VALUES] + [row[3] for row in VALUES])


def lip_features(landmarks: np.ndarray) -> np.ndarray:
    """Return lip features of a clip.

    Args:
        landmarks: (frames, 478, 3) pixels.

    Returns:
        (frames, 30) float32, roughly zero mean and unit variance: the 15 entries of `VALUES`, then their differences.
    """
    values = raw_lip_values(align(landmarks, STABLE_POINTS, ALIGN_FRAMES))
    values[:, 4:] = around_median(values[:, 4:])
    return standardised(with_differences(values), _MEAN, _STD)


class Settings(ExtractorSettings):
    """No settings."""

    network = MESH


class Extractor(MeshExtractor):
    """(n_frames, 30) float32 at 25 fps."""

    name = "mesh_lip"
    version = "1"
    dim: int | None = 2 * len(VALUES)

    def from_landmarks(self, landmarks: np.ndarray) -> np.ndarray:
        """Return the feature of landmarks (n_frames, 478, 3) in pixels, for clips outside any manifest."""
        return lip_features(landmarks)
