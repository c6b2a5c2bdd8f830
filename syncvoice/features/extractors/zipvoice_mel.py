"""The sound as the backbone hears and makes it: log mel spectrogram of ZipVoice (see `features/mel.py`)."""

from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip

N_MELS = 100


class Settings(ExtractorSettings):
    """No settings."""


class Extractor:
    """(mel_frames(n_frames), 100) float32 at 93.75 frames per second."""

    name = "zipvoice_mel"
    version = "2"  # filters of torchaudio
    fps: float | None = clocks.MEL_FPS
    dim: int | None = N_MELS
    weights_sha256: str | None = None
    source_fields: tuple[str, ...] = ("audio_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Nothing to keep."""
        self.settings: dict[str, Any] = {}

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip.

        Raises:
            UserError: the prepared sound is missing or not 24 kHz.
        """
        from syncvoice.audio import read_wav
        from syncvoice.features.mel import log_mel

        audio, rate = read_wav(clip.audio, None, clip.audio_sha256)
        if rate != clocks.SAMPLE_RATE:
            raise UserError(f"{clip.audio} has {rate} Hz, expected 24000; run the prepare step again")
        return log_mel(audio, clip.n_frames)
