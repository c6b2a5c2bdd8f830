"""Input of the speaker encoder CAM++: Kaldi filter bank of 16 kHz sound, mean-normalised."""

from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip


class Settings(ExtractorSettings):
    """No settings."""


class Extractor:
    """(frames, 80) float32 at 100 frames per second, mean over time removed."""

    name = "kaldi_fbank"
    version = "2"  # filters of torchaudio
    fps: float | None = 100.0
    dim: int | None = 80
    weights_sha256: str | None = None
    source_fields: tuple[str, ...] = ("audio_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Nothing to keep."""
        self.settings: dict[str, Any] = {}

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip."""
        from syncvoice.networks.camplus import fbank
        from syncvoice.records.sound import sound_of

        audio = sound_of(clip, clocks.SCORER_SAMPLE_RATE)
        return np.asarray(fbank(audio), np.float32)
