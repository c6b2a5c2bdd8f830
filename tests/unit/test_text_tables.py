"""Texts and their symbols, row by row: Mandarin, English, mixtures, and the characters of the LibriTTS tokenizer.

Mandarin rows follow the tone rules by hand (third tones before third tones, 一 and 不, neutral 5); English rows hold
what espeak-ng says of the words that the normaliser must have made.
"""

from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.text.characters import LibriTTSTokenizer, clean_english
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.text.vocabulary import character_symbols, emilia_ids, emilia_symbols, read_vocabulary, write_vocabulary

MANDARIN = [
    ("你好", "n0 i2 h0 ao3"),  # 3 3 -> 2 3
    ("展览馆", "zh0 an2 l0 an2 g0 uan3"),
    ("老板", "l0 ao2 b0 an3"),
    ("一天", "y0 i4 t0 ian1"),  # 一 before the first tone
    ("一起", "y0 i4 q0 i3"),
    ("一个", "y0 i2 g0 e4"),  # 一 before the fourth
    ("不要", "b0 u2 y0 ao4"),  # 不 before the fourth
    ("不好", "b0 u4 h0 ao3"),
    ("我们的", "w0 o3 m0 en5 d0 e5"),
    ("什么？", "sh0 en2 m0 e5 ?"),
    ("银行", "y0 in2 h0 ang2"),  # 行 by its word
    ("行走", "x0 ing2 z0 ou3"),
    ("略", "l0 ve4"),
    ("玉", "y0 u4"),
    ("云", "y0 un2"),
    ("日", "r0 i4"),
    ("儿子", "er2 z0 i5"),  # no initial
    ("安全", "an1 q0 uan2"),
    ("熊猫", "x0 iong2 m0 ao1"),
    ("嗯", "n0 n2"),
    ("（真的）", "zh0 en1 d0 e5"),
    ("“好”", '" h0 ao3 "'),
    ("顿号、句号。", "d0 un4 h0 ao4 , j0 u4 h0 ao4 ."),
    ("你：好；！", "n0 i3 : h0 ao3 ; !"),
    ("你…我", "n0 i3 w0 o3"),  # … is no symbol of the 360
    ("50%", "b0 ai3 f0 en1 zh0 i1 w0 u3 sh0 i2"),
    ("3.14", "s0 an1 d0 ian3 y0 i1 s0 i4"),
    ("2024年", "er4 l0 ing2 er4 s0 i4 n0 ian2"),
    ("第3名", "d0 i4 s0 an1 m0 ing2"),
    ("1/2", "er4 f0 en1 zh0 i1 y0 i1"),
    ("-5", "f0 u4 w0 u3"),
    ("100000000", "y0 i1 y0 i4"),
    ("９９", "j0 iu3 sh0 i2 j0 iu3"),
    ("你好world", "n0 i2 h0 ao3 w ˈ ɜ ː l d"),
    ("A 和 B", "ˈ e ɪ h0 e2   b ˈ i ː"),
    ("3 apples，5个", "θ ɹ ˈ i ː   ˈ æ p ə l z   f ˈ a ɪ v g0 e4"),  # digits go with the text before them
    ("<ni3><hao3>", "n0 i3 h0 ao3"),  # given pinyin has no sandhi
    ("<lüe4>", "l0 ve4"),
    ("<er2>", "er2"),
    ("好[breath]好", "h0 ao3 h0 ao3"),
]
ENGLISH = [
    ("Mr. Smith went.", "mˈɪstɚ smˈɪθ wˈɛnt."),
    ("Dr Who", "dˈɑːktɚ hˈuː"),
    ("St. John", "sˈeɪnt dʒˈɑːn"),
    ("BTW, ok", "baɪ ðə wˈeɪ, ˌoʊkˈeɪ"),
    ("co. ltd.", "kˈʌmpəni lˈɪmɪɾᵻd"),
    ("$5", "fˈaɪv dˈɑːlɚz"),
    ("£2.50", "tˈuː pˈaʊndz, fˈɪfti pˈɛns"),
    ("1/2", "wˈʌn hˈæf"),
    ("2/3", "tˈuː θˈɜːdz"),
    ("7%", "sˈɛvən pɚsˈɛnt"),
    ("0.5", "zˈiəɹoʊ pˈɔɪnt fˈaɪv"),
    ("22nd", "twˈɛntisˈɛkənd"),
    ("1066", "tˈɛn sˈɪkstisˈɪks"),
    ("2004", "tˈuː θˈaʊzənd fˈɔːɹ"),
    ("2100", "twˈɛntiwˈʌn hˈʌndɹɪd"),
    ("What?! No...", "wˌʌt?nˈoʊ."),
    ("a; b: c", "ˈeɪ; bˈiː: sˈiː"),
    ("x, y, and z", "ˈɛks, wˈaɪ, ænd zˈiː"),
    ("don’t", "dˈoʊnt"),
    ("“Hi”", "hˈaɪ"),
    ("(see) this", "sˈiː ðˈɪs"),
]
CHARACTERS = [
    ("Hello, world", "HELLO, WORLD"),
    ("Dr. Who paid $3.50 for 2 cats & 1 dog!", "DOCTOR WHO PAID THREE DOLLARS, FIFTY CENTS FOR TWO CATS AND ONE DOG!"),
    ("in 1999; or 2005: maybe", "IN NINETEEN NINETY NINE, OR TWO THOUSAND FIVE, MAYBE"),
    ("It’s “quoted” (here) [or] <so>", "IT'S QUOTED HERE OR SO"),
    ("3.14", "THREE POINT FOURTEEN"),
    ("1,234,567", "ONE MILLION, TWO HUNDRED THIRTY FOUR THOUSAND, FIVE HUNDRED SIXTY SEVEN"),
    ("the 21st", "THE TWENTY FIRST"),
    ("£5 and $1", "FIVE POUNDS AND ONE DOLLAR"),
    ("$0.01, $0", "ONE CENT, ZERO DOLLARS"),
    ("naïve  café\n— ok…", "NAIVE CAFE OK..."),
    ("Mr Smith, Mr. Smith", "MR SMITH, MISTER SMITH"),  # only before a full stop
    ("2000 or 1900", "TWO THOUSAND OR NINETEEN HUNDRED"),
    ("日本 ok", " OK"),
    ("", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def emilia() -> EmiliaTokenizer:
    return EmiliaTokenizer()


@pytest.mark.parametrize(("text", "expected"), MANDARIN)
def test_mandarin_and_mixtures(emilia: EmiliaTokenizer, text: str, expected: str) -> None:
    assert " ".join(emilia.tokens(text, "zh")) == expected


@pytest.mark.parametrize(("text", "expected"), ENGLISH)
def test_english(emilia: EmiliaTokenizer, text: str, expected: str) -> None:
    assert "".join(emilia.tokens(text, "en")) == expected


@pytest.mark.parametrize(("text", "expected"), CHARACTERS)
def test_characters(text: str, expected: str) -> None:
    assert clean_english(text) == expected
    tokenizer = LibriTTSTokenizer()
    assert "".join(tokenizer.tokens(text, "en")) == expected.replace("\n", " ")
    assert [character_symbols()[i] for i in tokenizer.encode(text, "en")] == list(expected)


def test_a_number_without_a_name_is_read_digit_by_digit(emilia: EmiliaTokenizer) -> None:
    assert clean_english("1" * 40) == ", ".join(["ONE"] * 40)
    assert "".join(emilia.tokens("1" * 40, "en")).count("w") == 40
    assert emilia.tokens("1" + "0" * 16, "zh").count("ing2") == 16  # Mandarin names end at 16 digits


def test_tags_are_symbols_where_the_vocabulary_has_them(emilia: EmiliaTokenizer) -> None:
    tagged = EmiliaTokenizer(emilia_ids() | {"[laugh]": 360})
    assert tagged.vocab_size == 361
    assert tagged.encode("好[laugh][cough]", "zh") == [*emilia.encode("好", "zh"), 360]


def test_characters_take_the_ids_of_another_vocabulary() -> None:
    tokenizer = LibriTTSTokenizer({"A": 0, "_": 1, " ": 2})
    assert tokenizer.pad_id == 1 and tokenizer.vocab_size == 3
    assert tokenizer.encode("a b a", "en") == [0, 2, 2, 0]  # unknown characters are left out
    with pytest.raises(UserError, match="LibriTTSTokenizer has no language 'zh'; expected 'en'"):
        tokenizer.encode("好", "zh")


def test_tokens_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    write_vocabulary(path, emilia_symbols())
    assert path.read_text(encoding="utf-8").split("\n")[:4] == ["_\t0", "^\t1", "$\t2", " \t3"]
    assert read_vocabulary(path) == emilia_ids()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_vocabulary(path) == emilia_ids()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("_\t0\na 1\n", "line 2 is 'a 1'"),
        ("_\t0\na\tx\n", "line 2 is"),
        ("_\t0\na\t1\na\t2\n", "line 3 repeats the token 'a'"),
        ("_\t0\na\t2\n", "not 0 to 1, each once"),
        ("_\t0\na\t0\n", "not 0 to 1, each once"),
        ("a\t0\n", "no pad token"),
    ],
)
def test_wrong_tokens_files_are_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_vocabulary(path)
    with pytest.raises(UserError, match="does not exist"):
        read_vocabulary(tmp_path / "none.txt")
