"""Text of any language to Kokoro's symbols; Spanish, French, Italian, Portuguese and Hindi by espeak-ng's IPA.

Kokoro learned these languages from espeak-ng's IPA, in which affricates are one letter. Lips and durations need the
phones of PHONE_CLASSES, which were made for English and Mandarin: each sound counts as the one of them that looks and
sounds most like it (our choice).
"""

from collections.abc import Sequence
from functools import lru_cache

from syncvoice.text import japanese
from syncvoice.text.kokoro_symbols import Unit, cut_ipa, english_units, mandarin_units, units_of_words

# IPA of espeak-ng -> Kokoro's letters and the phone they count as.
_SOUNDS: dict[str, tuple[str, str]] = {
    **{letter: (letter, letter) for letter in "pbmfvθðtdnlɾszʃʒɹjwkɡŋhxiɪɛæaɑɔʊuʌəyɜ"},
    **{"tʃ": ("ʧ", "tʃ"), "dʒ": ("ʤ", "dʒ"), "ts": ("ʦ", "ts"), "dz": ("ʣ", "z")},
    **{"pʰ": ("pʰ", "pʰ"), "tʰ": ("tʰ", "tʰ"), "kʰ": ("kʰ", "kʰ"), "ʈʰ": ("ʈʰ", "tʰ")},
    **{"r.": ("ɽ", "ɾ"), "r": ("r", "ɾ"), "ɽ": ("ɽ", "ɾ"), "ʁ": ("ʁ", "x"), "χ": ("χ", "x"), "ɣ": ("ɣ", "ɡ")},
    **{"β": ("β", "b"), "ɲ": ("ɲ", "n"), "ɳ": ("ɳ", "n"), "ʎ": ("ʎ", "l"), "ʝ": ("ʝ", "j"), "ʋ": ("ʋ", "v")},
    **{"ʈ": ("ʈ", "t"), "ɖ": ("ɖ", "d"), "c": ("c", "tʃ"), "ɟ": ("ɟ", "dʒ"), "ɥ": ("ɥ", "y"), "ɕ": ("ɕ", "ʃ")},
    **{"e": ("e", "ɛ"), "o": ("o", "ɔ"), "ø": ("ø", "ɔ"), "œ": ("œ", "ɔ"), "ɐ": ("ɐ", "ə"), "ɨ": ("ɨ", "ɨ")},
    **{"g": ("ɡ", "ɡ"), "q": ("q", "k"), "ʔ": ("ʔ", "ʔ"), "ç": ("ç", "ɕ"), "ɒ": ("ɒ", "ɑ"), "ᵻ": ("ɪ", "ɪ")},
}
_UNITS = {ipa: Unit(letters, (phone,)) for ipa, (letters, phone) in _SOUNDS.items()}
_JAPANESE = _UNITS | {
    "tɕ": Unit("ʨ", ("tɕ",)),
    "dʑ": Unit("ʥ", ("dʒ",)),
    "ɯ": Unit("ɯ", ("u",)),
    "ɸ": Unit("ɸ", ("f",)),
    "ɴ": Unit("ɴ", ("ŋ",)),
}
_MARKS = "ː\u0303ʰʲ"  # length, nasal, breath, palatal
_SILENT = "\u0329\u032a\u0361\u200d-"  # no symbol of Kokoro, and nothing lost without it


@lru_cache(maxsize=65_536)
def units_of_word(ipa: str) -> tuple[Unit, ...]:
    """Cut one word of IPA into units; raises as `cut_ipa`."""
    return cut_ipa(ipa, _UNITS, _MARKS, _SILENT)


def ipa_units(words: Sequence[str], language: str) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a phrase in one of these languages; raises as `units_of_words`."""
    return units_of_words(words, language, units_of_word, {})


def japanese_units(words: Sequence[str]) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a Japanese phrase; the network learned broad IPA of every mora.

    Raises:
        UserError: a word has no reading.
    """
    return [mora_units([mora for read in japanese.read(word) for mora in read.morae]) for word in words]


def mora_units(morae: Sequence[str]) -> tuple[Unit, ...]:
    """Return the units of morae (see `text.japanese`)."""
    return cut_ipa("".join(japanese.ipa(morae)), _JAPANESE, _MARKS, _SILENT)


def units_of(words: Sequence[str], language: str) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a phrase.

    Args:
        words: without punctuation.
        language: of LANGUAGES.

    Raises:
        UserError: a word cannot be read, or a sound has no symbol.
    """
    readers = {"en": english_units, "zh": mandarin_units, "ja": japanese_units}
    return readers[language](words) if language in readers else ipa_units(words, language)
