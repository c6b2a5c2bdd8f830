"""Natural speech at given times: scripts, relaxed boundaries, phrases, placed sound, nearest voices, limits of rate."""

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.networks.kokoro import FRAME_S
from syncvoice.text.kokoro_symbols import Unit
from syncvoice.timed_speech.boundaries import LEAST, relaxed
from syncvoice.timed_speech.envelope import envelope_correlation
from syncvoice.timed_speech.fitting import Placed, natural_spans, rate_problems, within
from syncvoice.timed_speech.phrases import FASTEST, shared_out, spans_in_phrases
from syncvoice.timed_speech.script import ScriptWord, script_of
from syncvoice.timed_speech.speaking import (
    LAST_FRAMES,
    NaturalSpeaker,
    frames_of,
    levelled,
    spans_of,
    speech_level,
)
from syncvoice.timed_speech.voices import StockVoices, Wanted, nearest_blend, parse_blend
from tests.unit.fake_tts import FakeTts


@pytest.fixture(scope="module")
def speaker() -> NaturalSpeaker:
    return NaturalSpeaker(FakeTts(), np.zeros(256))  # type: ignore[arg-type]


def words(*lengths: int, mark_after: int = -1) -> list[ScriptWord]:
    """Words of so many symbols."""
    return [
        ScriptWord(f"w{number}", tuple(Unit("a", ("a",)) for _ in range(length)), "," if number == mark_after else "")
        for number, length in enumerate(lengths)
    ]


def onsets(sound: np.ndarray, shortest_s: float = 0.02) -> list[float]:
    """Where sound begins after silence, in seconds."""
    loud = np.convolve(np.abs(sound) > 0.01, np.ones(round(shortest_s * 24_000)), mode="same") > 0
    return ((np.flatnonzero(np.diff(loud.astype(int)) == 1) / 24_000) + shortest_s / 2).tolist()


def test_english_is_read_with_marks_and_numbers() -> None:
    script = script_of("Well, 3 boats (of 20) left. Did they?", "en")
    assert [word.text for word in script] == ["Well", "three", "boats", "of", "twenty", "left", "Did", "they"]
    assert [word.mark for word in script] == [",", "", "", "", "", ".", "", "?"]
    assert script[1].phones == ("θ", "ɹ", "i") and script[1].letters == "θɹˈi"


def test_mandarin_is_cut_into_words() -> None:
    script = script_of("今天天气很好，我们走吧。", "zh")
    assert "".join(word.text for word in script) == "今天天气很好我们走吧"
    assert [word.mark for word in script if word.mark] == [",", "."]
    assert all(word.phones for word in script)


