"""Spelling out English numbers and abbreviations before phonemization (facts of the reference implementation)."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from syncvoice.text import measures

ABBREVIATIONS = {
    "mrs": "misess",
    "mr": "mister",
    "dr": "doctor",
    "st": "saint",
    "co": "company",
    "jr": "junior",
    "maj": "major",
    "gen": "general",
    "drs": "doctors",
    "rev": "reverend",
    "lt": "lieutenant",
    "hon": "honorable",
    "sgt": "sergeant",
    "capt": "captain",
    "esq": "esquire",
    "ltd": "limited",
    "col": "colonel",
    "ft": "fort",
    "etc": "et cetera",
    "btw": "by the way",
}
LONGEST = 36  # digits of a number that has a name; longer ones are read digit by digit
_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\b\.?", re.IGNORECASE)
_COMMA = re.compile(r"(?<=\d),(?=\d{3}\b)")
_MONEY = re.compile(r"([$£€])(\d+)(?:\.(\d{1,2}))?(?!\d)")
_PERCENT = re.compile(r"(\d)\s*%")
_FRACTION = re.compile(r"\b(\d+)/(\d+)\b")
_DECIMAL = re.compile(r"(\d+)\.(\d+)")
_ORDINAL = re.compile(r"\b(\d+)(st|nd|rd|th)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_ENDLESS = re.compile(rf"\d{{{LONGEST + 1},}}")
_DECADE = re.compile(r"\b(\d*0)'?s\b")
_UNITS = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}


@lru_cache(maxsize=1)
def inflector() -> Any:
    """Return the engine that spells numbers."""
    import inflect

    return inflect.engine()


def _words(number: str) -> str:
    if len(number) > LONGEST:
        return inflector().number_to_words(number, group=1).replace(", ", " ")
    return inflector().number_to_words(number, andword="").replace(",", "")


def _money(match: re.Match[str]) -> str:
    unit, part = _UNITS[match[1]]
    whole, rest = int(match[2]), int((match[3] or "0").ljust(2, "0"))
    spoken = []
    if whole or not rest:
        spoken.append(f"{_words(str(whole))} {unit if whole == 1 else unit + 's'}")
    if rest:
        plural = "pence" if part == "penny" else "cents"
        spoken.append(f"{_words(str(rest))} {part if rest == 1 else plural}")
    return ", ".join(spoken)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    if bottom == 2:
        name = "half" if top == 1 else "halves"
    else:
        name = _words(inflector().ordinal(bottom)) + ("" if top == 1 else "s")
    return f"{_words(str(top))} {name}"


def year_words(number: int) -> str | None:
    """Words of a number between 1000 and 3000, read like a year in pairs of digits; None for other numbers."""
    if not 1000 < number < 3000:
        return None
    if number == 2000:
        return "two thousand"
    if 2000 < number < 2010:
        return f"two thousand {_words(str(number % 100))}"
    if number % 100 == 0:
        return f"{_words(str(number // 100))} hundred"
    return inflector().number_to_words(number, andword="", zero="oh", group=2).replace(", ", " ")


def _decimal(match: re.Match[str]) -> str:
    return f"{_words(match[1])} point {' '.join(map(_words, match[2]))}"


def _cardinal(match: re.Match[str]) -> str:
    return year_words(int(match[0])) or _words(match[0])


def expand_abbreviations(text: str) -> str:
    """Return English text with "Mr.", "etc" and the like as words."""
    return _ABBREVIATION.sub(lambda match: ABBREVIATIONS[match[1].lower()], text)


def _decade(match: re.Match[str]) -> str:
    words = year_words(int(match[1])) or _words(match[1])
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _apart(words: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    """Keep number words apart from letters that touch the digits: "5kg" is "five kg"."""

    def spaced(match: re.Match[str]) -> str:
        """Return the words, with a space where a letter or a word stands beside them."""
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        return f"{' ' if before.isalnum() else ''}{words(match)}{' ' if after.isalnum() else ''}"

    return spaced


def spell_out_numbers(text: str) -> str:
    """Return English text with numbers as words.

    Dates, times of day, units, minus signs and ranges (`measures`), money ($, £, €), fractions, decimals ("point",
    digit by digit), %, ordinals and years in pairs are read as such.
    """
    if not any(letter.isdigit() for letter in text):
        return text
    text = _ENDLESS.sub(lambda match: f" {' '.join(match[0])} ", _COMMA.sub("", text))
    text = measures.english(text)
    text = _PERCENT.sub(r"\1 percent", text)
    text = _MONEY.sub(_money, text)
    text = _FRACTION.sub(_apart(_fraction), text)
    text = _DECIMAL.sub(_apart(_decimal), text)
    text = _ORDINAL.sub(lambda match: _words(inflector().ordinal(int(match[1]))), text)
    text = _DECADE.sub(_decade, text)
    return _NUMBER.sub(_apart(_cardinal), text)
