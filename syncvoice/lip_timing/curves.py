"""Curves of the mouth from a face mesh: what the network sees of a clip.

Six measures are taken relative to the clip (its median and its spread), because people differ in them; two gaps between
the lips stay absolute, because 0 is shut for everybody. First and second differences are appended.
"""

import numpy as np

from syncvoice.features.mesh import align
from syncvoice.features.mouth import ALIGN_FRAMES, NAMES, raw_lip_values
from syncvoice.video.track import STABLE_POINTS

RELATIVE = ("inner_centre", "outer_width", "inner_width", "lower_protrusion", "jaw", "lower_thickness")
ABSOLUTE = ("inner_centre", "inner_side")
ABSOLUTE_SCALE = 0.1  # of the outer eye distance: a gap of a mouth well open
LEAST_SPREAD = 0.004  # of the outer eye distance; less is the tracker's noise
LEAST_OPENING = 0.02  # spread of the gap between the lips below which the mouth was not seen to speak
N_VALUES = len(RELATIVE) + len(ABSOLUTE)
N_INPUTS = 3 * N_VALUES
_COLUMNS = [NAMES.index(name) for name in (*RELATIVE, *ABSOLUTE)]
LIMIT = 4.0  # of a normalised value: a tracking slip must not dominate


def mouth_values(landmarks: np.ndarray) -> np.ndarray:
    """Measure the mouth.

    Args:
        landmarks: (frames, 478, 3) pixels of any mesh of the detector protocol.

    Returns:
        (frames, 8) float64 in outer eye distances: RELATIVE, then ABSOLUTE.
    """
    return raw_lip_values(align(landmarks.astype(np.float64), STABLE_POINTS, ALIGN_FRAMES))[:, _COLUMNS]


def spread(values: np.ndarray) -> np.ndarray:
    """95th minus 5th percentile over time of (frames, values)."""
    low, high = np.percentile(values, [5, 95], axis=0)
    return np.asarray(high - low)


def normalised(values: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """Take the relative measures relative to the clip, and bring all to a common scale.

    Args:
        values: (frames, 8) of `mouth_values`.
        seen: (frames,) bool, frames that count for median and spread; None takes all.
    """
    n = len(RELATIVE)
    counted = values if seen is None or not seen.any() else values[seen]
    scale = np.maximum(spread(counted[:, :n]), LEAST_SPREAD)
    relative = (values[:, :n] - np.median(counted[:, :n], axis=0)) / scale
    return np.clip(np.concatenate([relative, values[:, n:] / ABSOLUTE_SCALE], axis=1), -LIMIT, LIMIT)


def network_input(curves: np.ndarray) -> np.ndarray:
    """Append first and second differences: (frames, 8) to (frames, 24) float32."""
    first = np.gradient(curves, axis=0) if len(curves) > 1 else np.zeros_like(curves)
    second = np.gradient(first, axis=0) if len(curves) > 1 else np.zeros_like(curves)
    return np.concatenate([curves, 2 * first, 2 * second], axis=1).astype(np.float32)


def mouth_moves(values: np.ndarray) -> bool:
    """Whether the lips (frames, 8) are seen to open and close at all; a covered mouth or a still picture is not."""
    return len(values) > 1 and bool(spread(values[:, -len(ABSOLUTE)]) > LEAST_OPENING)
