"""The inside of the mouth and the lids of the eyes: what a warp of the skin cannot show."""

import cv2
import numpy as np

from syncvoice.minidub import face_mesh as mesh
from syncvoice.minidub.face_identity import Base, Identity
from syncvoice.video import mesh_points as at

_FINE = 16  # sub-pixel units of OpenCV's drawing with shift=4
LID_LEVELS = 8  # an eye is drawn in this many states between open and shut


def _toothrow(width: int, height: int, n_teeth: int, white: float, upper: bool) -> np.ndarray:
    """Draw a row of teeth: float32 (height, width, 4), RGB 0..255 and opacity 0..1, drawn 4 x larger for its edges."""
    big = 4
    colour = np.zeros((height * big, width * big, 3), np.uint8)
    opacity = np.zeros((height * big, width * big), np.uint8)
    sizes = 1 - 0.55 * np.abs(np.linspace(-1, 1, n_teeth))  # perspective: teeth at the side look narrower
    edges = np.concatenate([[0], np.cumsum(sizes)]) / sizes.sum() * (width * big - 1)
    for k in range(n_teeth):
        aside = abs((k + 0.5) / n_teeth * 2 - 1)
        tall = height * big * (1 - 0.35 * aside**2)
        x0, x1 = edges[k] + 1.0, edges[k + 1] - 1.0
        top, bottom = (-8, tall) if upper else (height * big - tall, height * big + 8)
        shade = 255 * white * (1 - 0.45 * aside**2)
        tint = tuple(float(v) for v in (shade, shade * 0.96, shade * 0.88))
        for canvas, value in ((colour, tint), (opacity, 255.0)):
            radius = min(0.3 * (x1 - x0), 10)
            middle = ((x0 + x1) / 2, (top + bottom) / 2)
            box = (middle, (x1 - x0 - radius, bottom - top - radius), 0.0)
            corners = cv2.boxPoints(box)
            cv2.fillPoly(canvas, [np.round(corners * _FINE).astype(np.int32)], value, cv2.LINE_AA, shift=4)
            cv2.polylines(canvas, [np.round(corners * _FINE).astype(np.int32)], True, value, max(1, int(radius)),
                          cv2.LINE_AA, shift=4)  # fmt: skip
    small = cv2.resize(np.dstack([colour, opacity]), (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    small[..., 3] /= 255
    small[..., :3] /= np.maximum(small[..., 3:], 0.05)
    return np.clip(small, 0, 255)


class MouthInterior:
    """Paints teeth, tongue and the dark between two lips; sizes follow the width of the mouth at rest."""

    def __init__(self, identity: Identity, mouth_width: float) -> None:
        self.unit = mouth_width
        width, height = round(0.74 * mouth_width), round(0.20 * mouth_width)
        self.upper = _toothrow(width, height, 8, identity.teeth, upper=True)
        self.lower = _toothrow(
            round(0.62 * mouth_width), round(0.15 * mouth_width), 8, 0.86 * identity.teeth, upper=False
        )

    def paint(
        self, picture: np.ndarray, upper: np.ndarray, lower: np.ndarray, skull: np.ndarray, jaw: np.ndarray,
        roll: float, openness: float,
    ) -> None:  # fmt: skip
        """Fill the space between the lips of a picture (h, w, 3) uint8, in place.

        Args:
            upper, lower: inner contours of the lips (n, 2) from left to right, pixels.
            skull: (2,) middle of the edge of the upper teeth; jaw: (2,) middle of the edge of the lower teeth.
            roll: radians, clockwise.
            openness: 0..1, fades the inside out when the lips touch.
        """
        if openness <= 0:
            return
        outline = np.vstack([upper, lower[::-1]])
        x0, y0 = np.floor(outline.min(axis=0)).astype(int) - 4
        x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 5
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, picture.shape[1]), min(y1, picture.shape[0])
        size = (x1 - x0, y1 - y0)
        mask = np.zeros((size[1], size[0]), np.uint8)
        corner = np.array([x0, y0], np.float64)
        cv2.fillPoly(mask, [np.round((outline - corner) * _FINE).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
        inside = np.empty((size[1], size[0], 3), np.float32)
        inside[:] = (52, 20, 20)
        self._tongue(inside, jaw - corner, roll)
        self._teeth(inside, self.lower, jaw - corner, roll, size, edge_below=False)
        self._teeth(inside, self.upper, skull - corner, roll, size, edge_below=True)
        depth = cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255  # light falls off towards the lips
        alpha = cv2.GaussianBlur(mask, (0, 0), 0.6).astype(np.float32) / 255 * openness
        inside *= (0.35 + 0.65 * np.clip(depth * 1.1, 0, 1))[..., None]
        part = picture[y0:y1, x0:x1]
        part[:] = part + (inside - part) * alpha[..., None]

    def _tongue(self, inside: np.ndarray, jaw: np.ndarray, roll: float) -> None:
        """Paint the tongue behind the lower teeth."""
        centre = (jaw + (0.0, 0.10 * self.unit)) * _FINE
        axes = np.array([0.25 * self.unit, 0.16 * self.unit]) * _FINE
        place = tuple(int(v) for v in np.round(centre))
        cv2.ellipse(inside, place, tuple(int(v) for v in axes), float(np.degrees(roll)), 0, 360, (150, 74, 74), -1,
                    cv2.LINE_AA, shift=4)  # fmt: skip

    @staticmethod
    def _teeth(
        inside: np.ndarray, row: np.ndarray, edge: np.ndarray, roll: float, size: tuple[int, int], edge_below: bool
    ) -> None:
        """Put a row of teeth with the middle of its biting edge at `edge`."""
        height, width = row.shape[:2]
        anchor = np.array([(width - 1) / 2, height if edge_below else 0.0])
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        matrix = np.column_stack([turn, edge - turn @ anchor]).astype(np.float32)
        placed = cv2.warpAffine(row, matrix, size, flags=cv2.INTER_LINEAR)
        inside += (placed[..., :3] - inside) * placed[..., 3:]


def lid_patches(identity: Identity, base: Base) -> list[tuple[slice, slice, np.ndarray]]:
    """Pictures of both eyes from open to shut: [(rows, columns, uint8 (LID_LEVELS, h, w, 3)), ...] in the canvas."""
    patches = []
    for upper, lower in (at.LEFT_EYE, at.RIGHT_EYE):
        top, bottom = base.landmarks[list(upper), :2], base.landmarks[list(lower), :2]
        contour = np.vstack([top, bottom[::-1]])
        hole = (cv2.dilate(mesh.polygon_mask(contour, mesh.CANVAS), np.ones((5, 5))) > 0.2).astype(np.uint8)
        lid = cv2.inpaint(base.image, hole, 5, cv2.INPAINT_TELEA)
        x0, y0 = np.floor(contour.min(axis=0)).astype(int) - 7
        x1, y1 = np.ceil(contour.max(axis=0)).astype(int) + 7
        rows, columns = slice(y0, y1), slice(x0, x1)
        lid = cv2.GaussianBlur(lid[rows, columns], (0, 0), 1.2).astype(np.float32)
        opened = base.image[rows, columns].astype(np.float32)
        corner = np.array([x0, y0])
        states = [
            _lid_state(opened, lid, top - corner, bottom - corner, k / (LID_LEVELS - 1)) for k in range(LID_LEVELS)
        ]
        patches.append((rows, columns, np.clip(np.stack(states), 0, 255).astype(np.uint8)))
    return patches


def _lid_state(opened: np.ndarray, lid: np.ndarray, top: np.ndarray, bottom: np.ndarray, shut: float) -> np.ndarray:
    """Draw an eye (h, w, 3) whose upper lid has come down by a share `shut` of the opening."""
    if shut == 0:
        return opened
    edge = top + (bottom - top) * shut
    covered = np.zeros(opened.shape[:2], np.uint8)
    above = top - (0.0, 2.5)
    outline = np.round(np.vstack([above, edge[::-1]]) * _FINE).astype(np.int32)
    cv2.fillPoly(covered, [outline], 255, cv2.LINE_AA, shift=4)
    alpha = cv2.GaussianBlur(covered, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    lashes = np.zeros(opened.shape[:2], np.uint8)
    cv2.polylines(lashes, [np.round(edge * _FINE).astype(np.int32)], False, 255, 1, cv2.LINE_AA, shift=4)
    line = cv2.GaussianBlur(lashes, (0, 0), 0.6).astype(np.float32)[..., None] / 255
    return (opened + (lid - opened) * alpha) * (1 - 0.75 * np.clip(line * 1.4, 0, 1))
