"""How well lips alone tell word starts: figures over clips whose word times are known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from syncvoice.lip_timing.network import LipReader
from syncvoice.lip_timing.timing import Face, Timing, time_phones
from syncvoice.text.alignment import SILENCE, phones_of_text
from syncvoice.text.grid_grammar import spoken_text

CLOSE_S = 0.08


@dataclass(frozen=True)
class HeldOut:
    """A clip with known word times, its mesh (frames, 478, 3), and by how much the times come after the mouth's."""

    clip: Any
    landmarks: np.ndarray
    lag_s: float


def timing_of(reader: LipReader, clip: Any, landmarks: np.ndarray) -> Timing:
    """Times of a clip's text from its mesh (frames, 478, 3).

    Raises:
        ValueError: the clip is too short for its text.
        UserError: espeak-ng is missing.
    """
    phones, starts = phones_of_text(spoken_text(clip.text, clip.source), clip.language)
    face = Face(landmarks, np.ones(len(landmarks), bool))
    return time_phones(reader, face, clip.n_frames, phones, starts)


def start_errors(timing: Timing, words: Sequence[tuple[str, float, float]]) -> np.ndarray | None:
    """Found minus known word starts in seconds (words,); None if espeak-ng speaks another number of words."""
    known = np.array([start for symbol, start, _ in words if symbol != SILENCE])
    if len(known) != len(timing.words):
        return None
    return np.array([start for start, _ in timing.words]) - known


def summary(errors: np.ndarray) -> dict[str, float]:
    """Figures of errors in seconds: milliseconds, and the share within 80 ms."""
    size = np.abs(errors)
    return {
        "words": len(errors),
        "median_ms": round(1000 * float(np.median(size)), 1),
        "p90_ms": round(1000 * float(np.quantile(size, 0.9)), 1),
        "within_80_ms": round(float((size <= CLOSE_S).mean()), 3),
        "bias_ms": round(1000 * float(errors.mean()), 1),
    }


def figures_of(reader: LipReader, clips: Mapping[str, Iterable[HeldOut]]) -> dict[str, Any]:
    """Figures per source, and how well doubt orders the errors (rank correlation)."""
    figures: dict[str, Any] = {}
    for name, items in clips.items():
        errors, doubts = [], []
        for item in items:
            timing = timing_of(reader, item.clip, item.landmarks)
            found = start_errors(timing, item.clip.words)
            if found is not None:
                errors.append(found + item.lag_s)
                doubts.append(np.array(timing.doubt_s or [0.0] * len(found)))
        if errors:
            size, doubt = np.concatenate(errors), np.concatenate(doubts)
            figures[name] = summary(size) | {"doubt_rank_correlation": rank_correlation(np.abs(size), doubt)}
    return figures


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two series; 0 if one of them is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(first), rankdata(second)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return round(float(np.corrcoef(a, b)[0, 1]), 3)
