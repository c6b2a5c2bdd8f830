"""English text as phonemes with the marks between them, cut into clauses by espeak-ng itself.

The reference (piper-phonemize) asks a changed espeak-ng how each clause ended. The plain library does not tell, but
how far it read does: the mark that ended a clause is the last one in what it consumed. So a dot inside "e.g." or before
a small letter ends nothing, and a mark before a closing quote or bracket counts, as in the reference.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from syncvoice.text.espeak import clauses

# own: where the reference loses something, ours; public: as public weights learned it, to the symbol.
Reading = Literal["own", "public"]

_MARKS = ".,!?;:…–—"
# A clause that another follows was read up to a white space and the first character of the next, or to a closing quote.
_ENDED = re.compile(rf"([{_MARKS}]+)[^\w{_MARKS}]*\w?$")
_AT_THE_END = re.compile(rf"([{_MARKS}]+)[^\w{_MARKS}]*$")
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")
_DASHES = "–—"
_FORCE = re.compile("o@|O@|O:r")  # espeak's own names of what its newer versions all write as ɔːɹ
_IPA_FORCE = re.compile("ɔːɹ")


@lru_cache(maxsize=65_536)
def english_tokens(text: str, reading: Reading = "own") -> tuple[str, ...]:
    """Return the symbols of English text without digits: IPA, every code point one symbol, and marks.

    Args:
        text: numbers and abbreviations as words.
        reading: "public" ends nothing at "…" and writes the vowel of "four" as oːɹ, apart from that of "for", as the
            older espeak-ng of the public packages does; "own" reads "…" as the end of a sentence.
    """
    if not any(map(str.isalnum, text)):  # espeak would read out the name of a mark
        return tuple(letter for letter in text.strip() if letter in ".,!?;:")
    read = [(source, phonemes) for source, phonemes in clauses(text, "en") if phonemes]
    tokens: list[str] = []
    for number, (source, phonemes) in enumerate(read):
        follows = number + 1 < len(read)
        if reading == "public":
            phonemes = _with_two_vowels(phonemes, text, number)
        tokens += unicodedata.normalize("NFD", _LANGUAGE_SWITCH.sub("", phonemes))
        ended = (_ENDED if follows else _AT_THE_END).search(source)
        tokens += _mark(ended[1][0], reading) if ended else " " * follows
    return tuple(tokens)


def _mark(mark: str, reading: Reading) -> str:
    """Return the symbols of the mark that ends a clause; what does not end a sentence has a space after it."""
    if mark == "…":
        return "" if reading == "public" else "."
    if mark in _DASHES:
        return "; "
    return f"{mark} " if mark in ",;:" else mark


def _with_two_vowels(phonemes: str, text: str, number: int) -> str:
    """Return the phonemes of a clause with oːɹ where espeak's own names have o@."""
    named = [names for _, names in clauses(text, "en", ipa=False) if names]
    vowels = _FORCE.findall(named[number]) if number < len(named) else []
    if len(vowels) != len(_IPA_FORCE.findall(phonemes)):
        return phonemes
    left = iter(vowels)
    return _IPA_FORCE.sub(lambda match: "oːɹ" if next(left) == "o@" else match[0], phonemes)
