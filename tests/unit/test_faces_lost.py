"""What perturbed video costs the front-end."""

import numpy as np
import pytest

from syncvoice.reporting.faces_lost import COLUMNS, EYES, LIPS, Seen, compare_gaps, faces_lost, lip_gap, markdown
from syncvoice.reporting.settings import Bootstrap


def mesh(gaps: np.ndarray, degrees: float = 0.0, size: float = 1.0) -> np.ndarray:
    """Landmarks whose eyes are 50 units apart and whose lips open by gaps of that, turned and scaled."""
    points = np.zeros((len(gaps), 478, 3), np.float32)
    points[:, EYES[1], 0] = 50
    points[:, LIPS[0], :2] = 25, 40
    points[:, LIPS[1], 0], points[:, LIPS[1], 1] = 25, 40 + 50 * gaps
    angle = np.radians(degrees)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    points[:, :, :2] = points[:, :, :2] @ turn.T + 7
    return points


def test_the_gap_does_not_depend_on_turn_place_and_size() -> None:
    gaps = np.array([0.0, 0.1, 0.3])
    np.testing.assert_allclose(lip_gap(mesh(gaps)), gaps, atol=1e-6)
    np.testing.assert_allclose(lip_gap(mesh(gaps, 35, 2.5)), gaps, atol=1e-5)


def test_gaps_are_compared_frame_by_frame() -> None:
    clean = np.array([0.0, 0.1, 0.2, 0.1])
    assert compare_gaps(clean, clean) == pytest.approx((0, 1))
    error, correlation = compare_gaps(clean, 0.2 - clean)
    assert (error, correlation) == pytest.approx((0.1, -1))
    assert np.isnan(compare_gaps(clean, np.full(4, 0.1))[1])
    with pytest.raises(ValueError, match="4 and 3 frames"):
        compare_gaps(clean, clean[:3])


def test_lost_clips_and_frames_are_counted_and_printed() -> None:
    gaps = np.array([0.0, 0.1, 0.3, 0.2])
    clean = {name: Seen(mesh(gaps), np.ones(4, bool)) for name in ("a", "b")}
    kept = {"a": Seen(mesh(gaps + 0.02), np.array([True, False, True, True])), "b": Seen(mesh(gaps), np.ones(4, bool))}
    what = {"split": "test_blur", "of": "test", "kind": "blur", "amount": 0.1}
    line = faces_lost(clean, kept, ["face_lost", "no_face", "face_lost"], what, Bootstrap(resamples=100))
    assert set(line) == set(COLUMNS)
    assert (line["clips"], line["clips_lost"], line["reasons"]) == (5, 3, "face_lost 2, no_face 1")
    assert (line["frames"], line["frames_lost"]) == (8, 1)
    assert line["gap_error"] == pytest.approx(0.01)
    assert line["gap_correlation"] == pytest.approx(1)
    none = faces_lost(clean, {}, ["no_face"] * 2, {**what, "split": "test_black"}, Bootstrap(resamples=100))
    assert (none["clips_lost"], none["frames"]) == (2, 0)
    text = markdown([line, none])
    assert "| test_blur | blur | 0.1 | 3 of 5 | face_lost 2, no_face 1 | 1 of 8 (12.5 %) | 1.0 [" in text
    assert "| 2 of 2 | no_face 2 | 0 of 0 | – | – |" in text
