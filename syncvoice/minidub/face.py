"""A talking face: one identity, moved by the articulation of its speech and by motion of head, brows and lids.

Every movement is a forward displacement field that was interpolated from the mesh once per identity; a frame is a
weighted sum of these fields, inverted on a half-resolution grid and used to pull the picture of the face at rest.
Amplitudes are our choice.
"""

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np

from syncvoice.minidub import face_mesh as mesh
from syncvoice.minidub import face_warp as warp
from syncvoice.minidub.face_identity import Base, Identity, base_of, free_landmarks, identity_of
from syncvoice.minidub.face_motion import MOTION, motion
from syncvoice.minidub.face_mouth import LID_LEVELS, MouthInterior, lid_patches
from syncvoice.video import mesh_points as at

__all__ = ["MOTION", "FaceRenderer", "Identity", "identity_of", "motion", "renderer_of"]

CONTROLS = ("gap", "width", "rounding", "press", "bared", "brows", "yaw", "pitch", "roll", "x", "y")
ITERATIONS = 4

# Amplitudes, as shares of the width of the mouth at rest.
FULL_GAP = 0.42  # between the inner lips at opening 1
UPPER_SHARE = 0.16  # of the gap is made by the upper lip, the rest by the jaw
CORNER_REACH = 0.13  # a corner's way from rest to width 1 or 0
ROUND_REACH = 0.10  # a corner's way inwards at rounding 1


