"""What makes a followed face useless: a cut between shots, a profile, a face of a few pixels. Limits are our choice."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from syncvoice import clocks
from syncvoice.video.media import ClipProblem
from syncvoice.video.several import OUTER_EYES, extent, overlap

GRID_LINES = 32  # rows and columns of pixels, evenly spread, by which frames are compared
CUT_DIFFERENCE = 10.0  # grey levels by which a frame differs from the one before at a cut, in the mean of its pixels
CUT_RATIO = 4.0  # and how much more than the clip's median difference that is
SAME_PLACE = (
    0.5  # overlap (intersection over union) of a face with itself across a change of the picture; less is a jump
)
SETTLING_FRAMES = 2  # a tracker looks for the new face where the old one was, and reaches it within so many frames


class Watched:
    """Frames on their way to a detector, each compared with the one before.

    Attributes:
        differences: per frame, mean difference to the frame before in grey levels; the first is 0.
    """

    def __init__(self, frames: Iterable[np.ndarray]) -> None:
        """Wrap RGB frames (height, width, 3) uint8."""
        self._frames = frames
        self.differences: list[float] = []

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames."""
        before: np.ndarray | None = None
        for frame in self._frames:
            rows, columns = (max(side // GRID_LINES, 1) for side in frame.shape[:2])
            now = frame[::rows, ::columns].astype(np.int16)
            if before is None or before.shape != now.shape:
                before = now
            self.differences.append(float(np.abs(now - before).mean()))
            before = now
            yield frame


def check_cuts(detections: Sequence[np.ndarray], differences: Sequence[float], max_gap: int) -> None:
    """Refuse a clip in which the picture changes at once and every face with it.

    Args:
        detections: landmarks (faces, 478, 3) of every frame.
        differences: of `Watched`.
        max_gap: frames after a cut in which a tracker may find the new face late.

    Raises:
        ClipProblem: scene_cut, with the frame.
    """
    changes = np.asarray(differences)
    limit = max(CUT_DIFFERENCE, CUT_RATIO * float(np.median(changes[1:]))) if len(changes) > 1 else np.inf
    for frame in np.flatnonzero(changes >= limit):
        before = _first_seen(detections[max(frame - 1 - max_gap, 0) : frame][::-1])
        settled = min(frame + SETTLING_FRAMES, len(detections) - 1)
        after = _first_seen(detections[settled : settled + max_gap + 1])
        if len(before) and len(after) and overlap(before, after).max() < SAME_PLACE:
            raise ClipProblem(
                "scene_cut",
                f"the picture cuts to another shot at frame {frame} ({frame / clocks.FPS:.2f} s) and the face jumps; "
                "cut the clip there",
            )


def check_view(
    landmarks: np.ndarray, found: np.ndarray, sides: np.ndarray, min_side: float, max_yaw: float, max_share: float
) -> None:
    """Refuse a face that is too small, or turned away for too long.

    Args:
        landmarks: (frames, 478, 3) pixels.
        found: (frames,) bool; other frames do not count.
        sides: (frames,) sides of the face boxes, pixels.
        min_side: least median side.
        max_yaw: degrees from the camera's axis.
        max_share: of frames in which the head may be turned further.

    Raises:
        ClipProblem: small_face or profile.
    """
    side = float(np.median(sides[found]))
    if side < min_side:
        raise ClipProblem(
            "small_face",
            f"the face is {side:.0f} pixels wide, at least {min_side:g} are needed; use a closer picture or lower "
            "min_face_pixels",
        )
    turned = np.abs(yaw_degrees(landmarks[found])) > max_yaw
    if turned.mean() > max_share:
        frame = int(np.flatnonzero(found)[np.argmax(turned)])
        raise ClipProblem(
            "profile",
            f"the head is turned by more than {max_yaw:g} degrees in {turned.mean():.0%} of the frames, first in frame "
            f"{frame}; at most {max_share:.0%} may be, use a clip that shows both eyes and the whole mouth",
        )


def yaw_degrees(landmarks: np.ndarray) -> np.ndarray:
    """Turn of the head (frames,) about the vertical axis, by the depths of the outer eye corners; 0 looks ahead."""
    across = (landmarks[:, OUTER_EYES[1]] - landmarks[:, OUTER_EYES[0]]).astype(np.float64)
    return np.degrees(np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1])))


def _first_seen(detections: Sequence[np.ndarray]) -> np.ndarray:
    """Return the extents (faces, 4) of the faces in the first frame that has any."""
    for faces in detections:
        if len(faces):
            return np.array([extent(face) for face in faces])
    return np.zeros((0, 4))
