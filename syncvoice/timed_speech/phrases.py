"""A text into phrases whose times are given: which words are said in which phrase.

Words are shared out so that every phrase is spoken at about the same rate, breaks fall on punctuation where they can,
and phrases are joined over a pause where the text has too few words for all of them. Constants: our choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from syncvoice.timed_speech.script import ScriptWord

Span = tuple[float, float]
RATE_SPREAD = 0.25  # of the log rate of a phrase around the rate of the text
BREAK_COST = 1.5  # of a break that no punctuation allows
JOIN_COST = 2.0  # of a pause of the picture that the speech does not make, and per second of it
SLOWEST, FASTEST = 0.65, 1.6  # natural duration over spoken duration; beyond it a phrase ends early or late


@dataclass(frozen=True)
class Share:
    """Words first .. last - 1 are said from `start` on, within `seconds`."""

    first: int
    last: int
    start: float
    seconds: float


def spans_in_phrases(script: Sequence[ScriptWord], natural: np.ndarray, phrases: Sequence[Span]) -> list[Span]:
    """Return start and end of every word in seconds.

    Args:
        script: the words.
        natural: (words,) own durations in seconds.
        phrases: where the mouth speaks, rising, at least one.
    """
    spans: list[Span] = []
    for share in shared_out(script, natural, phrases):
        own = natural[share.first : share.last]
        rate = float(np.clip(own.sum() / share.seconds, SLOWEST, FASTEST))
        edges = share.start + np.concatenate([[0.0], np.cumsum(own / rate)])
        spans += [(float(a), float(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return spans


def shared_out(script: Sequence[ScriptWord], natural: np.ndarray, phrases: Sequence[Span]) -> list[Share]:
    """Share words out to phrases, by dynamic programming over (phrases done, words done)."""
    n_words, n_phrases = len(script), len(phrases)
    total = np.concatenate([[0.0], np.cumsum(natural)])
    common = np.log(total[-1] / sum(end - start for start, end in phrases))
    breaks = np.array([0.0, *(0.0 if word.mark else BREAK_COST for word in script[:-1]), 0.0])
    best = np.full((n_phrases + 1, n_words + 1), np.inf)
    best[0, 0] = 0.0
    origin: dict[tuple[int, int], tuple[int, int]] = {}
    for done in range(1, n_phrases + 1):
        for before in range(done):
            start, end = phrases[before][0], phrases[done - 1][1]
            swallowed = sum(phrases[k + 1][0] - phrases[k][1] for k in range(before, done - 1))
            joins = JOIN_COST * (done - before - 1 + swallowed)
            for words in range(1, n_words + 1):
                rate = np.log((total[words] - total[:words]) / (end - start)) - common
                costs = best[before, :words] + (rate / RATE_SPREAD) ** 2 + joins + breaks[words]
                first = int(costs.argmin())
                if costs[first] < best[done, words]:
                    best[done, words], origin[done, words] = costs[first], (before, first)
    shares: list[Share] = []
    place = (n_phrases, n_words)
    while place != (0, 0):
        before, first = origin[place]
        start, end = phrases[before][0], phrases[place[0] - 1][1]
        shares.insert(0, Share(first, place[1], start, end - start))
        place = (before, first)
    return shares
