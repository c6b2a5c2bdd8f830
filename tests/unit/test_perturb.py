"""Videos made worse on purpose: each kind does what it says, by its amount, and nothing else."""

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.section import validated
from syncvoice.video.perturb import (
    AMOUNTS,
    COVER_COLOUR,
    EYES,
    MOUTH,
    Perturbation,
    delayed,
    eye_distance,
    perturbed,
)

SIZE, N, EYE = 128, 20, 32.0  # pixels, frames, pixels


def landmarks() -> np.ndarray:
    """A mesh in the middle: eye corners 32 pixels apart, the mouth 24 pixels below them."""
    points = np.random.default_rng(0).uniform(48, 80, (N, 478, 3)).astype(np.float32)
    points[:, :, 1] += 8
    points[:, EYES[0], :2], points[:, EYES[1], :2] = (48, 52), (80, 52)
    for number, (x, y) in zip(MOUTH, ((56, 76), (72, 76), (64, 72), (64, 80)), strict=True):
        points[:, number, :2] = x, y
    return points


def frames() -> np.ndarray:
    """Grey noise, another picture in every frame; the first pixel tells the number."""
    pictures = np.random.default_rng(1).integers(60, 200, (N, SIZE, SIZE, 3)).astype(np.uint8)
    pictures[:, 0, 0] = np.arange(N)[:, None]
    return pictures


def change(kind: str, amount: float, clip: str = "c1", seed: int = 1) -> np.ndarray:
    """The frames above, perturbed."""
    return perturbed(frames(), landmarks(), clip, Perturbation(kind=kind, amount=amount, seed=seed))


@pytest.mark.parametrize("kind", ["none", "compression", "sound_late"])
def test_kinds_that_change_no_pixel(kind: str) -> None:
    np.testing.assert_array_equal(change(kind, max(0, AMOUNTS[kind][1])), frames())


@pytest.mark.parametrize("kind", ["background", "light", "pose", "mouth_hidden", "blur", "frame_drops"])
def test_the_rest_changes_pixels_the_same_way_every_time_and_keeps_the_length(kind: str) -> None:
    first = change(kind, 0.5 if kind != "pose" else 20)
    assert first.shape == frames().shape and first.dtype == np.uint8
    assert (first != frames()).any()
    np.testing.assert_array_equal(first, change(kind, 0.5 if kind != "pose" else 20))


@pytest.mark.parametrize("kind", ["background", "light", "pose", "mouth_hidden", "frame_drops"])
def test_random_parts_depend_on_clip_and_seed(kind: str) -> None:
    amount = 20 if kind == "pose" else 0.4
    assert (change(kind, amount) != change(kind, amount, clip="c2")).any()
    assert (change(kind, amount) != change(kind, amount, seed=2)).any()


def test_background_leaves_the_face_and_moves_behind_it() -> None:
    found, clean = change("background", 1.0).astype(float), frames()
    np.testing.assert_allclose(found[:, 56:80, 56:72], clean[:, 56:80, 56:72], atol=1)
    assert np.abs(found[:, :8, 1:] - clean[:, :8, 1:]).mean() > 30
    edge = found[:, 4]  # a row above the head: a width per second is 1/25 of the width, five pixels, per frame
    np.testing.assert_array_equal(edge[1, :-5], edge[0, 5:])
    assert np.abs(found[1, 4] - found[0, 4]).mean() > 1


def test_light_takes_its_share_where_it_is_darkest_and_nothing_elsewhere() -> None:
    ratio = change("light", 0.8).astype(float)[:, 1:].mean(axis=(1, 3)) / frames().astype(float)[:, 1:].mean(
        axis=(1, 3)
    )
    assert ratio.min() == pytest.approx(0.2, abs=0.02)
    assert ratio.max() == pytest.approx(1.0, abs=0.01)
    darkest = np.unwrap(ratio.argmin(axis=1) / SIZE * 2 * np.pi)
    assert np.diff(darkest).mean() == pytest.approx(2 * np.pi * 0.5 / 25, rel=0.05)  # half a width per second


