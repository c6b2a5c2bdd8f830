"""Text as token ids of the Emilia vocabulary."""

from typing import Any

import numpy as np

from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip


class Settings(ExtractorSettings):
    """No settings."""


class Extractor:
    """(tokens,) int32 ids of the clip's own text, without the pad that the model appends."""

    name = "emilia_tokens"
    fps: float | None = None
    dim: int | None = None
    weights_sha256: str | None = None
    source_fields: tuple[str, ...] = ("text", "language")

    def __init__(self, settings: Settings) -> None:
        """Load the tokenizer."""
        from syncvoice.text import tokenizer

        self.version = str(getattr(tokenizer, "VERSION", "1"))
        self.settings: dict[str, Any] = {}
        self._tokenizer = tokenizer.EmiliaTokenizer()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip."""
        return np.asarray(self._tokenizer.encode(clip.text, clip.language), np.int32)
