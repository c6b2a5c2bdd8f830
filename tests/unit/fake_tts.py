"""A TTS network for tests: every symbol lasts four frames and sounds as a tone, silent symbols do not."""

from collections.abc import Sequence

import numpy as np

from syncvoice.networks.kokoro import FRAME, Prediction
from syncvoice.timed_speech.speaking import EARLY_S

OWN_FRAMES = 4.0
LEAD, TAIL = 12, 8  # frames of the ends
SILENT = " .,;:!?"


class FakeTts:
    """As `syncvoice.networks.kokoro.Kokoro`, sound EARLY_S before its time included."""

    def predict(self, letters: str, style: np.ndarray) -> Prediction:
        """Four frames for every symbol."""
        frames = np.full(len(letters) + 2, OWN_FRAMES)
        frames[0], frames[-1] = LEAD, TAIL
        return Prediction(frames.astype(np.float32), np.zeros(1))

    def speak(self, letters: str, style: np.ndarray, prediction: Prediction, frames: Sequence[int]) -> np.ndarray:
        """Tones of the symbols that sound."""
        assert len(frames) == len(letters) + 2 and min(frames) >= 1
        loud = [0.0, *(0.0 if letter in SILENT else 1.0 for letter in letters), 0.0]
        gate = np.repeat(loud, np.array(frames) * FRAME)
        gate = np.concatenate([gate[round(EARLY_S * 24_000) :], np.zeros(round(EARLY_S * 24_000))])
        return (0.3 * gate * np.sin(np.arange(len(gate)) * 0.05)).astype(np.float32)
