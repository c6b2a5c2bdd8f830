"""Face tracks and crops of the SyncNet protocol `tracked`, from frames and face boxes to pictures of 224 x 224.

Conventions
-----------
Frames are (height, width, 3) uint8 at 25 fps; boxes are x0, y0, x1, y1 in pixels of the frame. The steps and constants
are those of the pipeline published with SyncNet (run_pipeline.py): shots, tracks inside a shot by overlap, boxes
interpolated over gaps, median filter of 13 frames, a crop that reaches 0.4 of half the box beyond it and lower at the
chin. Where we differ: `MIN_TRACK` and `MIN_FACE` are smaller, so that GRID clips (75 frames of 360 x 288) are not
thrown away, and nothing is written to files in between. The pipeline's re-encoding of every crop as JPEG is an option.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 224  # pixels of a crop
CROP_SCALE = 0.40  # of half the box, added on every side
MEDIAN_FRAMES = 13
PADDING_GREY = 110
MAX_GAP = 25  # frames without a detection inside a track
MIN_OVERLAP = 0.5
MIN_TRACK = 50  # detections a track must exceed, halved for clips below 100 frames (published: 100; our choice)
MIN_FACE = 50.0  # pixels, mean width or height (published: 100; our choice)
CUT_THRESHOLD = 27.0  # mean change of hue, saturation and value between two frames at which a shot begins
MIN_SHOT = 15  # frames
JPEG_QUALITY = 95  # OpenCV's default, which the pipeline uses


@dataclass(frozen=True)
class FaceTrack:
    """One face: `frames` (n,) consecutive frame numbers, `boxes` (n, 4) float64, interpolated where none was found."""

    frames: np.ndarray
    boxes: np.ndarray


def shots(frames: Iterable[np.ndarray]) -> list[tuple[int, int]]:
    """Cut a clip at jumps of colour: (first frame, frame after the last) of every shot.

    A jump is a mean absolute change of hue, saturation and value of at least 27 (PySceneDetect's content detector at
    full resolution); a jump within 15 frames of the last one is ignored.

    Args:
        frames: RGB (height, width, 3) uint8.
    """
    cuts, last, number = [0], None, -1
    for number, frame in enumerate(frames):
        hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
        if last is not None and last.shape == hsv.shape:
            change = cv2.norm(hsv, last, cv2.NORM_L1) / hsv.size
            if change >= CUT_THRESHOLD and number - cuts[-1] >= MIN_SHOT:
                cuts.append(number)
        last = hsv
    return [(start, end) for start, end in zip(cuts, [*cuts[1:], number + 1], strict=True) if end > start]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (4,)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (areas - width * height + 1e-8))


def face_tracks(
    detections: Sequence[np.ndarray],
    scenes: Sequence[tuple[int, int]] | None = None,
    min_track: int | None = None,
    min_face: float = MIN_FACE,
) -> list[FaceTrack]:
    """Join the boxes of all frames to tracks, in the order in which the published pipeline finds them.

    Args:
        detections: boxes (faces, 4) of every frame, most confident first.
        scenes: see `shots`; None is one shot.
        min_track: a track needs more detections than this, and a shot at least as many frames; None takes
            `MIN_TRACK`, or half of the clip if that is less.
        min_face: pixels that the larger of mean width and mean height must exceed.
    """
    if min_track is None:
        min_track = min(MIN_TRACK, len(detections) // 2)
    tracks = []
    for start, end in scenes if scenes is not None else [(0, len(detections))]:
        if end - start < min_track:
            continue
        left = [list(faces) for faces in detections[start:end]]
        while found := _next_track(left, start):
            numbers, boxes = np.array([number for number, _ in found]), np.stack([box for _, box in found])
            frames = np.arange(numbers[0], numbers[-1] + 1)
            filled = np.stack([np.interp(frames, numbers, column) for column in boxes.T], axis=1)
            size = max((filled[:, 2] - filled[:, 0]).mean(), (filled[:, 3] - filled[:, 1]).mean())
            if len(found) > min_track and size > min_face:
                tracks.append(FaceTrack(frames, filled))
    return tracks


def _next_track(left: list[list[np.ndarray]], start: int) -> list[tuple[int, np.ndarray]]:
    """Take one track out of the boxes that are left: from frame to frame the first box, if it overlaps the last one."""
    track: list[tuple[int, np.ndarray]] = []
    for number, faces in enumerate(left, start):
        if faces and (
            not track or (number - track[-1][0] <= MAX_GAP and overlap(faces[0], track[-1][1]) > MIN_OVERLAP)
        ):
            track.append((number, np.asarray(faces.pop(0), np.float64)))
    return track


def smoothed_windows(boxes: np.ndarray) -> np.ndarray:
    """Half side and centre of the square crops of a track.

    Args:
        boxes: (frames, 4).

    Returns:
        (frames, 3): half of the longer side, x, y, each through a median filter of 13 frames that sees zeros beyond the
        ends (as the published pipeline does; the first and last frames are therefore cut a little smaller).
    """
    half = np.maximum(boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]) / 2
    values = (half, (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2)
    return np.stack([running_median(value, MEDIAN_FRAMES) for value in values], axis=1)


def running_median(values: np.ndarray, window: int) -> np.ndarray:
    """Median of `window` (odd) neighbours of each value (n,), zeros beyond the ends."""
    padded = np.pad(values.astype(np.float64), window // 2)
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)


def crop_track(frames: Iterable[np.ndarray], track: FaceTrack, jpeg: bool = False) -> Iterator[np.ndarray]:
    """Yield the crops (224, 224, 3) uint8 of a track, in the colour order of the frames.

    Args:
        frames: all frames of the clip.
        track: which face.
        jpeg: encode and decode every crop as JPEG, as the published pipeline does (needs BGR frames to be equal).
    """
    windows = smoothed_windows(track.boxes)
    first, last = int(track.frames[0]), int(track.frames[-1])
    for number, frame in enumerate(frames):
        if number > last:
            return
        if number >= first:
            crop = crop_window(frame, *windows[number - first])
            yield jpeg_round_trip(crop) if jpeg else crop


def crop_window(frame: np.ndarray, half: float, x: float, y: float) -> np.ndarray:
    """Crop around a face: sides from x - 1.4 half to x + 1.4 half and from y - half to y + 1.8 half, 224 x 224.

    What lies outside the frame is grey. Corners are truncated to whole pixels as in the published pipeline.

    Raises:
        ValueError: the window is empty.
    """
    pad = int(half * (1 + 2 * CROP_SCALE))
    top, bottom = int(y + pad - half), int(y + pad + half * (1 + 2 * CROP_SCALE))
    left, right = int(x + pad - half * (1 + CROP_SCALE)), int(x + pad + half * (1 + CROP_SCALE))
    padded = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(PADDING_GREY,) * 3)
    window = padded[max(0, top) : bottom, max(0, left) : right]
    if not window.size:
        raise ValueError(f"face of half side {half:.1f} at ({x:.1f}, {y:.1f}) leaves an empty crop")
    return cv2.resize(window, (SIZE, SIZE))


def jpeg_round_trip(image: np.ndarray) -> np.ndarray:
    """Encode (height, width, 3) as JPEG of OpenCV's default quality and decode it again."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def whole_frames(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield whole frames resized to 224 x 224: the protocol `lrs`, for clips that are already cropped to the face."""
    for frame in frames:
        yield frame if frame.shape[:2] == (SIZE, SIZE) else cv2.resize(frame, (SIZE, SIZE))
