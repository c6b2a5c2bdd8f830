"""Tables of results: tidy score files in, one CSV out; Markdown and LaTeX are renderings of that CSV."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.reporting import statistics
from syncvoice.reporting.columns import Column
from syncvoice.reporting.render import SIGNIFICANCE, coarse_tests
from syncvoice.reporting.scores import (
    DELIVERY,
    Scores,
    counted,
    delivery_of,
    expand_points,
    in_group,
    in_third,
    read_scores,
    read_task,
    select,
)
from syncvoice.reporting.settings import Bootstrap, Comparison, Row, TableJob
from syncvoice.reporting.spread import SPREAD_COLUMNS, Loaded, further_rows, spread_between_trainings

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

COLUMNS = (
    "experiment",
    "group",
    "metric",
    "mean",
    "ci_low",
    "ci_high",
    "n_scored",
    "n_expected",
    "diff_vs_baseline",
    "diff_low",
    "diff_high",
    "scorer",
    "n_failed",
    "n_not_applicable",
    "n_paired",
    "p_value",
    "p_holm",
    "detectable_difference",
    "baseline",
    "paper_value",
    "paper_source",
    "caption",
    "scorer_version",
    "weights_sha256",
)
DIRECTION_COLUMNS = ("id", "metric", "order", "ours", "agrees", "every_step_clear", "source", "verified", "statement")
INTEGERS = ("n_scored", "n_expected", "n_failed", "n_not_applicable", "n_paired")


def build_table(
    settings: TableJob,
    tasks_root: Path | str,
    metrics_root: Path | str,
    utterances: frozenset[str] | None = None,
) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Make a table from score files.

    Args:
        settings: the table's settings.
        tasks_root: folder with {task}.csv.
        metrics_root: folder with {experiment}/{task}/*.csv.
        utterances: take only these (None: the whole task).

    Returns:
        The table (columns `COLUMNS`, one line per row, group and metric; rates as fractions, not %; with several
        trainings also `spread.SPREAD_COLUMNS`), and the paper's directions beside ours (columns `DIRECTION_COLUMNS`).

    Raises:
        UserError: a score file is missing, incomplete or stale.
    """
    import pandas as pd

    task = read_task(Path(tasks_root) / f"{settings.task}.csv")
    if utterances is not None:
        task = task[task["utterance"].isin(utterances)].reset_index(drop=True)
    loaded, rows = _load(settings, task, metrics_root, utterances)
    settings = settings.model_copy(update={"rows": rows})
    lines = []
    for group in settings.groups:
        members = _members(settings, group, task, metrics_root)
        if not members.any():
            continue
        for row in settings.rows:
            lines += [_line(settings, loaded, row, group, members, metric) for metric in settings.metrics]
    table = pd.DataFrame(lines, columns=[*COLUMNS, *(SPREAD_COLUMNS if settings.trainings else ())])
    for group in settings.groups:  # one family of comparisons per group: all rows and metrics against the baseline
        chosen = table["group"] == group
        table.loc[chosen, "p_holm"] = statistics.holm(table.loc[chosen, "p_value"].to_numpy(dtype=np.float64))
        _warn_of_coarse_tests(settings, group, table[chosen])
    datasets = set(task["dataset"]) if "dataset" in task.columns else set()
    _add_paper_values(settings, table, datasets)
    return table, _directions(settings, loaded)


def _members(settings: TableJob, group: str, task: "pd.DataFrame", metrics_root: Path | str) -> np.ndarray:
    """Return (utterances,) bool: which belong to a group; how a clip is spoken stands with the scores of any row.

    Raises:
        UserError: no row was scored with what decides the group.
    """
    metric = delivery_of(group)
    if metric is None:
        return in_group(task, group)
    known = np.full(len(task), np.nan)
    for row in settings.rows:  # the clip's own: a row that failed has none, another one tells
        scores = read_scores(metrics_root, row.experiment, settings.task)
        scores = scores[scores["utterance"].isin(task["utterance"])]
        values = select(scores, task, row, Column.unknown(metric)).value
        known = np.where(np.isfinite(known), known, values)
    if not np.isfinite(known).any():
        raise UserError(
            f"table {settings.name}: group {group} is decided by {metric}, which no row was scored with; add "
            "phone_classes.ctc_aligned to the metrics of the task"
        )
    return in_third(known, DELIVERY[metric].index(group))


