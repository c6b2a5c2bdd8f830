"""Clocks: exact conversions for every length."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from syncvoice import clocks

LENGTHS = st.integers(0, 200_000)


@given(LENGTHS)
def test_mel_frames_round_half_up(n: int) -> None:
    assert clocks.mel_frames(n) == (clocks.samples(n) + clocks.HOP // 2) // clocks.HOP
    assert abs(clocks.mel_frames(n) - 3.75 * n) <= 0.5


def test_mel_frames_equal_lhotse() -> None:
    from lhotse.utils import compute_num_frames

    for n in range(1, 3000):
        assert clocks.mel_frames(n) == compute_num_frames(n / 25, 256 / 24_000, 24_000)


@given(st.integers(1, 200_000))
def test_vocoder_output_is_padded_or_cut_by_less_than_a_hop(n: int) -> None:
    assert abs((clocks.mel_frames(n) - 1) * clocks.HOP - clocks.samples(n)) <= 1.5 * clocks.HOP


@given(st.integers(1, 5_000))
def test_every_mel_frame_belongs_to_a_video_frame_and_back(n: int) -> None:
    owner = np.array([clocks.video_frame_of_mel(f) for f in range(clocks.mel_frames(n))])
    assert owner[0] == 0 and owner[-1] == n - 1
    assert set(np.diff(owner)) <= {0, 1}
    assert set(np.bincount(owner)[:-1]) <= {3, 4}
    assert np.array_equal(owner, np.floor(clocks.mel_frame_times(len(owner)) * clocks.FPS + 1e-9))


@given(LENGTHS)
def test_samples_and_frames_invert(n: int) -> None:
    assert clocks.video_frames(clocks.samples(n)) == n
    assert clocks.video_frames(clocks.samples(n) + clocks.SAMPLES_PER_FRAME - 1) == n


@given(st.integers(1, 5_000))
def test_frame_centres(n: int) -> None:
    centres = clocks.frame_centres(n)
    assert centres[0] == 0.02 and np.allclose(np.diff(centres), 0.04) and centres[-1] < n / 25
