"""Spanish, French, Italian, Portuguese and Hindi text to Kokoro's symbols, by espeak-ng's IPA.

Kokoro learned these languages from espeak-ng's IPA, in which affricates are one letter. Lips and durations need the
phones of PHONE_CLASSES, which were made for English and Mandarin: each sound counts as the one of them that looks and
sounds most like it (our choice).
"""

from collections.abc import Sequence
from functools import lru_cache

from syncvoice.errors import UserError
from syncvoice.text.kokoro_symbols import STRESS, Unit
from syncvoice.text.language import LANGUAGES

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
_LONGEST = max(map(len, _SOUNDS))
_MARKS = "ː\u0303ʰʲ"  # length, nasal, breath, palatal: they belong to the sound before
_SILENT = "\u0329\u032a\u0361\u200d-"  # no symbol of Kokoro, and nothing lost without it


@lru_cache(maxsize=65_536)
def units_of_word(ipa: str) -> tuple[Unit, ...]:
    """Cut one word of IPA into units; a stress mark belongs to the sound after it.

    Raises:
        UserError: a sound is unknown.
    """
    units: list[Unit] = []
    position, stress = 0, ""
    while position < len(ipa):
        letter = ipa[position]
        size = next((n for n in range(_LONGEST, 0, -1) if ipa[position : position + n] in _SOUNDS), 0)
        if size:
            letters, phone = _SOUNDS[ipa[position : position + size]]
            units.append(Unit(stress + letters, (phone,)))
            stress = ""
        elif letter in STRESS:
            stress = letter
        elif letter in _MARKS and units:
            units[-1] = Unit(units[-1].letters + letter, units[-1].phones)
        elif letter not in _SILENT:
            raise UserError(f"IPA {ipa!r} holds {letter!r}, which Kokoro has no symbol for; change the text")
        position += size or 1
    return tuple(units)


def ipa_units(words: Sequence[str], language: str) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a phrase.

    espeak-ng reads the phrase as a whole where it keeps its words apart, else (a liaison makes two words one) word by
    word.

    Args:
        words: without punctuation.
        language: of LANGUAGES.

    Raises:
        UserError: espeak-ng reads nothing in a word, or a sound that Kokoro does not know.
    """
    from syncvoice.text.espeak import phonemize

    whole = phonemize(" ".join(words), language).split()
    if len(whole) != len(words):
        whole = ["".join(phonemize(word, language).split()) for word in words]
    found = [units_of_word(ipa) for ipa in whole]
    silent = [word for word, units in zip(words, found, strict=True) if not units]
    if silent:
        named = ", ".join(map(repr, silent))
        raise UserError(f"espeak-ng reads nothing in {named} in {LANGUAGES[language].name}; write it as words")
    return found
