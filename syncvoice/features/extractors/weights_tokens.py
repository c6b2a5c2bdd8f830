"""Text as token ids of published weights, whose `tokens.txt` says which symbols they know."""

from typing import Any, ClassVar, Literal

import numpy as np

from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip


class Settings(ExtractorSettings):
    """Which symbols, and how English is read.

    Attributes:
        weights: the `tokens.txt` beside the weights; None = that of the Emilia release.
        reading: of the Emilia tokenizer: "own", or "public", as public weights learned it (see `text/tokenizer.py`).
    """

    asset: ClassVar[str] = "zipvoice_emilia/tokens.txt"

    weights: str | None = None
    reading: Literal["own", "public"] = "own"


class Extractor:
    """(tokens,) int32 ids of the clip's own text, without the pad that the model appends."""

    name = "weights_tokens"
    fps: float | None = None
    dim: int | None = None
    source_fields: tuple[str, ...] = ("text", "language")

    def __init__(self, settings: Settings) -> None:
        """Read the symbols.

        Raises:
            UserError: the file is missing or no vocabulary.
        """
        from syncvoice.files import sha256_of
        from syncvoice.model.text_path import text_of_tokens
        from syncvoice.places import find_path
        from syncvoice.text import tokenizer

        path = find_path(settings.weights or f"resources/assets/{settings.asset}")
        text = text_of_tokens(path).read(settings.reading)
        self.version = str(getattr(tokenizer, "VERSION", "1"))
        self.settings: dict[str, Any] = text.model_dump(mode="json")
        self.weights_sha256: str | None = sha256_of(path)
        self._tokenizer = text.tokenizer()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip."""
        return np.asarray(self._tokenizer.encode(clip.text, clip.language), np.int32)