def test_pose_turns_by_up_to_its_angle_about_the_face() -> None:
    points = landmarks()
    pictures = np.zeros((25, SIZE, SIZE, 3), np.uint8)
    centre = points[:, :, :2].mean(axis=(0, 1))
    column, row = round(float(centre[0])), round(float(centre[1]))
    pictures[:, row - 40 : row + 41, column - 1 : column + 2] = 255  # an upright bar through the face
    found = perturbed(pictures, np.repeat(points[:1], 25, axis=0), "c1", Perturbation(kind="pose", amount=30))
    angles = []
    for picture in found:
        y, x = np.nonzero(picture[:, :, 0] > 128)
        slope = np.linalg.eigh(np.cov(np.stack([x, y])))[1][:, -1]
        angles.append(np.degrees(np.arctan(slope[0] / slope[1])))
    assert 27 < np.abs(angles).max() < 31
    assert np.std(angles) > 5


@pytest.mark.parametrize(("share", "expected"), [(0.3, 6), (1.0, 20), (0.0, 0)])
def test_the_mouth_is_hidden_in_one_run_of_frames(share: float, expected: int) -> None:
    found = change("mouth_hidden", share)
    hidden = np.flatnonzero((found[:, 72:81, 56:73] == COVER_COLOUR).all(axis=(1, 2, 3)))
    assert len(hidden) == expected
    assert len(hidden) < 2 or (np.diff(hidden) == 1).all()
    np.testing.assert_array_equal(found[:, :58], frames()[:, :58])  # eyes and nose stay


def test_blur_is_in_eye_distances() -> None:
    assert eye_distance(landmarks()) == pytest.approx(EYE)
    dot = np.zeros((N, SIZE, SIZE, 3), np.uint8)
    dot[:, 64, 64] = 255
    dot[:, 63:66, 63:66] = 255
    found = perturbed(dot, landmarks(), "c1", Perturbation(kind="blur", amount=0.1)).astype(float)[0, :, :, 0]
    across = found.sum(axis=0) / found.sum()
    place = np.arange(SIZE)
    spread = np.sqrt((across * (place - 64) ** 2).sum())
    assert spread == pytest.approx(np.hypot(0.1 * EYE, np.sqrt(2 / 3)), rel=0.05)
    np.testing.assert_array_equal(change("blur", 0.0), frames())


def test_dropped_frames_are_held_over() -> None:
    shown = change("frame_drops", 0.5)[:, 0, 0, 0]
    assert shown[0] == 0
    assert (shown != np.arange(N)).sum() == round(0.5 * (N - 1))
    for number, seen in enumerate(shown):
        assert seen == number or seen == shown[number - 1]
    assert set(change("frame_drops", 1.0)[:, 0, 0, 0]) == {0}


def test_sound_is_moved_and_nothing_comes_round() -> None:
    sound = np.arange(1, 24_001, dtype=np.float32)
    late = delayed(sound, Perturbation(kind="sound_late", amount=200))
    assert len(late) == len(sound) and not late[:4800].any()
    np.testing.assert_array_equal(late[4800:], sound[:-4800])
    early = delayed(sound, Perturbation(kind="sound_late", amount=-100))
    np.testing.assert_array_equal(early[:-2400], sound[2400:])
    assert not early[-2400:].any()
    assert not delayed(sound, Perturbation(kind="sound_late", amount=2000)).any()
    np.testing.assert_array_equal(delayed(sound, Perturbation(kind="blur", amount=0.1)), sound)


def test_amounts_are_checked_by_kind() -> None:
    with pytest.raises(UserError, match=r"amount is 1.5; of mouth_hidden it is: share of the frames, from 0 to 1"):
        validated(Perturbation, {"kind": "mouth_hidden", "amount": 1.5}, "study.yaml")
    with pytest.raises(UserError, match="rate factor"):
        validated(Perturbation, {"kind": "compression", "amount": 5}, "study.yaml")
    assert Perturbation(kind="compression", amount=45).quality == 45
    assert Perturbation(kind="blur", amount=0.1).quality == 18
    with pytest.raises(ValueError, match="20 frames and landmarks of 3"):
        perturbed(frames(), landmarks()[:3], "c1", Perturbation(kind="none"))
