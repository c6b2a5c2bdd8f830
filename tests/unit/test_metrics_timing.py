"""Timing of two sounds that are aligned to the same script."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.datasets.folder import read_align
from syncvoice.metrics.scorer import NotApplicable, ScoreError
from syncvoice.metrics.timing.speech_times import TimingScorer, compare, span, speech_rate
from syncvoice.text.alignment import SILENCE, AlignedPhone, align_text, phones_of_text
from syncvoice.text.grid_grammar import sentence_of
from tests.unit.clip_files import real_data
from tests.unit.real_sounds import grid_clips, grid_sound
from tests.unit.spoken import at_16k, script, speech, utterance

RECOGNISER = Path(__file__).parents[2] / "weights" / "recogniser.safetensors"


@pytest.fixture(scope="module")
def recogniser() -> object:
    if not RECOGNISER.exists():
        pytest.skip("weights/recogniser.safetensors is not there")
    from syncvoice.networks.recogniser import CtcRecogniser

    return CtcRecogniser.load(RECOGNISER)


def phones(*edges: float) -> list[AlignedPhone]:
    """Phones between neighbouring edges."""
    return [AlignedPhone("a", start, end) for start, end in zip(edges, edges[1:], strict=False)]


def test_figures_of_known_alignments() -> None:
    original = phones(0.1, 0.2, 0.3)
    assert compare(original, original) == {"phone_time_error": 0, "speech_rate_error": 0, "duration_error": 0}
    later = compare(phones(0.15, 0.25, 0.35), original)
    assert later["phone_time_error"] == pytest.approx(50) and later["duration_error"] == pytest.approx(0)
    slower = compare(phones(0.1, 0.3, 0.5), original)
    assert slower["speech_rate_error"] == pytest.approx(0.5) and slower["duration_error"] == pytest.approx(200)


def test_pauses_count_for_duration_but_not_for_rate() -> None:
    paused = [AlignedPhone("a", 0.1, 0.2), AlignedPhone("b", 0.7, 0.8)]
    assert speech_rate(paused) == pytest.approx(10) and span(paused) == pytest.approx(0.7)
    assert compare(paused, phones(0.1, 0.2, 0.3))["speech_rate_error"] == pytest.approx(0)
    with pytest.raises(ValueError, match="phones with a length"):
        speech_rate([])
    with pytest.raises(ValueError, match="same number"):
        compare(paused, paused[:1])


def test_phones_of_a_text() -> None:
    symbols, starts = phones_of_text("place red", "en")
    assert symbols == ["p", "l", "eɪ", "s", "ɹ", "ɛ", "d"] and starts == [0, 4]
    assert phones_of_text("R&D <b>", "en")[0] == phones_of_text("R & D < b >", "en")[0]
    mandarin, begins = phones_of_text("你好", "zh")
    assert mandarin[:2] == ["n", "i"] and 0 in begins


def test_alignment_from_text_finds_the_phones_of_known_speech(recogniser: object) -> None:
    spoken = speech("f3")
    known = [phone for phone in spoken.phones if phone.symbol != SILENCE]
    aligned = align_text(recogniser, at_16k(spoken.audio), script(), "en")
    assert abs(aligned[0].start_s - known[0].start_s) < 0.1
    assert abs(aligned[-1].end_s - known[-1].end_s) < 0.15
    with pytest.raises(ValueError, match="0 phones"):
        align_text(recogniser, at_16k(spoken.audio), "", "en")


def test_alignment_of_real_clips_finds_their_words(recogniser: object) -> None:
    """The recogniser has heard espeak only; its words must still begin near those of the corpus."""
    errors = []
    for name in grid_clips("s1")[:8]:
        words = [
            word
            for word in read_align(real_data("grid") / "s1" / f"{name}.align")
            if word[0] not in ("sil", "sp", SILENCE)
        ]
        text = sentence_of(name).replace(" a ", " eh ")
        starts = phones_of_text(text, "en")[1]
        if len(starts) == len(words):
            aligned = align_text(recogniser, grid_sound("s1", name), text, "en")
            errors += [abs(aligned[i].start_s - begin) for i, (_, begin, _) in zip(starts, words, strict=True)]
    assert len(errors) >= 30 and np.median(errors) < 0.1, errors


@pytest.fixture(scope="module")
def scorer(recogniser: object, tmp_path_factory: pytest.TempPathFactory) -> TimingScorer:
    path = tmp_path_factory.mktemp("timing") / "clip.wav"
    write_wav(path, speech("f3").audio, 24_000)
    clip = SimpleNamespace(audio=path, text=script(), language="en", source="grid", audio_sha256="")
    return TimingScorer(recogniser, {"u1": clip}, "0" * 64)


def values(scorer: TimingScorer, audio: np.ndarray) -> dict[str, float]:
    return {score.metric: score.value for score in scorer.score(utterance(audio, text=script()))}


def test_own_sound_is_perfect_and_a_delay_is_measured(scorer: TimingScorer) -> None:
    sound = speech("f3").audio
    assert values(scorer, sound) == {
        "phone_time_error.ctc_forced": pytest.approx(0, abs=5),
        "speech_rate_error.ctc_forced": pytest.approx(0, abs=0.02),
        "duration_error.ctc_forced": pytest.approx(0, abs=20),
    }
    late = values(scorer, np.concatenate([np.full(2400, 1e-5, np.float32), sound]))
    assert late["phone_time_error.ctc_forced"] == pytest.approx(100, abs=30)
    assert late["duration_error.ctc_forced"] < 50


def test_slow_speech_is_measured(scorer: TimingScorer) -> None:
    sound = speech("f3").audio
    slow = np.interp(np.arange(0, len(sound), 0.8), np.arange(len(sound)), sound).astype(np.float32)
    found = values(scorer, slow)
    assert found["duration_error.ctc_forced"] > 150 and found["speech_rate_error.ctc_forced"] > 0.1


def test_scorer_says_why_it_cannot(scorer: TimingScorer) -> None:
    with pytest.raises(ScoreError, match="silent"):
        values(scorer, np.zeros(24_000))
    with pytest.raises(ScoreError, match="too short"):
        values(scorer, speech("f3").audio[24_000:26_400])
    with pytest.raises(NotApplicable, match="something else"):
        scorer.score(utterance(speech("f3").audio, text="你好", language="zh"))
