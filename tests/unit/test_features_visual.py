"""Lip and face features: what they follow, what they must not see."""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.features.base import make_extractor
from syncvoice.features.extractors.mesh_face import POSE_POINTS, USED_POINTS, face_features
from syncvoice.features.extractors.mesh_face import VALUES as FACE_VALUES
from syncvoice.features.extractors.mesh_lip import VALUES as LIP_VALUES
from syncvoice.features.extractors.mesh_lip import lip_features
from syncvoice.features.mesh import align, with_differences
from syncvoice.minidub.face import FaceRenderer, identity_of
from syncvoice.minidub.face_motion import MOTION
from syncvoice.records.clips import Clip
from syncvoice.text.articulation import VISEMES
from syncvoice.video.detect import MediaPipeMesh
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import STABLE_POINTS, make_track
from tests.unit.clip_files import face_frames

LIP_NAMES = [row[0] for row in LIP_VALUES]
FACE_NAMES = [row[0] for row in FACE_VALUES]
LOWER_LIP = [14, 17, 84, 87, 88, 91, 95, 146, 178, 181, 314, 317, 318, 321, 324, 375, 402, 405, 148, 152, 377, 176, 400]


@pytest.fixture(scope="module")
def mesh() -> np.ndarray:
    """Landmarks of a still face, (40, 478, 3)."""
    (landmarks,) = MediaPipeMesh().detect(face_frames(1))[0]
    return np.repeat(landmarks[None], 40, axis=0)


