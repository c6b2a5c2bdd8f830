"""A stand-in for the network of the natural voices: known durations, and a sound that is loud where a symbol sounds."""

import numpy as np

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.minidub.natural_speech import EARLY_S
from syncvoice.networks.kokoro import FRAME, Prediction, ids_of

LEAD, PER_SYMBOL, TAIL = 12.2, 3.1, 8.4  # frames


class FakeKokoro:
    """Every symbol lasts as long; vowels are louder than consonants, spaces and marks are nearly silent."""

    def predict(self, letters: str, style: np.ndarray) -> Prediction:
        """Give equal durations."""
        frames = np.full(len(ids_of(letters)), PER_SYMBOL)
        frames[0], frames[-1] = LEAD, TAIL
        return Prediction(frames, np.zeros(1))

    def speak(self, letters: str, style: np.ndarray, prediction: Prediction, frames: list[int]) -> np.ndarray:
        """Hum where symbols sound, EARLY_S before the time that the durations state."""
        assert len(frames) == len(ids_of(letters)) and min(frames) >= 1
        audio = np.zeros(FRAME * sum(frames), np.float32)
        edges = np.cumsum([0, *frames]) * FRAME - round(EARLY_S * SAMPLE_RATE)
        time = np.arange(len(audio)) / SAMPLE_RATE
        for index, letter in enumerate(letters, start=1):
            if letter not in " .,":
                part = slice(max(0, edges[index]), edges[index + 1])
                audio[part] = 0.3 * np.sin(2 * np.pi * 180 * time[part])
        return audio
