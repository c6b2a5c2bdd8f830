"""From a mesh and phones to times: what `syncvoice dub` and the studies ask.

All times are times of the mouth, by the convention of GRID's `.align` files, from which the networks learned: a word
begins when the mouth begins it. Its sound follows SOUND_AFTER_S later (our measurement on training clips of GRID: the
energy envelopes of recording and natural speech agree best so).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from syncvoice import clocks
from syncvoice.lip_timing.curves import mouth_moves, mouth_values, network_input, normalised
from syncvoice.lip_timing.network import ROWS_PER_FRAME, ROWS_PER_SECOND, LipReader, averaged
from syncvoice.lip_timing.search import RATES, SearchSettings, place, start_spread
from syncvoice.lip_timing.visemes import visemes_of

Span = tuple[float, float]  # start and end in seconds
SOUND_AFTER_S = 0.055
LATE_S = 0.012  # by which the search finds starts late on the held-out clips of both sources; taken off


# Mean doubt of a clip's words below the first number: their starts are half of the time no farther off than the second
# (seconds). Measured across domains, where networks that know synthetic faces alone time real ones, and the other way
# round; `benchmarks/lip_timing.py` checks it on clips that trained nothing.
LIKELY_ERRORS = ((0.05, 0.03), (0.07, 0.05), (0.10, 0.09), (float("inf"), 0.14))


def likely_error_s(doubt_s: Sequence[float]) -> float:
    """Return the likely error of a clip's word starts from the doubts about them (`Timing.doubt_s`)."""
    mean = sum(doubt_s) / len(doubt_s)
    return next(error for limit, error in LIKELY_ERRORS if mean < limit)


@dataclass(frozen=True)
class Face:
    """A mesh through a clip: landmarks (frames, 478, 3) pixels, and in which frames the face was found (frames,)."""

    landmarks: np.ndarray
    found: np.ndarray


@dataclass(frozen=True)
class Timing:
    """Times of a text.

    Attributes:
        phones: start and end of every phone in seconds.
        words: of every word.
        by_lips: False where the picture said nothing, so that times are merely natural.
        doubt_s: per word, standard deviation of its start over all readings of the lips, in seconds. Errors grow with
            it (see the figures beside the weights, and `likely_error_s`). None without lips.
        rate: speaking rate relative to the training data.
    """

    phones: tuple[Span, ...]
    words: tuple[Span, ...]
    by_lips: bool
    doubt_s: tuple[float, ...] | None
    rate: float


def evidence_of(reader: LipReader, face: Face) -> tuple[np.ndarray, np.ndarray] | None:
    """Log probabilities (nets, rows, classes) of lip shapes, and in which rows they count; None without lips.

    Frames without a face are bridged for the network and count for nothing afterwards.
    """
    seen = face.found.astype(bool)
    if not seen.any():
        return None
    known = np.flatnonzero(seen)
    nearest = known[np.abs(np.arange(len(seen))[:, None] - known[None]).argmin(axis=1)]
    values = mouth_values(face.landmarks[nearest])
    if not mouth_moves(values[seen]):
        return None
    posteriors = reader.log_posteriors(network_input(normalised(values, seen)))
    return posteriors, np.repeat(seen, ROWS_PER_FRAME)


def time_phones(reader: LipReader, face: Face | None, n_frames: int, phones: Sequence[str],
                word_starts: Sequence[int], settings: SearchSettings | None = None) -> Timing:  # fmt: skip
    """Say when the phones of a text are spoken.

    Args:
        reader: the networks.
        face: the mesh; None if nobody is seen.
        n_frames: length of the clip at 25 fps.
        phones: of PHONE_CLASSES, in order, without silences.
        word_starts: indices of those that begin a word, the first 0.
        settings: constants of the search.

    Raises:
        ValueError: the clip is too short for the phones, or there is none.
    """
    if not phones:
        raise ValueError("a text without a phone has no times")
    visemes = visemes_of(phones)
    durations = reader.durations[visemes]
    evidence = None if face is None else evidence_of(reader, face)
    if evidence is None:
        return _natural(durations, word_starts, n_frames / clocks.FPS)
    posteriors, seen = evidence

    view = (averaged(posteriors), visemes, word_starts, reader.log_prior, durations, ROWS_PER_SECOND, settings, seen)
    placed = place(*view)
    near = [rate for rate in RATES if 0.85 <= rate / placed.rate <= 1.18]
    edges = np.stack([placed.starts, placed.ends], axis=1) / ROWS_PER_SECOND
    spans = _spans(np.maximum(edges - LATE_S, 0.0))
    doubt = tuple(start_spread(*view, rates=near).tolist())
    return Timing(spans, words_of(spans, word_starts), True, doubt, placed.rate)


LEAD_S = 0.15  # silence before natural speech where there is room


def _natural(durations: np.ndarray, word_starts: Sequence[int], seconds: float) -> Timing:
    """Mean durations from shortly after the start; faster if they would not fit."""
    lengths = np.exp(durations[:, 0])
    rate = max(1.0, float(lengths.sum()) / max(seconds - 2 * LEAD_S, 0.5 * seconds))
    lead = min(LEAD_S, max(0.0, (seconds - lengths.sum() / rate) / 2))
    edges = lead + np.concatenate([[0.0], np.cumsum(lengths / rate)])
    spans = _spans(np.stack([edges[:-1], edges[1:]], axis=1))
    return Timing(spans, words_of(spans, word_starts), False, None, rate)


def _spans(values: np.ndarray) -> tuple[Span, ...]:
    """Rows of (n, 2) as pairs."""
    return tuple((float(start), float(end)) for start, end in values)


def words_of(phones: Sequence[Span], word_starts: Sequence[int]) -> tuple[Span, ...]:
    """Start and end of every word from those of its phones."""
    ends = [*list(word_starts)[1:], len(phones)]
    return tuple((phones[first][0], phones[end - 1][1]) for first, end in zip(word_starts, ends, strict=True))


def later(spans: Sequence[Span]) -> list[Span]:
    """Times of the sound from times of the mouth."""
    return [(start + SOUND_AFTER_S, end + SOUND_AFTER_S) for start, end in spans]
