"""DNSMOS: windows and the direction of its scores."""

import numpy as np
import pytest

from syncvoice.metrics.naturalness import DnsmosScorer, windows
from tests.unit.spoken import at_16k, noise, speech, utterance

SIZE = 144_160


@pytest.fixture(scope="module")
def scorer() -> DnsmosScorer:
    return DnsmosScorer.from_sources(None)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return at_16k(speech("f2").audio)


def test_short_sound_is_repeated_by_doubling() -> None:
    audio = np.arange(48_000, dtype=np.float32)
    (first,) = windows(audio)
    np.testing.assert_array_equal(first, np.tile(audio, 4)[:SIZE])
    assert windows(audio, all_windows=True).shape == (3, SIZE)  # 12 s


def test_long_sound_gets_a_window_every_second() -> None:
    audio = np.arange(16_000 * 12, dtype=np.float32)
    cut = windows(audio)
    np.testing.assert_array_equal(cut[:, 0], [0, 16_000, 32_000])
    assert cut.shape == (3, SIZE)
    assert windows(audio[:SIZE]).shape == (1, SIZE)


def test_empty_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        windows(np.zeros(0, np.float32))


def test_noise_lowers_every_score(scorer: DnsmosScorer, clean: np.ndarray) -> None:
    good = scorer.predict(clean)
    bad = scorer.predict(clean + noise(len(clean) / 16_000, 0.1, 16_000)[: len(clean)])
    assert good.background > bad.background + 0.5
    assert good.overall > bad.overall + 0.3
    assert 1 <= bad.overall < good.overall <= 5


def test_first_window_stands_for_all_and_repeats(scorer: DnsmosScorer, clean: np.ndarray) -> None:
    one, every = scorer.predict(clean), scorer.predict(clean, all_windows=True)
    assert abs(one.overall - every.overall) < 0.15
    assert scorer.predict(clean) == one


def test_scores_are_named(scorer: DnsmosScorer) -> None:
    scores = scorer.score(utterance(np.zeros(24_000)))
    assert [score.metric for score in scores] == ["dnsmos_ovrl.p835", "dnsmos_sig.p835", "dnsmos_bak.p835"]
    assert np.isfinite([score.value for score in scores]).all()
    assert len(scorer.weights_sha256) == 64 and "speechmos" in scorer.VERSION
