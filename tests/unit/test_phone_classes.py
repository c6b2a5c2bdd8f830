"""Phone time error by class of phone, and how a clip is spoken."""

import wave
from pathlib import Path

import numpy as np
import pytest

from syncvoice.metrics.registry import METRICS, metrics_of_file
from syncvoice.metrics.timing.phone_classes import (
    CLASSES,
    MANNERS,
    PhoneClassScorer,
    classes_of,
    errors_by_class,
    level,
    speaking_rate,
)
from syncvoice.text.alignment import AlignedPhone
from syncvoice.text.phones import PHONE_CLASSES, SILENCE


def test_every_phone_has_one_manner() -> None:
    for phone in PHONE_CLASSES:
        manners = classes_of(phone) & {"vowel", *MANNERS}
        assert len(manners) == (0 if phone == SILENCE else 1), phone
    assert classes_of("m") == {"nasal", "bilabial"}
    assert classes_of("f") == {"fricative", "labiodental"}
    assert classes_of("k") == {"plosive", "inner"}
    assert classes_of("w") == {"approximant"}
    assert classes_of("aɪ") == {"vowel"}
    vowels = {phone for phone in PHONE_CLASSES if "vowel" in classes_of(phone)}
    assert {"i", "ə", "ɚ", "oʊ"} <= vowels and not vowels & set("pbmfvszwljɹ")


def test_errors_are_means_over_the_phones_of_a_class() -> None:
    shown = [("m", 0.10, 0.20), ("aɪ", 0.20, 0.40), ("t", 0.40, 0.50), ("m", 0.50, 0.60)]
    late = (0.010, 0.000, 0.050, -0.030)
    aligned = [AlignedPhone(s, start + d, end) for (s, start, end), d in zip(shown, late, strict=True)]
    found = errors_by_class(aligned, shown)
    assert found == pytest.approx({"vowel": 0, "plosive": 50, "nasal": 20, "bilabial": 20, "inner": 50})
    with pytest.raises(ValueError):
        errors_by_class(aligned[:2], shown)


def test_rate_and_level_count_speech_alone() -> None:
    phones = [("a", 0.5, 0.75), ("b", 0.75, 1.0), ("c", 1.5, 2.0)]
    assert speaking_rate(phones) == pytest.approx(3.0)
    sound = np.zeros(48_000, np.float32)
    sound[8_000:16_000] = sound[24_000:32_000] = 0.1  # loud where a phone is, silent between
    sound[:4_000] = 1.0  # noise before the speech
    assert level(sound, phones, 16_000) == pytest.approx(-20.0, abs=0.01)


class Recogniser:
    """Hears every phone 40 ms late."""

    phones = ("_", "m", "aɪ", "t")

    def phone_log_probs(self, audio: np.ndarray) -> tuple[np.ndarray, float]:
        labels = [0] * 14 + [1] * 10 + [2] * 20 + [0] * 6
        values = np.full((len(labels), 4), 0.01)
        values[np.arange(len(labels)), labels] = 0.97
        return np.log(values), 100.0


def test_the_scorer_leaves_absent_classes_out_and_tells_how_the_clip_is_spoken(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from tests.unit.spoken import noise, utterance

    sound = (0.1 * 32767 * np.ones(12_000)).astype("<i2")
    with wave.open(str(tmp_path / "u1.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    clip = SimpleNamespace(
        phones=(("_", 0, 0.1), ("m", 0.1, 0.2), ("aɪ", 0.2, 0.4), ("_", 0.4, 0.5)),
        words=(), text="my", language="en", audio=tmp_path / "u1.wav", audio_sha256="",
    )  # fmt: skip
    scorer = PhoneClassScorer(Recogniser(), {"u1": clip})
    found = {score.metric: score.value for score in scorer.score(utterance(noise(0.5), text="my"))}
    assert found.pop("speaking_rate.ctc_aligned") == pytest.approx(2 / 0.3)
    assert found.pop("level.ctc_aligned") == pytest.approx(-20, abs=0.1)
    expected = {f"phone_time_error_{name}.ctc_aligned": 40 for name in ("vowel", "nasal", "bilabial")}
    assert found == pytest.approx(expected)
    assert {*expected} < {*scorer.metrics_for({})} <= {*METRICS}
    assert [metric.id for metric in metrics_of_file("phone_classes.ctc_aligned")] == scorer.metrics_for({})
    assert len(scorer.metrics_for({})) == len(CLASSES) + 2
    assert "no phone of this class" in scorer.why_absent("phone_time_error_plosive.ctc_aligned")
