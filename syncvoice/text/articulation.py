"""From timed phones to the movement of a mouth, and from sound to the two curves that move a head.

Both are continuous functions of time that are sampled at frame centres (k + 1/2) / fps, so the same clip gives the
same movement at 25 fps and at the rate of mel frames. Only numpy: pretraining calls this for every utterance.

The mouth is five numbers in [0, 1] (our choice, after the parameters that Cohen and Massaro's dominance model blends):

    opening   distance of the lips                     0 shut .. 1 a wide [a]
    width     distance of the mouth corners            0 pursed .. 0.5 at rest .. 1 a spread [i]
    rounding  lips drawn together and forward          0 .. 1 [u]
    closure   lips pressed on each other               1 in [p b m], 0.6 lower lip on teeth in [f v]
    teeth     how much of the teeth shows              0 .. 1 [s]
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

ARTICULATORS = ("opening", "width", "rounding", "closure", "teeth")
SILENCE = "_"

BEFORE_S = 0.055  # how far ahead of itself a phone is felt (anticipation), time constant in seconds
AFTER_S = 0.040  # how long it lingers
LIP_CLOSURE_S = 0.032  # least half width of a full closure: one frame centre of 25 fps always falls inside
LIP_RAMP_S = 0.045  # time from open to shut


class TimedPhone(Protocol):
    """What `articulation` needs to know of a phone."""

    @property
    def symbol(self) -> str:
        """Name of the phone."""

    @property
    def start_s(self) -> float:
        """Start in seconds."""

    @property
    def end_s(self) -> float:
        """End in seconds."""


class Viseme(NamedTuple):
    """Where the mouth wants to be: targets in the order of ARTICULATORS, and how strongly it wants so.

    `strength` multiplies the phone's dominance over its neighbours; `shut` is the closure that must be reached
    whatever the neighbours are (0 for phones that are not made with the lips).
    """

    opening: float
    width: float
    rounding: float
    closure: float
    teeth: float
    strength: float = 1.0
    shut: float = 0.0


REST = Viseme(0.03, 0.48, 0.08, 0.55, 0.0, 0.9)
NEUTRAL = Viseme(0.38, 0.50, 0.15, 0.0, 0.25, 0.35)
_BILABIAL = Viseme(0.0, 0.50, 0.15, 1.0, 0.0, 1.0, shut=1.0)
_LABIODENTAL = Viseme(0.10, 0.55, 0.05, 0.6, 0.85, 1.0, shut=0.6)
_ALVEOLAR = Viseme(0.28, 0.58, 0.05, 0.0, 0.60, 0.45)
_SIBILANT = Viseme(0.16, 0.72, 0.05, 0.0, 1.00, 0.85)
_HUSHING = Viseme(0.22, 0.28, 0.65, 0.0, 0.90, 0.85)
_PALATAL_FRICATIVE = Viseme(0.20, 0.78, 0.10, 0.0, 0.90, 0.80)
_DENTAL = Viseme(0.28, 0.58, 0.05, 0.0, 0.75, 0.70)
_VELAR = Viseme(0.34, 0.50, 0.12, 0.0, 0.25, 0.25)
_GLOTTAL = Viseme(0.40, 0.50, 0.12, 0.0, 0.20, 0.12)
_RHOTIC = Viseme(0.28, 0.32, 0.50, 0.0, 0.40, 0.60)
_LATERAL = Viseme(0.38, 0.55, 0.08, 0.0, 0.35, 0.45)

VISEMES: dict[str, Viseme] = {
    SILENCE: REST,
    **dict.fromkeys("pbm", _BILABIAL),
    **dict.fromkeys("fvɱ", _LABIODENTAL),
    **dict.fromkeys("tdnɾʈɖɳ", _ALVEOLAR),
    **dict.fromkeys("sz", _SIBILANT),
    **dict.fromkeys("ʃʒʂʐ", _HUSHING),
    **dict.fromkeys("ɕʑçʝɲ", _PALATAL_FRICATIVE),
    **dict.fromkeys("θð", _DENTAL),
    **dict.fromkeys("kɡgŋxɣχ", _VELAR),
    **dict.fromkeys("hɦʔʰq", _GLOTTAL),
    **dict.fromkeys("ɹrɻʁʀ", _RHOTIC),
    **dict.fromkeys("lɫɭʎ", _LATERAL),
    "w": Viseme(0.16, 0.06, 1.00, 0.0, 0.05, 1.0),
    "ʍ": Viseme(0.16, 0.06, 1.00, 0.0, 0.05, 1.0),
    "ɥ": Viseme(0.16, 0.14, 0.95, 0.0, 0.15, 1.0),
    "j": Viseme(0.25, 0.88, 0.05, 0.0, 0.50, 0.7),
    "i": Viseme(0.30, 0.98, 0.00, 0.0, 0.60, 1.0),
    "ɨ": Viseme(0.22, 0.70, 0.05, 0.0, 0.75, 0.8),
    "ɿ": Viseme(0.20, 0.70, 0.05, 0.0, 0.80, 0.8),
    "ʅ": Viseme(0.24, 0.36, 0.50, 0.0, 0.70, 0.8),
    "ɪ": Viseme(0.40, 0.78, 0.02, 0.0, 0.50, 0.8),
    "ᵻ": Viseme(0.35, 0.70, 0.05, 0.0, 0.45, 0.6),
    "e": Viseme(0.50, 0.85, 0.00, 0.0, 0.50, 1.0),
    "ɛ": Viseme(0.62, 0.76, 0.00, 0.0, 0.45, 1.0),
    "æ": Viseme(0.82, 0.80, 0.00, 0.0, 0.45, 1.0),
    "a": Viseme(0.95, 0.66, 0.00, 0.0, 0.35, 1.0),
    "ɑ": Viseme(1.00, 0.52, 0.05, 0.0, 0.25, 1.0),
    "ɐ": Viseme(0.70, 0.56, 0.05, 0.0, 0.30, 0.8),
    "ʌ": Viseme(0.70, 0.54, 0.05, 0.0, 0.30, 0.9),
    "ə": Viseme(0.45, 0.50, 0.12, 0.0, 0.30, 0.5),
    "ɚ": Viseme(0.38, 0.36, 0.42, 0.0, 0.35, 0.8),
    "ɜ": Viseme(0.45, 0.38, 0.38, 0.0, 0.35, 0.9),
    "ɝ": Viseme(0.42, 0.36, 0.42, 0.0, 0.35, 0.9),
    "ɤ": Viseme(0.50, 0.50, 0.05, 0.0, 0.30, 0.9),
    "ɯ": Viseme(0.30, 0.60, 0.05, 0.0, 0.40, 0.8),
    "ɒ": Viseme(0.80, 0.36, 0.40, 0.0, 0.15, 1.0),
    "ɔ": Viseme(0.72, 0.30, 0.55, 0.0, 0.12, 1.0),
    "o": Viseme(0.52, 0.18, 0.82, 0.0, 0.08, 1.0),
    "ʊ": Viseme(0.34, 0.22, 0.70, 0.0, 0.12, 0.9),
    "u": Viseme(0.24, 0.04, 1.00, 0.0, 0.02, 1.0),
    "ʉ": Viseme(0.24, 0.10, 0.90, 0.0, 0.05, 1.0),
    "y": Viseme(0.22, 0.14, 0.95, 0.0, 0.15, 1.0),
    "ø": Viseme(0.42, 0.20, 0.85, 0.0, 0.15, 1.0),
    "œ": Viseme(0.55, 0.28, 0.70, 0.0, 0.20, 1.0),
}
_UNHEARD = set("ˈˌˑ.-'˥˦˧˨˩0123456789\u0329\u032f\u0361\u031a\u0303\u02de\u200d") | {"ː"}  # marks without a mouth
_PLAIN_SILENCE = {"", "sil", "SIL", "sp", "_:", "pau"}


def visemes_of(symbol: str) -> list[Viseme]:
    """Return the targets that a phone symbol passes through: one for most, two for diphthongs and affricates.

    Stress, length and tone marks are ignored; an unknown symbol is neutral (weak, half-open). Our choice.
    """
    if symbol in _PLAIN_SILENCE:
        return [REST]
    known = [VISEMES.get(character, NEUTRAL) for character in symbol if character not in _UNHEARD]
    return known or [NEUTRAL]


def articulation(phones: Iterable[TimedPhone] | Iterable[Sequence], n_frames: int, fps: float = 25.0,
                 later: float = 0.0) -> np.ndarray:  # fmt: skip
    """Movement of the mouth: the phones' targets, blended by their dominance at every frame centre.

    A phone's dominance is its strength inside its middle and falls off exponentially outside, more slowly before it
    (anticipation) than after it. Closures of the lips are put on top, so that [p b m] shut the mouth completely
    for at least one frame of 25 fps however short they are. Our choice throughout.

    Args:
        phones: objects with `symbol`, `start_s`, `end_s`, or (symbol, start_s, end_s) triples, in order of time.
        n_frames: number of frames.
        fps: frames per second.
        later: frames by which the movement is looked at later than at frame centres.

    Returns:
        float32 (n_frames, 5) in [0, 1], columns as ARTICULATORS.
    """
    starts, ends, targets = _segments(phones)
    times = (np.arange(n_frames) + 0.5 + later) / fps
    if len(targets) == 0:
        return np.tile(np.asarray(REST[:5], np.float32), (n_frames, 1))
    centre, half = (starts + ends) / 2, (ends - starts) / 2
    lag = times[:, None] - centre  # (frames, segments)
    outside = np.maximum(np.abs(lag) - 0.5 * half, 0.0)
    log_dominance = np.log(targets[:, 5]) - outside / np.where(lag < 0, BEFORE_S, AFTER_S)
    weight = np.exp(log_dominance - log_dominance.max(axis=1, keepdims=True))
    curves = (weight @ targets[:, :5]) / weight.sum(axis=1, keepdims=True)
    return _shut_lips(curves, lag, half, targets[:, 6]).astype(np.float32)


def _segments(phones: Iterable[TimedPhone] | Iterable[Sequence]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flatten phones into starts (s,), ends (s,) in seconds and visemes (s, 7); diphthongs share their time."""
    starts: list[float] = []
    ends: list[float] = []
    targets: list[Viseme] = []
    for phone in phones:
        symbol, start, end = phone[:3] if isinstance(phone, Sequence) else (phone.symbol, phone.start_s, phone.end_s)
        parts = visemes_of(symbol)
        edges = np.linspace(start, end, len(parts) + 1)
        starts.extend(edges[:-1])
        ends.extend(edges[1:])
        targets.extend(parts)
    return np.asarray(starts), np.asarray(ends), np.asarray(targets, dtype=np.float64).reshape(-1, 7)


