"""The LibriTTS tokenizer: English text, cleaned and in capitals, one symbol per character.

The cleaner is the custom English one of the Tacotron family: ASCII, numbers and abbreviations as words, a few signs as
words or commas, brackets dropped, capitals (facts: the code of `clvp` and `fastspeech2_conformer` in transformers).
Unlike the Emilia tokenizer it reads "3.14" as "three point fourteen", keeps inflect's commas inside large numbers, has
no fractions or %, and expands an abbreviation only before a full stop.
"""

import re
import unicodedata
from collections.abc import Mapping

from syncvoice.text.base import Tokenizer
from syncvoice.text.numbers import ABBREVIATIONS, LONGEST, inflector, year_words
from syncvoice.text.vocabulary import character_symbols

_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})
_GROUPED = re.compile(r"\d[\d,]+\d")
_POUNDS = re.compile(r"£([\d,]*\d)")
_DOLLARS = re.compile(r"\$([\d.,]*\d)")
_DECIMAL = re.compile(r"(\d+)\.(\d+)")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_NUMBER = re.compile(r"\d+")
_EMILIA_ONLY = {"etc", "btw"}
_ABBREVIATION = re.compile(rf"\b({'|'.join(name for name in ABBREVIATIONS if name not in _EMILIA_ONLY)})\.")
_SIGNS = str.maketrans({";": ",", ":": ",", "-": " ", "&": "and", **dict.fromkeys('()[]<>"', "")})


def _ascii(text: str) -> str:
    """Letters without accents; what has no ASCII form is dropped (our choice of transliteration)."""
    plain = unicodedata.normalize("NFKD", text.translate(_TYPOGRAPHY))
    return plain.encode("ascii", "ignore").decode("ascii")


def _dollars(match: re.Match[str]) -> str:
    whole, _, rest = match[1].partition(".")
    if "." in rest:
        return f"{match[1]} dollars"
    dollars, cents = int(whole or 0), int(rest or 0)
    spoken = [f"{dollars} dollar{'s' * (dollars != 1)}"] * bool(dollars)
    spoken += [f"{cents} cent{'s' * (cents != 1)}"] * bool(cents)
    return ", ".join(spoken) or "zero dollars"


def _cardinal(match: re.Match[str]) -> str:
    if len(match[0]) > LONGEST:
        return inflector().number_to_words(match[0], group=1)
    return year_words(int(match[0])) or inflector().number_to_words(match[0], andword="")


def _spell_out(text: str) -> str:
    text = _GROUPED.sub(lambda match: match[0].replace(",", ""), text)
    text = _DOLLARS.sub(_dollars, text)
    text = _DECIMAL.sub(r"\1 point \2", text)
    text = _ORDINAL.sub(lambda match: inflector().number_to_words(inflector().ordinal(match[1])), text)
    return _NUMBER.sub(_cardinal, text)


def clean_english(text: str) -> str:
    """Return English text in capitals without digits, accents or brackets.

    Pounds are spelt before the text becomes ASCII, which has no pound sign (our choice; the public order loses them).
    """
    text = _POUNDS.sub(r"\1 pounds", text)
    text = _spell_out(_ascii(text).lower())
    text = _ABBREVIATION.sub(lambda match: ABBREVIATIONS[match[1]], text)
    return re.sub(r"\s+", " ", text.translate(_SIGNS)).upper()


class LibriTTSTokenizer(Tokenizer):
    """English text to characters."""

    languages = ("en",)

    def __init__(self, vocabulary: Mapping[str, int] | None = None) -> None:
        """Take our own list of characters, or the vocabulary of trained weights."""
        own = {symbol: index for index, symbol in enumerate(character_symbols())}
        super().__init__(own if vocabulary is None else vocabulary)

    def symbols(self, text: str, language: str) -> list[str]:
        """Return the characters of the cleaned text."""
        return list(clean_english(text))
