"""Tracks: gaps, smoothing, similarity transforms, boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.video.decode import ClipProblem
from syncvoice.video.track import (
    STABLE_INDEX,
    STABLE_LAYOUT,
    face_boxes,
    fill_gaps,
    longest_gap,
    make_track,
    similarity_2d,
    smooth,
)


def ramp(n: int) -> np.ndarray:
    """Landmarks that move one pixel per frame."""
    return np.broadcast_to(np.arange(n, dtype=np.float32)[:, None, None], (n, 478, 3)).copy()


def mean_face(n: int, scale: float = 60.0, centre: tuple[float, float] = (100.0, 80.0)) -> np.ndarray:
    """Landmarks whose stable points are the mean face."""
    landmarks = np.zeros((n, 478, 3), np.float32)
    landmarks[:, STABLE_INDEX] = STABLE_LAYOUT * scale
    landmarks[:, :, :2] += np.array(centre)
    return landmarks


def test_lost_frames_are_interpolated() -> None:
    landmarks = ramp(10)
    found = np.ones(10, bool)
    found[[0, 4, 5, 9]] = False
    landmarks[~found] = -1000
    filled = fill_gaps(landmarks, found, 5)
    assert filled[:, 0, 0].tolist() == [1, 1, 2, 3, 4, 5, 6, 7, 8, 8]


@pytest.mark.parametrize(("gap", "reason"), [(5, None), (6, "face_lost"), (20, "no_face")])
def test_long_gaps_are_refused(gap: int, reason: str | None) -> None:
    found = np.ones(20, bool)
    found[:gap] = False
    if reason is None:
        assert make_track(mean_face(20), found, 5).found.sum() == 15
        return
    with pytest.raises(ClipProblem) as caught:
        make_track(mean_face(20), found, 5)
    assert caught.value.reason == reason


def test_longest_gap() -> None:
    assert longest_gap(np.array([1, 0, 0, 1, 0, 0, 0], bool)) == (3, 4)
    assert longest_gap(np.ones(3, bool)) == (0, 0)
    assert longest_gap(np.zeros(3, bool)) == (3, 0)


@given(n=st.integers(1, 40), window=st.integers(1, 15))
@settings(max_examples=40, deadline=None)
def test_smoothing_keeps_constants_and_length(n: int, window: int) -> None:
    assert np.allclose(smooth(np.full((n, 2), 3.5), window), 3.5)


def test_smoothing_is_a_centred_mean() -> None:
    values = np.arange(20.0)
    assert np.allclose(smooth(values, 5)[2:-2], values[2:-2])
    assert smooth(values, 1).tolist() == values.tolist()


@given(angle=st.floats(-3, 3), scale=st.floats(0.1, 10), x=st.floats(-500, 500), y=st.floats(-500, 500))
@settings(max_examples=50, deadline=None)
def test_similarity_is_recovered(angle: float, scale: float, x: float, y: float) -> None:
    layout = STABLE_LAYOUT[:, :2]
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (layout @ rotation.T + [x, y])[None]
    (matrix,) = similarity_2d(points, layout)
    assert np.allclose(points[0] @ matrix[:, :2].T + matrix[:, 2], layout, atol=1e-6)


def test_box_is_square_follows_the_face_and_ignores_the_mouth() -> None:
    landmarks = mean_face(10)
    boxes = face_boxes(landmarks)
    assert np.allclose(boxes[:, 2] - boxes[:, 0], 2.4 * 60, atol=1e-3)
    assert np.allclose((boxes[:, 0] + boxes[:, 2]) / 2, 100, atol=1e-3)
    assert np.allclose((boxes[:, 1] + boxes[:, 3]) / 2, 80 + 0.45 * 60, atol=1e-3)
    opened = landmarks.copy()
    opened[:, [14, 17, 152]] += 30
    assert np.array_equal(face_boxes(opened), boxes)
