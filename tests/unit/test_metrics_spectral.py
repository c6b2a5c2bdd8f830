"""Mel-cepstral distortion with dynamic time warping."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.audio import write_wav
from syncvoice.metrics.scoring import NotApplicable
from syncvoice.metrics.spectral import DECIBEL, McdScorer, dtw_cost, mcd_dtw, mel_cepstra
from tests.unit.spoken import noise, script, speech, utterance


def slow_dtw(first: np.ndarray, second: np.ndarray) -> float:
    """Textbook dynamic programme, cell by cell."""
    cost = np.linalg.norm(first[:, None] - second[None], axis=-1)
    total = np.full(cost.shape, np.inf)
    for i in range(len(first)):
        for j in range(len(second)):
            before = [total[a, b] for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
            total[i, j] = cost[i, j] + (min(before) if before else 0)
    return float(total[-1, -1])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_dtw_equals_the_textbook(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(rows, 3)), random.normal(size=(columns, 3))
    total, steps = dtw_cost(first, second)
    assert total == pytest.approx(slow_dtw(first, second))
    assert max(rows, columns) <= steps <= rows + columns - 1
    assert dtw_cost(second, first)[0] == pytest.approx(total)


def test_dtw_forgives_repetition() -> None:
    sequence = np.random.default_rng(0).normal(size=(20, 13))
    total, steps = dtw_cost(np.repeat(sequence, 2, axis=0), sequence)
    assert total == pytest.approx(0, abs=1e-5)
    assert steps == 40


@pytest.mark.parametrize(("first", "second"), [((0, 3), (4, 3)), ((4, 3), (4, 2))])
def test_dtw_refuses_empty_or_unlike_sequences(first: tuple[int, int], second: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="two non-empty"):
        dtw_cost(np.zeros(first), np.zeros(second))


def test_distortion_is_in_decibel() -> None:
    """A constant difference of 1 in one cepstrum is 10 / ln 10 * sqrt(2) dB."""
    cepstra = np.zeros((5, 13))
    shifted = cepstra.copy()
    shifted[:, 4] = 1
    assert mcd_dtw(cepstra, shifted) == pytest.approx(DECIBEL) == pytest.approx(6.1418, abs=1e-4)


def test_same_sound_is_perfect_and_level_does_not_matter() -> None:
    audio = speech("f2").audio
    cepstra = mel_cepstra(audio)
    assert cepstra.shape[1] == 13
    assert mcd_dtw(cepstra, cepstra) == pytest.approx(0, abs=1e-2)
    assert mcd_dtw(mel_cepstra(0.5 * audio), cepstra) < 0.2


def test_closer_sounds_have_less_distortion() -> None:
    original = mel_cepstra(speech("f2").audio)
    noisy = mcd_dtw(mel_cepstra(speech("f2").audio + noise(10, 0.0003)[: len(speech("f2").audio)]), original)
    other_voice = mcd_dtw(mel_cepstra(speech("m1").audio), original)
    only_noise = mcd_dtw(mel_cepstra(noise(2.0)), original)
    assert 0 < noisy < other_voice < only_noise


def test_silence_has_a_defined_value() -> None:
    assert np.isfinite(mcd_dtw(mel_cepstra(np.zeros(24_000, np.float32)), mel_cepstra(speech("f2").audio)))


def test_scorer_compares_with_the_clip_of_the_same_text(tmp_path) -> None:
    write_wav(tmp_path / "clip.wav", speech("f2").audio, 24_000)
    clip = SimpleNamespace(audio=tmp_path / "clip.wav", text=script(), language="en")
    scorer = McdScorer({"u1": clip})
    (score,) = scorer.score(utterance(speech("f2").audio, text=script()))
    assert score.metric == "mcd_dtw.melcep13" and score.value < 0.1
    with pytest.raises(NotApplicable, match="something else"):
        scorer.score(utterance(speech("f2").audio, text="你好", language="zh"))
    with pytest.raises(NotApplicable, match="not in the manifest"):
        McdScorer({}).score(utterance(speech("f2").audio, text=script()))
