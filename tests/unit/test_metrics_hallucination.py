"""Whether a dub says the phones that the lips show."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from syncvoice.metrics.scorer import NotApplicable, ScoreError, Utterance
from syncvoice.metrics.words.visual_hallucination import (
    OTHERS,
    HallucinationScorer,
    hallucination,
    heard_phones,
    nearest_in_length,
    phone_error,
    source_phones,
)
from syncvoice.networks.recogniser import CtcRecogniser
from tests.unit.spoken import noise, script, speech, utterance

WEIGHTS = Path(__file__).parents[2] / "weights" / "recogniser.safetensors"


def clip(name: str, phones: str, language: str = "en") -> SimpleNamespace:
    """A clip that says phones of one letter each."""
    intervals = [("_", 0.0, 0.1), *((phone, 0.1, 0.2) for phone in phones)]
    return SimpleNamespace(id=name, text=phones, language=language, source="open", phones=intervals)


def of_clip(name: str, audio: np.ndarray) -> Utterance:
    """A Mandarin dub of a clip."""
    found = utterance(audio, language="zh")
    return Utterance({**found.row, "clip": name}, "", found.audio)


class Hears:
    """A recogniser that hears given phones, 50 ms each."""

    phones = ("_", *"abcdef")

    def __init__(self, heard: str) -> None:
        self._log_probs = np.eye(len(self.phones))[np.repeat([self.phones.index(phone) for phone in heard], 5)]

    def phone_log_probs(self, audio: np.ndarray) -> tuple[np.ndarray, float]:
        """Log probabilities and frames per second."""
        return self._log_probs, 100.0


def test_short_runs_are_no_phones_and_a_silence_parts_equal_ones() -> None:
    best = np.array([1] * 4 + [2] * 2 + [1] * 3 + [0] * 5 + [1] * 3 + [2] * 3)
    assert heard_phones(np.eye(3)[best], "_ab", 100.0) == ["a", "a", "b"]
    assert heard_phones(np.eye(3)[best], "_ab", 50.0) == ["a", "b", "a", "a", "b"]  # 2 frames are 40 ms


def test_difference_of_two_phone_errors() -> None:
    assert phone_error("abcd", "abxd") == 0.25
    assert hallucination("abcd", "abcd", ["efgh", "abgh"]) == pytest.approx(0 - (1 + 0.5) / 2)
    assert hallucination("efgh", "abcd", ["efgh"]) == 1  # nearer to another text than to the own one


def test_others_are_as_long_as_the_own_text() -> None:
    texts = ["a" * length for length in range(1, 40)]
    assert sorted(map(len, nearest_in_length("b" * 20, texts))) == list(range(16, 24))
    assert len(nearest_in_length("b", texts[:3])) == 3 < OTHERS


def test_a_dub_is_compared_with_texts_of_the_videos_language_that_differ_from_its_own() -> None:
    clips = [clip("u1", "abcd"), clip("u2", "abcf"), clip("u3", "abcd"), clip("u4", "cccc", language="zh")]
    scorer = HallucinationScorer(Hears("abcd"), {entry.id: entry for entry in clips})
    (score,) = scorer.score(utterance(noise(1.0), language="zh"))
    assert (score.metric, score.value) == ("hallucination.ctc_phones", -0.25)  # u2 alone: one error of four
    with pytest.raises(NotApplicable, match="language of the video"):
        scorer.score(utterance(noise(1.0), language="en"))
    with pytest.raises(NotApplicable, match="manifest"):
        scorer.score(of_clip("u9", noise(1.0)))
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000), language="zh"))
    alone = HallucinationScorer(Hears("abcd"), {"u1": clips[0], "u3": clips[2]})
    with pytest.raises(NotApplicable, match="another video"):
        alone.score(utterance(noise(1.0), language="zh"))


def test_phones_of_a_text_are_the_manifests_or_those_of_espeak() -> None:
    assert source_phones(clip("u1", "abcd")) == tuple("abcd")
    said = SimpleNamespace(phones=(), text="blue cat", language="en", source="open")
    assert source_phones(said) == ("b", "l", "u", "k", "æ", "t")


def test_the_clips_own_sound_is_near_its_text_and_mandarin_as_far_as_from_others() -> None:
    said = {f"u{number}": speech("f3", number) for number in range(8)}
    clips = {
        name: SimpleNamespace(
            id=name,
            text=script(number),
            language="en",
            source="grid",
            phones=[(phone.symbol, phone.start_s, phone.end_s) for phone in found.phones],
        )
        for number, (name, found) in enumerate(said.items())
    }
    scorer = HallucinationScorer(CtcRecogniser.load(WEIGHTS), clips)
    english = [scorer.score(of_clip(name, found.audio))[0].value for name, found in said.items()]
    mandarin = [
        scorer.score(of_clip(name, speech("f3", number, "zh", "phrases").audio))[0].value
        for number, name in enumerate(said)
    ]
    assert max(english) < -0.1 and np.mean(english) < -0.3
    assert abs(np.mean(mandarin)) < 0.1