def opening(landmarks: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Move lower lip and chin down by `amount` pixels."""
    moved = landmarks.copy()
    moved[:, LOWER_LIP, 1] += amount[:, None]
    return moved


def turned(landmarks: np.ndarray, yaw: np.ndarray, roll: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Turn the head around its middle and move it."""
    out = np.empty_like(landmarks)
    for k, (points, a, b) in enumerate(zip(landmarks, yaw, roll, strict=True)):
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        centre = points.mean(axis=0)
        out[k] = scale * (points - centre) @ (about_z @ about_y).T + centre + [3 * k, 2 * k, 0]
    return out


def test_lip_features_follow_the_opening(mesh: np.ndarray) -> None:
    amount = 6 + 6 * np.sin(np.arange(40) / 3)
    features = lip_features(opening(mesh, amount))
    assert features.shape == (40, 2 * len(LIP_NAMES)) and features.dtype == np.float32
    for name in ("inner_centre", "outer_centre", "jaw", "inner_area"):
        assert np.corrcoef(features[:, LIP_NAMES.index(name)], amount)[0, 1] > 0.98, name
    speed = features[:, len(LIP_NAMES) + LIP_NAMES.index("inner_centre")]
    assert np.corrcoef(speed[1:-1], np.gradient(amount)[1:-1])[0, 1] > 0.98


def test_lip_features_do_not_see_head_pose_nor_size(mesh: np.ndarray) -> None:
    amount = 6 + 6 * np.sin(np.arange(40) / 3)
    still = opening(mesh, amount)
    moving = turned(still, 0.2 * np.sin(np.arange(40) / 9), 0.1 * np.cos(np.arange(40) / 8), scale=2.5)
    assert (
        np.abs(lip_features(moving) - lip_features(still)).max() < 0.5
    )  # head motion is smoothed over 5 frames, hence not zero
    assert lip_features(still).std(axis=0).max() > 0.5


def test_face_features_follow_head_and_brows(mesh: np.ndarray) -> None:
    yaw, roll = 0.03 * np.sin(np.arange(40) / 4), 0.02 * np.cos(np.arange(40) / 5)
    features = face_features(turned(mesh, yaw, roll))
    assert features.shape == (40, 2 * len(FACE_NAMES)) and features.dtype == np.float32
    assert abs(np.corrcoef(features[:, FACE_NAMES.index("yaw")], yaw)[0, 1]) > 0.98
    assert abs(np.corrcoef(features[:, FACE_NAMES.index("roll")], roll)[0, 1]) > 0.98
    raised = mesh.copy()
    raised[20:, [107, 55, 336, 285], 1] -= 3
    step = face_features(raised)[:, FACE_NAMES.index("brow_inner")]
    assert step[25] > step[10] + 0.5


def test_face_features_cannot_see_mouth_or_jaw(mesh: np.ndarray) -> None:
    nose_base = mesh[0, 2, 1]
    below = np.flatnonzero(mesh[0, :, 1] >= nose_base - 1)
    assert not set(below) & USED_POINTS, "only points above the nose base are used"
    assert {13, 14, 17, 61, 152, 0} <= set(below.tolist())
    noise = np.random.default_rng(0).normal(0, 20, (40, len(below), 3))
    moved = mesh.copy()
    moved[:, below] += noise
    assert np.array_equal(face_features(moved), face_features(mesh))


@pytest.mark.parametrize(("name", "sex"), [("m1", "male"), ("f2", "female")])
def test_face_features_do_not_follow_the_mouth_of_a_still_head_as_the_nod_does(name: str, sex: str) -> None:
    phase = 0.7 * np.arange(50)
    mouth = np.tile(np.array([VISEMES["ə"][:5]], np.float32), (50, 1))
    mouth[:, 0] = 0.45 + 0.4 * np.sin(phase)
    still = np.zeros((50, len(MOTION)), np.float32)
    landmarks, _ = MediaPipeMesh().detect(list(FaceRenderer(identity_of(name, sex)).render(mouth, still)))

    def follows(feature: np.ndarray) -> np.ndarray:
        """How far each column swings with the mouth, in its standard deviations."""
        return np.abs(2 * np.mean((feature - feature.mean(axis=0)) * np.exp(1j * phase)[:, None], axis=0))

    nod = make_extractor("head_pose").from_landmarks(landmarks)[:, 1:2]  # type: ignore[attr-defined]
    values = face_features(landmarks)[:, : len(FACE_NAMES)]
    assert follows(nod)[0] > 1.2 and follows(values).max() < 0.8 and "pitch" not in FACE_NAMES
    assert follows(lip_features(landmarks)[:, :1])[0] > 0.8


def test_real_face_is_well_scaled(mesh: np.ndarray) -> None:
    frames = [np.roll(frame, k % 3, axis=0) for k, frame in enumerate(face_frames(20))]
    landmarks, _ = MediaPipeMesh().detect(frames)
    for features in (lip_features(landmarks), face_features(landmarks)):
        assert np.isfinite(features).all() and np.abs(features).max() <= 6


def test_alignment_recovers_the_mean_face() -> None:
    for points in (STABLE_POINTS, POSE_POINTS):
        landmarks = np.zeros((3, 478, 3))
        landmarks[:, list(points)] = np.array(list(points.values())) * 55 + [100, 120, 5]
        aligned = align(landmarks, points, 1)
        assert np.allclose(aligned.points[:, list(points)], np.array(list(points.values())), atol=1e-9)
        assert np.allclose(aligned.scale, 1 / 55) and np.allclose(aligned.rotation, np.eye(3), atol=1e-9)


def test_the_slow_opening_keeps_syllables_and_loses_what_is_faster(mesh: np.ndarray) -> None:
    still = np.repeat(mesh, 4, axis=0)
    seconds = np.arange(len(still)) / 25

    def swing(hz: float) -> float:
        """Size of the feature's movement for an opening that moves at `hz`."""
        return float(
            make_extractor("mouth_opening")
            .from_landmarks(opening(still, 6 + 2 * np.sin(2 * np.pi * hz * seconds)))[20:-20, 0]  # type: ignore[attr-defined]
            .std()
        )

    assert swing(6.0) / swing(0.5) == pytest.approx(0.5, abs=0.03)  # half of it is left at the limit
    assert swing(2.0) / swing(0.5) == pytest.approx(0.5 ** (1 / 9), abs=0.03) and swing(11.0) < 0.15 * swing(0.5)


def test_differences_are_central() -> None:
    values = np.arange(6.0)[:, None] ** 2
    assert with_differences(values)[:, 1].tolist() == [0.5, 2, 4, 6, 8, 4.5]


def test_extractors_read_track_shards_and_name_clips_without_face(tmp_path: Path, mesh: np.ndarray) -> None:
    with TrackWriter(tmp_path / "t.h5") as writer:
        writer.add("a", make_track(mesh, np.ones(40, bool)), [], [])
    common = {"split": "s", "dataset": "d", "speaker": "p", "sex": "", "voice_seen": "", "language": "en", "source": ""}
    clip = Clip(id="a", **common, text="t", video=None, audio=Path("a.wav"), n_frames=40, track=tmp_path / "t.h5")
    blind = Clip(id="b", **common, text="t", video=None, audio=Path("b.wav"), n_frames=40)
    for name in ("mesh_lip", "mesh_face", "head_pose", "mouth_opening"):
        extractor = make_extractor(name)
        assert extractor.extract(clip).shape == (40, extractor.dim)
        with pytest.raises(UserError, match="'b'"):
            extractor.extract(blind)