@pytest.mark.parametrize(
    ("text", "language", "message"),
    [
        ("...", "en", "not one word"),
        ("hello", "de", "speaks en, zh, es, .*, not 'de'"),
        ("我爱NBA", "zh", "hanzi only"),
    ],
)
def test_texts_that_cannot_be_read_are_sentences(text: str, language: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        script_of(text, language)


def test_boundaries_that_suit_the_voice_are_kept() -> None:
    natural = np.array([0.2, 0.4, 0.3])
    wanted = 0.5 + np.concatenate([[0.0], np.cumsum(natural)])
    np.testing.assert_allclose(relaxed(wanted, natural), wanted, atol=1e-4)
    slower = 0.5 + 1.1 * np.concatenate([[0.0], np.cumsum(natural)])
    np.testing.assert_allclose(relaxed(slower, natural), slower, atol=0.03)


def test_a_word_starts_late_rather_than_being_squeezed() -> None:
    natural = np.array([0.4, 0.4, 0.4])
    wanted = np.array([0.0, 0.1, 0.8, 1.2])
    found = relaxed(wanted, natural)
    assert wanted[1] + 0.05 < found[1] < 0.4 and np.diff(found)[0] > 0.2
    assert (np.diff(found) > LEAST * natural - 1e-9).all()
    assert np.abs(relaxed(wanted, natural, give_s=1e-3) - wanted).max() < 0.09, "rigid times squeeze words"


def test_boundaries_are_a_minimum() -> None:
    from syncvoice.timed_speech.boundaries import GIVE_S, SQUEEZE, _cost

    natural, wanted = np.array([0.25, 0.35, 0.2]), np.array([0.1, 0.3, 0.8, 0.9])
    found = relaxed(wanted, natural)
    parameters = np.concatenate([[found[0]], np.log(np.diff(found))])
    lowest = _cost(parameters, wanted, np.log(natural), GIVE_S, SQUEEZE)
    for step in 1e-3 * np.concatenate([np.eye(4), -np.eye(4)]):
        assert _cost(parameters + step, wanted, np.log(natural), GIVE_S, SQUEEZE) > lowest - 1e-9


def test_frames_follow_the_boundaries(speaker: NaturalSpeaker) -> None:
    (plan,) = speaker.plan(words(3, 5, 4))
    natural = plan.natural()
    last = min(4.0, max(LAST_FRAMES[0], 0.28 * 4))  # of the last symbol, which swallows silence
    np.testing.assert_allclose(natural / FRAME_S, [3 * 4 + 4, 5 * 4 + 4, 3 * 4 + last])
    bounds = 0.2 + np.concatenate([[0.0], np.cumsum(natural * [1.0, 1.3, 0.8])])
    frames = frames_of(plan, bounds)
    assert len(frames) == len(plan.prediction.frames) and frames.min() >= 1
    begins = bounds[0] - (frames[0] * FRAME_S - 0.055)
    starts = np.array([start for start, _ in spans_of(plan, frames, begins)])
    assert starts[0] == pytest.approx(bounds[0])
    np.testing.assert_allclose(starts[1:], bounds[1:3], atol=FRAME_S)


def test_words_sound_when_they_shall_and_the_length_is_exact(speaker: NaturalSpeaker) -> None:
    spans = [(0.6, 1.0), (1.8, 2.2)]
    spoken = speaker.speak(words(4, 4), spans, 80)
    assert spoken.sound.shape == (80 * 960,)
    np.testing.assert_allclose(onsets(spoken.sound), [0.6, 1.8], atol=0.03)
    np.testing.assert_allclose([start for start, _ in spoken.spans], [0.6, 1.8], atol=0.03)
    assert not np.abs(spoken.sound[round(1.2 * 24_000) : round(1.7 * 24_000)]).any(), "a pause is real silence"


def test_speech_before_the_start_and_beyond_the_end_is_cut(speaker: NaturalSpeaker) -> None:
    spoken = speaker.speak(words(4, 4), [(-0.2, 0.2), (0.2, 3.0)], 20)
    assert spoken.sound.shape == (20 * 960,) and np.isfinite(spoken.sound).all()


def test_phrases_never_overlap(speaker: NaturalSpeaker) -> None:
    spoken = speaker.speak(words(9, 9, 9), [(0.1, 0.2), (0.5, 0.6), (0.9, 1.0)], 100)
    edges = np.array(spoken.spans)
    assert (edges[1:, 0] >= edges[:-1, 1] - 1e-6).all()


def test_long_scripts_are_cut_where_they_have_marks(speaker: NaturalSpeaker) -> None:
    script = words(*[20] * 40, mark_after=15)
    plans = speaker.plan(script)
    assert [plan.first for plan in plans][:2] == [0, 16] and plans[-1].last == 40
    assert all(a.last == b.first for a, b in zip(plans, plans[1:], strict=False))


def test_filling_takes_the_whole_video(speaker: NaturalSpeaker) -> None:
    slow, fast = speaker.filling(words(4, 4), 100), speaker.filling(words(4, 4), 25)
    assert (slow.sound.shape, fast.sound.shape) == ((96_000,), (24_000,))
    assert slow.spans[1][0] == pytest.approx(4 * fast.spans[1][0], abs=0.2)
    assert onsets(slow.sound)[0] == pytest.approx(slow.spans[0][0], abs=0.03)
    with pytest.raises(ValueError, match="cannot hold"):
        speaker.filling(words(40, 40), 10)


def test_words_are_shared_out_at_marks_and_at_one_rate() -> None:
    script, natural = words(3, 3, 3, 3, mark_after=0), np.full(4, 0.3)
    shares = shared_out(script, natural, [(0.0, 0.35), (1.0, 1.9)])
    assert [(share.first, share.last) for share in shares] == [(0, 1), (1, 4)]
    uneven = shared_out(script, natural, [(0.0, 0.9), (1.4, 1.7)])
    assert [(share.first, share.last) for share in uneven] == [(0, 3), (3, 4)], "the rate counts more than a mark"
    one = shared_out(script[:1], natural[:1], [(0.0, 0.2), (0.4, 0.6)])
    assert [(share.first, share.last, share.start) for share in one] == [(0, 1, 0.0)], (
        "too few words: phrases are joined"
    )


def test_spans_in_phrases_stay_in_natural_limits() -> None:
    script, natural = words(3, 3), np.array([0.4, 0.4])
    spans = spans_in_phrases(script, natural, [(0.5, 0.6)])
    assert spans[0][0] == 0.5 and spans[-1][1] == pytest.approx(0.5 + 0.8 / FASTEST)
    assert within([(0.5, 1.0), (1.0, 1.5)], 25)[-1][1] == pytest.approx(1.0)


def test_natural_spans_fit() -> None:
    spans = natural_spans(np.array([0.3, 0.5]), 50)
    assert spans == [(0.15, pytest.approx(0.45)), (pytest.approx(0.45), pytest.approx(0.95))]
    crowded = natural_spans(np.full(10, 0.3), 25)
    assert crowded[0][0] >= 0 and crowded[-1][1] <= 1.0


def test_rates_that_people_do_not_speak_are_sentences_with_numbers() -> None:
    def problems(natural_s: float) -> list[str]:
        return rate_problems(Placed([(0.0, 1.0), (1.0, 2.0)], "lips", natural_s), 10)

    assert not problems(2.0)
    assert "3.6 s for the text and the lips speak for 2.0 s: 1.8 times as fast" in problems(3.6)[0]
    assert "shorten it to about 8 words" in problems(3.6)[0]
    assert "lengthen it to about 15 words" in problems(0.8)[0]


def test_level_is_that_of_the_source() -> None:
    tone = 0.1 * np.sin(np.arange(24_000) * 0.1)
    source = np.concatenate([np.zeros(24_000), tone])
    assert speech_level(source) == pytest.approx(0.1 / np.sqrt(2), rel=0.02), "pauses do not count"
    assert speech_level(levelled(3 * tone, speech_level(source))) == pytest.approx(speech_level(source), rel=0.01)
    assert np.abs(levelled(tone, 5.0)).max() <= 0.951
    assert not levelled(np.zeros(100), 0.1).any()


def test_envelope_correlation() -> None:
    gate = np.repeat(np.random.default_rng(0).random(40) > 0.5, 2400)
    sound = gate * np.sin(np.arange(96_000) * 0.1)
    assert envelope_correlation(sound, 0.2 * sound) == pytest.approx(1.0)
    assert envelope_correlation(sound, np.roll(sound, 1200)) < 0.9
    assert envelope_correlation(sound, np.zeros(96_000)) == 0.0


STOCK = StockVoices(
    ("af_a", "af_nicole", "am_b", "am_c"),
    np.eye(4),
    np.log([200.0, 200.0, 120.0, 100.0]),
)


def test_the_nearest_voice_is_found_and_left_out_ones_never() -> None:
    alone = nearest_blend(Wanted(np.array([0.0, 0.0, 0.0, 1.0]), np.log(100.0)), STOCK)
    assert alone.parts == {"am_c": 1.0} and alone.likeness == pytest.approx(1.0)
    mixed = nearest_blend(Wanted(np.array([0.0, 0.0, 0.6, 0.4]), float("nan")), STOCK)
    assert mixed.parts == {"am_b": 0.6, "am_c": 0.4}
    whispered = nearest_blend(Wanted(np.array([0.1, 1.0, 0.0, 0.0]), float("nan")), STOCK)
    assert "af_nicole" not in whispered.parts


def test_pitch_decides_between_equally_near_voices() -> None:
    both = np.array([1.0, 0.0, 1.0, 0.0])
    low, high = (nearest_blend(Wanted(both, np.log(hz)), STOCK) for hz in (115.0, 210.0))
    assert low.parts.get("am_b", 0) > high.parts.get("am_b", 0)
    assert abs(sum(low.parts.values()) - 1) < 1e-9


def test_a_voice_without_an_accent_is_preferred() -> None:
    stock = StockVoices(("am_b", "zm_c"), np.eye(2), np.log([110.0, 110.0]))
    both = np.array([0.7, 0.71])
    for language, first in (("en", "am_b"), ("zh", "zm_c")):
        assert nearest_blend(Wanted(both, float("nan"), language), stock).parts[first] >= 0.5
    assert nearest_blend(Wanted(np.array([0.0, 1.0]), float("nan"), "en"), stock).parts == {"zm_c": 1.0}


def test_blends_by_hand() -> None:
    assert parse_blend("af_heart=0.6, am_adam=0.4") == {"af_heart": 0.6, "am_adam": 0.4}
    assert parse_blend("af_heart") == {"af_heart": 1.0}
    for text, message in (
        ("af_hart=1", "did you mean 'af_heart'"),
        ("af_heart=x", "NAME=WEIGHT"),
        ("af_heart=0", "more"),
    ):
        with pytest.raises(UserError, match=message):
            parse_blend(text)


def test_text_is_spread_over_word_times() -> None:
    from syncvoice.generation.kinds.zero_shot_lip_timed import parts_of

    parts = parts_of(list("bin blue"), [(0.16, 0.48), (0.64, 0.96)], 50)
    assert parts == ((0, 15), (4, 45), (4, 30), (0, 98))
    assert sum(frames for _, frames in parts) == 188
    assert parts_of(list("bin blue"), [(0.16, 0.96)], 50) == ((0, 15), (8, 75), (0, 98)), "espeak joined the words"
