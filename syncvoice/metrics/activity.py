"""When a sound speaks, by its energy alone: for measures that ask nothing of what is said."""

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE

BLOCK_S = 0.01
BELOW_PEAK_DB = 30.0
GAP_S, BURST_S = 0.2, 0.05


def speaking(audio: np.ndarray, sample_rate: int = SCORER_SAMPLE_RATE) -> np.ndarray:
    """Return in which blocks of `BLOCK_S` a sound (samples,) speaks, bool (blocks,)."""
    size = round(BLOCK_S * sample_rate)
    blocks = audio[: len(audio) // size * size].reshape(-1, size)
    level = 10 * np.log10(np.square(blocks, dtype=np.float64).mean(axis=1) + 1e-20)
    loud = level > level.max(initial=-200.0) - BELOW_PEAK_DB
    return ~_without_short(~_without_short(loud, BURST_S), GAP_S, inner=True)


def _without_short(flags: np.ndarray, least_s: float, inner: bool = False) -> np.ndarray:
    """Return flags without their runs shorter than `least_s`; with `inner` runs at the ends stay in any case."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    kept = flags.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        at_end = start == 0 or end == len(flags)
        if (end - start) * BLOCK_S < least_s - 1e-9 and not (inner and at_end):
            kept[start:end] = False
    return kept
