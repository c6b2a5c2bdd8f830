"""How far the means of a row spread over several trainings of its recipe, which no interval over clips knows of.

Conventions
-----------
A row is spoken by every training of its recipe: the same clips, reference voices and noise, so that training alone
differs (its batches, what it hides, its new layers, its noise). The spread is the standard deviation (n - 1) of the
row's mean over the trainings. The spread of a difference is that of (row - baseline), each pair from trainings of one
seed, which see the same batches; where seeds are not shared, the two spreads are added as independent ones. All of this
is our choice: the paper trains each model once.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from syncvoice.reporting.scores import Scores, counted, value_of
from syncvoice.reporting.settings import Row, TableJob, Training

SPREAD_COLUMNS = ("n_trainings", "spread", "trainings_low", "trainings_high", "difference_spread")

Loaded = dict[tuple[str, str], Scores]  # by key of a row, and metric
Trainings = Mapping[str, tuple[Training, ...]]


def rows_by_seed(trainings: Trainings, row: Row) -> dict[int, Row]:
    """Return the rows that the trainings of a row's recipe speak, at the row's point of its sweep, by seed."""
    known = trainings.get(row.experiment, ())
    return {training.seed: row.model_copy(update={"experiment": training.experiment}) for training in known}


def further_rows(trainings: Trainings, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of further trainings, each once."""
    for row in rows:
        yield from (again for again in rows_by_seed(trainings, row).values() if again.experiment != row.experiment)


def spread_between_trainings(
    settings: TableJob, loaded: Loaded, row: Row, members: np.ndarray, metric: str
) -> dict[str, Any]:
    """Return the `SPREAD_COLUMNS` of a row, a group and a metric, in the metric's unit; NaN without further trainings.

    Args:
        settings: of the table.
        loaded: scores of all rows and of those of further trainings.
        row: of the table.
        members: (utterances,) bool, the group.
        metric: id.
    """
    if not settings.trainings:
        return {}
    own = {seed: loaded[again.key, metric] for seed, again in rows_by_seed(settings.trainings, row).items()}
    means = _finite(value_of(scores, counted(scores, members)) for scores in own.values())
    difference = math.nan
    if settings.baseline is not None and settings.baseline != row.key:
        baseline = next(other for other in settings.rows if other.key == settings.baseline)
        others = {seed: loaded[again.key, metric] for seed, again in rows_by_seed(settings.trainings, baseline).items()}
        difference = difference_spread(own, others, members)
    return {
        "n_trainings": len(means),
        "spread": deviation(means),
        "trainings_low": min(means, default=math.nan),
        "trainings_high": max(means, default=math.nan),
        "difference_spread": difference,
    }


def difference_spread(own: Mapping[int, Scores], others: Mapping[int, Scores], members: np.ndarray) -> float:
    """Return the standard deviation of the difference of two rows over their trainings; NaN if neither has several.

    Args:
        own, others: scores of both rows by seed; {} for a row that is trained once or not at all.
        members: (utterances,) bool, the group.
    """
    shared = [seed for seed in own if seed in others]
    if len(shared) > 1:
        pairs = [(own[seed], others[seed]) for seed in shared]
        used = [counted(first, members) & counted(second, members) for first, second in pairs]
        values = [value_of(a, both) - value_of(b, both) for (a, b), both in zip(pairs, used, strict=True)]
        return deviation(_finite(values))
    rows = [[value_of(scores, counted(scores, members)) for scores in row.values()] for row in (own, others) if row]
    return math.hypot(*(deviation(_finite(means)) for means in rows)) if rows else math.nan


def deviation(values: list[float]) -> float:
    """Return the standard deviation (n - 1) of values; NaN for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def deviation_factors(n: int, confidence: float) -> tuple[float, float]:
    """Return between which multiples of a standard deviation of `n` values the true one lies.

    The interval of chi-square, which holds for values of a normal distribution.

    >>> [round(factor, 2) for factor in deviation_factors(3, 0.95)]
    [0.52, 6.28]
    """
    from scipy.stats import chi2

    tail = (1 - confidence) / 2
    low, high = (math.sqrt((n - 1) / chi2.ppf(quantile, n - 1)) for quantile in (1 - tail, tail))
    return low, high


def is_within_spread(line: Any) -> bool:
    """Tell whether a line's difference from the baseline is smaller than that difference spreads over trainings."""
    return abs(line.diff_vs_baseline) < getattr(line, "difference_spread", math.nan)


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]