def _warn_of_coarse_tests(settings: TableJob, group: str, lines: "pd.DataFrame") -> None:
    """Warn if so many comparisons are corrected together that no p-value of these resamples can survive."""
    found = coarse_tests(settings, lines)
    if found:
        logger.warning("table %s, group %s: %s", settings.name, group, found)


def _load(
    settings: TableJob, task: "pd.DataFrame", metrics_root: Path | str, utterances: frozenset[str] | None
) -> tuple[Loaded, tuple[Row, ...]]:
    """Return the scores of every row and metric, and the rows with sweeps expanded into their points."""
    loaded: Loaded = {}
    rows: list[Row] = []
    scored: set[str] = set()
    for row in settings.rows:
        scores = read_scores(metrics_root, row.experiment, settings.task, utterances)
        for expanded in expand_points(scores, row):
            rows.append(expanded)
            for metric in settings.metrics:
                loaded[expanded.key, metric] = select(scores, task, expanded, settings.column[metric])
        scored |= set(scores["metric"])
    for row in further_rows(settings.trainings, rows):
        scores = read_scores(metrics_root, row.experiment, settings.task, utterances)
        for metric in settings.metrics:
            loaded[row.key, metric] = select(scores, task, row, settings.column[metric])
    missing = [metric for metric in settings.metrics if metric not in scored]
    if missing:
        known = f"found: {', '.join(sorted(scored)) or 'none'}"
        raise UserError(
            f"table {settings.name}: metric {missing[0]} has no score in any row ({known}); run `syncvoice score`"
        )
    return loaded, tuple(rows)


def _add_paper_values(settings: TableJob, table: "pd.DataFrame", datasets: set[str]) -> None:
    """Put the paper's numbers beside ours, only where metric id (scorer and protocol) and data set are the same."""
    for paper in settings.paper_values:
        if datasets != {paper.dataset} or paper.metric not in settings.metrics:
            continue
        cell = (table["experiment"] == paper.experiment) & (table["metric"] == paper.metric) & (table["group"] == "all")
        table.loc[cell, "paper_value"] = paper.value
        table.loc[cell, "paper_source"] = paper.source + ("" if paper.verified else " (not verified)")


def _line(
    settings: TableJob, loaded: Loaded, row: Row, group: str, members: np.ndarray, metric: str
) -> dict[str, object]:
    scores = loaded[row.key, metric]
    status = scores.status[members]
    applicable = status != "not_applicable"
    keys = (settings.task, group, metric, row.key)
    own = estimate(scores, members, settings.bootstrap, keys)
    difference = statistics.NO_DIFFERENCE
    if settings.baseline is not None and settings.baseline != row.key:
        baseline = loaded[settings.baseline, metric]
        difference = paired_difference(scores, baseline, members, settings.bootstrap, (*keys, settings.baseline))
    return {
        "experiment": row.key,
        "group": group,
        "metric": metric,
        "mean": own.value,
        "ci_low": own.low,
        "ci_high": own.high,
        "n_scored": int((status == "ok").sum()),
        "n_expected": int(applicable.sum()),
        "diff_vs_baseline": difference.value,
        "diff_low": difference.low,
        "diff_high": difference.high,
        "scorer": scores.scorer,
        "n_failed": int((status == "failed").sum()),
        "n_not_applicable": int((~applicable).sum()),
        "n_paired": difference.n,
        "p_value": difference.p_value,
        "p_holm": np.nan,
        "detectable_difference": statistics.minimum_detectable_difference(difference.deviation, difference.n),
        "baseline": settings.baseline or "",
        "paper_value": np.nan,
        "paper_source": "",
        "caption": row.what,
        "scorer_version": scores.scorer_version,
        "weights_sha256": scores.weights_sha256,
        **spread_between_trainings(settings, loaded, row, members, metric),
    }


def estimate(
    scores: Scores, members: np.ndarray, bootstrap: Bootstrap, keys: tuple[object, ...]
) -> statistics.Estimate:
    """Return the mean or corpus rate of a row over a group, with its interval; arguments as in `paired_difference`."""
    options: Any = {"seed": bootstrap.seed, "resamples": bootstrap.resamples, "confidence": bootstrap.confidence}
    used = counted(scores, members)
    if scores.is_rate:
        return statistics.rate_estimate(scores.errors[used], scores.words[used], *keys, **options)
    return statistics.mean_estimate(scores.value[used], *keys, **options)