class FaceRenderer:
    """Draws the frames of one identity."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.base: Base = base_of(identity)
        self.lids = lid_patches(identity, self.base)
        points = self.base.landmarks
        self.mouth_width = float(np.linalg.norm(points[291, :2] - points[61, :2]))
        self.interior = MouthInterior(identity, self.mouth_width)
        moves = landmark_moves(points)  # (468, 2, controls): the shape of the face without the head
        head_field, head_moves = _head_moves(points)
        self.upper_field, self.lower_field = _fields(points, moves, head_field)
        self.moves = moves + head_moves
        self.head_moves = head_moves

    def render(self, articulation: np.ndarray, motion: np.ndarray) -> Iterator[np.ndarray]:
        """Draw a clip.

        Args:
            articulation: (frames, 5) in [0, 1], columns as `articulation.ARTICULATORS`.
            motion: (frames, 6), columns as MOTION.

        Yields:
            uint8 (FRAME, FRAME, 3) RGB, one per frame.
        """
        controls = controls_of(articulation, motion)
        for frame in range(len(controls)):
            yield self._draw(controls[frame], float(motion[frame, MOTION.index("blink")]))

    def landmarks(self, articulation: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """Where the mesh of each frame lies, float64 (frames, 468, 2) in frame pixels: the truth to track."""
        moved = np.einsum("pck,fk->fpc", self.moves, controls_of(articulation, motion))
        return self.base.landmarks[:, :2] + moved - mesh.MARGIN

    def _draw(self, control: np.ndarray, blink: float) -> np.ndarray:
        """Draw one frame from its controls (controls,) and the share to which the lids are shut."""
        picture = self._with_lids(blink)
        points = self.base.landmarks[:, :2] + self.moves @ control
        upper, lower = points[list(at.UPPER_INNER)], points[list(at.LOWER_INNER)]
        inner = slice(mesh.MARGIN // warp.STEP, (mesh.CANVAS - mesh.MARGIN) // warp.STEP)
        grid = _GRID[inner, inner]
        top = _pulled(picture, _weighted(self.upper_field, control), grid)
        rows, columns = self._jaw_cells(points)
        jaw = _pulled(picture, _weighted(self.lower_field, control), grid[rows, columns])
        fine_rows, fine_columns = _fine(rows), _fine(columns)
        seam = (upper + lower) / 2 - mesh.MARGIN - (fine_columns.start, fine_rows.start)
        _join(top[fine_rows, fine_columns], jaw, seam)
        self._fill_mouth(top, upper - mesh.MARGIN, lower - mesh.MARGIN, control)
        return top

    def _jaw_cells(self, points: np.ndarray) -> tuple[slice, slice]:
        """Rows and columns of the frame's cells that the lower lip and the jaw can reach, from landmarks (468, 2)."""
        corners, lip = points[[61, 291], 0], points[list(at.UPPER_INNER), 1]
        low = np.array([lip.min() - 16, corners[0] - 36]) - mesh.MARGIN
        high = np.array([self.base.landmarks[at.CHIN, 1] + 54, corners[1] + 36]) - mesh.MARGIN
        first = np.clip(low // warp.STEP, 0, None).astype(int)
        last = np.clip(high // warp.STEP, None, mesh.FRAME // warp.STEP).astype(int)
        return slice(first[0], last[0]), slice(first[1], last[1])

    def _fill_mouth(self, picture: np.ndarray, upper: np.ndarray, lower: np.ndarray, control: np.ndarray) -> None:
        """Paint the inside of the mouth between the lips' contours (n, 2)."""
        value = dict(zip(CONTROLS, control, strict=True))
        unit = self.mouth_width
        rigid = self.base.landmarks[13, :2] + self.head_moves[13] @ control - mesh.MARGIN
        skull = rigid + (0.0, (0.035 + 0.055 * value["bared"] - 0.075 * max(value["rounding"], 0.0)) * unit)
        jaw = lower[len(lower) // 2] - (0.0, (-0.02 + 0.06 * value["bared"]) * unit)
        gap = float(lower[len(lower) // 2, 1] - upper[len(upper) // 2, 1])
        slope = np.arctan2(*(upper[-1] - upper[0])[::-1])
        self.interior.paint(picture, upper, lower, skull, jaw, float(slope), float(np.clip((gap - 0.6) / 1.6, 0, 1)))

    def _with_lids(self, blink: float) -> np.ndarray:
        """Return the base picture with the lids shut to a share."""
        level = round(float(np.clip(blink, 0, 1)) * (LID_LEVELS - 1))
        if level == 0:
            return self.base.image
        picture = self.base.image.copy()
        for rows, columns, states in self.lids:
            picture[rows, columns] = states[level]
        return picture


@lru_cache(maxsize=2)
def renderer_of(voice_name: str, sex: str) -> FaceRenderer:
    """Return the renderer of a voice's face; building one takes about half a second, so the last ones are kept."""
    return FaceRenderer(identity_of(voice_name, sex))


_GRID = warp.cell_centres()


def _fine(cells: slice) -> slice:
    """Pixels of a range of cells."""
    return slice(cells.start * warp.STEP, cells.stop * warp.STEP)


def _weighted(fields: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Sum the fields of all controls (controls, CELLS * CELLS * 2): (CELLS, CELLS, 2)."""
    return (control @ fields).reshape(warp.CELLS, warp.CELLS, 2)


def _pulled(picture: np.ndarray, field: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Draw the cells at `grid` (h, w, 2) of a picture moved by a forward field: uint8 (STEP h, STEP w, 3)."""
    origin = warp.enlarge(warp.sources(field, grid, ITERATIONS))
    return cv2.remap(picture, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _join(above: np.ndarray, below: np.ndarray, seam: np.ndarray) -> None:
    """Replace what lies under a seam (n, 2) in `above` (h, w, 3) by `below`, in place, with a soft edge."""
    height, width = below.shape[:2]
    line = np.vstack([[-4, seam[0, 1]], seam, [width + 4, seam[-1, 1]], [width + 4, height + 4], [-4, height + 4]])
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(line * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    weight = cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB)
    kept = cv2.multiply(above, cv2.bitwise_not(weight), scale=1 / 255)
    above[:] = cv2.add(kept, cv2.multiply(below, weight, scale=1 / 255))


def controls_of(articulation: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Turn articulation (frames, 5) and motion (frames, 6) into the weights of the fields, (frames, controls)."""
    opening, width, rounding, closure, teeth = np.asarray(articulation, np.float64).T
    bared = teeth * np.clip(1.25 - 1.25 * closure, 0, 1)
    columns = {
        "gap": opening * (1 - 0.8 * np.clip(closure, 0, 1)) + 0.08 * bared,
        "width": (width - 0.48) * 2,
        "rounding": rounding - 0.08,
        "press": np.clip((closure - 0.6) / 0.4, 0, 1),
        "bared": bared,
    }
    columns |= {name: motion[:, MOTION.index(name)] for name in MOTION if name != "blink"}
    return np.stack([columns[name] for name in CONTROLS], axis=1).astype(np.float32)


def landmark_moves(points: np.ndarray) -> np.ndarray:
    """How far each landmark of a face at rest (468, 3) moves per unit of each control: (468, 2, controls), pixels.

    The head's own movement (yaw .. y) is left zero here.
    """
    moves = np.zeros((len(points), 2, len(CONTROLS)))
    corner_left, corner_right = points[61, :2], points[291, :2]
    unit = np.linalg.norm(corner_right - corner_left)
    middle = points[[13, 14], :2].mean(axis=0)
    across = (points[:, 0] - middle[0]) / (unit / 2)
    arch = np.clip(1 - across**2, 0, 1) ** 0.85  # lips part most in the middle
    chin = points[at.CHIN, 1]
    hang = _smoothstep((points[:, 1] - middle[1]) / (0.45 * (chin - middle[1])))
    hang *= np.clip(1.15 - 0.35 * np.abs(across) / 1.6, 0, 1)  # the jaw turns about its joints: its angles move less
    upper, lower, corners = list(at.UPPER_LIP), list(at.LOWER_LIP), list(at.LIP_CORNERS)
    gap, drop = FULL_GAP * unit, FULL_GAP * unit * (1 - UPPER_SHARE)

    moves[:, 1, 0] = 0.72 * drop * hang
    moves[upper, 1, 0] = -UPPER_SHARE * gap * arch[upper]
    moves[lower, 1, 0] = drop * (0.25 + 0.75 * arch[lower])
    moves[corners, 1, 0] = 0.22 * drop
    moves[corners + upper + lower, 0, 0] = -0.05 * unit * across[corners + upper + lower]

    lips = corners + upper + lower
    pull = CORNER_REACH * unit
    moves[lips, 0, 1] = pull * across[lips]
    moves[lips, 1, 1] = -0.25 * pull * across[lips] ** 2
    moves[lips, 0, 2] = -ROUND_REACH * unit * across[lips]
    upper_edge, lower_edge = points[0, 1], points[17, 1]
    for lip, edge, side in ((upper, upper_edge, -1.0), (lower, lower_edge, 1.0)):
        fullness = np.clip((points[lip, 1] - middle[1]) / (edge - middle[1]), 0, 1)  # 0 at the seam, 1 at the rim
        moves[lip, 1, 2] = side * 0.055 * unit * fullness * (0.3 + 0.7 * arch[lip])
        moves[lip, 1, 3] = -side * 0.030 * unit * fullness
        moves[lip, 1, 4] = side * 0.018 * unit * arch[lip]
    moves[:, 1, 5] = -0.13 * unit * _brow_share(points)
    return moves


def _brow_share(points: np.ndarray) -> np.ndarray:
    """How far each landmark (468, 3) follows the brows, 0..1: the forehead far, the lids little, the eyes not."""
    brows = points[list(at.LEFT_BROW + at.RIGHT_BROW), :2]
    away = points[:, None, :2] - brows
    nearest = np.linalg.norm(away, axis=-1).argmin(axis=1)
    dx, dy = away[np.arange(len(points)), nearest].T
    share = np.exp(-((dx / 16) ** 2) - (dy / np.where(dy < 0, 24.0, 9.0)) ** 2)
    for upper, lower in (at.LEFT_EYE, at.RIGHT_EYE):
        share[list(lower)] = 0.0
        share[list(upper)] *= 0.5
    return share


def _smoothstep(value: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at 0 to 1 at 1."""
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)


def _fields(points: np.ndarray, moves: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate the landmarks' moves over the canvas: upper and lower field, each (controls, CELLS * CELLS * 2)."""
    free = free_landmarks(points)
    forehead = points[list((103, 67, 109, 10, 338, 297, 332)), :2] - (0, 14)
    neck = np.stack([np.linspace(points[172, 0], points[397, 0], 5), np.full(5, points[at.CHIN, 1] + 34)], axis=1)
    halves = []
    for other in (at.LOWER_LIP, at.UPPER_LIP):
        keep = ~free
        keep[list(other)] = False
        where = np.vstack([points[keep, :2], forehead, neck])
        what = np.vstack([moves[keep].reshape(keep.sum(), -1), np.zeros((len(where) - keep.sum(), moves[0].size))])
        field = warp.spread(where, what, smoothing=0.5).reshape(warp.CELLS, warp.CELLS, 2, len(CONTROLS))
        halves.append(np.ascontiguousarray((field + head).reshape(-1, len(CONTROLS)).T, dtype=np.float32))
    return halves[0], halves[1]


def _head_moves(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linearised turns (per radian) and shifts (per pixel) of the head about the base of the neck.

    Returns:
        field (CELLS, CELLS, 2, controls) and the same for the landmarks (468, 2, controls).
    """
    rim = list(at.FACE_OVAL)
    rest = points[rim, 2].mean()
    width = np.ptp(points[rim, 0])
    depth = np.clip(rest - points[:, 2], -0.1 * width, 0.45 * width)  # towards the camera
    sheet = warp.spread(points[:, :2], depth[:, None], smoothing=2.0)[..., 0]
    sheet = cv2.GaussianBlur(sheet, (0, 0), 2.0)
    pivot = np.array([points[rim, 0].mean(), points[at.CHIN, 1] + 42])

    def move(xy: np.ndarray, near: np.ndarray) -> np.ndarray:
        hold = _smoothstep((points[at.CHIN, 1] + 50 - xy[..., 1]) / 50)  # shoulders stay
        field = np.zeros((*xy.shape, len(CONTROLS)))
        reach = (near + 0.55 * width) * hold
        field[..., 0, CONTROLS.index("yaw")] = reach
        field[..., 1, CONTROLS.index("pitch")] = reach
        field[..., 0, CONTROLS.index("roll")] = -(xy[..., 1] - pivot[1]) * hold
        field[..., 1, CONTROLS.index("roll")] = (xy[..., 0] - pivot[0]) * hold
        field[..., 0, CONTROLS.index("x")] = hold
        field[..., 1, CONTROLS.index("y")] = hold
        return field

    return move(_GRID.astype(np.float64), sheet), move(points[:, :2], depth)
