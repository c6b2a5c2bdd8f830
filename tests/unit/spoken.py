"""Speech for the metric tests, synthesised at test time (no recording is shipped)."""

from functools import lru_cache

import numpy as np

from syncvoice.audio import resample
from syncvoice.metrics.scorer import Utterance
from syncvoice.minidub import phrases
from syncvoice.minidub.speech import Speech, random_delivery, synthesise
from syncvoice.minidub.voices import VOICES
from syncvoice.seeding import rng


@lru_cache(maxsize=64)
def speech(voice: str, number: int = 0, language: str = "en", source: str = "grid") -> Speech:
    """One test sentence in a voice; same arguments, same samples."""
    sentence = phrases.sample_sentences(language, source, "test", number + 1, 3)[number]
    return synthesise(sentence, VOICES[voice], random_delivery(rng(1, voice, number), sentence))


def script(number: int = 0, language: str = "en", source: str = "grid") -> str:
    """Text of the sentence that `speech` speaks."""
    return phrases.sample_sentences(language, source, "test", number + 1, 3)[number].text


def at_16k(audio: np.ndarray) -> np.ndarray:
    """Resample 24 kHz sound for a scorer."""
    return resample(audio, 24_000, 16_000)


def utterance(audio: np.ndarray, clip: object = None, **row: str) -> Utterance:
    """An utterance with a complete task row; keywords replace its fields."""
    fields = {
        "utterance": "u1",
        "clip": "u1",
        "text": "bin blue at f two now",
        "language": "en",
        "speaker": "v1",
        "sex": "female",
        "source": "grid",
        "reference": "r1",
        "reference_split": "reference",
    }
    return Utterance({**fields, **row}, "", audio.astype(np.float32), clip)


def noise(seconds: float, level: float = 0.1, sample_rate: int = 24_000) -> np.ndarray:
    """White noise, float32."""
    return (level * np.random.default_rng(7).standard_normal(int(seconds * sample_rate))).astype(np.float32)
