"""Place the phones of a text on lip shapes over time: a semi-Markov search (Viterbi over durations), numpy only.

Every phone takes one stretch of rows. Its score is a fraction of the evidence (log probability minus a share of the log
prior of its class) plus the log-normal probability of its duration; neighbouring rows tell nearly the same, hence the
fraction. Silence is free at both ends and allowed between words. The search runs at several speaking rates of the clip
and keeps the best. Constants: our choice, looked at on training clips only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

RATES = (0.7, 0.8, 0.9, 1.0, 1.12, 1.25, 1.4)
LONGEST_S = 0.7  # of a phone
NEVER = -1e9


@dataclass(frozen=True)
class SearchSettings:
    """Constants of the search.

    Attributes:
        evidence: weight of a row's evidence.
        prior_share: how much of the log class prior is taken off the log probability.
        gap_cost: paid by every silence between words.
        rate_spread: standard deviation of the log speaking rate of a clip.
    """

    evidence: float = 0.1
    prior_share: float = 0.7
    gap_cost: float = 6.0
    rate_spread: float = 0.2


@dataclass(frozen=True)
class Placement:
    """Where phones lie.

    Attributes:
        starts, ends: (phones,) int rows; a gap may lie between words.
        rate: speaking rate of the clip relative to the training data.
        score: of the whole path.
    """

    starts: np.ndarray
    ends: np.ndarray
    rate: float
    score: float


def place(log_posterior: np.ndarray, visemes: np.ndarray, word_starts: Sequence[int], log_prior: np.ndarray,
          durations: np.ndarray, rows_per_second: float, settings: SearchSettings | None = None,
          seen: np.ndarray | None = None, rates: Sequence[float] = RATES) -> Placement:  # fmt: skip
    """Find the best place of a phone sequence.

    Args:
        log_posterior: (rows, classes) log probabilities; class 0 is silence.
        visemes: (phones,) class of every phone.
        word_starts: indices of the phones that begin a word; before them may be silence.
        log_prior: (classes,).
        durations: (phones, 2) mean and standard deviation of the log duration in seconds.
        rows_per_second: of `log_posterior`.
        settings: constants.
        seen: (rows,) bool; rows in which the picture says nothing are False and count for no class.
        rates: speaking rates to try.

    Raises:
        ValueError: there are fewer rows than phones.
    """
    settings = settings or SearchSettings()
    rows, phones = len(log_posterior), len(visemes)
    if rows < phones:
        raise ValueError(f"{rows / rows_per_second:.2f} s of video cannot hold {phones} phones")
    evidence = _evidence(log_posterior, log_prior, settings, seen)
    total = _sums(evidence)
    longest = _longest(rows, rows_per_second)
    best: Placement | None = None
    for rate in rates:
        costs = _duration_scores(durations, rate, longest, rows_per_second)
        found = _search(total, visemes, set(word_starts), costs, settings.gap_cost)
        score = found[2] - 0.5 * (np.log(rate) / settings.rate_spread) ** 2
        if best is None or score > best.score:
            best = Placement(found[0], found[1], rate, float(score))
    assert best is not None
    return best


def start_spread(log_posterior: np.ndarray, visemes: np.ndarray, word_starts: Sequence[int], log_prior: np.ndarray,
                 durations: np.ndarray, rows_per_second: float, settings: SearchSettings | None = None,
                 seen: np.ndarray | None = None, rates: Sequence[float] = RATES) -> np.ndarray:  # fmt: skip
    """How sure are the word starts? Standard deviation of each over all paths, weighed by their scores.

    Sums over paths forwards and backwards in time take the place of the best path. Arguments as of `place`.

    Returns:
        (words,) seconds.
    """
    settings = settings or SearchSettings()
    evidence = _evidence(log_posterior, log_prior, settings, seen)
    longest, last = _longest(len(log_posterior), rows_per_second), len(visemes)
    backwards = {last - start for start in word_starts if start}
    joint = np.full((len(word_starts), len(evidence) + 1), -np.inf)
    for rate in rates:
        costs = _duration_scores(durations, rate, longest, rows_per_second)
        ready, _ = _summed(_sums(evidence), visemes, set(word_starts), costs, settings.gap_cost)
        _, done = _summed(_sums(evidence[::-1]), visemes[::-1], backwards, costs[::-1], settings.gap_cost)
        paths = np.stack([ready[start] + done[last - 1 - start][::-1] for start in word_starts])
        joint = np.logaddexp(joint, paths - 0.5 * (np.log(rate) / settings.rate_spread) ** 2)
    share = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    seconds = np.arange(joint.shape[1]) / rows_per_second
    mean = (share * seconds).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt((share * (seconds - mean) ** 2).sum(axis=1)))


def _evidence(log_posterior: np.ndarray, log_prior: np.ndarray, settings: SearchSettings,
              seen: np.ndarray | None) -> np.ndarray:  # fmt: skip
    """What every row says for every class (rows, classes)."""
    evidence = settings.evidence * (log_posterior - settings.prior_share * log_prior)
    return evidence if seen is None else np.where(seen[:, None], evidence, 0.0)


def _sums(evidence: np.ndarray) -> np.ndarray:
    """Sums of evidence before each boundary (rows + 1, classes)."""
    return np.concatenate([np.zeros((1, evidence.shape[1])), np.cumsum(evidence, axis=0)])


def _longest(rows: int, rows_per_second: float) -> int:
    """Most rows of a phone."""
    return max(2, min(rows, round(LONGEST_S * rows_per_second)))


def _summed(total: np.ndarray, visemes: np.ndarray, word_starts: set[int], costs: np.ndarray,
            gap_cost: float) -> tuple[list[np.ndarray], list[np.ndarray]]:  # fmt: skip
    """Log sums over paths, per phone: up to its start at every boundary, and up to its end."""
    silence, longest = total[:, 0], costs.shape[1]
    ready, begun, ended = silence.copy(), [], []
    for number, viseme in enumerate(visemes):
        if number in word_starts and number:
            before = np.concatenate([[NEVER], (ready - silence)[:-1]])
            ready = np.logaddexp(ready, np.logaddexp.accumulate(before) + silence - gap_cost)
        begun.append(ready)
        windows = _begun_before(ready - total[:, viseme], longest)
        ready = np.logaddexp.reduce(windows + costs[number], axis=1) + total[:, viseme]
        ended.append(ready)
    return begun, ended


def _begun_before(scores: np.ndarray, longest: int) -> np.ndarray:
    """Scores (boundaries, longest) of having begun 1 .. longest rows before every boundary."""
    opened = np.concatenate([np.full(longest, NEVER), scores])
    return sliding_window_view(opened, longest)[: len(scores), ::-1]


def _duration_scores(durations: np.ndarray, rate: float, longest: int, rows_per_second: float) -> np.ndarray:
    """Log probability (phones, longest) of every duration of 1 .. longest rows."""
    log_seconds = np.log(np.arange(1, longest + 1) / rows_per_second)
    mean, std = durations[:, :1] - np.log(rate), durations[:, 1:]
    density = -0.5 * ((log_seconds - mean) / std) ** 2 - np.log(std) - log_seconds
    return np.asarray(density - np.logaddexp.reduce(density, axis=1, keepdims=True))


def _search(total: np.ndarray, visemes: np.ndarray, word_starts: set[int], costs: np.ndarray,
            gap_cost: float) -> tuple[np.ndarray, np.ndarray, float]:  # fmt: skip
    """Return starts, ends and score of the best path; `total` holds sums of evidence before each boundary."""
    boundaries, phones, longest = len(total), len(visemes), costs.shape[1]
    silence = total[:, 0]
    ready = silence.copy()  # best score up to boundary t, next phone may begin there
    came_from = np.zeros((phones, boundaries), np.int64)  # boundary where the silence before a phone began
    lasted = np.zeros((phones, boundaries), np.int64)
    everywhere = np.arange(boundaries)
    done = np.full(boundaries, NEVER)
    for number, viseme in enumerate(visemes):
        came_from[number] = everywhere
        if number:
            ready = done
            if number in word_starts:
                ready, came_from[number] = _after_gap(done, silence, gap_cost)
        choices = _begun_before(ready - total[:, viseme], longest) + costs[number]
        best = choices.argmax(axis=1)
        lasted[number] = best + 1
        done = choices[everywhere, best] + total[:, viseme]
    final = done + silence[-1] - silence
    end = int(final.argmax())
    score = float(final[end])
    starts, ends = np.zeros(phones, np.int64), np.zeros(phones, np.int64)
    for number in range(phones - 1, -1, -1):
        ends[number] = end
        starts[number] = end - lasted[number, end]
        end = came_from[number, starts[number]]
    return starts, ends, score


def _after_gap(done: np.ndarray, silence: np.ndarray, gap_cost: float) -> tuple[np.ndarray, np.ndarray]:
    """Best score at every boundary with or without silence since the last phone, and where that silence began."""
    lead = done - silence
    highest = np.maximum.accumulate(lead)
    places = np.where(lead == highest, np.arange(len(lead)), 0)
    began = np.maximum.accumulate(places)
    with_gap = highest + silence - gap_cost
    direct = done >= with_gap
    return np.where(direct, done, with_gap), np.where(direct, np.arange(len(done)), began)
