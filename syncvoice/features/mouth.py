"""Measures of a mouth in the mean face's frame, which extractors and lip timing share."""

import numpy as np

from syncvoice.features.mesh import Aligned

ALIGN_FRAMES = 5  # over which the stable points are averaged, see `mesh.align`
NAMES = (
    *("inner_centre", "inner_middle", "inner_side", "inner_area", "outer_centre", "outer_side"),
    *("inner_width", "outer_width", "upper_lip_height", "jaw", "upper_thickness"),
    *("lower_thickness", "upper_protrusion", "lower_protrusion", "corner_raise"),
)
OPENING = (0.084, 0.067)  # mean and standard deviation of inner_centre, see `extractors.mesh_lip`
_INNER_RING = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)


def opening(features: np.ndarray) -> np.ndarray:
    """Return the gap between the lips (frames,), in outer eye distances, from features of mesh_lip (frames, 30)."""
    mean, deviation = OPENING
    return np.asarray(features[:, 0] * deviation + mean)


def raw_lip_values(face: Aligned) -> np.ndarray:
    """The 15 measures (frames, 15) in units of the outer eye distance, in the order of NAMES."""
    lip_line = face.mean(1, 0, 17)
    return np.stack(
        [
            face.distance((13, 14)),
            face.distance((82, 87), (312, 317)),
            face.distance((81, 178), (311, 402), (80, 88), (310, 318)),
            _area(face.points[:, list(_INNER_RING), :2]),
            face.distance((0, 17)),
            face.distance((39, 181), (269, 405)),
            face.distance((78, 308)),
            face.distance((61, 291)),
            face.mean(1, 0, 37, 267) - face.mean(1, 2),
            face.mean(1, 152, 148, 377) - face.mean(1, 2),
            face.distance((0, 13)),
            face.distance((14, 17)),
            -face.mean(2, 0, 13, 37, 267),
            -face.mean(2, 17, 14, 84, 314),
            lip_line - face.mean(1, 61, 291),
        ],
        axis=1,
    )


def _area(ring: np.ndarray) -> np.ndarray:
    """Area (frames,) of polygons (frames, points, 2)."""
    x, y = ring[..., 0], ring[..., 1]
    return np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2
