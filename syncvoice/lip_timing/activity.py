"""Phrases and pauses from the movement of a mouth, for a text that the lips do not say (a translation)."""

import numpy as np

from syncvoice.lip_timing.network import ROWS_PER_SECOND, LipReader, averaged
from syncvoice.lip_timing.timing import Face, Span, evidence_of

EVIDENCE = 0.1  # weight of a row: neighbours tell nearly the same
CHANGE_COST = 2.0  # of every change between speech and silence
SHORTEST_PAUSE_S = 0.2
SHORTEST_PHRASE_S = 0.2


def phrases_of(reader: LipReader, face: Face | None, n_frames: int) -> list[Span] | None:
    """Say when a mouth speaks, whatever it says.

    Args:
        reader: the networks.
        face: the mesh; None if nobody is seen.
        n_frames: length of the clip at 25 fps.

    Returns:
        start and end in seconds of every phrase, by the convention of `timing`; None where the picture says nothing.
    """
    found = None if face is None else evidence_of(reader, face)
    if found is None:
        return None
    posteriors, seen = found
    joint = averaged(posteriors) - 0.5 * reader.log_prior
    lead = EVIDENCE * np.where(seen, np.logaddexp.reduce(joint[:, 1:], axis=1) - joint[:, 0], 0.0)
    speaks = two_states(lead[: n_frames * 4], CHANGE_COST)
    return merged(runs(speaks)) or None


def two_states(lead: np.ndarray, change_cost: float) -> np.ndarray:
    """Best on/off path (rows,) bool under the lead of "on" over "off" per row; every change costs."""
    score = np.array([0.0, lead[0]])
    origin = np.zeros((len(lead), 2), np.int64)
    for row in range(1, len(lead)):
        other = score[::-1] - change_cost
        origin[row] = np.where(other > score, [1, 0], [0, 1])
        score = np.maximum(score, other) + np.array([0.0, lead[row]])
    path = np.zeros(len(lead), bool)
    state = int(score.argmax())
    for row in range(len(lead) - 1, -1, -1):
        path[row] = bool(state)
        state = int(origin[row, state])
    return path


def runs(speaks: np.ndarray) -> list[Span]:
    """Start and end in seconds of every run of True (rows,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speaks, [False]]).astype(int)))
    return [
        (float(a) / ROWS_PER_SECOND, float(b) / ROWS_PER_SECOND) for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def merged(spans: list[Span]) -> list[Span]:
    """Join phrases over short pauses; drop what is too short for a phrase."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < SHORTEST_PAUSE_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= SHORTEST_PHRASE_S]
