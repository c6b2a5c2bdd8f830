"""The Emilia tokenizer: text of English, Mandarin or both to 360 symbols (see `vocabulary`).

English becomes espeak-ng IPA, every code point one symbol; Mandarin becomes pinyin pieces, initial + "0" and final +
tone. Segments `<pin1>` give one syllable directly; a `[tag]` is one symbol, which the 360 do not have. The steps
follow the reference implementation; where it uses piper-phonemize we split clauses at punctuation ourselves.
"""

import logging
import re
import unicodedata
import warnings
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType

from syncvoice.text import measures
from syncvoice.text.base import Tokenizer
from syncvoice.text.espeak import phonemize
from syncvoice.text.numbers import expand_abbreviations, spell_out_numbers
from syncvoice.text.vocabulary import emilia_ids

VERSION = "2"
_PUNCTUATION = str.maketrans(
    {
        "，": ",",
        "。": ".",
        "！": "!",
        "？": "?",
        "；": ";",
        "：": ":",
        "、": ",",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "⋯": "…",
        "（": "(",
        "）": ")",
    }
)
_SPECIAL = re.compile(r"(<[a-zA-Zêü:]+[1-5]?>|\[[^\]]*\])")
_CLAUSE_END = re.compile(r"([.,!?;:…]+)(?=\s|$)")
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")
_PINYIN = re.compile(r"[a-zêü]+[1-5]")


def _is_hanzi(letter: str) -> bool:
    return "\u4e00" <= letter <= "\u9fff" or "\u3400" <= letter <= "\u4dbf"


def _is_english(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def split_segments(text: str, language: str) -> list[tuple[str, str]]:
    """Cut text into (kind, piece), kind "zh" | "en" | "pinyin" | "tag".

    Characters that are neither hanzi nor Latin letters join the running segment; leading ones the segment that
    follows, or `language` when there is none.
    """
    segments: list[tuple[str, str]] = []
    for part in _SPECIAL.split(text):
        if _SPECIAL.fullmatch(part):
            segments.append(("tag" if part.startswith("[") else "pinyin", part[1:-1]))
            continue
        kind, piece = "", ""
        for letter in part:
            own = "zh" if _is_hanzi(letter) else "en" if _is_english(letter) else kind
            if kind and own != kind:
                segments.append((kind, piece))
                piece = ""
            kind, piece = own, piece + letter
        if piece:
            segments.append((kind or language, piece))
    return segments


@lru_cache(maxsize=65_536)
def _english_tokens(text: str) -> tuple[str, ...]:
    text = spell_out_numbers(expand_abbreviations(text.strip()))
    tokens: list[str] = []
    pieces = _CLAUSE_END.split(text)
    for index in range(0, len(pieces), 2):
        clause = _LANGUAGE_SWITCH.sub("", phonemize(pieces[index].strip(), "en")) if pieces[index].strip() else ""
        tokens += unicodedata.normalize("NFD", clause)
        mark = pieces[index + 1].replace("...", "…")[:1] if index + 1 < len(pieces) else ""
        tokens += "." if mark == "…" else mark
        if mark and mark in ",;:" and index + 2 < len(pieces) and pieces[index + 2].strip():
            tokens.append(" ")  # a comma, colon or semicolon does not end the sentence
    return tuple(tokens)


@lru_cache(maxsize=1)
def _jieba() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba uses pkg_resources, which warns on import
        import jieba
    jieba.setLogLevel(logging.WARNING)
    return jieba


def mandarin_cut(text: str) -> list[str]:
    """Cut a run of hanzi into words."""
    return list(_jieba().cut(text))


def split_pinyin(syllable: str) -> list[str]:
    """Cut a syllable in TONE3 style ("zhong1") into ["zh0", "ong1"]; without initial ["a1"]."""
    from pypinyin.contrib.tone_convert import to_finals_tone3, to_initials

    initial = to_initials(syllable, strict=False)
    final = to_finals_tone3(syllable, strict=False, neutral_tone_with_five=True)
    return [f"{initial}0"] * bool(initial) + [final] * bool(final)


@lru_cache(maxsize=65_536)
def _mandarin_tokens(text: str) -> tuple[str, ...]:
    from pypinyin import Style, lazy_pinyin

    tokens: list[str] = []
    words = mandarin_cut(measures.mandarin(text))
    for item in lazy_pinyin(words, style=Style.TONE3, tone_sandhi=True, neutral_tone_with_five=True):
        tokens += split_pinyin(item) if _PINYIN.fullmatch(item) else item
    return tuple(tokens)


class EmiliaTokenizer(Tokenizer):
    """English, Mandarin or both to the 360 symbols, or to those of another `tokens.txt` of the same kind."""

    languages = ("en", "zh")

    def __init__(self, vocabulary: Mapping[str, int] | None = None) -> None:
        """Take the 360 symbols, or another vocabulary (one with [tags], say)."""
        super().__init__(emilia_ids() if vocabulary is None else vocabulary)

    def symbols(self, text: str, language: str) -> list[str]:
        """Return the symbols of a text; a tag is one symbol with its brackets."""
        text = unicodedata.normalize("NFKC", text).translate(_PUNCTUATION).replace("...", "…").strip()
        if language == "zh" and any(map(_is_hanzi, text)):
            text = measures.mandarin_units(text)
        found: list[str] = []
        for kind, piece in split_segments(text, language):
            if kind == "en":
                found += _english_tokens(piece)
            elif kind == "zh":
                found += _mandarin_tokens(piece)
            elif kind == "pinyin":
                found += split_pinyin(piece.lower()) if _PINYIN.fullmatch(piece.lower()) else []
            else:
                found.append(f"[{piece}]")
        return found
