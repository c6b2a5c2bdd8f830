"""The probe finds what is there and nothing else."""

import numpy as np
import pytest

from syncvoice.reporting.probe import Frames, energy_of, probe, r_squared, with_context


def make_frames(seed: int, informative: bool) -> Frames:
    draw = np.random.default_rng(seed)
    phone = draw.integers(0, 4, 800)
    energy = draw.standard_normal(800)
    seen = (
        np.stack([energy, phone == 1, phone == 2, phone == 3], axis=1)
        if informative
        else draw.standard_normal((800, 4))
    )
    return Frames({"lip": seen + 0.01 * draw.standard_normal(seen.shape)}, energy, -energy, phone)


def test_informative_features_are_read_and_noise_is_not() -> None:
    good = {row["target"]: row["value"] for row in probe(make_frames(1, True), {"test": make_frames(2, True)})}
    assert good["energy"] > 0.99 and good["opening"] > 0.99 and good["phone"] > 0.95
    bad = {row["target"]: row for row in probe(make_frames(1, False), {"test": make_frames(2, False)})}
    assert abs(bad["energy"]["value"]) < 0.05
    assert bad["phone"]["value"] < bad["phone"]["chance"] + 0.1


def test_energy_is_the_mean_of_a_video_frames_mel_frames() -> None:
    mel = np.repeat(np.arange(15.0)[:, None], 100, axis=1)  # 4 video frames
    np.testing.assert_allclose(energy_of(mel, 4), [1.5, 5.5, 9.5, 13.0])


def test_context_repeats_the_ends() -> None:
    assert with_context(np.array([[1.0], [2.0], [3.0]]))[0].tolist() == [1, 1, 1, 2, 3]


def test_r_squared() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    assert r_squared(truth, truth) == 1
    assert r_squared(truth, np.full(3, 2.0)) == pytest.approx(0)
