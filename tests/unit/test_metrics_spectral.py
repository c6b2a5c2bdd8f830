"""Mel-cepstral distortion with dynamic time warping."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.audio import write_wav
from syncvoice.metrics.melody.cepstra import dtw_cost, dtw_path, mel_cepstra
from syncvoice.metrics.melody.spectral import DECIBEL, McdScorer, McdVariantsScorer, mcd, mcd_dtw, mcd_dtw_sl
from syncvoice.metrics.scorer import NotApplicable, ScoreError
from tests.unit.real_sounds import grid_clips, grid_sound
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


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_path_is_monotone_and_costs_what_it_says(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.normal(size=(rows, 3)), random.normal(size=(columns, 3))
    total, path = dtw_path(first, second)
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [rows - 1, columns - 1]
    steps = np.diff(path, axis=0)
    assert ((steps == 0) | (steps == 1)).all() and (steps.sum(axis=1) >= 1).all()
    assert np.linalg.norm(first[path[:, 0]] - second[path[:, 1]], axis=1).sum() == pytest.approx(total)


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


def test_plain_distortion_measures_timing_and_the_penalty_measures_length() -> None:
    random = np.random.default_rng(0)
    sequence = random.normal(size=(40, 13))
    assert mcd(sequence, sequence) == 0 and mcd_dtw_sl(sequence, sequence) == pytest.approx(0, abs=1e-5)
    late = np.concatenate([np.repeat(sequence[:1], 5, axis=0), sequence])
    assert mcd_dtw(late, sequence) == pytest.approx(0, abs=1e-6) and mcd(late, sequence) > 5
    noisy = sequence + 0.1 * random.normal(size=sequence.shape)
    slow = np.repeat(noisy, 2, axis=0)
    assert mcd_dtw_sl(slow, sequence) == pytest.approx(2 * mcd_dtw(slow, sequence))
    assert mcd_dtw_sl(sequence, slow) == pytest.approx(mcd_dtw_sl(slow, sequence))
    with pytest.raises(ValueError, match="got 0 and 40"):
        mcd(sequence[:0], sequence)


def test_distortion_of_a_real_clip_grows_with_noise_and_with_other_words() -> None:
    first, second = grid_clips("s1")[:2]
    sound = grid_sound("s1", first, 24_000)
    original = mel_cepstra(sound)
    hiss = noise(4, 1.0)[: len(sound)]
    for distance in (mcd, mcd_dtw, mcd_dtw_sl):
        values = [distance(mel_cepstra(sound + level * hiss), original) for level in (0.0, 0.001, 0.01, 0.1)]
        assert values == sorted(values) and values[0] < 1e-2
        assert distance(mel_cepstra(grid_sound("s1", second, 24_000)), original) > values[1]


def test_variants_have_their_own_file_of_scores(tmp_path) -> None:
    write_wav(tmp_path / "clip.wav", speech("f2").audio, 24_000)
    clip = SimpleNamespace(audio=tmp_path / "clip.wav", text=script(), language="en", audio_sha256="")
    scores = McdVariantsScorer({"u1": clip}).score(utterance(speech("m1").audio, text=script()))
    assert [score.metric for score in scores] == ["mcd.melcep13", "mcd_dtw_sl.melcep13"]
    assert all(score.value > 1 for score in scores)


def test_scorer_compares_with_the_clip_of_the_same_text(tmp_path) -> None:
    write_wav(tmp_path / "clip.wav", speech("f2").audio, 24_000)
    clip = SimpleNamespace(audio=tmp_path / "clip.wav", text=script(), language="en", audio_sha256="")
    scorer = McdScorer({"u1": clip})
    (score,) = scorer.score(utterance(speech("f2").audio, text=script()))
    assert score.metric == "mcd_dtw.melcep13" and score.value < 0.1
    with pytest.raises(NotApplicable, match="something else"):
        scorer.score(utterance(speech("f2").audio, text="你好", language="zh"))
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000), text=script()))
    with pytest.raises(NotApplicable, match="not in the manifest"):
        McdScorer({}).score(utterance(speech("f2").audio, text=script()))
