"""Head pose alone: how far the head is turned, nodded and tilted, and how fast. An example of a further condition.

Our choice, not the paper's (its face features hold the pose among other things): angles of the rotation that maps the
points of `mesh_face` onto its mean face, around the clip's own median, so that a person who sits askew is no outlier.
The nod (pitch) follows the jaw as well as the head, see `mesh_face`.
"""

import numpy as np

from syncvoice.features.base import ExtractorSettings
from syncvoice.features.extractors.mesh_face import ALIGN_FRAMES, POSE_POINTS
from syncvoice.features.mesh import MESH, MeshExtractor, align, around_median, standardised, with_differences

# Standard deviations of yaw, pitch, roll in radians and of their differences per frame, as measured for `mesh_face`.
STD = np.array([0.0181, 0.0149, 0.0167, 0.0038, 0.0049, 0.0034])


class Settings(ExtractorSettings):
    """No settings."""

    network = MESH


class Extractor(MeshExtractor):
    """(n_frames, 6) float32 at 25 fps: yaw, pitch, roll, then their central differences per frame."""

    name = "head_pose"
    version = "1"
    dim: int | None = len(STD)

    def from_landmarks(self, landmarks: np.ndarray) -> np.ndarray:
        """Return the feature of landmarks (n_frames, 478, 3) in pixels, for clips outside any manifest."""
        rotation = align(landmarks, POSE_POINTS, ALIGN_FRAMES).rotation  # picture = rotation @ face axis
        angles = np.stack([
            np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2]),
            np.arctan2(rotation[:, 1, 2], rotation[:, 2, 2]),
            np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]),
        ], axis=1)  # fmt: skip
        return standardised(with_differences(around_median(angles)), np.zeros(len(STD)), STD)
