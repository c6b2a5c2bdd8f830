"""A text as the TTS model will speak it: words with their symbols, the phones they stand for, and the marks between."""

import re
from dataclasses import dataclass

from syncvoice.errors import UserError
from syncvoice.text import japanese
from syncvoice.text.kokoro_ipa import units_of
from syncvoice.text.kokoro_symbols import Unit
from syncvoice.text.language import LANGUAGES

_MARKS = {**dict(zip("，、；：。！？…", ",,;:.!?.", strict=True)), **{mark: mark for mark in ",;:.!?"}, "—": ","}
_WORD = re.compile(r"[^\s,;:.!?，、；：。！？…—\"“”()（）]+(?:[.,:][0-9]+)*")
SENTENCE_MARKS = ".!?"


@dataclass(frozen=True)
class ScriptWord:
    """A word.

    Attributes:
        text: as written.
        units: symbols and phones.
        mark: punctuation after it that the TTS knows, "" if there is none.
    """

    text: str
    units: tuple[Unit, ...]
    mark: str = ""

    @property
    def letters(self) -> str:
        """Symbols of the TTS model."""
        return "".join(unit.letters for unit in self.units)

    @property
    def phones(self) -> tuple[str, ...]:
        """Phones of PHONE_CLASSES."""
        return tuple(phone for unit in self.units for phone in unit.phones)


def script_of(text: str, language: str) -> list[ScriptWord]:
    """Read a text.

    Args:
        text: plain words with punctuation.
        language: of LANGUAGES.

    Raises:
        UserError: another language, or not one word that can be spoken.
    """
    if language not in LANGUAGES:
        raise UserError(f"the timed engine speaks {', '.join(LANGUAGES)}, not {language!r}")
    words, marks = _split(text, language)
    if not words:
        raise UserError(f"the text {text!r} has not one word to say; write {LANGUAGES[language].name} words")
    units = units_of(words, language)
    return [ScriptWord(word, row, mark) for word, row, mark in zip(words, units, marks, strict=True)]


def _split(text: str, language: str) -> tuple[list[str], list[str]]:
    """Return words and the mark after each."""
    from syncvoice.text import measures
    from syncvoice.text.numbers import expand_abbreviations, spell_out_numbers

    if language == "en":
        text = spell_out_numbers(expand_abbreviations(text))
    elif language == "zh":
        text = measures.mandarin(text)
    words: list[str] = []
    marks: list[str] = []
    last = 0
    for found in _WORD.finditer(text):
        _note_mark(text[last : found.start()], marks)
        parts = _words(found[0], language)
        words += parts
        marks += [""] * len(parts)
        last = found.end()
    _note_mark(text[last:], marks)
    return words, marks


def _note_mark(between: str, marks: list[str]) -> None:
    """Keep the strongest mark of what stands between two words at the first of them."""
    found = [_MARKS[letter] for letter in between if letter in _MARKS]
    if found and marks:
        marks[-1] = next((mark for mark in found if mark in SENTENCE_MARKS), found[0])


def _words(text: str, language: str) -> list[str]:
    """Return the words of what stands between spaces and marks."""
    if language == "zh":
        return _mandarin_words(text)
    return [word.text for word in japanese.read(text)] if language == "ja" else [text]


def _mandarin_words(text: str) -> list[str]:
    """Cut hanzi into words.

    Raises:
        UserError: other letters are among them.
    """
    from syncvoice.text.tokenizer import mandarin_cut

    foreign = [letter for letter in text if not "\u3400" <= letter <= "\u9fff"]
    if foreign:
        raise UserError(f"{text!r} holds {foreign[0]!r}; the timed engine reads Mandarin texts in hanzi only")
    return mandarin_cut(text)
