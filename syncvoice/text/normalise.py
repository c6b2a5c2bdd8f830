"""Normal forms of texts before errors are counted: words for WER (English), characters for CER (Mandarin).

Both reference and hypothesis go through the same function. The rules are our choice; scores name the VERSION.
"""

import re
import unicodedata

from syncvoice.errors import UserError
from syncvoice.text.numbers import spell_out_numbers

VERSION = "1"
ENGLISH_VERSION = f"english-{VERSION}"
MANDARIN_VERSION = f"mandarin-{VERSION}"

_APOSTROPHE = re.compile("['\u2019\u2018`]")
_NO_LETTER = re.compile(r"[\W_]+")
_GROUPED = re.compile(r"(?<=\d)[,，](?=\d{3}(?!\d))")
_NUMERAL = re.compile(r"\d+(?:\.\d+)?")


def english(text: str) -> str:
    """Return lower-case words separated by one space: numbers as words, apostrophes dropped, no punctuation."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = spell_out_numbers(text).lower()
    return _NO_LETTER.sub(" ", _APOSTROPHE.sub("", text)).strip()


def mandarin(text: str) -> str:
    """Return characters without spaces or punctuation: numerals as hanzi, Latin letters lower case."""
    text = unicodedata.normalize("NFKC", text).lower()
    if any(letter.isdigit() for letter in text):
        text = _NUMERAL.sub(_hanzi, _GROUPED.sub("", text).replace("%", "百分比"))
    return _NO_LETTER.sub("", text)


def _hanzi(match: re.Match[str]) -> str:
    """Write a numeral in hanzi; a leading zero (telephone numbers) is read digit by digit."""
    import cn2an

    numeral = match[0]
    direct = numeral.startswith("0") and len(numeral) > 1 and "." not in numeral
    return cn2an.an2cn(numeral, "direct" if direct else "low")


def normalise(text: str, language: str) -> str:
    """Return `english(text)` or `mandarin(text)`.

    Raises:
        UserError: another language.
    """
    if language not in ("en", "zh"):
        raise UserError(f"no normal form for language {language!r}; expected 'en' or 'zh'")
    return english(text) if language == "en" else mandarin(text)
