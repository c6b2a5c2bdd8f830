"""Text to the symbols that Kokoro speaks, each with the phones it stands for (so that its durations time the phones).

English is espeak-ng's IPA, Mandarin pinyin. Kokoro writes a diphthong or affricate as one letter, no length marks, and
a Mandarin tone as an arrow after its vowel. Which symbols mean what: the symbol list and notes published with the
model; the table from IPA and pinyin to phones is ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES

STRESS = "ˈˌ"


@dataclass(frozen=True)
class Unit:
    """Some of Kokoro's symbols and the phones of PHONE_CLASSES that they sound as, which share their time evenly."""

    letters: str
    phones: tuple[str, ...]


def _units(table: dict[str, str]) -> dict[str, Unit]:
    """Read "letters phone phone" into units."""
    return {name: Unit(row.split()[0], tuple(row.split()[1:])) for name, row in table.items()}


_ENGLISH = _units(
    {
        **{letter: f"{letter} {letter}" for letter in "pbmfvθðtdnlszʃʒjwkɡŋhɹiuæɑɔɛɪʊʌəa"},
        "eɪ": "A eɪ",
        "aɪ": "I aɪ",
        "ɔɪ": "Y ɔɪ",
        "oʊ": "O oʊ",
        "aʊ": "W aʊ",
        "tʃ": "ʧ tʃ",
        "dʒ": "ʤ dʒ",
        "iː": "i i",
        "uː": "u u",
        "ɑː": "ɑ ɑ",
        "ɔː": "ɔ ɔ",
        "oː": "ɔ ɔ",
        "ɜː": "ɜɹ ɜ",
        "ɚ": "əɹ ɚ",
        "ɚɹ": "əɹ ɚ",  # before a vowel espeak writes the r twice
        "ɜːɹ": "ɜɹ ɜ",
        "əl": "ᵊl ə l",
        "n̩": "ᵊn ə n",
        "ɐ": "ə ə",
        "ᵻ": "ɪ ɪ",
        "ɾ": "T ɾ",
        "ʔ": "t t",
        "r": "ɹ ɹ",
        "g": "ɡ ɡ",
        "x": "k k",
        "o": "ɔ ɔ",
        "e": "A eɪ",
        "ɒ": "ɑ ɑ",
        "iə": "iə i ə",
        "aɪə": "Iə aɪ ə",
        "aɪɚ": "Iəɹ aɪ ɚ",
    }
)
_ENGLISH_SILENT = "ː\u0329\u0303\u200d"  # length, syllabic and nasal marks that the table leaves over
_WEAK = {"a": "ɐ", "an": "ɐn", "the": "ðə", "to": "tə", "and": "ænd"}  # said alone, espeak stresses them
_INITIALS = _units(
    {
        **{letter: f"{letter} {letter}" for letter in "mfnls"},
        **{"b": "p p", "d": "t t", "g": "k k", "p": "pʰ pʰ", "t": "tʰ tʰ", "k": "kʰ kʰ", "h": "x x"},
        **{"j": "ʨ tɕ", "q": "ʨʰ tɕʰ", "x": "ɕ ɕ", "zh": "ꭧ ʈʂ", "ch": "ꭧʰ ʈʂʰ", "sh": "ʂ ʂ", "r": "ɻ ʐ"},
        **{"z": "ʦ ts", "c": "ʦʰ tsʰ"},
    }
)
# A final in three parts: glide, vowel (the tone arrow follows it), ending.
_FINALS: dict[str, tuple[str, str, str]] = {
    "a": ("", "a a", ""),
    "ai": ("", "ai aɪ", ""),
    "an": ("", "a a", "n"),
    "ang": ("", "a ɑ", "ŋ"),
    "ao": ("", "au aʊ", ""),
    "e": ("", "ɤ ɤ", ""),
    "ei": ("", "ei eɪ", ""),
    "en": ("", "ə ə", "n"),
    "eng": ("", "ə ə", "ŋ"),
    "er": ("", "ɚ ɚ", ""),
    "i": ("", "i i", ""),
    "ia": ("j", "a a", ""),
    "ian": ("j", "ɛ ɛ", "n"),
    "iang": ("j", "a ɑ", "ŋ"),
    "iao": ("j", "au aʊ", ""),
    "ie": ("j", "e ɛ", ""),
    "in": ("", "i i", "n"),
    "ing": ("", "i i", "ŋ"),
    "iong": ("j", "ʊ ʊ", "ŋ"),
    "iou": ("j", "ou oʊ", ""),
    "o": ("w", "o ɔ", ""),
    "ong": ("", "ʊ ʊ", "ŋ"),
    "ou": ("", "ou oʊ", ""),
    "u": ("", "u u", ""),
    "ua": ("w", "a a", ""),
    "uai": ("w", "ai aɪ", ""),
    "uan": ("w", "a a", "n"),
    "uang": ("w", "a ɑ", "ŋ"),
    "uei": ("w", "ei eɪ", ""),
    "uen": ("w", "ə ə", "n"),
    "ueng": ("w", "ə ə", "ŋ"),
    "uo": ("w", "o ɔ", ""),
    "v": ("", "y y", ""),
    "van": ("ɥ", "ɛ ɛ", "n"),
    "ve": ("ɥ", "e ɛ", ""),
    "vn": ("", "y y", "n"),
}
_GLIDES = {"j": "i", "w": "u", "ɥ": "y"}
_BUZZING = {"z": "ɨ ɨ", "c": "ɨ ɨ", "s": "ɨ ɨ", "zh": "ɨ ɨ", "ch": "ɨ ɨ", "sh": "ɨ ɨ", "r": "ɨ ɨ"}  # their "i"
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}


