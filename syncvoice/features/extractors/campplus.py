"""Speaker embedding by CAM++, the input of the pretrained speaker branch (paper: frozen)."""

from typing import Any, ClassVar

import numpy as np

from syncvoice import clocks
from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip


class Settings(ExtractorSettings):
    """Which weights.

    Attributes:
        weights: file of CAM++ weights; a study gives those that its recipes condition on.
    """

    uses_card: ClassVar[bool] = True

    weights: str

    def reads_through(self) -> str:
        """Return the weights that the numbers come from."""
        return self.weights


class Extractor:
    """(1, E) float32, not normalised in length: one row for the whole clip."""

    name = "campplus"
    version = "1"
    fps: float | None = None
    source_fields: tuple[str, ...] = ("audio_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Load the network.

        Raises:
            UserError: the weights are missing or do not fit.
        """
        from syncvoice.device import resolve_device
        from syncvoice.files import sha256_of
        from syncvoice.networks.camplus import CAMPPlus
        from syncvoice.places import find_path

        path = find_path(settings.weights)
        self._encoder = CAMPPlus.load(path).eval().to(resolve_device())
        self.settings: dict[str, Any] = {}  # the digest says which weights, wherever they lie
        self.dim: int | None = self._encoder.embedding_size
        self.weights_sha256: str | None = sha256_of(path)

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip."""
        import torch

        from syncvoice.networks.camplus import fbank
        from syncvoice.records.sound import sound_of

        sound = sound_of(clip, clocks.SCORER_SAMPLE_RATE)
        device = next(self._encoder.parameters()).device
        with torch.inference_mode():
            return self._encoder(fbank(sound)[None].to(device)).cpu().numpy()
