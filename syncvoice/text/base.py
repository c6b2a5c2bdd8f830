"""What every tokenizer does: text to symbols, symbols to ids."""

import logging
import unicodedata
from collections.abc import Mapping

from syncvoice.errors import UserError
from syncvoice.text.vocabulary import PAD

log = logging.getLogger(__name__)


class Tokenizer:
    """Text to symbols and ids of a vocabulary; subclasses say which symbols a text has.

    Attributes:
        vocabulary: symbol -> id.
        vocab_size: number of symbols.
        pad_id: id of the symbol "_".
        languages: what `language` may be.
    """

    languages: tuple[str, ...] = ()

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Keep the vocabulary, e.g. from `read_vocabulary`."""
        self.vocabulary = dict(vocabulary)
        self.vocab_size = len(self.vocabulary)
        self.pad_id = self.vocabulary[PAD]

    def symbols(self, text: str, language: str) -> list[str]:
        """Return the symbols of a text, whether the vocabulary has them or not."""
        raise NotImplementedError

    def tokens(self, text: str, language: str) -> list[str]:
        """Return the symbols of a text that the vocabulary has; others are dropped, letters among them with a warning.

        Args:
            text: in one of `languages`, or a mixture if the tokenizer knows several.
            language: decides only where the text itself does not.

        Raises:
            UserError: another language.
        """
        if language not in self.languages:
            expected = " or ".join(map(repr, self.languages))
            raise UserError(f"{type(self).__name__} has no language {language!r}; expected {expected}")
        symbols = self.symbols(text, language)
        if lost := dict.fromkeys(s for s in symbols if s not in self.vocabulary and is_spoken(s)):
            log.warning("no symbol for %s in the text '%s': it will not be spoken", ", ".join(lost), text)
        return [symbol for symbol in symbols if symbol in self.vocabulary]

    def encode(self, text: str, language: str) -> list[int]:
        """Return the ids of `tokens(text, language)`, without a pad at the end."""
        return [self.vocabulary[symbol] for symbol in self.tokens(text, language)]


def is_spoken(symbol: str) -> bool:
    """Tell whether a symbol stands for sound: a letter, digit, part of a letter or [tag], not white space or a mark."""
    return len(symbol) > 1 or unicodedata.category(symbol)[0] in "LNM"
