"""The stock voice, or blend of stock voices, that is nearest to a recording. It is no clone and does not try to be.

A GE2E network chooses: embeddings of the stock voices and their pitch were measured once (`syncvoice measure-voices`)
and are shipped as a table. A blend's embedding is taken to lie between those of its parts. How near the finished
speech is, is told by another network than the one that chose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.errors import UserError
from syncvoice.section import nearest as nearest_name
from syncvoice.text.language import LANGUAGES

if TYPE_CHECKING:
    from syncvoice.networks.kokoro import Kokoro

TABLE = "weights/stock_voices.safetensors"
# Left out: a whispered voice, and those named after voices of a closed service.
LEFT_OUT = ("af_nicole", "af_alloy", "af_nova", "am_echo", "am_onyx", "bm_fable")
MOST_PARTS = 3
STEP = 0.1  # of a weight
LEAST_GAIN = 0.003  # of the likeness that a further part must bring
PITCH_SPREAD = 0.35  # log Hz: a pitch so far away costs PITCH_COST
PITCH_COST = 0.1
FOREIGN_COST = 0.05  # of a voice made for another language: it may have an accent
SENTENCES = (
    "Please call her back before the evening and ask about the blue boat.",
    "We walked along the river, and nobody said a word for quite a while.",
    "Nine of the old houses near the market will be painted green this year.",
)


@dataclass(frozen=True)
class StockVoices:
    """What is known of every stock voice.

    Attributes:
        names: of the voices.
        embeddings: (voices, 256) of GE2E, length 1.
        log_pitch: (voices,) median of the natural logarithm of Hz.
    """

    names: tuple[str, ...]
    embeddings: np.ndarray
    log_pitch: np.ndarray

    @classmethod
    def load(cls, path: Path | str) -> "StockVoices":
        """Read the table.

        Raises:
            UserError: it is missing.
        """
        from syncvoice.records import weights as checkpoints

        state = checkpoints.read_state_dict(path)
        names = tuple(checkpoints.read_metadata(path)["config"]["names"])
        return cls(names, state["embeddings"].double().numpy(), state["log_pitch"].double().numpy())


@dataclass(frozen=True)
class ChosenVoice:
    """A blend, how like the recording its parts' embeddings are, and its pitch and that of the recording in Hz."""

    parts: dict[str, float]
    likeness: float
    pitch_hz: float
    wanted_hz: float

    def told(self) -> str:
        """Return the blend as --voice-blend takes it."""
        return ",".join(f"{name}={weight:.1f}" for name, weight in self.parts.items())


def parse_blend(text: str) -> dict[str, float]:
    """Read "af_heart=0.6,am_adam=0.4".

    Raises:
        UserError: another form, an unknown voice, or weights that are not positive.
    """
    from syncvoice.networks.kokoro import styles

    parts: dict[str, float] = {}
    for item in text.split(","):
        name, _, weight = item.strip().partition("=")
        try:
            parts[name] = float(weight) if weight else 1.0
        except ValueError as error:
            raise UserError(
                f"voice blend {text!r}: {item!r} is no NAME=WEIGHT, e.g. af_heart=0.6,am_adam=0.4"
            ) from error
        if name not in styles():
            raise UserError(f"voice blend {text!r}: voice {name!r} is unknown; {nearest_name(name, styles())}")
        if not parts[name] > 0:
            raise UserError(f"voice blend {text!r}: weight {parts[name]:g} of {name}; expected more than 0")
    return parts


