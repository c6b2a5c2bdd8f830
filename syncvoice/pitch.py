"""Fundamental frequency and level of speech, frame by frame.

YIN (de Cheveigne and Kawahara 2002): the difference of a stretch of sound and its copy one lag later, divided by its
mean over all shorter lags, falls to near zero at the period. The first lag whose dip is below the threshold is taken,
refined by a parabola. A frame is voiced if there is such a dip and its level is near that of the loudest frame. Sound
above 1 kHz is taken away before (our choice): hiss fills the dips of recorded speech.
"""

import numpy as np

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW_S = 0.025  # stretch that is compared
LOW_PASS_HZ = 1000.0
THRESHOLD = 0.2  # of the dip; the paper's example is 0.1, ours finds more voiced frames in recorded and vocoded speech
SILENCE_DB = 40.0  # our choice: frames this far below the loudest are not voiced
BLOCK = 512  # frames computed at once, which bounds the memory


def frames_of(audio: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Stretches of a sound (samples,) centred at 0, hop, 2 hop, ...: a view (frames, length), zeros outside."""
    frames = max(1, round(len(audio) / hop))
    padded = np.pad(audio.astype(np.float64), (length // 2, length + hop))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: frames * hop : hop]


def level_db(audio: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Level of every frame in dB re full scale (frames,), over 25 ms."""
    frames = frames_of(audio, round(WINDOW_S * rate), hop)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def pitch_hz(audio: np.ndarray, rate: int, hop: int) -> np.ndarray:
    """Fundamental frequency of every frame.

    Args:
        audio: (samples,) mono.
        rate: of the sound, Hz.
        hop: samples between frames; frame k is centred at sample k * hop.

    Returns:
        (frames,) Hz, NaN where the frame is not voiced; round(samples / hop) frames, at least one.
    """
    window, longest = round(WINDOW_S * rate), int(rate / LOWEST_HZ) + 1
    shortest = int(rate / HIGHEST_HZ)
    frames = frames_of(_low_pass(audio, rate), window + longest, hop)
    level = level_db(audio, rate, hop)
    lags = [_lags(frames[k : k + BLOCK], window, longest, shortest) for k in range(0, len(frames), BLOCK)]
    hz = rate / np.concatenate(lags)
    hz[(level < level.max() - SILENCE_DB) | (hz > HIGHEST_HZ) | (hz < LOWEST_HZ)] = np.nan
    return hz


def _low_pass(audio: np.ndarray, rate: int) -> np.ndarray:
    """Take away what lies above 1 kHz, with a raised-cosine slope of half an octave."""
    hz = np.fft.rfftfreq(len(audio), 1 / rate)
    slope = np.clip((hz / LOW_PASS_HZ - 1) / 0.5, 0, 1)
    return np.fft.irfft(np.fft.rfft(audio.astype(np.float64)) * 0.5 * (1 + np.cos(np.pi * slope)), len(audio))


def _lags(frames: np.ndarray, window: int, longest: int, shortest: int) -> np.ndarray:
    """Period of every stretch (frames, window + longest) in samples, NaN without one."""
    relative = _normalised(_differences(frames, window, longest))
    inner, left, right = relative[:, 1:-1], relative[:, :-2], relative[:, 2:]
    dips = (inner < THRESHOLD) & (inner <= left) & (inner < right)  # lag of column c is c + 1
    dips[:, : shortest - 1] = False
    found = dips.any(axis=1)
    lag = dips.argmax(axis=1) + 1
    row = np.arange(len(frames))
    before, at, after = (relative[row, lag + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    shift = np.where(curvature > 0, 0.5 * (before - after) / np.where(curvature > 0, curvature, 1), 0)
    return np.where(found, lag + shift, np.nan)


def _differences(frames: np.ndarray, window: int, longest: int) -> np.ndarray:
    """Squared difference of the first `window` samples and those a lag later, (frames, longest), lags 0, 1, ..."""
    size = 1 << int(np.ceil(np.log2(frames.shape[1] + window)))
    spectrum = np.fft.rfft(frames, size)
    products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(frames[:, :window], size)), size)[:, :longest]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    moved = energy[:, window : window + longest] - energy[:, :longest]
    return np.maximum(moved[:, :1] + moved - 2 * products, 0)


def _normalised(difference: np.ndarray) -> np.ndarray:
    """Divide by the mean over all shorter lags; 1 at lag 0 and where there is no sound."""
    total = np.cumsum(difference[:, 1:], axis=1)
    lags = np.arange(1, difference.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = difference[:, 1:] * lags / total
    return np.pad(np.where(total > 1e-9, ratio, 1.0), ((0, 0), (1, 0)), constant_values=1.0)
