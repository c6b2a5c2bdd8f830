"""Japanese text to morae: the reading of every word by SudachiPy (Sudachi's small dictionary), cut into kana.

A mora is one or two katakana ("カ", "キャ", "ン", "ッ", "ー"). Readings are as spoken: the particles は, へ and を
sound ワ, エ and オ, and a vowel that only lengthens the one before it is "ー". What each mora sounds like in IPA is our
choice of the usual broad transcription.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from syncvoice.errors import UserError

LONG, NASAL, STOP = "ー", "ン", "ッ"
_PARTICLE, _VERB = "助詞", "動詞"
_ENDINGS = (_PARTICLE, "助動詞", "接尾辞")  # they join the word before them
_AS_PARTICLE = {"は": "ワ", "へ": "エ", "を": "オ"}
_USUAL = {"私": "ワタシ", "明日": "アシタ", "今日": "キョウ", "箱": "ハコ"}  # the dictionary gives others
_SMALL = "ァィゥェォャュョヮ"
_VOWELS = "aiɯeo"
_ROWS = {
    "": "アイウエオ",
    "k": "カキクケコ",
    "ɡ": "ガギグゲゴ",
    "s": "サ スセソ",
    "z": "ザ ズゼゾ",
    "t": "タ  テト",
    "d": "ダ ヅデド",
    "n": "ナ ヌネノ",
    "h": "ハ  ヘホ",
    "b": "バビブベボ",
    "p": "パピプペポ",
    "m": "マミムメモ",
    "ɾ": "ラリルレロ",
    "j": "ヤ ユ ヨ",
    "w": "ワ  ヱ ",
}
_ODD = {
    **{"シ": "ɕi", "ジ": "dʑi", "ヂ": "dʑi", "チ": "tɕi", "ツ": "tsɯ", "ニ": "ɲi", "ヒ": "çi", "フ": "ɸɯ"},
    **{"ヲ": "o", "ヴ": "vɯ", NASAL: "ɴ", STOP: "ʔ", LONG: "ː"},
    **{"シェ": "ɕe", "ジェ": "dʑe", "チェ": "tɕe", "ティ": "ti", "ディ": "di", "トゥ": "tɯ", "ドゥ": "dɯ"},
    **{"ファ": "ɸa", "フィ": "ɸi", "フェ": "ɸe", "フォ": "ɸo", "ウィ": "wi", "ウェ": "we", "ウォ": "wo"},
    **{"ヴァ": "va", "ヴィ": "vi", "ヴェ": "ve", "ヴォ": "vo", "ツァ": "tsa", "ツィ": "tsi", "ツェ": "tse"},
    **{"イェ": "je", "クァ": "kwa", "クォ": "kwo", "グァ": "ɡwa", "デュ": "dʲɯ", "フュ": "ɸʲɯ", "ツォ": "tso"},
}
_PALATAL = {  # before ャ, ュ and ョ
    **{"キ": "kʲ", "ギ": "ɡʲ", "シ": "ɕ", "ジ": "dʑ", "チ": "tɕ", "ニ": "ɲ", "ヒ": "ç", "ビ": "bʲ", "ピ": "pʲ"},
    **{"ミ": "mʲ", "リ": "ɾʲ"},
}
_NEXT = {"ャ": "a", "ュ": "ɯ", "ョ": "o"}
SOUNDS: dict[str, str] = {
    **{kana: row + _VOWELS[i] for row, letters in _ROWS.items() for i, kana in enumerate(letters) if kana != " "},
    **{kana + small: row + vowel for kana, row in _PALATAL.items() for small, vowel in _NEXT.items()},
    **_ODD,
}
_LENGTHENED_BY = {"a": "ア", "i": "イ", "ɯ": "ウ", "e": "エイ", "o": "オウ"}


@dataclass(frozen=True)
class ReadWord:
    """A word: its text and its morae."""

    text: str
    morae: tuple[str, ...]


def read(text: str) -> list[ReadWord]:
    """Read a text; marks and spaces are left out, particles and endings join the word before them.

    Raises:
        UserError: a word has no reading in kana.
    """
    words: list[ReadWord] = []
    for morpheme in _morphemes(text):
        morae = _morae(morpheme)
        if words and morpheme.kind in _ENDINGS:
            words[-1] = ReadWord(words[-1].text + morpheme.text, words[-1].morae + morae)
        else:
            words.append(ReadWord(morpheme.text, morae))
    return words


def sounds(text: str) -> list[str]:
    """Return the morae of a text, however it is written; what has no reading stays as it is, letter by letter."""
    found: list[str] = []
    for morpheme in _morphemes(text):
        try:
            found += _morae(morpheme)
        except UserError:
            found += morpheme.text.lower()
    return found


def ipa(morae: Sequence[str]) -> list[str]:
    """Return the sound of every mora."""
    return [SOUNDS[mora] for mora in morae]


@dataclass(frozen=True)
class _Morpheme:
    """A morpheme: as written, its part of speech, and its reading in katakana as spoken."""

    text: str
    kind: str
    reading: str


def _morphemes(text: str) -> Iterator[_Morpheme]:
    """Yield what can be said of a text."""
    for found in _reader().tokenize(unicodedata.normalize("NFKC", text)):
        surface, kind = str(found.surface()), str(found.part_of_speech()[0])
        reading = _USUAL.get(surface, str(found.reading_form()))
        if kind == _PARTICLE:
            reading = _AS_PARTICLE.get(surface, reading)
        if any(letter.isalnum() for letter in surface):
            yield _Morpheme(surface, kind, _katakana(reading))


def _morae(morpheme: _Morpheme) -> tuple[str, ...]:
    """Cut a reading into morae.

    Raises:
        UserError: it holds something else than kana.
    """
    found: list[str] = []
    for place, letter in enumerate(morpheme.reading):
        ends_verb = letter == "ウ" and morpheme.kind == _VERB and place == len(morpheme.reading) - 1  # as in 思う
        if letter in _SMALL and found and found[-1] + letter in SOUNDS:
            found[-1] += letter
        elif found and _lengthens(found[-1], letter) and not ends_verb:
            found.append(LONG)
        elif letter in SOUNDS:
            found.append(letter)
        else:
            raise UserError(f"no Japanese reading is known for {morpheme.text!r}; write it in kana")
    return tuple(found)


def _lengthens(mora: str, letter: str) -> bool:
    """Whether a vowel only makes the mora before it longer."""
    return letter in _LENGTHENED_BY.get(SOUNDS[mora][-1], "")


def _katakana(text: str) -> str:
    """Return hiragana as katakana."""
    return re.sub("[ぁ-ゖ]", lambda found: chr(ord(found[0]) + 0x60), text)


@lru_cache(maxsize=1)
def _reader() -> Any:
    """Return the reader of this process, which loads its dictionary once."""
    from sudachipy import Dictionary

    return Dictionary(dict="small").tokenizer()
