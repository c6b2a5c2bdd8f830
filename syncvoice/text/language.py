"""The languages that we speak: what each needs, how people write their codes, and whether a text is in one.

A wrong `--language` gives speech of no language, so a text is compared with the script of its language.
"""

import re
import unicodedata
from dataclasses import dataclass

from syncvoice.errors import UserError


@dataclass(frozen=True)
class Language:
    """What one language needs.

    Attributes:
        name: in English.
        scripts: words in the Unicode names of its letters.
        espeak: voice of espeak-ng that reads it.
        stock: first letters of the stock voices of Kokoro that were made for it.
        aliases: other codes and names that people write.
        spaced: whether words stand apart; else errors are counted in characters (CER).
    """

    name: str
    scripts: tuple[str, ...]
    espeak: str
    stock: str
    aliases: tuple[str, ...]
    spaced: bool = True

    @property
    def error_rate(self) -> str:
        """Return the name of the error rate: "wer" or "cer"."""
        return "wer" if self.spaced else "cer"


LANGUAGES = {
    "en": Language("English", ("LATIN",), "en-us", "ab", ("eng", "english")),
    "zh": Language(
        "Mandarin", ("CJK",), "cmn", "z", ("zho", "chi", "cmn", "chinese", "mandarin", "putonghua"), spaced=False
    ),
    "es": Language("Spanish", ("LATIN",), "es", "e", ("spa", "spanish")),
    "fr": Language("French", ("LATIN",), "fr", "f", ("fra", "fre", "french")),
    "it": Language("Italian", ("LATIN",), "it", "i", ("ita", "italian")),
    "pt": Language("Portuguese", ("LATIN",), "pt-br", "p", ("por", "portuguese", "brazilian")),
    "hi": Language("Hindi", ("DEVANAGARI",), "hi", "h", ("hin", "hindi")),
    "ja": Language("Japanese", ("HIRAGANA", "KATAKANA", "CJK"), "ja", "j", ("jpn", "japanese"), spaced=False),
}
_ALIASES = {alias: code for code, language in LANGUAGES.items() for alias in (code, *language.aliases)}


def language_code(code: str, where: str) -> str:
    """Return a language as two or three small letters: "en-US", "EN" and "english" are "en"; "" stays.

    Args:
        code: as people write it.
        where: file, row and column, for the message.

    Raises:
        UserError: it is no code.
    """
    primary = re.split(r"[-_]", code.strip().lower())[0]
    if primary and primary not in _ALIASES and not re.fullmatch(r"[a-z]{2,3}", primary):
        raise UserError(f"{where} is {code!r}; expected a language code such as en, en-US, zh or zh-CN")
    return _ALIASES.get(primary, primary)


def check_language(text: str, language: str) -> None:
    """Refuse a text of which no letter belongs to the script of its language.

    Foreign words inside a text are fine: "他说 OK" is Mandarin, "the word 茶" is English. A text without letters fits
    every language, and so do letters of scripts that we do not know: who speaks judges those.

    Args:
        text: what is said.
        language: of LANGUAGES.

    Raises:
        UserError: the text has letters of other scripts only.
    """
    scripts = {script for character in text if character.isalpha() for script in _scripts(character)}
    wanted = LANGUAGES[language]
    others = [code for code, other in LANGUAGES.items() if scripts.intersection(other.scripts)]
    if others and not scripts.intersection(wanted.scripts):
        raise UserError(
            f"the language is {wanted.name} ({language}), but the text has no {wanted.name} letter: {_short(text)!r};"
            f" give --language {others[0]}, or a text in {wanted.name}"
        )


def _scripts(character: str) -> set[str]:
    """Return the scripts of LANGUAGES that a letter belongs to; none for others."""
    name = unicodedata.name(character, "").split()
    return {script for language in LANGUAGES.values() for script in language.scripts if script in name}


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
