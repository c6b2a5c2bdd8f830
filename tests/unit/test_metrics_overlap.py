"""Where a dub speaks against its original, and which language is heard in it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Utterance
from syncvoice.metrics.timing.overlap import OverlapScorer, compare, speaking
from syncvoice.metrics.words.spoken_language import BleedScorer
from tests.unit.spoken import noise, speech, utterance


def bursts(*spans: tuple[float, float], seconds: float = 2.0) -> np.ndarray:
    """Noise at 16 kHz inside spans of seconds, silence elsewhere."""
    sound = np.zeros(int(seconds * 16_000), np.float32)
    for start, end in spans:
        first, last = round(start * 16_000), round(end * 16_000)
        sound[first:last] = noise(seconds, sample_rate=16_000)[: last - first]
    return sound


def of_clip(clip: str, audio: np.ndarray) -> Utterance:
    """An utterance of another clip."""
    found = utterance(audio)
    return Utterance({**found.row, "clip": clip}, "", found.audio)


def test_gaps_are_closed_and_clicks_are_no_speech() -> None:
    found = speaking(bursts((0.2, 0.6), (0.7, 1.0), (1.3, 1.5), (1.8, 1.82)))
    spoken = np.flatnonzero(np.diff(np.concatenate([[0], found.astype(int), [0]]))).reshape(-1, 2) / 100
    assert spoken.tolist() == [[0.2, 1.0], [1.3, 1.5]]


def test_figures_of_known_spans() -> None:
    original = speaking(bursts((0.5, 1.5)))
    assert compare(original, original) == {"overlap": 1, "speaking_time": 0}
    half = compare(speaking(bursts((1.0, 2.0))), original)
    assert half["overlap"] == pytest.approx(0.5) and half["speaking_time"] == pytest.approx(0)
    inside = compare(speaking(bursts((0.7, 1.2))), original)
    assert inside["overlap"] == pytest.approx(1) and inside["speaking_time"] == pytest.approx(-0.5)
    longer = compare(speaking(bursts((0.5, 2.5), seconds=3.0)), original)
    assert longer["overlap"] == pytest.approx(0.5)
    with pytest.raises(ScoreError, match="original never speaks"):
        compare(original, np.zeros(10, bool))


def test_a_dub_is_compared_with_the_sound_of_its_clip_whatever_it_says(tmp_path: Path) -> None:
    said = speech("f3")
    write_wav(tmp_path / "a.wav", said.audio, 24_000)
    clip = SimpleNamespace(audio=tmp_path / "a.wav", audio_sha256="", language="en", text="something else")
    scorer = OverlapScorer({"u1": clip})
    overlap, length = scorer.score(utterance(said.audio, language="zh"))
    assert (overlap.metric, length.metric) == ("overlap.energy", "speaking_time.energy")
    assert overlap.value == pytest.approx(1, abs=0.02) and length.value == pytest.approx(0, abs=0.02)
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000)))
    with pytest.raises(NotApplicable, match="manifest"):
        scorer.score(of_clip("other", said.audio))


def test_bleed_is_the_probability_of_the_language_of_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.metrics.words import spoken_language

    heard = {"en": 0.2, "zh": 0.7, "de": 0.1}
    monkeypatch.setattr(spoken_language, "language_probabilities", lambda model, sound: heard)
    scorer = BleedScorer(object(), {"u1": SimpleNamespace(language="en")})
    (score,) = scorer.score(utterance(noise(1.0), language="zh"))
    assert (score.metric, score.value) == ("bleed.whisper_base", 0.2)
    with pytest.raises(NotApplicable, match="language of the video"):
        scorer.score(utterance(noise(1.0), language="en"))
    with pytest.raises(NotApplicable, match="manifest"):
        scorer.score(of_clip("other", noise(1.0)))
