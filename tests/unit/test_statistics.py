import itertools
import math

import numpy as np
import pytest
from scipy import stats

from syncvoice.reporting import statistics as s


def test_mean_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).gamma(2.0, 1.5, size=60)
    ours = s.mean_estimate(values, "a", resamples=20000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=1).confidence_interval
    assert ours.value == pytest.approx(values.mean(), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_mean_interval_has_the_width_of_the_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    estimate = s.mean_estimate(values, resamples=4000)
    expected = 2 * 1.96 * values.std() / math.sqrt(400)
    assert estimate.high - estimate.low == pytest.approx(expected, rel=0.06)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    hits = 0
    for trial in range(300):
        estimate = s.mean_estimate(random.normal(5.0, 1.0, size=40), trial, resamples=400)
        hits += estimate.low <= 5.0 <= estimate.high
    assert 0.90 <= hits / 300 <= 0.98


def test_all_resamples_of_three_clips_match_the_exact_bootstrap_distribution() -> None:
    values = np.array([0.0, 1.0, 5.0])
    exact = [np.mean(combination) for combination in itertools.product(values, repeat=3)]
    estimate = s.mean_estimate(values, resamples=50000, confidence=0.8)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(exact, [0.1, 0.9])), abs=1e-9)


def test_rate_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    errors, words = np.array([1.0, 9.0]), np.array([1.0, 99.0])
    estimate = s.rate_estimate(errors, words, resamples=100)
    assert estimate.value == pytest.approx(0.1)
    assert estimate.low == pytest.approx(9 / 99) and estimate.high == pytest.approx(1.0)


def test_rate_interval_agrees_with_the_delta_method() -> None:
    random = np.random.default_rng(3)
    words = random.integers(4, 20, size=300).astype(float)
    errors = random.binomial(words.astype(int), 0.2).astype(float)
    estimate = s.rate_estimate(errors, words, resamples=4000)
    residual = errors - estimate.value * words
    deviation = math.sqrt(np.mean(residual**2) / 300) / words.mean()
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * deviation, rel=0.08)


def test_paired_difference_uses_the_pairing() -> None:
    random = np.random.default_rng(4)
    clip = random.normal(0, 10, size=50)  # clips differ far more than rows
    baseline, better = clip + random.normal(0, 0.1, 50), clip + 0.5 + random.normal(0, 0.1, 50)
    difference = s.mean_difference(better, baseline)
    assert difference.value == pytest.approx(0.5, abs=0.1)
    assert difference.high - difference.low < 0.2
    assert difference.deviation == pytest.approx((better - baseline).std(ddof=1))
    assert difference.p_value < 0.01


def test_sign_flip_p_value_agrees_with_the_exact_test() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.6, -0.2, 0.5, 0.1])
    flips = np.array(list(itertools.product([-1, 1], repeat=8)))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    ours = s.mean_difference(differences, np.zeros(8), resamples=20000).p_value
    assert ours == pytest.approx(exact, abs=0.01)


def test_p_values_are_uniform_when_nothing_differs() -> None:
    random = np.random.default_rng(5)
    p_values = [
        s.mean_difference(random.normal(size=20), random.normal(size=20), trial, resamples=200).p_value
        for trial in range(200)
    ]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_rate_difference_of_equal_word_counts_is_the_difference_of_means() -> None:
    words = np.full(12, 6.0)
    ours, baseline = np.arange(12.0) % 4, np.arange(12.0) % 3
    difference = s.rate_difference(ours, words, baseline, words)
    assert difference.value == pytest.approx((ours - baseline).mean() / 6)
    assert difference.low <= difference.value <= difference.high
    swapped = s.rate_difference(baseline, words, ours, words)
    assert swapped.value == pytest.approx(-difference.value)


def test_identical_rows_have_no_difference_and_no_significance() -> None:
    values = np.arange(10.0)
    difference = s.mean_difference(values, values)
    assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)
    rate = s.rate_difference(values, values + 1, values, values + 1)
    assert (rate.value, rate.low, rate.high, rate.p_value) == (0, 0, 0, 1)


def test_numbers_depend_on_names_and_seed_only() -> None:
    values = np.random.default_rng(6).normal(size=30)
    first = s.mean_estimate(values, "en_en", "M1", resamples=300)
    assert s.mean_estimate(values, "en_en", "M1", resamples=300) == first
    assert s.mean_estimate(values, "en_en", "M3", resamples=300) != first
    assert s.mean_estimate(values, "en_en", "M1", seed=1, resamples=300) != first


def test_chunks_do_not_change_the_number_of_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s, "DRAWS_PER_CHUNK", 70)
    sums = s._resampled_sums(np.ones((2, 30)), np.random.default_rng(0), 7)
    assert sums.shape == (2, 7) and (sums == 30).all()


