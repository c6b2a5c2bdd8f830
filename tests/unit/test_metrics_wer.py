"""Error counts, corpus rates and the two recognisers' scorers."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncvoice.metrics.scorer import NotApplicable, ScoreError, Sources
from syncvoice.metrics.words.counting import ErrorCounts, corpus_rate, count_character_errors, count_errors
from syncvoice.metrics.words.ctc_mini import CtcScorer
from syncvoice.metrics.words.pocketsphinx_grid import PocketSphinxScorer
from syncvoice.text.grid_grammar import SLOTS, grid_grammar, jsgf_grammar
from tests.unit.clip_files import real_data
from tests.unit.spoken import at_16k, noise, script, speech, utterance

WORDS = st.lists(st.sampled_from(["bin", "blue", "at", "f", "two", "now"]), min_size=1, max_size=8).map(" ".join)


@pytest.fixture(scope="module")
def sphinx() -> PocketSphinxScorer:
    return PocketSphinxScorer()


class FakeRecogniser:
    """Answers with fixed transcripts."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def transcribe(self, audio: list[np.ndarray], language: str) -> list[str]:
        assert language in ("en", "zh")
        return [self.answer for _ in audio]


@given(WORDS)
def test_same_text_has_no_error(text: str) -> None:
    assert count_errors(text, text) == ErrorCounts(0, len(text.split()), 0, 0, 0)


@given(WORDS, WORDS)
def test_counts_are_consistent(reference: str, hypothesis: str) -> None:
    counts = count_errors(reference, hypothesis)
    assert counts.errors == counts.substitutions + counts.deletions + counts.insertions
    assert len(hypothesis.split()) == counts.words - counts.deletions + counts.insertions
    assert counts.errors <= max(counts.words, len(hypothesis.split()))


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("bin blue at f two now", "bin blue at s two now", (1, 6, 1, 0, 0)),
        ("bin blue at f two now", "", (6, 6, 0, 6, 0)),
        ("bin blue", "bin very blue now", (2, 2, 0, 0, 2)),
        ("now", "again and again", (3, 1, 1, 0, 2)),
    ],
)
def test_known_counts(reference: str, hypothesis: str, expected: tuple[int, ...]) -> None:
    assert count_errors(reference, hypothesis) == ErrorCounts(*expected)


def test_mandarin_counts_characters() -> None:
    assert count_character_errors("今天 天气好", "今天天汽好") == ErrorCounts(1, 5, 1, 0, 0)


def test_empty_script_is_refused() -> None:
    with pytest.raises(ValueError, match="no word left"):
        count_errors("  ", "bin")
    with pytest.raises(ScoreError, match="no word left"):
        CtcScorer(FakeRecogniser("bin")).score(utterance(noise(1.0), text="..."))


def test_corpus_rate_weighs_by_words() -> None:
    assert corpus_rate([ErrorCounts(1, 1, 1, 0, 0), ErrorCounts(0, 9, 0, 0, 0)]) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="at least one"):
        corpus_rate([])


def test_ctc_scorer_normalises_both_sides() -> None:
    (score,) = CtcScorer(FakeRecogniser("bin blue at f 2 now")).score(
        utterance(noise(1.0), text="Bin blue at F two, now!")
    )
    assert score.metric == "wer.ctc_mini"
    assert score.value == 0
    assert score.counts == {"errors": 0, "words": 6, "substitutions": 0, "deletions": 0, "insertions": 0}


def test_ctc_scorer_gives_cer_for_mandarin() -> None:
    (score,) = CtcScorer(FakeRecogniser("你好")).score(utterance(noise(1.0), text="你好吗？", language="zh"))
    assert score.metric == "cer.ctc_mini"
    assert score.value == pytest.approx(1 / 3)


def test_failed_clip_counts_as_all_wrong() -> None:
    counts = CtcScorer(FakeRecogniser("")).counts_if_failed(utterance(noise(1.0)).row)
    assert counts["errors"] == counts["words"] == counts["deletions"] == 6


def test_sphinx_hears_clear_grid_sentences(sphinx: PocketSphinxScorer) -> None:
    rates = []
    for number in range(4):
        (score,) = sphinx.score(utterance(speech("klatt4", number).audio, text=script(number)))
        rates.append(score.value)
    assert np.mean(rates) < 0.3


def test_sphinx_errs_on_another_script_and_on_silence(sphinx: PocketSphinxScorer) -> None:
    (right,) = sphinx.score(utterance(speech("klatt4").audio, text=script()))
    (wrong,) = sphinx.score(utterance(speech("klatt4", 1).audio, text=script()))
    (silent,) = sphinx.score(utterance(np.zeros(48_000), text=script()))
    assert right.value < wrong.value
    assert silent.value >= 2 / 3  # a grammar may force words on silence, but they are not the script's
    assert silent.counts["words"] == 6


def test_sphinx_repeats_itself_in_any_order(sphinx: PocketSphinxScorer) -> None:
    sounds = [at_16k(speech("klatt4", number).audio) for number in range(3)] + [noise(2.0, sample_rate=16_000)]
    forward = [sphinx.transcribe(sound) for sound in sounds]
    backward = [sphinx.transcribe(sound) for sound in sounds[::-1]][::-1]
    assert forward == backward
    assert PocketSphinxScorer().transcribe(sounds[2]) == forward[2]


@pytest.mark.parametrize("row", [{"source": "phrases"}, {"language": "zh"}])
def test_sphinx_scores_english_grid_sentences_only(sphinx: PocketSphinxScorer, row: dict[str, str]) -> None:
    with pytest.raises(NotApplicable, match="English GRID"):
        sphinx.score(utterance(noise(1.0), **row))


def test_scorers_name_their_normaliser_and_weights(sphinx: PocketSphinxScorer) -> None:
    assert "normalise" in sphinx.VERSION and "pocketsphinx 5" in sphinx.VERSION
    assert len(sphinx.weights_sha256) == 64
    assert PocketSphinxScorer.from_sources(Sources(None)).weights_sha256 == sphinx.weights_sha256


def test_grammar_is_made_from_the_vocabulary(sphinx: PocketSphinxScorer) -> None:
    assert jsgf_grammar("g", {"a": ("x", "y"), "b": ("z",)}).splitlines() == [
        "#JSGF V1.0;",
        "grammar g;",
        "public <sentence> = <a> <b>;",
        "<a> = x | y;",
        "<b> = z;",
    ]
    words = {word for line in grid_grammar().splitlines()[3:] for word in line.split("= ")[1].rstrip(";").split(" | ")}
    assert words == {word for slot in SLOTS for word in slot}
    assert set(sphinx.transcribe(at_16k(speech("klatt4").audio)).split()) <= words


def test_sphinx_understands_recorded_grid_sentences(sphinx: PocketSphinxScorer) -> None:
    """Every sixth of the 240 clips of speaker s1; all of them: 0.112."""
    folder = real_data("grid")
    if not folder.exists():
        pytest.skip("the folder of real GRID clips is not there")
    from syncvoice.video.decode import read_sound

    with open(folder / "transcripts.tsv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["speaker"] == "s1"][::6]
    sounds = (read_sound(folder / "s1" / f"{row['utterance']}.mpg", None) for row in rows)
    scores = [
        sphinx.score(utterance(sound, text=row["transcript"]))[0] for row, sound in zip(rows, sounds, strict=True)
    ]
    errors, words = (sum(score.counts[name] for score in scores) for name in ("errors", "words"))
    assert len(rows) == 40 and words == 240
    assert errors / words <= 0.15
