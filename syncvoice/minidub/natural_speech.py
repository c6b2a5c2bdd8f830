"""Natural speech of MiniDub from Kokoro: 24 kHz audio with the times of phones and words.

Rate, silences, pauses and intensity are drawn at random per clip (`random_delivery`), so that timing cannot be guessed
from the text: only the video tells it. A rate is carried out on the predicted durations, a pause by joining phrases
with silence of the length asked for. All distributions here are our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zlib import crc32

import numpy as np

from syncvoice.clocks import FPS, SAMPLE_RATE, samples
from syncvoice.minidub.natural_voices import NaturalVoice
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.speech import FLOOR_RMS, PEAK, Phone, Speech, Word
from syncvoice.networks.kokoro import FRAME_S, Kokoro, whole_frames
from syncvoice.networks.kokoro_bf16 import KokoroBf16
from syncvoice.text.grid_grammar import SPOKEN_LETTERS
from syncvoice.text.kokoro_ipa import units_of
from syncvoice.text.kokoro_symbols import Unit
from syncvoice.text.phones import SILENCE

VERSION = "1"
MAX_FRAMES = 125  # 5 s
EARLY_S = 0.055  # by which sound comes before the time that the durations state
QUIET_DB = -38.0  # of the loudest 10 ms: beyond the first and last sound above it a phrase is silence
MARGIN_S = 0.02  # kept around a phrase, faded
REACH_S = 0.15  # how far onset and end of the sound may lie from where the durations put them
MIN_PHRASE = 2  # words between pauses
# level: RMS of the spoken part; tilt: gain of what lies above TILT_HZ, because effort brightens a voice
INTENSITIES = {
    "soft": {"level": 0.035, "tilt": -0.35},
    "normal": {"level": 0.065, "tilt": 0.0},
    "loud": {"level": 0.115, "tilt": 0.4},
}
TILT_HZ = 1500.0


FORMS: dict[str, type[Kokoro]] = {"int8": Kokoro, "bf16": KokoroBf16}  # of the network, by arithmetic; published: int8
_arithmetic = ["int8"]


@dataclass(frozen=True)
class NaturalDelivery:
    """How a sentence is spoken: rate (1 is the voice's own), silences around, pauses (after word index), intensity."""

    rate: float = 1.0
    lead_s: float = 0.1
    tail_s: float = 0.1
    pauses: tuple[tuple[int, float], ...] = ()
    intensity: str = "normal"


@dataclass(frozen=True)
class _Phrase:
    """A spoken phrase, silence around it cut off: audio, and phones and words in seconds from its start."""

    audio: np.ndarray
    phones: tuple[Phone, ...]
    words: tuple[Word, ...]


@lru_cache(maxsize=1)
def engine() -> Kokoro:
    """Return the network of this process, opened on first use."""
    return FORMS[_arithmetic[0]].from_assets()


def compute_in(arithmetic: str) -> None:
    """Let this process speak in an arithmetic of `FORMS`; the network stays open while the same is asked for again."""
    if _arithmetic[0] != arithmetic:
        _arithmetic[0] = arithmetic
        engine.cache_clear()


def random_delivery(rng: np.random.Generator, sentence: Sentence) -> NaturalDelivery:
    """Draw rate 0.8-1.3, lead 0.05-0.45 s, tail 0.08-0.3 s, 0-2 pauses of 0.08-0.4 s and intensity."""
    rate = round(float(rng.uniform(0.8, 1.3)), 3)
    lead, tail = round(float(rng.uniform(0.05, 0.45)), 3), round(float(rng.uniform(0.08, 0.3)), 3)
    intensity = str(rng.choice(tuple(INTENSITIES)))
    gaps = list(range(MIN_PHRASE - 1, len(sentence.words) - MIN_PHRASE))
    pauses: list[tuple[int, float]] = []
    for _ in range(int(rng.choice(3, p=(0.5, 0.35, 0.15)))):
        if gaps:
            place = int(rng.choice(gaps))
            pauses.append((place, round(float(rng.uniform(0.08, 0.4)), 2)))
            gaps = [gap for gap in gaps if abs(gap - place) >= MIN_PHRASE]
    return NaturalDelivery(rate, lead, tail, tuple(sorted(pauses)), intensity)


def synthesise(
    sentence: Sentence, voice: NaturalVoice, delivery: NaturalDelivery, max_frames: int = MAX_FRAMES
) -> Speech:
    """Speak a sentence; same machine and arguments, same bytes.

    The clip has whole video frames. Where it would be longer than `max_frames`, pauses are left out, then the rate is
    raised.

    Raises:
        UserError: the network is missing, or the text cannot be read.
    """
    return carry_out(sentence, voice, delivery, max_frames)[0]


def carry_out(
    sentence: Sentence, voice: NaturalVoice, delivery: NaturalDelivery, max_frames: int = MAX_FRAMES
) -> tuple[Speech, NaturalDelivery]:
    """Speak a sentence as `synthesise` does; also returns the delivery that was carried out."""
    while True:
        phrases = [
            _phrase(words, last, sentence.language, voice, delivery.rate)
            for words, last in _slices(sentence, delivery.pauses)
        ]
        gaps = [seconds for _, seconds in delivery.pauses]
        spoken = sum(len(phrase.audio) / SAMPLE_RATE - 2 * MARGIN_S for phrase in phrases) + sum(gaps)
        n_frames = int(np.ceil((delivery.lead_s + spoken + delivery.tail_s) * FPS - 1e-9))
        if n_frames <= max_frames:
            seed = crc32(f"{sentence.text}/{voice.name}/{delivery}".encode())
            return _join(phrases, delivery, n_frames, seed), delivery
        if delivery.pauses:
            delivery = replace(delivery, pauses=())
        else:
            available = max_frames / FPS - delivery.lead_s - delivery.tail_s
            delivery = replace(delivery, rate=round(delivery.rate * max(1.04, 1.02 * spoken / available), 3))


@lru_cache(maxsize=4096)
def natural_seconds(sentence: Sentence, voice: NaturalVoice) -> float:
    """Return how long a sentence lasts at the voice's own rate, without silence around it, as predicted (no sound)."""
    ((words, last),) = _slices(sentence, ())
    units = units_of([spoken for _, spoken in words], sentence.language)
    prediction = engine().predict(_letters(units, last), voice.style(sentence.language))
    edges = np.concatenate([[0.0], np.cumsum(whole_frames(prediction.frames))]) * FRAME_S
    phones, _ = _times(units, edges)
    return phones[-1].end_s - phones[0].start_s


def _letters(units: Sequence[Sequence[Unit]], last: bool) -> str:
    """Symbols of a phrase; a comma instead of the full stop lets the voice expect more."""
    return " ".join("".join(unit.letters for unit in row) for row in units) + ("." if last else ",")


def _slices(sentence: Sentence, pauses: Sequence[tuple[int, float]]) -> list[tuple[tuple[tuple[str, str], ...], bool]]:
    """Cut a sentence at its pauses: words (as written, as spoken) and whether it is the last phrase."""
    letters = SPOKEN_LETTERS if sentence.source == "grid" else {}
    words = [(word, letters.get(word, word)) for word in sentence.words]
    edges = [0, *(place + 1 for place, _ in pauses), len(words)]
    return [(tuple(words[a:b]), b == len(words)) for a, b in zip(edges, edges[1:], strict=False)]


def _phrase(words: tuple[tuple[str, str], ...], last: bool, language: str, voice: NaturalVoice, rate: float) -> _Phrase:
    """Speak one phrase and find its phones."""
    units = units_of([word for _, word in words], language)
    letters = _letters(units, last)
    style = voice.style(language)
    prediction = engine().predict(letters, style)
    frames = whole_frames(prediction.frames, rate)
    audio = engine().speak(letters, style, prediction, frames.tolist())
    edges = np.concatenate([[0.0], np.cumsum(frames)]) * FRAME_S - EARLY_S  # start of every symbol, the first is "0"
    phones, bounds = _times(units, edges)
    start, end = _sounding(audio, phones[0].start_s, phones[-1].start_s, phones[-1].end_s)
    first = max(0, round((start - MARGIN_S) * SAMPLE_RATE))
    audio = _faded(audio[first : round((end + MARGIN_S) * SAMPLE_RATE)])
    offset = first / SAMPLE_RATE
    phones[0] = replace(phones[0], start_s=start)
    phones[-1] = replace(phones[-1], end_s=end)
    moved = tuple(Phone(p.symbol, p.start_s - offset, p.end_s - offset) for p in phones)
    texts = [text for text, _ in words]
    named = [Word(text, moved[a].start_s, moved[b - 1].end_s) for text, (a, b) in zip(texts, bounds, strict=True)]
    return _Phrase(audio, moved, tuple(named))


def _times(units: Sequence[Sequence[Unit]], edges: np.ndarray) -> tuple[list[Phone], list[tuple[int, int]]]:
    """Phones of a phrase from the edges of its symbols, and of every word its first and last-but-one phone.

    A space is shared by its neighbours; the phones of a unit share its time evenly.
    """
    phones: list[Phone] = []
    bounds: list[tuple[int, int]] = []
    symbol = 1  # 0 is the silent symbol at the start
    for index, row in enumerate(units):
        if index:
            middle = float(edges[symbol] + edges[symbol + 1]) / 2
            phones[-1] = replace(phones[-1], end_s=middle)
            symbol += 1
        first = len(phones)
        for unit in row:
            begin = middle if index and len(phones) == first else float(edges[symbol])
            symbol += len(unit.letters)
            cuts = np.linspace(begin, float(edges[symbol]), len(unit.phones) + 1).tolist()
            phones += [Phone(p, a, b) for p, a, b in zip(unit.phones, cuts, cuts[1:], strict=False)]
        bounds.append((first, len(phones)))
    return phones, bounds


def _sounding(audio: np.ndarray, start_s: float, last_start_s: float, end_s: float) -> tuple[float, float]:
    """Where the sound of a phrase begins and ends, near where its durations say (seconds)."""
    hop = SAMPLE_RATE // 200  # 5 ms
    size = len(audio) // hop
    power = np.square(audio[: size * hop].reshape(size, hop).astype(np.float64)).mean(axis=1)
    power = np.convolve(power, np.full(2, 0.5), mode="same")
    loud = np.flatnonzero(power > power.max() * 10 ** (QUIET_DB / 10)) * hop / SAMPLE_RATE
    early, late = loud[np.abs(loud - start_s) <= REACH_S], loud[loud >= last_start_s + 0.02]
    begin = float(early[0]) if len(early) else start_s
    finish = float(late[-1]) + hop / SAMPLE_RATE if len(late) else end_s
    return max(0.0, begin), max(finish, last_start_s + FRAME_S)


def _faded(audio: np.ndarray) -> np.ndarray:
    """Fade both ends over MARGIN_S, so that joins do not click."""
    size = min(round(MARGIN_S * SAMPLE_RATE), len(audio) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / size)
    faded = audio.astype(np.float64)
    faded[:size] *= ramp
    faded[len(faded) - size :] *= ramp[::-1]
    return faded


def _join(phrases: Sequence[_Phrase], delivery: NaturalDelivery, n_frames: int, seed: int) -> Speech:
    """Place phrases with their silences over a faint noise floor, at the level of the intensity."""
    style = INTENSITIES[delivery.intensity]
    total = samples(n_frames)
    audio = np.zeros(total)
    phones: list[Phone] = []
    words: list[Word] = []
    position = delivery.lead_s  # where the next phrase sounds
    loudness = np.concatenate([phrase.audio for phrase in phrases])
    for index, phrase in enumerate(phrases):
        start = round((position - MARGIN_S) * SAMPLE_RATE)  # below 0 only in the faded margin
        part = phrase.audio[max(0, -start) :][: total - max(0, start)]
        audio[max(0, start) : max(0, start) + len(part)] += part
        offset = start / SAMPLE_RATE
        phones += [Phone(p.symbol, p.start_s + offset, p.end_s + offset) for p in phrase.phones]
        words += [Word(w.text, w.start_s + offset, w.end_s + offset) for w in phrase.words]
        position = phones[-1].end_s + (delivery.pauses[index][1] if index < len(delivery.pauses) else 0.0)
    audio = _tilted(audio, style["tilt"])
    rms = float(np.sqrt(np.mean(np.square(loudness))))
    gain = min(style["level"] / max(rms, 1e-6), PEAK / max(float(np.abs(audio).max()), 1e-6))
    floor = np.random.default_rng(seed).normal(0.0, FLOOR_RMS, total)
    sound = np.clip(gain * audio + floor, -1.0, 1.0).astype(np.float32)
    return Speech(sound, _covered(phones, n_frames / FPS), tuple(words), n_frames)


def _tilted(audio: np.ndarray, tilt: float) -> np.ndarray:
    """Raise (tilt > 0) or lower what lies above TILT_HZ."""
    if tilt == 0.0:
        return audio
    from scipy.signal import lfilter

    pole = float(np.exp(-2 * np.pi * TILT_HZ / SAMPLE_RATE))
    low = lfilter([1.0 - pole], [1.0, -pole], audio)
    bright: np.ndarray = audio + tilt * (audio - low)
    return bright


def _covered(phones: Sequence[Phone], end_s: float) -> tuple[Phone, ...]:
    """Fill what no phone covers with silence, from 0 to `end_s`."""
    covered: list[Phone] = []
    last = 0.0
    for phone in phones:
        if phone.start_s > last + 1e-6:
            covered.append(Phone(SILENCE, last, phone.start_s))
        covered.append(Phone(phone.symbol, last if phone.start_s <= last + 1e-6 else phone.start_s, phone.end_s))
        last = phone.end_s
    if end_s > last:
        covered.append(Phone(SILENCE, last, end_s))
    return tuple(covered)
