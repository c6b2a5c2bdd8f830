"""Smooth displacement fields from moved landmarks, and pulling pictures through them.

A field says where each point of a picture goes. Drawing needs the opposite, where each pixel comes from; it is found
by a few fixed-point iterations, which converge because no field here squeezes by more than half.
The mouth is cut: an *upper* field (all but the lower lip) and a *lower* field (all but the upper lip) agree away from
the lips, so opening the mouth tears nothing but the seam between them.
"""

import cv2
import numpy as np

from syncvoice.minidub.face_mesh import CANVAS

STEP = 2  # canvas pixels per cell of a field
CELLS = CANVAS // STEP


def cell_centres() -> np.ndarray:
    """Canvas coordinates of the cells of a field, float32 (CELLS, CELLS, 2), last axis x, y."""
    axis = (np.arange(CELLS, dtype=np.float32) + 0.5) * STEP - 0.5
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def spread(points: np.ndarray, values: np.ndarray, smoothing: float = 0.3) -> np.ndarray:
    """Interpolate values (n, k) given at points (n, 2) over the canvas, zero at its edge: float32 (CELLS, CELLS, k).

    Radial basis functions with the linear kernel: no overshoot between landmarks.
    """
    from scipy.interpolate import RBFInterpolator

    edge = np.linspace(0, CANVAS - 1, 9)
    frame = [(x, y) for x in edge for y in edge if x in (edge[0], edge[-1]) or y in (edge[0], edge[-1])]
    where = np.vstack([points, frame])
    what = np.vstack([values, np.zeros((len(frame), values.shape[1]))])
    solver = RBFInterpolator(where, what, kernel="linear", smoothing=smoothing, degree=0)
    return solver(cell_centres().reshape(-1, 2)).reshape(CELLS, CELLS, -1).astype(np.float32)


def sources(field: np.ndarray, grid: np.ndarray, iterations: int) -> np.ndarray:
    """Where the pixels at `grid` come from under a forward field.

    Args:
        field: float32 (CELLS, CELLS, 2), displacement of canvas points in pixels.
        grid: float32 (h, w, 2), canvas coordinates of the wanted pixels.
        iterations: 3 for the small movements of a frame, more for a change of identity.

    Returns:
        float32 (h, w, 2), canvas coordinates p with p + field(p) = grid.
    """
    origin = grid
    for _ in range(iterations):
        cells = (origin + 0.5) * (1 / STEP) - 0.5
        origin = grid - cv2.remap(field, cells, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return origin


def enlarge(coarse: np.ndarray) -> np.ndarray:
    """Interpolate a map on a grid of STEP pixels to every pixel."""
    height, width = coarse.shape[:2]
    return cv2.resize(coarse, (width * STEP, height * STEP), interpolation=cv2.INTER_LINEAR)