def _shut_lips(curves: np.ndarray, lag: np.ndarray, half: np.ndarray, shut: np.ndarray) -> np.ndarray:
    """Put the closures of labial phones on the blended curves (frames, 5): they win over every neighbour."""
    labial = shut > 0
    if not labial.any():
        return curves
    hold = np.maximum(0.7 * half[labial], LIP_CLOSURE_S)
    nearness = 1.0 - (np.abs(lag[:, labial]) - hold) / LIP_RAMP_S
    nearness = np.clip(nearness, 0.0, 1.0)
    kernel = nearness * nearness * (3.0 - 2.0 * nearness) * shut[labial]
    closure = kernel.max(axis=1)
    curves = curves.copy()
    curves[:, 3] = np.maximum(np.where(closure > 0, curves[:, 3] * (1 - closure), curves[:, 3]), closure)
    curves[:, 0] *= 1.0 - closure  # [f v] keep 40 % of their small opening
    return curves


PITCH_RATE_HZ = 6000  # sound is averaged down to about this rate before its pitch is looked for
PITCH_RANGE_HZ = (65.0, 420.0)
PROSODY_HOP_S = 0.01
LOUD_DB, SOFT_DB = -12.0, -45.0  # energies that map to 1 and 0
PITCH_SPAN_OCTAVES = 1.2  # a clip's median pitch maps to 0.5, half this span above it to 1


