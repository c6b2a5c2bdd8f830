"""Speech of MiniDub from espeak-ng: 24 kHz audio with the times of phones and words.

Rate, silences, pauses and intensity are drawn at random per clip (`random_delivery`), so that timing cannot be
guessed from the text: only the video tells it. All distributions here are our choice.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from zlib import crc32

import numpy as np

from syncvoice.audio import resample
from syncvoice.clocks import FPS, SAMPLE_RATE, samples
from syncvoice.errors import UserError
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.voices import Voice
from syncvoice.text import espeak
from syncvoice.text.grid_grammar import spoken_text
from syncvoice.text.language import LANGUAGES
from syncvoice.text.phones import PHONE_CLASSES, SILENCE, canonical_phones, phone_class

__all__ = [
    "INTENSITIES",
    "PHONE_CLASSES",
    "Delivery",
    "Phone",
    "Speech",
    "Word",
    "natural_duration",
    "phone_class",
    "random_delivery",
    "synthesise",
]

MAX_FRAMES = 80  # 3.2 s
BASE_RATES = {"grid": 160, "phrases-en": 170, "phrases-zh": 195}  # words per minute of a plain delivery
MIN_PAUSE_S = 0.06  # shorter gaps between phones belong to the phone before (stop closures, tone marks)
END_S = 0.07  # kept after the last phone: release and the echo that some variants have
VOLUME = 50  # of espeak, before levelling: at 100 some voices clip
FLOOR_RMS = 1e-4  # faint noise (-80 dBFS) under everything: digital silence would be an outlier of log-mel
MIN_RATE, MAX_RATE = 80, 450  # words per minute that espeak accepts
# level: RMS of the spoken part; pitch and range: added to espeak's 0-99 parameters (50 = the voice's own)
INTENSITIES = {
    "soft": {"level": 0.035, "pitch": -6, "range": 30},
    "normal": {"level": 0.065, "pitch": 0, "range": 50},
    "loud": {"level": 0.115, "pitch": 10, "range": 75},
}
PEAK = 0.95


@dataclass(frozen=True)
class Phone:
    """A phone of PHONE_CLASSES ("_" is silence) and its time in seconds from the start of the clip."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Word:
    """A word as written and its time in seconds from the start of the clip."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """A spoken clip.

    Attributes:
        audio: float32 (960 * n_frames,) at 24 kHz in [-1, 1].
        phones: contiguous from 0 to the end of the clip, silence included.
        words: spoken words in order.
        n_frames: length in video frames at 25 fps.
    """

    audio: np.ndarray
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]
    n_frames: int


@dataclass(frozen=True)
class Delivery:
    """How a sentence is spoken: rate, silences around, pauses (after word index, seconds), intensity, pitch 0-99."""

    rate_wpm: int = 170
    lead_s: float = 0.1
    tail_s: float = 0.1
    pauses: tuple[tuple[int, float], ...] = ()
    intensity: str = "normal"
    pitch: int = 50


def base_rate(sentence: Sentence) -> int:
    """Return the plain rate in words per minute for the kind of sentence."""
    return BASE_RATES["grid" if sentence.source == "grid" else f"phrases-{sentence.language}"]


def random_delivery(rng: np.random.Generator, sentence: Sentence) -> Delivery:
    """Draw rate (x0.85-1.25), lead 0.05-0.45 s, tail 0.08-0.3 s, 0-2 pauses of 0.08-0.4 s, intensity and pitch."""
    rate = round(base_rate(sentence) * rng.uniform(0.85, 1.25))
    n_gaps = len(sentence.words) - 1
    n_pauses = min(int(rng.choice(3, p=(0.4, 0.4, 0.2))), n_gaps)
    places = sorted(int(place) for place in rng.choice(n_gaps, n_pauses, replace=False)) if n_pauses else []
    pauses = tuple((place, round(float(rng.uniform(0.08, 0.4)), 2)) for place in places)
    return Delivery(
        rate_wpm=rate,
        lead_s=round(float(rng.uniform(0.05, 0.45)), 3),
        tail_s=round(float(rng.uniform(0.08, 0.3)), 3),
        pauses=pauses,
        intensity=str(rng.choice(tuple(INTENSITIES))),
        pitch=int(rng.integers(46, 55)),
    )


def _ssml(sentence: Sentence, pauses: tuple[tuple[int, float], ...]) -> tuple[str, list[int]]:
    """Return the SSML body and the 1-based character position of the start of each word."""
    gaps = dict(pauses)
    body, starts = "", []
    for index, word in enumerate(sentence.words):
        starts.append(len(body) + 1)
        body += spoken_text(word, sentence.source)
        if index in gaps:
            body += f' <break time="{round(gaps[index] * 1000)}ms"/>'
        body += " "
    return body.strip(), starts


def _phones(raw: espeak.Synthesis, offset_s: float) -> list[Phone]:
    """Turn phoneme events into contiguous phones; compound symbols share their time."""
    phones: list[Phone] = []
    for event, following in zip(raw.phonemes, raw.phonemes[1:], strict=False):
        start, end = (offset_s + e.sample / espeak.SAMPLE_RATE for e in (event, following))
        symbols = canonical_phones(event.symbol)
        if end <= start:
            continue
        if not symbols:
            if end - start < MIN_PAUSE_S and phones:
                phones[-1] = replace(phones[-1], end_s=end)
                continue
            symbols = (SILENCE,)
        edges = np.linspace(start, end, len(symbols) + 1).tolist()
        phones += [Phone(s, a, b) for s, a, b in zip(symbols, edges, edges[1:], strict=False)]
    while phones and phones[-1].symbol == SILENCE:
        phones.pop()
    return phones


def _words(
    raw: espeak.Synthesis, sentence: Sentence, starts: list[int], offset_s: float, phones: list[Phone]
) -> list[Word]:
    """Give every word the time from its first event to the next word or the pause before it."""
    bounds = [*starts[1:], 10**9]
    times: list[float | None] = []
    for start, stop in zip(starts, bounds, strict=True):
        found = [e.sample for e in raw.words if start <= e.position < stop]
        times.append(offset_s + min(found) / espeak.SAMPLE_RATE if found else None)
    spoken_end = phones[-1].end_s
    words: list[Word] = []
    silences = [p for p in phones if p.symbol == SILENCE]
    for index, word in enumerate(sentence.words):
        begin = times[index]
        if begin is None:  # espeak joined it to the word before
            begin = words[-1].end_s if words else phones[0].start_s
        begin = max(begin, phones[0].start_s)
        end = next((t for t in times[index + 1 :] if t is not None), spoken_end)
        end = min([end, *(p.start_s for p in silences if begin < p.start_s < end)])
        words.append(Word(word, begin, max(begin, end)))
    return words


def _speak(sentence: Sentence, voice: Voice, delivery: Delivery, n_limit: float) -> tuple[espeak.Synthesis, list[int]]:
    """Synthesise; raise the rate until the spoken part fits into `n_limit` seconds."""
    body, starts = _ssml(sentence, delivery.pauses)
    style = INTENSITIES[delivery.intensity]
    rate = delivery.rate_wpm
    pitch = int(min(99, max(0, voice.pitch + delivery.pitch - 50 + style["pitch"])))
    name = f"{LANGUAGES[sentence.language].espeak}+{voice.variant}"
    for _ in range(6):
        raw = espeak.engine().synthesise(body, name, rate, pitch, int(style["range"]), VOLUME)
        spoken = _phones(raw, 0.0)
        if not spoken:
            raise UserError(f"espeak-ng spoke nothing for {sentence.text!r} with voice {name}; choose another text")
        if spoken[-1].end_s <= n_limit or rate == MAX_RATE:
            break
        rate = min(MAX_RATE, round(rate * max(1.06, 1.03 * spoken[-1].end_s / n_limit)))
    return raw, starts


def _mix(spoken: np.ndarray, lead: int, total: int, level: float, seed: int) -> np.ndarray:
    """Place speech at its level into (total,) samples over the faint noise floor."""
    rms = float(np.sqrt(np.mean(spoken.astype(np.float64) ** 2)))
    gain = min(level / max(rms, 1e-6), PEAK / max(float(np.abs(spoken).max()), 1e-6))
    audio = np.random.default_rng(seed).normal(0.0, FLOOR_RMS, total).astype(np.float32)
    stop = min(total, lead + len(spoken))
    audio[lead:stop] += gain * spoken[: stop - lead]
    return np.clip(audio, -1.0, 1.0)


def synthesise(sentence: Sentence, voice: Voice, delivery: Delivery) -> Speech:
    """Speak a sentence; same arguments, same bytes.

    The clip has whole video frames and at most 3.2 s: where the delivery would last longer, the rate is raised.
    Each intensity has its own level, pitch and pitch range.

    Raises:
        UserError: espeak-ng is missing or speaks nothing.
    """
    lead = round(delivery.lead_s * SAMPLE_RATE)
    lead_s = lead / SAMPLE_RATE
    raw, starts = _speak(sentence, voice, delivery, MAX_FRAMES / FPS - lead_s - delivery.tail_s)
    phones = _phones(raw, lead_s)
    spoken_end = phones[-1].end_s
    n_frames = min(MAX_FRAMES, int(np.ceil((spoken_end + delivery.tail_s) * FPS - 1e-9)))
    keep = int((spoken_end - lead_s + END_S) * espeak.SAMPLE_RATE)
    spoken = resample(raw.audio[:keep].astype(np.float32) / 32768.0, espeak.SAMPLE_RATE, SAMPLE_RATE)
    seed = crc32(f"{sentence.text}/{voice.name}/{delivery}".encode())
    audio = _mix(spoken, lead, samples(n_frames), INTENSITIES[delivery.intensity]["level"], seed)
    words = _words(raw, sentence, starts, lead_s, phones)
    return Speech(audio, _cover(phones, n_frames / FPS), tuple(words), n_frames)


def _cover(phones: list[Phone], end_s: float) -> tuple[Phone, ...]:
    """Add silence before and after, so that phones cover 0..end_s."""
    covered = list(phones)
    if covered[0].start_s > 0:
        covered.insert(0, Phone(SILENCE, 0.0, covered[0].start_s))
    if covered[-1].end_s < end_s:
        covered.append(Phone(SILENCE, covered[-1].end_s, end_s))
    return tuple(covered)


@lru_cache(maxsize=65_536)
def natural_duration(sentence: Sentence) -> float:
    """Return seconds from first to last phone at the plain rate of the language, with the neutral voice."""
    name = LANGUAGES[sentence.language].espeak
    raw = espeak.engine().synthesise(_ssml(sentence, ())[0], name, base_rate(sentence))
    phones = _phones(raw, 0.0)
    return phones[-1].end_s - phones[0].start_s
