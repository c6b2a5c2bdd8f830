"""A rendered face is found by the tracker, and shows the movement that drove it."""

import numpy as np
import pytest

from syncvoice.minidub.face import FaceRenderer, identity_of, motion
from syncvoice.minidub.face_mesh import FRAME
from syncvoice.minidub.face_motion import MOTION
from syncvoice.text.articulation import VISEMES

BROWS = MOTION.index("brows")


@pytest.fixture(scope="module")
def renderer() -> FaceRenderer:
    return FaceRenderer(identity_of("m1", "male"))


def still(n_frames: int) -> np.ndarray:
    return np.zeros((n_frames, len(MOTION)), np.float32)


def curves(*symbols: str) -> np.ndarray:
    return np.array([VISEMES[symbol][:5] for symbol in symbols], np.float32)


def test_identity_depends_on_the_name_only() -> None:
    assert identity_of("f1", "female") == identity_of("f1", "f")
    assert identity_of("f1", "female") != identity_of("f2", "female")


def test_frames(renderer: FaceRenderer) -> None:
    frames = list(renderer.render(curves("_", "ɑ"), still(2)))
    assert all(frame.shape == (FRAME, FRAME, 3) and frame.dtype == np.uint8 for frame in frames)
    again = list(renderer.render(curves("ɑ"), still(1)))
    np.testing.assert_array_equal(frames[1], again[0])


def test_mouth_moves_only_the_lower_face(renderer: FaceRenderer) -> None:
    rest, wide = (frame.astype(int) for frame in renderer.render(curves("_", "ɑ"), still(2)))
    changed = np.abs(rest - wide).max(axis=2) > 12
    nose = int(renderer.landmarks(curves("_"), still(1))[0, 2, 1])
    assert changed[nose:].sum() > 500 and changed[: nose - 8].sum() == 0


def test_open_mouth_is_dark_inside_and_shut_mouth_is_not(renderer: FaceRenderer) -> None:
    shut, wide = renderer.render(curves("m", "ɑ"), still(2))
    lips = renderer.landmarks(curves("m", "ɑ"), still(2))
    x, y = lips[1, 13, 0], 0.4 * lips[1, 13, 1] + 0.6 * lips[1, 14, 1]
    dark = wide[int(y) - 1 : int(y) + 2, int(x) - 3 : int(x) + 4].mean()
    assert dark < 60 < shut[int(y) - 1 : int(y) + 2, int(x) - 3 : int(x) + 4].mean()
    assert lips[0, 14, 1] - lips[0, 13, 1] < 1 < 15 < lips[1, 14, 1] - lips[1, 13, 1]


def test_tracker_sees_the_driven_mouth_and_brows(renderer: FaceRenderer) -> None:
    from mediapipe.python.solutions import face_mesh

    n_frames = 40
    steps = np.arange(n_frames)
    mouth = np.tile(curves("ə"), (n_frames, 1))
    mouth[:, 0] = 0.45 + 0.4 * np.sin(steps * 0.7)
    moves = still(n_frames)
    moves[:, BROWS] = 0.8 * np.sin(steps * 0.33)
    moves[:, 0] = 0.05 * np.sin(steps * 0.2)
    with face_mesh.FaceMesh() as tracker:
        found = [tracker.process(frame).multi_face_landmarks for frame in renderer.render(mouth, moves)]
    assert all(found)
    points = np.array([[(p.x, p.y) for p in faces[0].landmark] for faces in found]) * FRAME
    gap = points[:, 14, 1] - points[:, 13, 1]
    brow = points[:, 133, 1] - points[:, 105, 1]
    assert np.corrcoef(gap, mouth[:, 0])[0, 1] > 0.9
    assert np.corrcoef(brow, moves[:, BROWS])[0, 1] > 0.8
    truth = renderer.landmarks(mouth, moves)
    assert np.median(np.abs(points - truth)) < 2.0


def test_blinks_shut_the_eyes(renderer: FaceRenderer) -> None:
    moves = still(2)
    moves[1, MOTION.index("blink")] = 1.0
    opened, shut = (frame.astype(int) for frame in renderer.render(curves("_", "_"), moves))
    eye = renderer.landmarks(curves("_"), still(1))[0, [159, 145]].mean(axis=0).astype(int)
    patch = np.s_[eye[1] - 2 : eye[1] + 2, eye[0] - 2 : eye[0] + 2]
    assert shut[patch].mean() > opened[patch].mean() + 20


def smooth_energy(seed: int, n_frames: int) -> np.ndarray:
    noise = np.convolve(np.random.default_rng(seed).standard_normal(n_frames + 24), np.ones(9) / 9, "same")[12:-12]
    return np.stack([np.clip(0.45 + noise, 0, 1), np.full(n_frames, 0.5)], axis=1)


@pytest.mark.parametrize(("coupling", "low", "high"), [(1.0, 0.8, 1.0), (0.0, -0.15, 0.15)])
def test_coupling(coupling: float, low: float, high: float) -> None:
    found = []
    for seed in range(40):
        prosody = smooth_energy(seed, 75)
        curve = motion(prosody, 75, coupling, np.random.default_rng(1000 + seed))
        found.append([np.corrcoef(curve[:, MOTION.index(name)], prosody[:, 0])[0, 1] for name in ("brows", "y")])
    assert np.all((low < np.mean(found, axis=0)) & (np.mean(found, axis=0) < high))


def test_independent_motion_has_a_like_spread() -> None:
    spread = {}
    for coupling in (0.0, 1.0):
        clips = [motion(smooth_energy(s, 75), 75, coupling, np.random.default_rng(s)) for s in range(40)]
        spread[coupling] = np.mean([clip.std(axis=0) for clip in clips], axis=0)[:6]
    assert np.all(spread[0.0] < 1.8 * spread[1.0]) and np.all(spread[1.0] < 1.8 * spread[0.0])
