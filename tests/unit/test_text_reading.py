"""Two readings of a text: our own, and what public weights learned, mark by mark as the public code has them."""

import logging

import pytest

from syncvoice.errors import UserError
from syncvoice.features.base import extractor_settings
from syncvoice.model.public_layout import tokenizer_of
from syncvoice.model.text_path import TextPath
from syncvoice.text.base import is_spoken
from syncvoice.text.public_english import public_english
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.text.vocabulary import emilia_ids


@pytest.fixture(scope="module")
def own() -> EmiliaTokenizer:
    return EmiliaTokenizer()


@pytest.fixture(scope="module")
def public() -> EmiliaTokenizer:
    return EmiliaTokenizer(reading="public")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('She said "no." Then', "ʃiː sˈɛd nˈoʊ.ðˈɛn"),  # a mark before a closing quote or bracket counts
        ('"Hello," she said', "həlˈoʊ, ʃiː sˈɛd"),
        ("“Why?” she asked.", "wˈaɪ?ʃiː ˈæskt."),
        ("(Yes.) Go on.", "jˈɛs.ɡˌoʊ ˈɔn."),
        ("He said: go.", "hiː sˈɛd: ɡˈoʊ."),
        ("The U.S.A. is big.", "ðə jˌuːˌɛsˈeɪ ɪz bˈɪɡ."),  # a dot before a small letter ends no sentence
        ("cats vs. dogs", "kˈæts vˌiːˈɛs dˈɑːɡz"),
        ("Tea, e.g., is hot", "tˈiː, fˌɔːɹɛɡzˈæmpəl ɪz hˈɑːt"),
        ("one — two – three - four", "wˌʌn; tˈuː; θɹˈiː fˈɔːɹ"),
        ("No... yes", "nˈoʊ.jˈɛs"),
        ("Well,", "wˈɛl, "),
        ("first\n\nsecond", "fˈɜːst sˈɛkənd"),
        ("a < b", "ɐ bˈiː"),
        ("?!", "?!"),
    ],
)
def test_marks_of_our_own_reading(own: EmiliaTokenizer, text: str, expected: str) -> None:
    assert "".join(own.tokens(text, "en")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wait... what", "wˈeɪtwˌʌt"),
        ("Mr. Smith", "mˈɪstɚ.smˈɪθ"),
        ("for four more doors north", "fɔːɹ fˈoːɹ mˈoːɹ dˈoːɹz nˈɔːɹθ"),
        ("Laura, a story of glory", "lˈɔːɹə, ɐ stˈoːɹi ʌv ɡlˈoːɹi"),
        ("10:30", "tˈɛn: θˈɜːɾi"),
        ("3.14", "θɹˈiː pˈɔɪnt fˈoːɹtiːn"),
    ],
)
def test_where_the_public_reading_differs(
    own: EmiliaTokenizer, public: EmiliaTokenizer, text: str, expected: str
) -> None:
    assert "".join(public.tokens(text, "en")) == expected != "".join(own.tokens(text, "en"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5kg and AA1234", " five kg and AA twelve thirty-four "),
        ("$3.50, $0.01, $0", "  three  dollars,  fifty  cents ,   one  cent ,  zero dollars "),
        ("£1,250", " twelve fifty  pounds"),
        ("1/2 3/4 2/3", " one half   three quarters   two third "),
        ("50% of 21st", " fifty  percent  of  twenty-first "),
        ("Dr. Who, etc.", "doctor. Who, et cetera."),
        ("in 2005 or 1900", "in  two thousand five  or  nineteen hundred "),
    ],
)
def test_public_numbers(text: str, expected: str) -> None:
    assert public_english(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello，你好", "h ə l ˈ o ʊ ,   n0 i2 h0 ao3"),  # the space after a comma stays between languages
        ("<zhong1> hello", "zh0 ong1   h ə l ˈ o ʊ"),  # and that after a syllable
        ("（你好）", "n0 i2 h0 ao3"),
        ("它——好…", "t0 a1 h0 ao3"),
    ],
)
def test_languages_meet(own: EmiliaTokenizer, public: EmiliaTokenizer, text: str, expected: str) -> None:
    assert " ".join(own.tokens(text, "zh")) == " ".join(public.tokens(text, "zh")) == expected


def test_what_cannot_be_spoken_is_named(own: EmiliaTokenizer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        own.encode("「你好」…（好）", "zh")
        assert not caplog.records, "marks are silent anyway"
        own.encode("你好こんこ", "zh")
    assert "no symbol for こ, ん in the text '你好こんこ': it will not be spoken" in caplog.text
    assert is_spoken("[laugh]") and not is_spoken("—") and not is_spoken(" ")


def test_composed_and_full_width_letters_are_read_alike(own: EmiliaTokenizer) -> None:
    assert own.tokens("cafe\u0301 ＡＢＣ １２", "en") == own.tokens("café ABC 12", "en")


def test_the_reading_travels_with_the_text_path() -> None:
    path = TextPath().read("public")
    tokenizer = path.tokenizer()
    assert isinstance(tokenizer, EmiliaTokenizer) and tokenizer.reading == "public"
    assert path != TextPath() and "public reading" in str(path)
    assert TextPath.model_validate(path.model_dump(mode="json")) == path
    assert TextPath.model_validate({"kind": "emilia", "symbols": None}) == TextPath(), "older records have none"
    assert tokenizer_of("libritts", {"_": 0, "A": 1}, "public").tokens("a", "en") == ["A"]
    assert extractor_settings("weights_tokens", {"reading": "public"}, "x").model_dump()["reading"] == "public"
    with pytest.raises(UserError, match="reading"):
        extractor_settings("weights_tokens", {"reading": "publik"}, "x")


def test_every_symbol_of_both_readings_is_known(own: EmiliaTokenizer, public: EmiliaTokenizer) -> None:
    text = "The quick brown fox — jumps over 12 lazy dogs; isn't it? Café, naïve, more or less."
    for tokenizer in (own, public):
        assert set(tokenizer.symbols(text, "en")) <= set(emilia_ids())
