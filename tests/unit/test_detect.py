"""Face detection: determinism, independence of order, counting faces."""

import os

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.video.detect import MediaPipeMesh, _coordinates, _quiet, make_detector
from tests.unit.clip_files import blank_frames, face_frames, portrait, real_data

TASK_MODEL = real_data("face/face_landmarker.task")


@pytest.fixture(scope="module")
def detector() -> MediaPipeMesh:
    return MediaPipeMesh()


def test_finds_the_face_where_it_is(detector: MediaPipeMesh) -> None:
    landmarks, found = detector.detect(face_frames(6))
    assert landmarks.shape == (6, 478, 3) and landmarks.dtype == np.float32 and found.all()
    left_eye, right_eye, chin = landmarks[0, 33], landmarks[0, 263], landmarks[0, 152]
    assert 20 < right_eye[0] - left_eye[0] < 112 and abs(right_eye[1] - left_eye[1]) < 20
    assert chin[1] > left_eye[1] + 20


def test_result_does_not_depend_on_what_came_before(detector: MediaPipeMesh) -> None:
    frames = face_frames(8)
    first, _ = detector.detect(frames)
    detector.detect([np.flipud(frame) for frame in frames])
    detector.detect(blank_frames(3))
    again, _ = detector.detect(frames)
    fresh, _ = MediaPipeMesh().detect(frames)
    assert np.array_equal(first, again) and np.array_equal(first, fresh)


def test_no_face_is_not_found(detector: MediaPipeMesh) -> None:
    landmarks, found = detector.detect(blank_frames(4))
    assert not found.any() and not landmarks.any()


def test_counts_faces(detector: MediaPipeMesh) -> None:
    pair = np.concatenate([portrait(), portrait()], axis=1)
    assert detector.count_faces([portrait(), pair, blank_frames(1)[0]]) == [1, 2, 0]


@pytest.mark.parametrize("more", [{}, {"visibility": 0.5}])
def test_coordinates_are_read_without_loss(more: dict[str, float]) -> None:
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    points = NormalizedLandmarkList()
    values = np.random.default_rng(1).normal(size=(478, 3)).astype(np.float32)
    values[3] = 0.0, -0.0, 1e-30
    for x, y, z in values.tolist():
        points.landmark.add(x=x, y=y, z=z, **more)  # with more fields the bytes have another layout
    for given in (points, points.landmark):
        assert _coordinates(given).tobytes() == values.tobytes()
    assert _coordinates(NormalizedLandmarkList()).size == 0


def test_unknown_detector_and_missing_model_are_user_errors() -> None:
    with pytest.raises(UserError, match="mediapipe_mesh"):
        make_detector("dlib")
    with pytest.raises(UserError, match="face_landmarker.task"):
        make_detector("mediapipe_tasks", "nowhere/face_landmarker.task")


@pytest.mark.skipif(not TASK_MODEL.is_file(), reason="no face_landmarker.task at hand")
def test_tasks_backend_agrees_with_the_bundled_mesh(detector: MediaPipeMesh) -> None:
    frames = face_frames(6)
    other = make_detector("mediapipe_tasks", str(TASK_MODEL))
    landmarks, found = other.detect(frames)
    again, _ = other.detect(frames)
    assert found.all() and np.array_equal(landmarks, again) and other.weights_sha256
    assert np.abs(landmarks - detector.detect(frames)[0])[..., :2].mean() < 2.0
    assert other.count_faces(frames[:1]) == [1]


def test_quiet_gives_the_descriptor_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), _quiet():
        os.write(2, b"lost")
        raise RuntimeError
    os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"
