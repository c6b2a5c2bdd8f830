"""Cuts between shots, profiles and tiny faces are refused with a reason; what people do in front of a camera is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from syncvoice.video.decode import ClipProblem, FrameSource
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PrepareSettings, follow_face, prepare_clip
from syncvoice.video.shots import Watched, check_cuts, check_view, yaw_degrees
from tests.unit.clip_files import blank_frames, clicks, face_frames, portrait, real_data, write_video
from tests.unit.test_several import face_at

RULES = [PrepareSettings(several_faces=rule) for rule in ("first", "longest")]


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return RULES[0].make_detector()


def on_canvas(frames: list[np.ndarray], x: int, y: int, level: int, size: tuple[int, int] = (320, 480)) -> list:
    """Frames on a larger picture of one grey level."""
    shown = []
    for frame in frames:
        canvas = np.full((*size, 3), level, np.uint8)
        canvas[y : y + frame.shape[0], x : x + frame.shape[1]] = frame
        shown.append(canvas)
    return shown


def problem_of(frames: list[np.ndarray], detector: FaceDetector, settings: PrepareSettings) -> ClipProblem:
    with pytest.raises(ClipProblem) as caught:
        follow_face(frames, detector, settings)
    return caught.value


@pytest.mark.parametrize("settings", RULES, ids=["first", "longest"])
@pytest.mark.parametrize("cut", [9, 14])
def test_a_cut_is_refused_and_its_frame_is_named(detector: FaceDetector, settings: PrepareSettings, cut: int) -> None:
    faces = face_frames(25)
    frames = on_canvas(faces[:cut], 10, 60, 200) + on_canvas(faces[cut:], 246, 40, 40)
    problem = problem_of(frames, detector, settings)
    assert problem.reason == "scene_cut" and f"frame {cut} " in problem.message


def test_a_cut_to_a_closer_shot_is_refused(detector: FaceDetector) -> None:
    wide = [cv2.resize(frame, (176, 176), interpolation=cv2.INTER_AREA) for frame in face_frames(12)]
    close = [cv2.resize(frame, (320, 320)) for frame in face_frames(12)]
    frames = on_canvas(wide, 92, 72, 90, (320, 360)) + on_canvas(close, 20, 0, 90, (320, 360))
    assert problem_of(frames, detector, RULES[0]).reason == "scene_cut"


def test_moves_flashes_and_cuts_without_a_jump_are_no_cut(detector: FaceDetector) -> None:
    faces = face_frames(24)
    moved = [on_canvas([face], 8 * k, 60, 120)[0] for k, face in enumerate(faces)]  # walks 190 pixels in a second
    flash = [
        np.clip(face.astype(int) + (70 if k == 10 else 0), 0, 255).astype(np.uint8) for k, face in enumerate(faces)
    ]
    behind = on_canvas(faces[:12], 120, 60, 200) + on_canvas(faces[12:], 120, 60, 40)  # the light goes out behind
    for frames in (moved, flash, behind):
        assert follow_face(frames, detector, RULES[0]).found.mean() > 0.9


def test_cuts_need_both_a_new_picture_and_a_jump() -> None:
    stays, jumps = [face_at(100)[None]] * 20, [face_at(100 if k < 10 else 220)[None] for k in range(20)]
    calm, change = [0.0] + [2.0] * 19, [0.0] + [2.0] * 19
    change[10] = 30.0
    for detections, differences in ((stays, calm), (stays, change), (jumps, calm)):
        check_cuts(detections, differences, 5)
    with pytest.raises(ClipProblem, match="at frame 10 "):
        check_cuts(jumps, change, 5)
    late = [face if not 10 <= k < 13 else face[:0] for k, face in enumerate(jumps)]  # the new face is found later
    with pytest.raises(ClipProblem, match="at frame 10 "):
        check_cuts(late, change, 5)
    check_cuts(jumps[:1], [0.0], 5)
    restless = [0.0] + [20.0] * 19  # a hand-held picture that changes all the time
    check_cuts(jumps, restless, 5)


def test_frames_are_compared_on_their_way() -> None:
    frames = [*blank_frames(3, 64), *blank_frames(2, 48)]
    watched = Watched(frames)
    assert all(a is b for a, b in zip(watched, frames, strict=True))
    assert watched.differences == [0, 3, 3, 0, 3], "nothing is compared across a change of size"


def turned(degrees: float) -> np.ndarray:
    """Landmarks of a schematic face, turned about the vertical axis."""
    points = face_at(0)
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    return (points @ rotation.T).astype(np.float32)


@pytest.mark.parametrize("degrees", [-70, -30, 0, 30, 70])
def test_yaw_is_measured(degrees: float) -> None:
    assert yaw_degrees(turned(degrees)[None])[0] == pytest.approx(degrees, abs=0.1)
    tilted = turned(degrees) @ np.array([[0.9, 0.436, 0], [-0.436, 0.9, 0], [0, 0, 1]], np.float32)
    assert yaw_degrees(tilted[None])[0] == pytest.approx(degrees, abs=0.5), "a tilt to a shoulder is no turn"


def test_profiles_and_small_faces_are_refused() -> None:
    found = np.ones(20, bool)
    ahead, away = turned(10), turned(-60)
    few, many = (np.stack([away if k < n else ahead for k in range(20)]) for n in (4, 5))
    check_view(few, found, np.full(20, 50.0), 48, 50, 0.2)
    for landmarks, side, reason in ((many, 50.0, "profile"), (few, 47.0, "small_face")):
        with pytest.raises(ClipProblem) as caught:
            check_view(landmarks, found, np.full(20, side), 48, 50, 0.2)
        assert caught.value.reason == reason
    found[:5] = False  # frames without a face say nothing about its view
    check_view(many, found, np.full(20, 50.0), 48, 50, 0.2)


def test_limits_reach_a_clip_from_its_settings(tmp_path: Path, detector: FaceDetector) -> None:
    small = [cv2.resize(frame, (160, 160), interpolation=cv2.INTER_AREA) for frame in face_frames(15)]
    path = write_video(tmp_path / "a.mkv", on_canvas(small, 80, 80, 100, (320, 320)), clicks(15 * 960))
    box = prepare_clip(path, detector, PrepareSettings(min_face_pixels=1)).track.box
    assert 48 < np.median(box[:, 2] - box[:, 0]) < 96
    for settings, reason in (
        (PrepareSettings(min_face_pixels=96), "small_face"),
        (PrepareSettings(min_face_pixels=1, max_yaw_degrees=0.0, max_profile_share=0.0), "profile"),
        (PrepareSettings(max_pixels=320 * 319), "too_large"),
        (PrepareSettings(max_seconds=0.5), "too_long"),
    ):
        with pytest.raises(ClipProblem) as caught:
            prepare_clip(path, detector, settings)
        assert caught.value.reason == reason, caught.value.message


def test_a_face_lost_for_a_moment_is_interpolated(detector: FaceDetector) -> None:
    frames = face_frames(30)
    gone = [np.full_like(portrait(), 128) if 12 <= k < 16 else frame for k, frame in enumerate(frames)]
    track = follow_face(gone, detector, RULES[0])
    assert not track.found[12:16].any() and track.found.sum() >= 25
    assert np.abs(track.landmarks[14] - (track.landmarks[11] + track.landmarks[17]) / 2)[:468, :2].mean() < 3
    longer = [np.full_like(portrait(), 128) if 12 <= k < 19 else frame for k, frame in enumerate(frames)]
    assert problem_of(longer, detector, RULES[0]).reason == "face_lost"


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
def test_real_speakers_cut_together_are_refused(tmp_path: Path, detector: FaceDetector) -> None:
    """GRID speakers sit in nearly the same place, so one shot is moved aside; each alone is accepted."""
    folders = sorted(path for path in real_data("grid").iterdir() if path.is_dir())[:2]
    shots = [list(FrameSource(sorted(folder.rglob("*.mpg"))[0]))[:30] for folder in folders]
    for shot in shots:
        assert follow_face(shot, detector, RULES[0]).found.all()
    aside = [np.roll(frame, 120, axis=1) for frame in shots[1]]
    problem = problem_of(shots[0] + aside, detector, RULES[0])
    assert problem.reason == "scene_cut" and "frame 30 " in problem.message