def cut_ipa(ipa: str, table: Mapping[str, Unit], marks: str, silent: str) -> tuple[Unit, ...]:
    """Cut one word of espeak-ng's IPA into units, the longest entry of the table first.

    A stress mark belongs to the sound after it.

    Args:
        ipa: of the word.
        table: IPA -> unit.
        marks: letters that belong to the sound before them and are spoken.
        silent: letters that are left out.

    Raises:
        UserError: a symbol is unknown.
    """
    units: list[Unit] = []
    longest, position, stress = max(map(len, table)), 0, ""
    while position < len(ipa):
        letter = ipa[position]
        size = next((n for n in range(longest, 0, -1) if ipa[position : position + n] in table), 0)
        if size:
            unit = table[ipa[position : position + size]]
            units.append(replace(unit, letters=stress + unit.letters))
            stress = ""
        elif letter in STRESS:
            stress = letter
        elif letter in marks and units:
            units[-1] = replace(units[-1], letters=units[-1].letters + letter)
        elif letter not in silent:
            raise UserError(f"IPA {ipa!r} holds {letter!r}, which Kokoro has no symbol for; change the text")
        position += size or 1
    return tuple(units)


def units_of_words(
    words: Sequence[str], language: str, cut: Callable[[str], tuple[Unit, ...]], weak: Mapping[str, str]
) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a phrase.

    espeak-ng reads the phrase as a whole where it keeps its words apart, else ("in the" becomes one, a number several)
    word by word.

    Args:
        words: without punctuation.
        language: of `LANGUAGES`.
        cut: one word of IPA to units.
        weak: IPA of words that sound otherwise when they are said alone.

    Raises:
        UserError: espeak-ng reads nothing in a word, or a sound is unknown.
    """
    from syncvoice.text.espeak import phonemize

    whole = phonemize(" ".join(words), language).split()
    if len(whole) != len(words):
        whole = [weak.get(word) or "".join(phonemize(word, language).split()) for word in words]
    found = [cut(ipa) for ipa in whole]
    unread = [word for word, units in zip(words, found, strict=True) if not units]
    if unread:
        named = ", ".join(map(repr, unread))
        raise UserError(f"espeak-ng reads nothing in {named} in {LANGUAGES[language].name}; write it as words")
    return found


@lru_cache(maxsize=65_536)
def units_of_ipa(ipa: str) -> tuple[Unit, ...]:
    """Cut one word of espeak-ng's English IPA into units; raises as `cut_ipa`."""
    return cut_ipa(ipa, _ENGLISH, "", _ENGLISH_SILENT)


def english_units(words: Sequence[str]) -> list[tuple[Unit, ...]]:
    """Return the units of every word of an English phrase; raises as `units_of_words`."""
    return units_of_words(words, "en", units_of_ipa, _WEAK)


def syllable_units(syllable: str) -> tuple[Unit, ...]:
    """Return the units of a pinyin syllable in TONE3 style ("zhong1", "nv3"); without a tone it is neutral.

    Raises:
        UserError: no pinyin syllable.
    """
    from pypinyin.contrib.tone_convert import to_finals, to_initials

    tone = syllable[-1] if syllable[-1:].isdigit() else "5"
    initial, final = to_initials(syllable, strict=True), to_finals(syllable, strict=True, v_to_u=False)
    final = final.replace("ü", "v")
    if (initial and initial not in _INITIALS) or final not in _FINALS or tone not in _TONES:
        raise UserError(f"{syllable!r} is no pinyin syllable that Kokoro has symbols for")
    glide, vowel, ending = _FINALS[final]
    if final == "i" and initial in _BUZZING:
        vowel = _BUZZING[initial]
    letters, phone = vowel.split()
    units = [_INITIALS[initial]] if initial else []
    if glide:
        units.append(Unit(glide, (_GLIDES[glide],)))
    units.append(Unit(letters + _TONES[tone], (phone,)))
    if ending:
        units.append(Unit(ending, (ending,)))
    return tuple(units)


def mandarin_units(words: Sequence[str]) -> list[tuple[Unit, ...]]:
    """Return the units of every word of a Mandarin phrase.

    Raises:
        UserError: a character has no reading.
    """
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(list(words), style=Style.TONE3, tone_sandhi=True, neutral_tone_with_five=True)
    found, place = [], 0
    for word in words:
        own = syllables[place : place + len(word)]
        place += len(word)
        found.append(tuple(unit for syllable in own for unit in syllable_units(syllable)))
    if place != len(syllables):
        raise UserError(f"{' '.join(words)!r} has {place} characters, but {len(syllables)} readings; use hanzi only")
    return found
