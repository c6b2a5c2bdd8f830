"""English numbers and abbreviations as the public ZipVoice code reads them, where ours differ (`numbers`, `measures`).

Facts: k2-fsa/ZipVoice, its English normaliser. It knows no dates, times or units, reads "3.14" as "three point
fourteen" and keeps the full stop of "Mr.", after which espeak-ng ends a sentence. Public weights learned it so.
"""

import re
from collections.abc import Callable

from syncvoice.text.numbers import ABBREVIATIONS, inflector, year_words

_ABBREVIATION = re.compile(rf"\b({'|'.join(ABBREVIATIONS)})\b", re.IGNORECASE)


def _named(number: str) -> str:
    """Words of a whole number, years in pairs."""
    return year_words(int(number)) or inflector().number_to_words(number, andword="")


def _dollars(amount: str) -> str:
    """Dollars and cents, in digits; the numbers are read later."""
    whole, *cents = amount.split(".")
    if len(cents) > 1:
        return f"{amount} dollars"
    counts = ((int(whole or 0), "dollar"), (int(cents[0] or 0) if cents else 0, "cent"))
    spoken = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in counts if count]
    return ", ".join(spoken) or "zero dollars"


def _fraction(top: int, bottom: int) -> str:
    """Halves and quarters by name, others by an ordinal."""
    if bottom in (2, 4):
        name = "half" if bottom == 2 else "quarter"
        plural = "halves" if bottom == 2 else "quarters"
        return f"{inflector().number_to_words(top)} {name if top == 1 else plural}"
    return f"{inflector().number_to_words(top)} {inflector().ordinal(inflector().number_to_words(bottom))}"


Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
RULES: tuple[Rule, ...] = (
    (re.compile(r"\d[\d,]+\d"), lambda match: match[0].replace(",", "")),
    (re.compile(r"£([\d,]*\d+)"), lambda match: f"{match[1]} pounds"),
    (re.compile(r"\$([\d.,]*\d+)"), lambda match: f" {_dollars(match[1])} "),
    (re.compile(r"(\d+)/(\d+)"), lambda match: f" {_fraction(int(match[1]), int(match[2]))} "),
    (re.compile(r"(\d+)\.(\d+)"), lambda match: f"{match[1]} point {match[2]}"),
    (re.compile(r"([\d.,]*\d+)%"), lambda match: f"{match[1]} percent "),
    (re.compile(r"\d+(?:st|nd|rd|th)"), lambda match: f" {inflector().number_to_words(match[0])} "),
    (re.compile(r"\d+"), lambda match: f" {_named(match[0])} "),
)


def public_english(text: str) -> str:
    """Return English text with numbers and abbreviations as words, each number with a space on either side."""
    text = _ABBREVIATION.sub(lambda match: ABBREVIATIONS[match[1].lower()], text)
    for pattern, words in RULES:
        text = pattern.sub(words, text)
    return text