def measure(audio: np.ndarray, encoder: Any) -> tuple[np.ndarray, float]:
    """Return GE2E embedding (256,) and median log pitch of speech (samples,) at 24 kHz.

    Args:
        audio: the speech.
        encoder: `syncvoice.networks.ge2e.Ge2eNetwork`.

    Raises:
        UserError: there is no voice in it.
    """
    from syncvoice.networks.ge2e import NoVoice
    from syncvoice.pitch import pitch_hz

    sound = resample(np.asarray(audio, np.float32), clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE)
    try:
        embedding = encoder.embed(sound)
    except NoVoice as error:
        raise UserError(f"the recording has no voice to compare ({error}); give one of a person speaking") from error
    hz = pitch_hz(sound, clocks.SCORER_SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE // 100)
    voiced = hz[np.isfinite(hz)]
    return embedding, float(np.median(np.log(voiced))) if len(voiced) else float("nan")


@dataclass(frozen=True)
class Wanted:
    """Embedding (256,) and median log pitch (NaN leaves it out) of a recording, and the language to be spoken."""

    embedding: np.ndarray
    log_pitch: float
    language: str = "en"

    def likeness(self, weights: np.ndarray, stock: StockVoices) -> float:
        """Cosine of a blend's embedding and the recording's."""
        mixed = weights @ stock.embeddings
        return float(mixed @ self.embedding / np.linalg.norm(mixed) / np.linalg.norm(self.embedding))

    def value(self, weights: np.ndarray, stock: StockVoices) -> float:
        """Likeness less what pitch and accent cost."""
        foreign = np.array([name[0] not in LANGUAGES[self.language].stock for name in stock.names])
        value = self.likeness(weights, stock) - FOREIGN_COST * float(weights @ foreign)
        if np.isfinite(self.log_pitch):
            value -= PITCH_COST * ((float(weights @ stock.log_pitch) - self.log_pitch) / PITCH_SPREAD) ** 2
        return value


def nearest_blend(wanted: Wanted, stock: StockVoices) -> ChosenVoice:
    """Find the blend nearest to a recording, part by part in steps of a tenth."""
    allowed = [number for number, name in enumerate(stock.names) if name not in LEFT_OUT]
    alone = np.eye(len(stock.names))
    weights = alone[max(allowed, key=lambda number: wanted.value(alone[number], stock))]
    value = wanted.value(weights, stock)
    while True:
        found, tried = _best_step(weights, allowed, wanted, stock)
        more = np.count_nonzero(found) > np.count_nonzero(weights)
        if tried <= value + (LEAST_GAIN if more else 1e-9):
            break
        weights, value = found, tried
    order = np.argsort(-weights)
    parts = {stock.names[n]: round(float(weights[n]), 1) for n in order if weights[n] > STEP / 2}
    pitch, wanted_pitch = float(np.exp(weights @ stock.log_pitch)), float(np.exp(wanted.log_pitch))
    return ChosenVoice(parts, wanted.likeness(weights, stock), pitch, wanted_pitch)


def _best_step(weights: np.ndarray, allowed: Sequence[int], wanted: Wanted,
               stock: StockVoices) -> tuple[np.ndarray, float]:  # fmt: skip
    """Move a tenth, or several, of the weight from one voice to another, as is best."""
    best, value = weights, -np.inf
    for giver in np.flatnonzero(weights > STEP / 2):
        for taker in allowed:
            for tenths in range(1, round(float(weights[giver]) / STEP) + 1):
                tried = weights.copy()
                tried[giver] -= tenths * STEP
                tried[taker] += tenths * STEP
                if np.count_nonzero(tried > STEP / 2) > MOST_PARTS:
                    continue
                found = wanted.value(tried, stock)
                if found > value:
                    best, value = np.where(tried > STEP / 2, tried, 0.0), found
    return best, value


def measure_stock(network: "Kokoro", encoder: Any, styles: Mapping[str, np.ndarray]) -> StockVoices:
    """Let every stock voice say SENTENCES, and measure it."""
    from syncvoice.timed_speech.script import script_of
    from syncvoice.timed_speech.speaking import NaturalSpeaker

    names = tuple(name for name in sorted(styles) if name not in LEFT_OUT)
    embeddings, pitches = [], []
    for name in names:
        speaker = NaturalSpeaker(network, styles[name])
        found = [measure(speaker.plainly(script_of(text, "en")), encoder) for text in SENTENCES]
        mean = np.mean([embedding for embedding, _ in found], axis=0)
        embeddings.append(mean / np.linalg.norm(mean))
        pitches.append(np.nanmean([pitch for _, pitch in found]))
    return StockVoices(names, np.stack(embeddings), np.array(pitches))