def test_no_clip_and_one_clip() -> None:
    assert math.isnan(s.mean_estimate([]).value) and s.mean_estimate([]).n == 0
    assert s.mean_estimate([2.5]) == s.Estimate(2.5, 2.5, 2.5, 1)
    assert math.isnan(s.rate_estimate([], []).value)
    assert s.mean_difference([], []).n == 0
    assert math.isnan(s.mean_difference([1.0], [0.0]).deviation)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: s.mean_estimate([1.0, math.nan]), "finite"),
        (lambda: s.rate_estimate([1.0], [1.0, 2.0]), "lengths"),
        (lambda: s.rate_estimate([0.0], [0.0]), "reference word"),
        (lambda: s.mean_difference([1.0], [1.0, 2.0]), "lengths"),
        (lambda: s.mean_estimate([1.0], confidence=1.0), "confidence"),
    ],
)
def test_bad_input_is_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_holm_by_hand() -> None:
    # sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2 (kept at 0.06), 0.5 * 1
    adjusted = s.holm([0.02, 0.5, 0.01, math.nan, 0.03])
    assert adjusted[[0, 1, 2, 4]] == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert math.isnan(adjusted[3])
    assert s.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert s.holm([]).size == 0


def test_minimum_detectable_difference_is_found_with_the_promised_power() -> None:
    n, deviation = 64, 2.0
    smallest = s.minimum_detectable_difference(deviation, n)
    assert smallest == pytest.approx((1.959964 + 0.841621) * deviation / 8, rel=1e-5)
    samples = np.random.default_rng(7).normal(smallest, deviation, size=(4000, n))
    power = np.mean(np.abs(samples.mean(1)) / (deviation / 8) > 1.959964)
    assert power == pytest.approx(0.8, abs=0.02)
    assert math.isnan(s.minimum_detectable_difference(1.0, 1))


def test_family_of_comparisons_rarely_cries_wolf() -> None:
    """Nothing differs between 6 rows: after Holm's correction at most about 5 % of such tables show a difference."""
    random = np.random.default_rng(8)
    alarms = uncorrected = 0
    for trial in range(150):
        clips = random.normal(0, 3, size=16)
        rows = clips + random.normal(size=(6, 16))
        p_values = [
            s.mean_difference(row, rows[0], trial, number, resamples=400).p_value for number, row in enumerate(rows[1:])
        ]
        alarms += (s.holm(p_values) < 0.05).any()
        uncorrected += min(p_values) < 0.05
    assert alarms / 150 <= 0.10  # 0.05 and twice its standard error
    assert uncorrected > alarms


def test_rate_differences_find_nothing_where_nothing_is() -> None:
    random = np.random.default_rng(9)
    p_values = []
    for trial in range(150):
        words = random.integers(3, 12, size=24).astype(float)
        difficulty = random.beta(1, 4, size=24)
        ours, theirs = (random.binomial(words.astype(int), difficulty).astype(float) for _ in range(2))
        p_values.append(s.rate_difference(ours, words, theirs, words, trial, resamples=200).p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.09
    assert 0.35 < np.mean(np.array(p_values) < 0.5) < 0.65


def test_detectable_difference_is_found_by_the_randomisation_test() -> None:
    """Of true differences of the stated size, the test that the tables use finds about 80 %."""
    random = np.random.default_rng(10)
    smallest = s.minimum_detectable_difference(1.5, 40)
    found = sum(
        s.mean_difference(random.normal(smallest, 1.5, size=40), np.zeros(40), trial, resamples=200).p_value < 0.05
        for trial in range(600)
    )
    assert found / 600 == pytest.approx(
        0.78, abs=0.05
    )  # the normal approximation promises 0.8; with 40 clips t gives 0.78


def test_crossed_interval_of_a_constant_and_of_listeners_that_agree() -> None:
    assert s.crossed_estimate(np.full((4, 3), 2.5)) == s.Estimate(2.5, 2.5, 2.5, 12)
    clips = np.array([1.0, 2.0, 3.0, 5.0, 4.0, 2.0])
    ours = s.crossed_estimate(np.tile(clips, (8, 1)), resamples=4000)
    plain = s.mean_estimate(clips, resamples=4000)
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high), abs=0.17)  # one step of 1/6: only clips vary


def test_crossed_interval_covers_the_truth() -> None:
    random = np.random.default_rng(11)
    hits = 0
    for trial in range(150):
        ratings = 3 + random.normal(0, 0.5, (12, 1)) + random.normal(0, 0.5, (1, 10)) + random.normal(0, 0.7, (12, 10))
        estimate = s.crossed_estimate(ratings, trial, resamples=300)
        hits += estimate.low <= 3 <= estimate.high
    assert 0.88 <= hits / 150 <= 1.0


def test_crossed_estimate_leaves_missing_ratings_out() -> None:
    ratings = np.array([[1.0, np.nan], [2.0, 6.0]])
    estimate = s.crossed_estimate(ratings)
    assert (estimate.value, estimate.n) == (3.0, 3)
    assert math.isnan(s.crossed_estimate(np.full((2, 2), np.nan)).value)
    with pytest.raises(ValueError, match="participants, clips"):
        s.crossed_estimate(np.zeros(3))