def prosody(audio: np.ndarray, sample_rate: int, n_frames: int, fps: float = 25.0) -> np.ndarray:
    """Smoothed energy and smoothed pitch of a clip at frame centres.

    Energy is RMS in dB, -45 dBFS -> 0 and -12 dBFS -> 1. Pitch is the strongest peak of the normalised
    autocorrelation between 65 and 420 Hz, in octaves from the clip's own median; where nothing is voiced it returns
    to 0.5. Our choice.

    Args:
        audio: mono (samples,) in [-1, 1].
        sample_rate: Hz.
        n_frames: number of frames.
        fps: frames per second.

    Returns:
        float32 (n_frames, 2) in [0, 1]: energy, pitch.
    """
    step = max(1, round(sample_rate / PITCH_RATE_HZ))
    usable = len(audio) // step * step
    slow = np.asarray(audio[:usable], np.float32).reshape(-1, step).mean(axis=1)
    rate = sample_rate / step
    frames = _frames(slow, round(0.04 * rate), PROSODY_HOP_S * rate)
    decibel = 10 * np.log10((frames.astype(np.float64) ** 2).mean(axis=1) + 1e-9)
    energy = np.clip((decibel - SOFT_DB) / (LOUD_DB - SOFT_DB), 0.0, 1.0)
    octaves, voiced = _pitch(frames, rate)
    voiced &= decibel > SOFT_DB
    weight = voiced.astype(np.float64)
    middle = np.median(octaves[voiced]) if voiced.any() else 0.0
    value = np.clip(0.5 + (octaves - middle) / PITCH_SPAN_OCTAVES, 0.0, 1.0)
    kernel = _bell(sigma_s=0.05)
    smooth_energy = _smooth(energy, kernel) / _smooth(np.ones_like(energy), kernel)
    smooth_pitch = (_smooth(value * weight, kernel) + 0.1 * 0.5) / (_smooth(weight, kernel) + 0.1)
    times, grid = (np.arange(n_frames) + 0.5) / fps, np.arange(len(energy)) * PROSODY_HOP_S
    curves = [np.interp(times, grid, curve) for curve in (smooth_energy, smooth_pitch)]
    return np.stack(curves, axis=1).astype(np.float32)


