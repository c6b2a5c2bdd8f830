"""Several faces in one clip: follow every one, then choose the one that speaks or the one that is seen longest.

Our choice throughout: a face is the same one as long as its extents overlap from frame to frame, and the speaking face
is the one whose mouth opens and closes most with the loudness of the sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from syncvoice import clocks
from syncvoice.video.detect import N_FACE_POINTS, N_POINTS
from syncvoice.video.media import ClipProblem
from syncvoice.video.track import smooth

Rule = Literal["exclude", "speaking", "longest", "first"]
RULES: tuple[Rule, ...] = ("exclude", "speaking", "longest", "first")
SAME_FACE = 0.3  # overlap (intersection over union) above which a face is the one of the frame before
DOUBLE_FACE = 0.6  # overlap above which two faces of a frame are one face found twice
LEAST_SCORE = 0.15  # of `speaking_score`; with less nobody can be said to speak
SYLLABLE_FRAMES = 9  # moving average that is taken away: what is slower than syllables
INNER_LIPS = (13, 14)  # upper and lower, in the middle
OUTER_EYES = (33, 263)
LOUDNESS_FLOOR = 0.05  # of the loudest video frame: what is softer counts as silence


@dataclass(frozen=True)
class Face:
    """One face through a clip: landmarks (frames, 478, 3) float32 pixels and found (frames,) bool."""

    landmarks: np.ndarray
    found: np.ndarray


@dataclass(frozen=True)
class Choice:
    """The face that was chosen, from how many, and by which rule."""

    face: Face
    n_faces: int
    rule: Rule


def follow_faces(detections: Sequence[np.ndarray], max_gap: int) -> list[Face]:
    """Link the faces of all frames to tracks, those seen longest first.

    Args:
        detections: landmarks (faces, 478, 3) of every frame, in any order.
        max_gap: a face that was away for more frames is a new one.
    """
    tracks: list[dict[int, np.ndarray]] = []
    for number, faces in enumerate(detections):
        recent = [track for track in tracks if number - max(track) <= max_gap + 1]
        places = np.array([extent(track[max(track)]) for track in recent]).reshape(-1, 4)
        kept = _without_doubles(faces)
        shared = overlap(np.array([extent(face) for face in kept]).reshape(-1, 4), places)
        matched: set[int] = set()
        while shared.size and shared.max() > SAME_FACE:
            face, track = np.unravel_index(shared.argmax(), shared.shape)
            recent[track][number] = kept[face]
            matched.add(int(face))
            shared[face, :] = shared[:, track] = 0
        tracks += [{number: face} for index, face in enumerate(kept) if index not in matched]
    ordered = sorted(tracks, key=len, reverse=True)  # stable: of two equally long the one that came first
    return [_face(track, len(detections)) for track in ordered]


def choose(faces: Sequence[Face], rule: Rule, min_share: float, sound: np.ndarray | None) -> Choice:
    """Choose a face by "speaking" or "longest".

    Args:
        faces: those seen longest first.
        rule: how to choose.
        min_share: least share of frames in which a face must be found to count.
        sound: (960 * frames,) at 24 kHz, for "speaking".

    Raises:
        ClipProblem: no_face, or no_speaking_face when there are several and nobody's lips go with the sound.
    """
    if not faces:
        raise ClipProblem("no_face", "no face found in any frame; use a clip that shows a face")
    usable = [face for face in faces if face.found.mean() >= min_share] or list(faces[:1])
    if len(usable) == 1 or rule == "longest":
        return Choice(usable[0], len(usable), rule)
    if sound is None:
        raise ClipProblem(
            "no_audio",
            "without sound nobody can tell which of several faces speaks; set several_faces to longest or first",
        )
    scores = [speaking_score(face, sound) for face in usable]
    best = int(np.argmax(scores))
    if scores[best] < LEAST_SCORE:
        raise ClipProblem(
            "no_speaking_face",
            f"{len(usable)} faces, and nobody's lips move with the sound (correlation at most {scores[best]:.2f}, at "
            f"least {LEAST_SCORE} is needed); cut the picture to the speaker or set several_faces to longest",
        )
    return Choice(usable[best], len(usable), rule)


def speaking_score(face: Face, sound: np.ndarray) -> float:
    """Tell how far a face's mouth opens and closes with the loudness of the sound, -1 to 1; 0 for a still one.

    The mean of two correlations over the frames with the face: of opening and loudness as they are (who is silent when
    the sound is), and of what is left without their moving averages (who moves syllable by syllable).

    Opening: distance of the inner lips by that of the outer eye corners. Loudness: logarithm of the frame's RMS.
    """
    points = face.landmarks[face.found].astype(np.float64)
    opening = _distance(points, INNER_LIPS) / np.maximum(_distance(points, OUTER_EYES), 1e-6)
    level = np.sqrt((sound.reshape(-1, clocks.SAMPLES_PER_FRAME).astype(np.float64) ** 2).mean(axis=1))
    loudness = np.log(np.maximum(level, LOUDNESS_FLOOR * level.max() + 1e-9))[face.found]
    fast = (values - smooth(values, SYLLABLE_FRAMES) for values in (opening, loudness))
    return (_correlation(opening, loudness) + _correlation(*fast)) / 2


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of (frames,) with (frames,), 0 where one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    power = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / power) if power > 1e-9 else 0.0


def extent(landmarks: np.ndarray) -> np.ndarray:
    """Return x0, y0, x1, y1 of a face (478, 3), without the iris points."""
    points = landmarks[:N_FACE_POINTS, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)


def _without_doubles(faces: np.ndarray) -> list[np.ndarray]:
    """Drop faces that cover one before them: a tracker may find one face twice."""
    kept: list[np.ndarray] = []
    for face in faces:
        boxes = np.array([extent(other) for other in kept]).reshape(-1, 4)
        if not (overlap(extent(face)[None], boxes) > DOUBLE_FACE).any():
            kept.append(face)
    return kept


def _face(track: dict[int, np.ndarray], n_frames: int) -> Face:
    """Return a track as arrays over all frames."""
    landmarks = np.zeros((n_frames, N_POINTS, 3), np.float32)
    found = np.zeros(n_frames, bool)
    for number, points in track.items():
        landmarks[number], found[number] = points, True
    return Face(landmarks, found)


def _distance(points: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Distance (frames,) of two landmarks."""
    return np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=1)
