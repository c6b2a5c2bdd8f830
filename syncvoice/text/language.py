"""Whether a text is written in the language it is said to be in: a wrong `--language` gives speech of no language."""

import unicodedata

from syncvoice.errors import UserError

NAMES = {"en": "English", "zh": "Mandarin"}


def check_language(text: str, language: str) -> None:
    """Refuse a text of which no letter belongs to the script of its language.

    Foreign words inside a text are fine: "他说 OK" is Mandarin, "the word 茶" is English. A text without letters fits
    every language.

    Args:
        text: what is said.
        language: "en" or "zh".

    Raises:
        UserError: the text has letters of the other script only.
    """
    scripts = {_script(character) for character in text if character.isalpha()}
    wanted, other = ("zh", "en") if language == "zh" else ("en", "zh")
    if other in scripts and wanted not in scripts:
        raise UserError(
            f"the language is {NAMES[wanted]} ({wanted}), but the text has no {NAMES[wanted]} letter: {_short(text)!r};"
            f" give --language {other}, or a text in {NAMES[wanted]}"
        )


def _script(character: str) -> str:
    """Return the language whose script a letter belongs to; "" for other scripts, which the tokenizer judges."""
    name = unicodedata.name(character, "")
    return "zh" if name.startswith("CJK") else "en" if "LATIN" in name else ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
