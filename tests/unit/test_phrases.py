"""Sentences of MiniDub: grammar, banks, splits, translation pairs."""

import pytest

from syncvoice.errors import UserError
from syncvoice.minidub.phrases import (
    Sentence,
    grid_sentences,
    phrase_bank,
    sample_sentences,
    sample_translation_pairs,
    sentences,
    split_of,
)
from syncvoice.minidub.speech import natural_duration
from syncvoice.text.grid_grammar import SLOTS

KINDS = [("en", "grid"), ("en", "phrases"), ("zh", "phrases")]


def test_grid_grammar_has_51_words() -> None:
    assert [len(slot) for slot in SLOTS] == [4, 4, 4, 25, 10, 4]
    assert len({word for slot in SLOTS for word in slot}) == 51
    assert "w" not in SLOTS[3]
    assert len(grid_sentences()) == 64_000


def test_phrase_bank_is_large_and_short() -> None:
    bank = phrase_bank()
    assert len(bank) > 5_000
    for pair in bank:
        assert 4 <= len(pair.english.words) <= 8
        assert 4 <= len(pair.mandarin.text) <= 9
        assert "".join(pair.mandarin.words) == pair.mandarin.text
        assert all("\u4e00" <= letter <= "\u9fff" for letter in pair.mandarin.text)
    assert len({pair.english.text for pair in bank}) == len({pair.mandarin.text for pair in bank}) == len(bank)
    assert 150 <= len({letter for pair in bank for letter in pair.mandarin.text}) <= 250
    assert 150 <= len({word for pair in bank for word in pair.english.words}) <= 250


def test_both_sides_of_a_pair_are_in_one_split() -> None:
    for pair in phrase_bank():
        assert split_of(pair.english) == split_of(pair.mandarin)


@pytest.mark.parametrize(("language", "source"), KINDS)
def test_splits_are_disjoint_and_test_holds_no_new_words(language: str, source: str) -> None:
    train, test = (sentences(language, source, split) for split in ("train", "test"))
    assert not {s.text for s in train} & {s.text for s in test}
    assert 0.08 < len(test) / (len(train) + len(test)) < 0.12
    known = {word for s in train for word in (s.words if language == "en" else s.text)}
    assert {word for s in test for word in (s.words if language == "en" else s.text)} <= known


@pytest.mark.parametrize(("language", "source"), KINDS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_samples(language: str, source: str, split: str) -> None:
    sample = sample_sentences(language, source, split, 300, 5)
    assert sample == sample_sentences(language, source, split, 300, 5)
    assert sample[:100] == sample_sentences(language, source, split, 100, 5)
    assert sample != sample_sentences(language, source, split, 300, 6)
    assert len({s.text for s in sample}) == 300
    assert {split_of(s) for s in sample} == {split}
    assert {(s.language, s.source) for s in sample} == {(language, source)}


def test_split_of_never_changes() -> None:
    """The weights rely on it: these sentences were unseen when they were trained."""
    assert [s.text for s in sentences("en", "grid", "test")[:3]] == FIRST_GRID_TEST
    assert sum(split_of(s) == "test" for s in grid_sentences()) == N_GRID_TEST


FIRST_GRID_TEST = ["bin blue at a zero again", "bin blue at a two again", "bin blue at a four now"]
N_GRID_TEST = 6532


def test_sentence_without_words_is_cut() -> None:
    assert Sentence("bin blue", "en", "grid", "x-en-0").words == ("bin", "blue")
    assert Sentence("你好", "zh", "phrases", "x-zh-0").words == ("你", "好")


def test_bad_requests_are_explained() -> None:
    with pytest.raises(UserError, match="grid"):
        sentences("zh", "grid", "train")
    with pytest.raises(UserError, match="validation"):
        sentences("en", "grid", "validation")
    with pytest.raises(UserError, match="only"):
        sample_sentences("en", "grid", "test", 10_000, 0)


def test_translation_pairs_have_similar_durations() -> None:
    pairs = sample_translation_pairs(25, 3)
    assert pairs == sample_translation_pairs(25, 3)
    assert len({pair.english.text for pair in pairs}) == 25
    for pair in pairs:
        assert split_of(pair.english) == split_of(pair.mandarin) == "test"
        english, mandarin = natural_duration(pair.english), natural_duration(pair.mandarin)
        assert abs(english - mandarin) <= 0.2 * english


@pytest.mark.parametrize("language", ["es", "ja"])
def test_phrases_in_other_languages_say_the_same_content(language: str) -> None:
    said = [pair.said_in(language) for pair in phrase_bank()]
    for sentence, pair in zip(said, phrase_bank(), strict=True):
        assert sentence.language == language and sentence.words and "  " not in sentence.text
        assert split_of(sentence) == split_of(pair.english)
        assert (" " if language == "es" else "").join(sentence.words) == sentence.text
    assert len({sentence.text for sentence in said}) > 0.99 * len(said)


def test_a_phrase_by_hand() -> None:
    by_english = {pair.english.text: pair for pair in phrase_bank()}
    pair = by_english["the red apple is on the table"]
    assert pair.said_in("es").text == "la manzana roja está en la mesa"
    assert pair.said_in("ja").text == "赤いりんごはテーブルの上にあります"
    assert (
        by_english["the boys must climb the mountain today"].said_in("es").text
        == "los chicos deben subir la montaña hoy"
    )
    with pytest.raises(UserError, match="no phrases in 'fr'"):
        pair.said_in("fr")
