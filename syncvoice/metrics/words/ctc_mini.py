"""Word and character error rates by the small CTC recogniser (`weights/recogniser.safetensors`), greedy."""

from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import Sources
from syncvoice.metrics.words.word_scorer import WordScorer, normaliser_version

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser


class CtcScorer(WordScorer):
    """The shipped CTC recogniser: words for English, characters for Mandarin."""

    NAME = "ctc_mini"

    def __init__(self, recogniser: "CtcRecogniser", weights_sha256: str = "") -> None:
        """Score with a loaded recogniser."""
        self._recogniser: Any = recogniser
        self.weights_sha256 = weights_sha256
        self.VERSION = f"1, {normaliser_version()}"

    @classmethod
    def from_sources(cls, sources: Sources) -> "CtcScorer":
        """Load the recogniser from the weights folder."""
        from syncvoice.networks.recogniser import CtcRecogniser

        path = sources.weight_file("recogniser")
        return cls(CtcRecogniser.load(path), sha256_of(path))

    def transcribe(self, audio: np.ndarray, language: str) -> str:
        """Transcript of a sound at 16 kHz."""
        return self._recogniser.transcribe([audio], language)[0]
