"""Forced alignment and the phone time error."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.metrics.scorer import NotApplicable, ScoreError
from syncvoice.metrics.timing.phone_alignment import word_starts
from syncvoice.metrics.timing.phone_error import phone_time_error
from syncvoice.metrics.timing.phone_times import PhoneTimeScorer
from syncvoice.text.alignment import AlignedPhone, align, viterbi
from tests.unit.spoken import at_16k, script, speech, utterance

INVENTORY = ("_", "a", "b", "c")
RECOGNISER = Path(__file__).parents[2] / "weights" / "recogniser.safetensors"


def posteriors(labels: list[int], confidence: float = 0.97) -> np.ndarray:
    """Log probabilities that are sure of one class per frame."""
    probabilities = np.full((len(labels), len(INVENTORY)), (1 - confidence) / (len(INVENTORY) - 1))
    probabilities[np.arange(len(labels)), labels] = confidence
    return np.log(probabilities)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=6),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_alignment_recovers_segments(segments: list[tuple[int, int]], lead: int, tail: int) -> None:
    labels = [0] * lead + [c for c, n in segments for _ in range(n)] + [0] * tail
    merged = [segments[0]]
    for phone, length in segments[1:]:  # equal neighbours have no boundary that could be found
        merged = (
            [*merged[:-1], (phone, merged[-1][1] + length)] if phone == merged[-1][0] else [*merged, (phone, length)]
        )
    aligned = align(posteriors(labels), 100.0, [INVENTORY[c] for c, _ in merged], INVENTORY)
    expected = lead + np.cumsum([0] + [n for _, n in merged[:-1]])
    np.testing.assert_allclose([phone.start_s for phone in aligned], expected / 100)
    assert aligned[-1].end_s == pytest.approx((len(labels) - tail) / 100)


def test_pause_between_words_belongs_to_no_phone() -> None:
    aligned = align(posteriors([1, 1, 0, 0, 0, 2, 2]), 100.0, ["a", "b"], INVENTORY, word_starts=[0, 1])
    assert aligned == [AlignedPhone("a", 0.0, 0.02), AlignedPhone("b", 0.05, 0.07)]


def test_without_a_word_boundary_there_is_no_pause() -> None:
    aligned = align(posteriors([1, 1, 0, 0, 2, 2]), 100.0, ["a", "b"], INVENTORY, word_starts=[0])
    assert aligned[0].end_s == aligned[1].start_s


def test_viterbi_finds_the_best_of_all_paths() -> None:
    random = np.random.default_rng(0)
    log_probs = np.log(random.dirichlet(np.ones(4), size=6))
    classes, optional = np.array([0, 1, 0, 2]), np.array([True, False, True, False])
    best = -np.inf
    for path in np.ndindex(*[4] * 6):
        steps = np.diff(path)
        skips = [optional[path[n] + 1] for n in range(5) if steps[n] == 2]
        if path[0] in (0, 1) and path[-1] == 3 and (steps >= 0).all() and (steps <= 2).all() and all(skips):
            best = max(best, log_probs[np.arange(6), classes[list(path)]].sum())
    found = viterbi(log_probs[:, classes], optional)
    assert log_probs[np.arange(6), classes[found]].sum() == pytest.approx(best)


def test_impossible_alignments_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        align(posteriors([1]), 100.0, ["a", "b"], INVENTORY)
    with pytest.raises(ValueError, match=r"does not know: \['z'\]"):
        align(posteriors([1, 1]), 100.0, ["z"], INVENTORY)
    with pytest.raises(ValueError, match="0 phones"):
        align(posteriors([1, 1]), 100.0, [], INVENTORY)


def test_error_is_the_mean_difference_in_milliseconds() -> None:
    aligned = [AlignedPhone("a", 0.10, 0.2), AlignedPhone("b", 0.20, 0.3)]
    shown = [("a", 0.10, 0.2), ("b", 0.26, 0.3)]
    assert phone_time_error(aligned, [("a", 0.1, 0.2), ("b", 0.2, 0.3)]) == 0
    assert phone_time_error(aligned, shown) == pytest.approx(30)
    with pytest.raises(ValueError, match="same number"):
        phone_time_error(aligned, shown[:1])


def test_words_begin_at_the_nearest_phone() -> None:
    phones = [("a", 0.1, 0.2), ("b", 0.2, 0.3), ("c", 0.5, 0.6)]
    assert word_starts(phones, [("ab", 0.1, 0.3), ("_", 0.3, 0.5), ("c", 0.49, 0.6)]) == [0, 2]
    assert word_starts(phones, []) is None


class PerfectRecogniser:
    """Knows the phones of a speech, moved by `late_s` seconds."""

    phones = INVENTORY

    def __init__(self, labels: list[int]) -> None:
        self.labels = labels

    def phone_log_probs(self, audio: np.ndarray) -> tuple[np.ndarray, float]:
        return posteriors(self.labels), 100.0


def clip(**fields: object) -> SimpleNamespace:
    shown = (("_", 0.0, 0.1), ("a", 0.1, 0.2), ("b", 0.2, 0.3), ("_", 0.3, 0.5))
    return SimpleNamespace(**{"phones": shown, "words": (), "text": "ab", "language": "en", **fields})


@pytest.mark.parametrize("late", [0, 4])
def test_scorer_measures_a_delay(late: int) -> None:
    scorer = PhoneTimeScorer(PerfectRecogniser([0] * (10 + late) + [1] * 10 + [2] * 10 + [0] * 10), {"u1": clip()})
    (score,) = scorer.score(utterance(speech("f2").audio, text="ab"))
    assert score.metric == "phone_time_error.ctc_aligned"
    assert score.value == pytest.approx(10 * late, abs=1e-6)


def test_scorer_says_why_it_cannot() -> None:
    sound = speech("f2").audio
    with pytest.raises(NotApplicable, match="not known"):
        PhoneTimeScorer(PerfectRecogniser([1]), {"u1": clip(phones=())}).score(utterance(sound, text="ab"))
    with pytest.raises(NotApplicable, match="something else"):
        PhoneTimeScorer(PerfectRecogniser([1]), {"u1": clip()}).score(utterance(sound, text="你", language="zh"))
    with pytest.raises(ScoreError, match="silent"):
        PhoneTimeScorer(PerfectRecogniser([1]), {"u1": clip()}).score(utterance(np.zeros(24_000), text="ab"))
    with pytest.raises(ScoreError, match="too short"):
        PhoneTimeScorer(PerfectRecogniser([1]), {"u1": clip()}).score(utterance(sound, text="ab"))


def test_shipped_recogniser_aligns_unseen_voices() -> None:
    if not RECOGNISER.exists():
        pytest.skip("weights/recogniser.safetensors is not there")
    from syncvoice.networks.recogniser import CtcRecogniser

    recogniser = CtcRecogniser.load(RECOGNISER)
    errors = []
    for voice in ("f3", "announcer", "nguyen"):
        spoken = speech(voice)
        phones = [(p.symbol, p.start_s, p.end_s) for p in spoken.phones if p.symbol != "_"]
        log_probs, fps = recogniser.phone_log_probs(at_16k(spoken.audio))
        aligned = align(np.asarray(log_probs), fps, [p[0] for p in phones], recogniser.phones)
        errors.append(phone_time_error(aligned, phones))
    assert np.mean(errors) < 40, (script(), errors)
