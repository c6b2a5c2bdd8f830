"""The Emilia tokenizer: text of English, Mandarin or both, or of another language, to 360 symbols (see `vocabulary`).

English becomes espeak-ng IPA, every code point one symbol; Mandarin becomes pinyin pieces, initial + "0" and final +
tone. Segments `<pin1>` give one syllable directly; a `[tag]` is one symbol, which the 360 do not have. The steps
follow the reference implementation, with two readings of what its rules lose or garble: "public" is as public weights
learned it; "own", the usual one, puts Unicode into its usual form (NFKC) first, reads dates, times, units, texts
without letters and an abbreviation's full stop as people do, and ends a sentence at "…".
"""

import logging
import re
import unicodedata
import warnings
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType

from syncvoice.text import japanese, measures
from syncvoice.text.base import Tokenizer
from syncvoice.text.clauses import Reading, english_tokens
from syncvoice.text.espeak import phonemize
from syncvoice.text.language import LANGUAGES
from syncvoice.text.numbers import expand_abbreviations, spell_out_numbers
from syncvoice.text.public_english import public_english
from syncvoice.text.vocabulary import emilia_ids

VERSION = "3"
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
    }
)
_SPECIAL = re.compile(r"(<[a-zA-Zêü:]+[1-5]?>|\[[^\]]*\])")
# Full-width brackets: no symbols in Mandarin, brackets in English. NFKC would make them ASCII's, which are symbols.
_BRACKETS = str.maketrans("（）", "⟮⟯")
_ASCII_BRACKETS = str.maketrans("⟮⟯", "()")
_PINYIN = re.compile(r"[a-zêü]+[1-5]")


def _is_hanzi(letter: str) -> bool:
    return "\u4e00" <= letter <= "\u9fff" or "\u3400" <= letter <= "\u4dbf"


def _is_english(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def split_segments(text: str, language: str) -> list[tuple[str, str]]:
    """Cut text into (kind, piece), kind "zh" | "en" | "pinyin" | "tag".

    Characters that are neither hanzi nor Latin letters join the running segment, which a pinyin syllable makes
    Mandarin; leading ones the segment that follows, or `language` when there is none.
    """
    segments: list[tuple[str, str]] = []
    running = ""
    for part in _SPECIAL.split(text):
        if _SPECIAL.fullmatch(part):
            tag = part.startswith("[")
            running = running if tag else "zh"
            segments.append(("tag" if tag else "pinyin", part[1:-1]))
            continue
        piece = ""
        for letter in part:
            own = "zh" if _is_hanzi(letter) else "en" if _is_english(letter) else running
            if running and own != running and piece:
                segments.append((running, piece))
                piece = ""
            running, piece = own, piece + letter
        if piece:
            segments.append((running, piece))
    first = next(("zh" if kind == "pinyin" else kind for kind, _ in segments if kind not in ("", "tag")), language)
    return [(kind or first, piece) for kind, piece in segments]


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
def _mandarin_tokens(text: str, reading: Reading) -> tuple[str, ...]:
    from pypinyin import Style, lazy_pinyin

    tokens: list[str] = []
    words = mandarin_cut(measures.plain_mandarin(text) if reading == "public" else measures.mandarin(text))
    for item in lazy_pinyin(words, style=Style.TONE3, tone_sandhi=True, neutral_tone_with_five=True):
        tokens += split_pinyin(item) if _PINYIN.fullmatch(item) else item
    return tuple(tokens)


@lru_cache(maxsize=65_536)
def _english_tokens(text: str, reading: Reading) -> tuple[str, ...]:
    if reading == "public":
        return english_tokens(public_english(text), reading)
    return english_tokens(spell_out_numbers(expand_abbreviations(text.strip())), reading)


def _foreign_symbols(text: str, language: str) -> list[str]:
    """Return IPA of a text in another language than English and Mandarin, words apart."""
    if language != "ja":
        return list(phonemize(unicodedata.normalize("NFKC", text), language))
    return list(" ".join("".join(japanese.ipa(word.morae)) for word in japanese.read(text)))


class EmiliaTokenizer(Tokenizer):
    """Text to the 360 symbols, or to those of another `tokens.txt` of the same kind.

    English and Mandarin are read as the reference does, and may be mixed. The symbols hold all of espeak-ng's IPA, so
    other languages can be written with them too (our addition, for models that learned them): each word in the IPA of
    espeak-ng, Japanese in that of its morae.
    """

    languages = tuple(LANGUAGES)

    def __init__(self, vocabulary: Mapping[str, int] | None = None, reading: Reading = "own") -> None:
        """Take the 360 symbols, or another vocabulary (one with [tags], say).

        Args:
            vocabulary: symbol -> id.
            reading: "own" or "public", see the module's text and `clauses.english_tokens`.
        """
        super().__init__(emilia_ids() if vocabulary is None else vocabulary)
        self.reading: Reading = reading

    def symbols(self, text: str, language: str) -> list[str]:
        """Return the symbols of a text; a tag is one symbol with its brackets."""
        if language not in ("en", "zh"):
            return _foreign_symbols(text, language)
        if self.reading == "own":
            text = unicodedata.normalize("NFKC", text.translate(_BRACKETS)).strip()
            if language == "zh" and any(map(_is_hanzi, text)):
                text = measures.mandarin_units(text)
        text = text.translate(_PUNCTUATION).replace("...", "…")
        found: list[str] = []
        for kind, piece in split_segments(text, language):
            if kind == "en":
                found += _english_tokens(piece.translate(_ASCII_BRACKETS), self.reading)
            elif kind == "zh":
                found += _mandarin_tokens(piece, self.reading)
            elif kind == "pinyin":
                found += split_pinyin(piece.lower()) if _PINYIN.fullmatch(piece.lower()) else []
            else:
                found.append(f"[{piece}]")
        return found
