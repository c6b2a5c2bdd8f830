"""Does speech swell and fade when the recording does? Correlation of two energy envelopes in decibels."""

import numpy as np

from syncvoice import clocks

HOP = clocks.SAMPLE_RATE // 100  # 10 ms
WINDOW = clocks.SAMPLE_RATE // 40  # 25 ms
FLOOR_DB = 40.0  # below the loudest window


def envelope_db(audio: np.ndarray) -> np.ndarray:
    """Energy (frames,) of (samples,) at 24 kHz in dB below its maximum, floored at -40."""
    padded = np.pad(np.asarray(audio, np.float64), (WINDOW // 2, WINDOW))
    power = np.lib.stride_tricks.sliding_window_view(padded**2, WINDOW)[::HOP].mean(axis=1)
    level = 10 * np.log10(power + 1e-12)
    return np.asarray(np.maximum(level - level.max(), -FLOOR_DB))


def envelope_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation of the envelopes of two sounds over their common length; 0 if one is constant."""
    a, b = envelope_db(first), envelope_db(second)
    size = min(len(a), len(b))
    a, b = a[:size] - a[:size].mean(), b[:size] - b[:size].mean()
    power = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / power if power > 0 else 0.0