def paired_difference(
    scores: Scores, baseline: Scores, members: np.ndarray, bootstrap: Bootstrap, keys: tuple[object, ...]
) -> statistics.Difference:
    """Return row minus baseline over the clips both have; a failed clip stays in only where it counts (WER 1).

    Args:
        scores, baseline: scores of both rows, aligned with the task.
        members: (utterances,) bool, the group.
        bootstrap: how to make the interval.
        keys: names that seed the draws.
    """
    options: Any = {"seed": bootstrap.seed, "resamples": bootstrap.resamples, "confidence": bootstrap.confidence}
    used = counted(scores, members) & counted(baseline, members)
    if scores.is_rate:
        counts = (scores.errors[used], scores.words[used], baseline.errors[used], baseline.words[used])
        return statistics.rate_difference(*counts, *keys, **options)
    return statistics.mean_difference(scores.value[used], baseline.value[used], *keys, **options)


def _directions(settings: TableJob, loaded: Loaded) -> "pd.DataFrame":
    import pandas as pd

    rows = {row.key for row in settings.rows}
    lines, steps = [], []
    for comparison in settings.comparisons:
        missing = [name for name in comparison.ascending if name not in rows]
        if missing or comparison.metric not in settings.metrics:
            problem = f"row {missing[0]}" if missing else f"metric {comparison.metric}"
            raise UserError(
                f"table {settings.name}: comparison {comparison.name} needs {problem}, which is not in the table"
            )
        lines.append(_direction(settings, comparison, loaded))
        steps.append(_steps(settings, comparison, loaded))
    corrected = iter(statistics.holm([step.p_value for direction in steps for step in direction]))
    for line, direction in zip(lines, steps, strict=True):
        clear = [next(corrected) < SIGNIFICANCE and step.value > 0 for step in direction]
        line["every_step_clear"] = "yes" if all(clear) else "no"
    return pd.DataFrame(lines, columns=list(DIRECTION_COLUMNS))


def _steps(settings: TableJob, comparison: Comparison, loaded: Loaded) -> list[statistics.Difference]:
    """Return the paired difference of each two neighbours of a direction, higher minus lower, all clips."""
    everybody = np.ones(len(loaded[comparison.ascending[0], comparison.metric].status), dtype=bool)
    steps = []
    for lower, higher in zip(comparison.ascending, comparison.ascending[1:], strict=False):
        pair = (loaded[higher, comparison.metric], loaded[lower, comparison.metric])
        names = (settings.task, "all", comparison.metric, higher, lower)
        steps.append(paired_difference(*pair, everybody, settings.bootstrap, names))
    return steps


def _direction(settings: TableJob, comparison: Comparison, loaded: Loaded) -> dict[str, object]:
    """Return one line of "the paper's direction and ours": agrees if our values stand in the paper's order."""
    info = settings.column[comparison.metric]
    values = []
    everybody = np.ones(len(loaded[comparison.ascending[0], comparison.metric].status), dtype=bool)
    for name in comparison.ascending:
        keys = (settings.task, "all", comparison.metric, name)
        values.append(estimate(loaded[name, comparison.metric], everybody, settings.bootstrap, keys).value)
    known = not np.isnan(values).any()
    agrees = known and all(low < high for low, high in zip(values, values[1:], strict=False))
    ours = [f"{name} {info.text(value)}" for name, value in zip(comparison.ascending, values, strict=True)]
    return {
        "id": comparison.name,
        "metric": comparison.metric,
        "order": " < ".join(comparison.ascending),
        "ours": ", ".join(ours),
        "agrees": "yes" if agrees else "no" if known else "unknown",
        "every_step_clear": "no",  # until all steps of the table are corrected together
        "source": comparison.source,
        "verified": "yes" if comparison.verified else "no",
        "statement": comparison.statement,
    }


def write_csv(path: Path | str, frame: "pd.DataFrame") -> None:
    """Write a table as CSV, atomically: six digits after the point, empty cells for NaN, the same bytes every time."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n", encoding="utf-8")


def read_csv(path: Path | str, columns: Sequence[str] = COLUMNS) -> "pd.DataFrame":
    """Read a table that `write_csv` wrote. Raises UserError when it is missing or lacks a column."""
    import pandas as pd

    texts = [name for name in columns if name in TEXTS]
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; make it with `syncvoice tabulate`") from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; make the table again with `syncvoice tabulate`")
    frame[texts] = frame[texts].fillna("")
    return frame


TEXTS = (
    "experiment",
    "group",
    "metric",
    "scorer",
    "baseline",
    "paper_source",
    "caption",
    "scorer_version",
    "weights_sha256",
) + (DIRECTION_COLUMNS)
