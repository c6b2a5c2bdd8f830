"""Normal forms of texts before errors are counted: words for WER (English), characters for CER (Mandarin).

Both reference and hypothesis go through the same function. The rules are our choice; scores name the VERSION.
"""

import re
import unicodedata

from syncvoice.errors import UserError
from syncvoice.text import measures
from syncvoice.text.numbers import spell_out_numbers

VERSION = "2"
ENGLISH_VERSION = f"english-{VERSION}"
MANDARIN_VERSION = f"mandarin-{VERSION}"

_APOSTROPHE = re.compile("['\u2019\u2018`]")
_NO_LETTER = re.compile(r"[\W_]+")
_ZEROS = str.maketrans("〇○", "零零")


def english(text: str) -> str:
    """Return lower-case words separated by one space: numbers as words, apostrophes dropped, no punctuation."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = spell_out_numbers(text).lower()
    return _NO_LETTER.sub(" ", _APOSTROPHE.sub("", text)).strip()


def mandarin(text: str) -> str:
    """Return characters without spaces or punctuation: numbers as they are spoken, Latin letters small."""
    text = measures.mandarin(unicodedata.normalize("NFKC", text)).lower().translate(_ZEROS)
    return _NO_LETTER.sub("", text)


def normalise(text: str, language: str) -> str:
    """Return `english(text)` or `mandarin(text)`.

    Raises:
        UserError: another language.
    """
    if language not in ("en", "zh"):
        raise UserError(f"no normal form for language {language!r}; expected 'en' or 'zh'")
    return english(text) if language == "en" else mandarin(text)
