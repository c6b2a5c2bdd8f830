"""Japanese: what a text sounds like, its symbols, and the errors that a recogniser makes in it."""

import pytest

from syncvoice.dubbing.script import syllables
from syncvoice.errors import UserError
from syncvoice.metrics.words.protocols import BY_EAR
from syncvoice.networks.kokoro import ids_of
from syncvoice.text import japanese
from syncvoice.text.kokoro_ipa import mora_units, units_of
from syncvoice.text.phones import PHONE_CLASSES
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.timed_speech.script import script_of


@pytest.mark.parametrize(
    ("text", "morae"),
    [
        (
            "私は明日、学校へ行きます。",
            "ワ タ シ ワ ア シ タ ガ ッ コ ー エ イ キ マ ス",
        ),  # particles as spoken, long o
        ("先生と映画を見ないと", "セ ン セ ー ト エ ー ガ オ ミ ナ イ ト"),
        ("思う", "オ モ ウ"),  # the end of a verb lengthens nothing
        ("コーヒーとジュース", "コ ー ヒ ー ト ジュ ー ス"),
        ("きょうと", "キョ ー ト"),
        ("ファンのパーティー", "ファ ン ノ パ ー ティ ー"),
    ],
)
def test_readings(text: str, morae: str) -> None:
    assert japanese.sounds(text) == morae.split()
    assert [mora for word in japanese.read(text) for mora in word.morae] == morae.split()


def test_particles_and_endings_stay_with_their_words() -> None:
    assert [word.text for word in japanese.read("私は 本を買いました！")] == ["私は", "本を", "買いました"]


def test_what_has_no_reading_is_named_and_still_counted() -> None:
    with pytest.raises(UserError, match="'ხ'"):
        japanese.read("ხ は")
    assert japanese.sounds("ხ は")[0] == "ხ"


def test_every_mora_can_be_spoken_and_tokenised() -> None:
    tokenizer = EmiliaTokenizer()
    for mora, ipa in japanese.SOUNDS.items():
        assert not [letter for letter in ipa if letter not in tokenizer.vocabulary], mora
        if mora != japanese.LONG:  # a mark of the vowel before it
            units = mora_units([mora])
            assert ids_of("".join(unit.letters for unit in units)), mora
            assert {phone for unit in units for phone in unit.phones} <= set(PHONE_CLASSES), mora


def test_a_long_vowel_is_one_unit() -> None:
    (units,) = units_of(["学校"], "ja")
    assert [unit.letters for unit in units] == ["ɡ", "a", "ʔ", "k", "oː"]
    assert [phone for unit in units for phone in unit.phones] == ["ɡ", "a", "ʔ", "k", "ɔ"]


def test_symbols_keep_words_apart_and_count_syllables() -> None:
    tokens = EmiliaTokenizer().tokens("猫は窓のそばにいます。", "ja")
    assert "".join(tokens) == "nekowa madono sobaɲi imasɯ"
    assert syllables(tokens) == 12


def test_script_of_the_timed_engine() -> None:
    script = script_of("今日、学校へ行かないと。", "ja")
    assert [(word.text, word.mark) for word in script] == [("今日", ","), ("学校へ", ""), ("行かないと", ".")]


def test_errors_are_counted_in_morae_however_they_are_written() -> None:
    assert BY_EAR.metric("whisper_base", "ja") == "cer.whisper_base.by_ear"
    same = BY_EAR.count("りんごは箱の中にあります", "リンゴは、箱のなかに有ります。", "ja")
    assert same is not None and same.errors == 0 and same.words == 14
    other = BY_EAR.count("水を飲みます", "水を読みます", "ja")
    assert other is not None and (other.errors, other.words) == (1, 7)


def test_other_languages_are_counted_in_words_without_marks() -> None:
    assert BY_EAR.metric("whisper_base", "es") == "wer.whisper_base.by_ear"
    counts = BY_EAR.count("está mi taza en la mesa", "¿Está mi casa en la mesa?", "es")
    assert counts is not None and (counts.errors, counts.words) == (1, 6)