def _smooth(curve: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve a curve with a symmetric kernel; zeros beyond the ends; length kept even for short curves."""
    half = len(kernel) // 2
    return np.convolve(curve, kernel, mode="full")[half : half + len(curve)]


def _bell(sigma_s: float) -> np.ndarray:
    """Return a Gaussian kernel of unit sum on the grid of PROSODY_HOP_S, three sigmas to each side."""
    reach = round(3 * sigma_s / PROSODY_HOP_S)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * PROSODY_HOP_S / sigma_s) ** 2)
    return kernel / kernel.sum()


def _frames(signal: np.ndarray, length: int, hop: float) -> np.ndarray:
    """Cut (samples,) into overlapping windows centred on multiples of `hop` samples: (windows, length)."""
    padded = np.pad(signal, (length // 2, length))
    starts = np.round(np.arange(0, max(len(signal), 1), hop)).astype(int)
    return padded[starts[:, None] + np.arange(length)]


def _pitch(frames: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Pitch of windows (w, length) in octaves (log2 Hz), and whether they are voiced, both (w,)."""
    length = frames.shape[1]
    size = 1 << (2 * length - 1).bit_length()
    taper = np.hanning(length).astype(np.float32)
    spectrum = np.fft.rfft((frames - frames.mean(axis=1, keepdims=True)) * taper, size)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)
    window = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2, size)
    low, high = int(rate / PITCH_RANGE_HZ[1]), min(int(np.ceil(rate / PITCH_RANGE_HZ[0])), round(0.8 * length))
    lags = np.arange(low - 1, high + 2)
    ratio = (correlation[:, lags] / (correlation[:, :1] + 1e-9)) / np.maximum(window[lags] / window[0], 0.05)
    inner = ratio[:, 1:-1] - 0.002 * np.arange(high - low + 1)  # prefer short lags: no octave errors downwards
    best = inner.argmax(axis=1)
    rows = np.arange(len(frames))
    left, peak, right = ratio[rows, best], ratio[rows, best + 1], ratio[rows, best + 2]
    bend = left - 2 * peak + right
    shift = np.clip(np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1.0), 0.0), -0.5, 0.5)
    return np.log2(rate / (lags[best + 1] + shift)), peak > 0.55
