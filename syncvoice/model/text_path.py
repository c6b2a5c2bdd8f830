"""How the texts of a model become ids: the kind of tokenizer and the symbols that its weights were trained with.

Start weights of this project know the 360 Emilia symbols. Public weights say theirs in `tokens.txt`; the file names no
kind, but its alphabet tells: capitals and no phonetic letter are the LibriTTS tokenizer's. Features carry the text path
in their header, models in their metadata, and whoever loads a model takes that path or refuses.
"""

from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal

from syncvoice.errors import UserError
from syncvoice.model.public_layout import TOKENS_FILE, tokenizer_of
from syncvoice.section import Section
from syncvoice.text.base import Tokenizer
from syncvoice.text.clauses import Reading
from syncvoice.text.vocabulary import emilia_ids, read_vocabulary


class TextPath(Section):
    """A kind of tokenizer, its symbols in the order of their ids (None: the 360 of Emilia), and how English is read.

    The reading ("own" or "public", see `text.tokenizer`) is chosen by whoever trains or speaks; weights do not say it.
    """

    kind: Literal["emilia", "libritts"] = "emilia"
    symbols: tuple[str, ...] | None = None
    reading: Reading = "own"

    def read(self, reading: Reading) -> "TextPath":
        """Return the same with another reading."""
        return self.model_copy(update={"reading": reading})

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer."""
        ids = emilia_ids() if self.symbols is None else {symbol: index for index, symbol in enumerate(self.symbols)}
        return tokenizer_of(self.kind, ids, self.reading)

    def __str__(self) -> str:
        """Name kind, number of symbols and an unusual reading, for messages."""
        reading = ", public reading" * (self.reading == "public")
        return f"{self.kind}, {len(self.symbols or emilia_ids())} symbols{reading}"


def text_of_tokens(path: Path | str) -> TextPath:
    """Return the text path of a `tokens.txt`.

    Raises:
        UserError: the file is missing or no vocabulary.
    """
    symbols = tuple(read_vocabulary(path))
    if symbols == tuple(sorted(emilia_ids(), key=emilia_ids().__getitem__)):
        return TextPath()
    letters = {symbol for symbol in symbols if len(symbol) == 1}
    is_characters = letters == set(symbols) and all(map(str.isascii, symbols)) and letters >= set(ascii_uppercase)
    return TextPath(kind="libritts" if is_characters else "emilia", symbols=symbols)


def text_of_start(weights: Path) -> TextPath:
    """Return the text path of start weights: of public ones that of the `tokens.txt` beside them.

    Raises:
        UserError: public weights without it.
    """
    from syncvoice.model.start import is_public

    return text_of_tokens(weights.with_name(TOKENS_FILE)) if is_public(weights) else TextPath()


def text_of_record(record: Mapping[str, Any] | None) -> TextPath:
    """Return the text path in a model's metadata (entry `text`) or in a feature's settings; without one Emilia's."""
    return TextPath.model_validate(dict(record)) if record else TextPath()


def check_same(start: Path, found: TextPath, feature: str) -> None:
    """Refuse to train weights on texts that were cut into other symbols than theirs.

    Raises:
        UserError: names both.
    """
    expected = text_of_start(start)
    if found.read(expected.reading) != expected:
        raise UserError(
            f"{start} reads texts as {expected}, but feature '{feature}' holds {found}; take for it the extractor "
            f"weights_tokens with 'weights: {start.with_name(TOKENS_FILE)}'"
        )
