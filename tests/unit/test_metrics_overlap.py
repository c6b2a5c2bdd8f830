"""Where a dub speaks against its original, and which language is heard in it."""

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
import soundfile

from syncvoice.audio import write_wav
from syncvoice.metrics.activity import speaking
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Utterance
from syncvoice.metrics.timing.overlap import OverlapScorer, compare
from syncvoice.metrics.words import spoken_language
from syncvoice.metrics.words.spoken_language import BleedScorer, windows_of
from syncvoice.metrics.words.whisper_transcripts import load_model
from syncvoice.places import find_weights
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


def recorded(name: str) -> np.ndarray:
    """A sound of MiniDub's recorded split of translations, 24 kHz."""
    archive = Path(__file__).parents[2] / "recordings" / "minidub" / "translation.zip"
    with ZipFile(archive) as files:
        sound, rate = soundfile.read(BytesIO(files.read(f"{name}.ogg")), dtype="float32")
    assert rate == 24_000
    return np.asarray(sound)


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
    heard = {"en": 0.2, "zh": 0.7, "de": 0.1}
    windows = [{"en": 0.1, "zh": 0.3, "de": 0.6}, {"en": 0.3, "zh": 0.1, "de": 0.6}, heard]
    monkeypatch.setattr(spoken_language, "language_probabilities", lambda model, sound: heard)
    monkeypatch.setattr(spoken_language, "language_probabilities_of_windows", lambda model, sounds, silence: windows)
    scorer = BleedScorer(object(), {"u1": SimpleNamespace(language="en")})
    whole, peak, share = scorer.score(utterance(noise(1.0), language="zh"))
    assert (whole.metric, whole.value) == ("bleed.whisper_base", 0.2)
    assert (peak.metric, peak.value) == ("bleed_peak.whisper_base", pytest.approx(0.75))
    assert (share.metric, share.value) == ("bleed_share.whisper_base", pytest.approx(1 / 3))
    with pytest.raises(NotApplicable, match="language of the video"):
        scorer.score(utterance(noise(1.0), language="en"))
    with pytest.raises(NotApplicable, match="manifest"):
        scorer.score(of_clip("other", noise(1.0)))
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000), language="zh"))


def test_windows_lie_in_the_speech_and_are_equally_long() -> None:
    windows = windows_of(bursts((0.5, 2.8), seconds=4.0))
    assert [len(window) for window in windows] == [16_000] * 4  # from 0.5, 1.0, 1.5 and 1.8 s
    assert all(np.abs(window).min(initial=1, where=window != 0) > 0 for window in windows)
    assert [len(window) for window in windows_of(bursts((0.5, 1.1)))] == [9_600]
    parted = windows_of(bursts((0.0, 1.0), (2.5, 3.5), seconds=3.5))  # 1.0 and 1.5 s lie in the pause
    assert len(parted) == 4 and all(np.count_nonzero(window) >= 7_900 for window in parted)


def test_a_switch_of_language_in_mid_sentence_shows_in_a_window() -> None:
    """Whisper base itself, where it is there: English spliced into Mandarin of the same voice."""
    path = find_weights("whisper_base")
    if path is None:
        pytest.skip("the weights of Whisper base are not on this machine")
    scorer = BleedScorer(load_model(path), {"u1": SimpleNamespace(language="en")})
    english, mandarin = recorded("translation_en0000_af_aoede"), recorded("translation_en0000_af_aoede.translation")
    spliced = np.concatenate([mandarin, english[9_600:33_600], mandarin])
    pure = [score.value for score in scorer.score(utterance(mandarin, language="zh"))]
    switched = [score.value for score in scorer.score(utterance(spliced, language="zh"))]
    source = [score.value for score in scorer.score(utterance(english, language="zh"))]
    assert pure[1] < 0.5 < switched[1] and pure[2] == 0 < switched[2] < source[2]
