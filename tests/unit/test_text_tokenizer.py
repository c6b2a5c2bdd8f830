"""The Emilia tokenizer against the published facts of the reference vocabulary."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.text.numbers import expand_abbreviations, spell_out_numbers
from syncvoice.text.tokenizer import EmiliaTokenizer, split_pinyin, split_segments
from syncvoice.text.vocabulary import emilia_ids, emilia_symbols


@pytest.fixture(scope="module")
def tokenizer() -> EmiliaTokenizer:
    return EmiliaTokenizer()


def test_vocabulary_has_360_different_symbols() -> None:
    symbols = emilia_symbols()
    assert len(symbols) == len(set(symbols)) == 360
    assert len(symbols[159:]) == 201
    assert list(symbols[159:]) == sorted(symbols[159:])


@pytest.mark.parametrize(
    ("symbol", "index"),
    [
        *[
            ("_", 0),
            ("^", 1),
            ("$", 2),
            (" ", 3),
            ("!", 4),
            ("'", 5),
            ("(", 6),
            (")", 7),
            (",", 8),
            ("-", 9),
            (".", 10),
        ],
        *[(":", 11), (";", 12), ("?", 13), ("a", 14), ("f", 19), ("h", 20), ("z", 38), ("æ", 39), ("ŋ", 44), ("ǃ", 49)],
        *[
            ("ə", 59),
            ("ɟ", 64),
            ("ɡ", 66),
            ("ɪ", 74),
            ("ɱ", 81),
            ("ɹ", 88),
            ("ʃ", 96),
            ("ʊ", 100),
            ("ʐ", 106),
            ("ʔ", 109),
        ],
        *[("ʲ", 119), ("ˈ", 120), ("ˌ", 121), ("ː", 122), ("θ", 126), ("ᵻ", 128), ("ⱱ", 129), ("0", 130), ("9", 139)],
        *[
            ("\u0327", 140),
            ("\u0329", 144),
            ("ʰ", 145),
            ("ε", 147),
            ("#", 149),
            ('"', 150),
            ("\u033b", 153),
            ("g", 154),
        ],
        *[("ʦ", 155), ("X", 156), ("\u031d", 157), ("\u030a", 158), ("a1", 159), ("ê4", 359)],
    ],
)
def test_published_ids(symbol: str, index: int) -> None:
    assert emilia_ids()[symbol] == index


def test_interface(tokenizer: EmiliaTokenizer) -> None:
    assert tokenizer.vocab_size == 360
    assert tokenizer.pad_id == 0
    assert tokenizer.encode("", "en") == []
    with pytest.raises(UserError, match="'sv'"):
        tokenizer.encode("god dag", "sv")


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("bin blue at f two now", "en", "bˈɪn blˈuː æɾ ˈɛf tˈuː nˈaʊ"),
        ("Hello, world. Yes?", "en", "həlˈoʊ, wˈɜːld.jˈɛs?"),
        ("你好！", "zh", "n0 i2 h0 ao3 !"),
        ("我要买3个苹果", "zh", "w0 o3 y0 ao4 m0 ai3 s0 an1 g0 e4 p0 ing2 g0 uo3"),
        ("绿雪女孩", "zh", "l0 v4 x0 ue3 n0 v3 h0 ai2"),
        ("<zhong1><lve4>", "zh", "zh0 ong1 l0 ve4"),
    ],
)
def test_tokens(tokenizer: EmiliaTokenizer, text: str, language: str, expected: str) -> None:
    found = tokenizer.tokens(text, language)
    assert ("".join(found) if language == "en" else " ".join(found)) == expected


def test_mixed_text_keeps_order_and_ignores_the_language(tokenizer: EmiliaTokenizer) -> None:
    mixed = tokenizer.tokens("我们 go [laugh]学校。", "en")
    assert mixed == tokenizer.tokens("我们 go [laugh]学校。", "zh")
    assert mixed[:4] == ["w0", "o3", "m0", "en5"]
    assert "".join(mixed[5:9]) == "ɡˈoʊ"
    assert mixed[-5:] == ["x0", "ue2", "x0", "iao4", "."]


def test_segments() -> None:
    assert split_segments("3我们,ok.<wo3>[x]", "zh") == [
        ("zh", "3我们,"),
        ("en", "ok."),
        ("pinyin", "wo3"),
        ("tag", "x"),
    ]
    assert split_segments("123", "zh") == [("zh", "123")]


@pytest.mark.parametrize(
    ("syllable", "pieces"), [("zhong1", ["zh0", "ong1"]), ("a1", ["a1"]), ("er2", ["er2"]), ("yuan2", ["y0", "uan2"])]
)
def test_split_pinyin(syllable: str, pieces: list[str]) -> None:
    assert split_pinyin(syllable) == pieces


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("$3.50", "three dollars, fifty cents"),
        ("£1", "one pound"),
        ("£0.02", "two pence"),
        ("3.14", "three point one four"),
        ("50%", "fifty percent"),
        ("the 21st", "the twenty-first"),
        ("1/2 and 3/4", "one half and three fourths"),
        ("in 1999", "in nineteen ninety-nine"),
        ("in 2000, 2005, 2021, 1900", "in two thousand, two thousand five, twenty twenty-one, nineteen hundred"),
        ("1,000,000", "one million"),
        ("no digits", "no digits"),
    ],
)
def test_numbers(text: str, spoken: str) -> None:
    assert spell_out_numbers(text) == spoken


def test_abbreviations_are_whole_words_in_any_case() -> None:
    assert expand_abbreviations("Dr. Col and MRS Stone, etc.") == "doctor colonel and misess Stone, et cetera"


def test_no_output_and_same_ids_in_another_process(tokenizer: EmiliaTokenizer) -> None:
    code = (
        "from syncvoice.text.tokenizer import EmiliaTokenizer as T; t = T();"
        "import sys; sys.stdout.write(str(t.encode('男孩们 must open doors', 'zh')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert run.stdout == str(tokenizer.encode("男孩们 must open doors", "zh"))


def test_symbols_written_as_a_file_are_those_of_the_released_weights(tmp_path: Path) -> None:
    from syncvoice.assets import read_registry
    from syncvoice.files import sha256_of
    from syncvoice.text.vocabulary import emilia_ids, write_vocabulary

    write_vocabulary(tmp_path / "tokens.txt", sorted(emilia_ids(), key=emilia_ids().__getitem__))
    registry = read_registry(Path(__file__).resolve().parents[2] / "config" / "assets.yaml")
    assert sha256_of(tmp_path / "tokens.txt") == registry["zipvoice_emilia/tokens.txt"].sha256
