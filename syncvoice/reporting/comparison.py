"""Comparison of rows from score files or finished tables: what differs after correction, what could have been found.

Conventions
-----------
Differences are paired by clip and tested by randomisation (`statistics`); Holm's correction runs over all
comparisons shown together. `detectable` is the smallest true difference that a test at the level left after Bonferroni
(0.05 over the number of comparisons) finds with 80 % chance on these clips; a smaller difference may exist and stay
unseen. A clip that stands in one file only is in no pair; such clips are counted. All of this is our choice.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.records.scores import read_score_files, score_files
from syncvoice.reporting import statistics, tables
from syncvoice.reporting.columns import Column, Columns
from syncvoice.reporting.render import SIGNIFICANCE
from syncvoice.reporting.scores import Scores, select
from syncvoice.reporting.settings import Bootstrap, Row

if TYPE_CHECKING:
    import pandas as pd

POWER = 0.8
DEFAULT_BOOTSTRAP = Bootstrap(resamples=10_000)  # 200 comparisons can still reach 0.05 after correction
COLUMNS = (
    "table",
    "group",
    "metric",
    "row",
    "baseline",
    "mean",
    "baseline_mean",
    "difference",
    "diff_low",
    "diff_high",
    "n_paired",
    "n_left_out",
    "p_value",
    "p_holm",
    "survives",
    "better",
    "detectable",
)


@dataclass(frozen=True)
class Scored:
    """Scores of one row: a score file, or all score files of a folder."""

    name: str
    frame: "pd.DataFrame"


def is_table(path: Path) -> bool:
    """Whether a path is a finished table, or a folder with some."""
    if path.is_dir():
        return any(is_table(file) for file in sorted(path.glob("*.csv")))
    try:
        with open(path, encoding="utf-8") as file:
            return {"experiment", "diff_vs_baseline", "p_holm"} <= set(file.readline().strip().split(","))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}); name score files, folders of them, or a table") from error


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest endings of paths, without suffix, that tell them apart.

    Raises:
        UserError: a path is named twice.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UserError("the same file is named twice; compare different rows")
    if len(paths) == 1:
        return [paths[0].stem]
    parts = [path.resolve().with_suffix("").parts if path.is_file() else path.resolve().parts for path in paths]
    differing = [place for place in range(1, max(map(len, parts)) + 1) if len({part[-place:] for part in parts}) > 1]
    names = ["/".join(part[-place:]) for place in differing[:1] for part in parts]
    if len(set(names)) == len(paths):
        # the part that tells them apart is enough if it does so alone: results/mini/metrics/[M1]/en_en
        alone = [part[-differing[0]] for part in parts]
        return alone if len(set(alone)) == len(paths) else names
    return ["/".join(part[-max(differing) :]) for part in parts]


def read_scored(paths: Sequence[Path]) -> list[Scored]:
    """Read score files, or folders of score files; every point of a sweep is a row of its own.

    Raises:
        UserError: fewer than two rows, or a file is missing or no score file.
    """
    rows = []
    for name, path in zip(short_names(paths), paths, strict=True):
        frame = _read(path)
        points = sorted(set(frame["point"]))
        for point in points:
            chosen = frame[frame["point"] == point].assign(point="")
            rows.append(Scored(f"{name}/{point}" if point else name, chosen))
    if len(rows) < 2:
        raise UserError(f"a comparison needs at least two rows, found {', '.join(row.name for row in rows) or 'none'}")
    return rows


def _read(path: Path) -> "pd.DataFrame":
    """Read a score file, or all score files of a folder."""
    files = score_files(path) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path} holds no score file; make them with `syncvoice score`")
    return read_score_files(files)


def compare(
    rows: Sequence[Scored],
    columns: Columns,
    *,
    baseline: str | None = None,
    all_pairs: bool = False,
    metrics: Sequence[str] = (),
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> "pd.DataFrame":
    """Compare rows metric by metric.

    Args:
        rows: rows with their scores.
        columns: what is known of the metrics.
        baseline: row that the others are compared with (None: the first).
        all_pairs: compare every row with every earlier one instead.
        metrics: only these (none: every metric that two rows share).
        bootstrap: resamples of intervals and tests.

    Returns:
        One line per metric and pair, columns `COLUMNS`.

    Raises:
        UserError: the baseline is no row, or there is nothing to compare.
    """
    import pandas as pd

    by_name = {row.name: row for row in rows}
    if baseline is not None and baseline not in by_name:
        raise UserError(f"baseline {baseline} is no row; the rows are {', '.join(by_name)}")
    first = by_name[baseline] if baseline else rows[0]
    pairs = list(itertools.combinations(rows, 2)) if all_pairs else [(first, row) for row in rows if row is not first]
    names = list(dict.fromkeys(name for row in rows for name in row.frame["metric"]))
    unknown = [name for name in metrics if name not in names]
    if unknown:
        raise UserError(f"metric {unknown[0]} stands in none of the files; found {', '.join(names)}")
    lines = []
    for metric in metrics or names:
        for base, row in pairs:
            line = _compare_pair(base, row, columns[metric], bootstrap)
            if line is not None:
                lines.append(line)
    if not lines:
        raise UserError(f"no two rows share a metric and a clip; found the metrics {', '.join(names)}")
    return corrected(pd.DataFrame(lines, columns=list(COLUMNS)), columns)


def _compare_pair(base: Scored, row: Scored, column: Column, bootstrap: Bootstrap) -> dict[str, object] | None:
    """Compare two rows on one metric over the clips that both hold."""
    metric = column.id
    ids = [set(side.frame.loc[side.frame["metric"] == metric, "utterance"]) for side in (base, row)]
    shared = sorted(ids[0] & ids[1])
    if not shared:
        return None
    one, other = _scores(base, column, shared, row), _scores(row, column, shared, base)
    everybody = np.ones(len(shared), dtype=bool)
    keys = (metric, row.name, base.name)
    difference = tables.paired_difference(other, one, everybody, bootstrap, keys)
    means = [tables.estimate(side, everybody, bootstrap, keys).value for side in (other, one)]
    left_out = len(ids[0] ^ ids[1]) + len(shared) - difference.n
    return {
        "table": "",
        "group": "all",
        "metric": metric,
        "row": row.name,
        "baseline": base.name,
        "mean": means[0],
        "baseline_mean": means[1],
        "difference": difference.value,
        "diff_low": difference.low,
        "diff_high": difference.high,
        "n_paired": difference.n,
        "n_left_out": left_out,
        "p_value": difference.p_value,
        "detectable": difference.deviation,  # until the number of comparisons is known
    }


def _scores(row: Scored, column: Column, shared: Sequence[str], other: Scored) -> Scores:
    """Scores of a row on the shared clips; a failed clip without counts has the words of the other row's clip."""
    import pandas as pd

    task = pd.DataFrame({"utterance": list(shared), "text": "", "language": "en"})
    frame = row.frame[row.frame["utterance"].isin(set(shared))]
    if column.errors_over_words and "words" in frame and "words" in other.frame:
        theirs = other.frame[other.frame["metric"] == column.id].drop_duplicates("utterance").set_index("utterance")
        unknown = frame["words"].isna() & (frame["metric"] == column.id)
        frame = frame.assign(words=frame["words"].where(~unknown, frame["utterance"].map(theirs["words"])))
    return select(frame, task, Row(experiment=row.name), column)


def corrected(frame: "pd.DataFrame", columns: Columns) -> "pd.DataFrame":
    """Fill in Holm's p-values, verdicts and detectable differences; `detectable` holds per-clip deviations before."""
    p_values = frame["p_value"].to_numpy(dtype=np.float64)
    family = max(1, int((~np.isnan(p_values)).sum()))
    detectable = [
        statistics.minimum_detectable_difference(deviation, int(n), alpha=SIGNIFICANCE / family, power=POWER)
        for deviation, n in zip(frame["detectable"], frame["n_paired"], strict=True)
    ]
    return judged(frame.assign(p_holm=statistics.holm(p_values), detectable=detectable), columns)


def judged(frame: "pd.DataFrame", columns: Columns) -> "pd.DataFrame":
    """Fill in which differences survive the correction and which side is better."""
    survives = [bool(p < SIGNIFICANCE) for p in frame["p_holm"]]
    better = [_better(line, columns) for line in frame.to_dict("records")]
    return frame.assign(
        survives=["yes" if value else "no" for value in survives],
        better=[side if value else "" for side, value in zip(better, survives, strict=True)],
    )


def _better(line: Mapping[str, Any], columns: Columns) -> str:
    """Name the better side of a difference; "" where the metric has no direction or both are equal."""
    direction = columns[line["metric"]].direction
    if direction == "zero":
        gain = abs(line["baseline_mean"]) - abs(line["mean"])
    else:
        gain = line["difference"] * {"higher": 1, "lower": -1}.get(direction, 0)
    return "" if not gain or np.isnan(gain) else str(line["row"] if gain > 0 else line["baseline"])


def read_tables(path: Path, columns: Columns, group: str = "all", metrics: Sequence[str] = ()) -> "pd.DataFrame":
    """Read the comparisons of a table, or of every table of a folder; each table is corrected by itself.

    Args:
        path: CSV file of a table, or a study's folder of tables.
        columns: what is known of the metrics.
        group: all, seen or unseen.
        metrics: only these (none: all).

    Raises:
        UserError: no table compares anything in this group.
    """
    import pandas as pd

    files = [file for file in sorted(path.glob("*.csv")) if is_table(file)] if path.is_dir() else [path]
    lines: list[dict[str, object]] = []
    for file in files:
        table = tables.read_csv(file)
        chosen = table[(table["group"] == group) & table["diff_vs_baseline"].notna()]
        if metrics:
            chosen = chosen[chosen["metric"].isin(metrics)]
        means = table[table["group"] == group].set_index(["experiment", "metric"])["mean"]
        lines += [_table_line(file.stem, line, means) for line in chosen.to_dict("records")]
    if not lines:
        raise UserError(f"{path}: no table compares rows in group {group}; a table needs a baseline")
    return judged(pd.DataFrame(lines, columns=list(COLUMNS)), columns)


def _table_line(table: str, line: Mapping[Any, Any], means: "pd.Series") -> dict[str, object]:
    """One comparison of a finished table."""
    return {
        "table": table,
        "group": line["group"],
        "metric": line["metric"],
        "row": line["experiment"],
        "baseline": line["baseline"],
        "mean": line["mean"],
        "baseline_mean": means[line["baseline"], line["metric"]],
        "difference": line["diff_vs_baseline"],
        "diff_low": line["diff_low"],
        "diff_high": line["diff_high"],
        "n_paired": line["n_paired"],
        "n_left_out": line["n_expected"] - line["n_paired"],
        "p_value": line["p_value"],
        "p_holm": line["p_holm"],
        "detectable": line["detectable_difference"],
    }


def text(frame: "pd.DataFrame", columns: Columns, resamples: int | None) -> str:
    """Return a comparison for people.

    Args:
        frame: as `compare` or `read_tables` make it.
        columns: what is known of the metrics.
        resamples: of the tests, None if not known (finished tables).
    """
    parts = []
    for name, part in frame.groupby("table", sort=False):
        parts.append(
            (f"Table {name}\n" if name else "")
            + _grid(part, columns)
            + "\n"
            + "\n".join(_sentences(part, columns, resamples))
        )
    return "\n\n".join(parts) + "\n"


def _grid(frame: "pd.DataFrame", columns: Columns) -> str:
    head = "metric,row,value,baseline,value,difference (interval),clips,p (Holm),,detectable".split(",")
    lines = [head]
    for line in frame.itertuples():
        info = columns[line.metric]
        interval = f"{info.text(line.diff_low, signed=True)} to {info.text(line.diff_high, signed=True)}"
        left_out = f" (−{line.n_left_out})" if line.n_left_out else ""
        lines.append(
            [
                info.heading,
                line.row,
                info.text(line.mean),
                line.baseline,
                info.text(line.baseline_mean),
                f"{info.text(line.difference, signed=True)} ({interval})",
                f"{line.n_paired}{left_out}",
                "–" if np.isnan(line.p_holm) else f"{line.p_holm:.4f}",
                "†" if line.survives == "yes" else "",
                info.text(line.detectable),
            ]
        )
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([padded[0], "-" * max(map(len, padded)), *padded[1:]])


def _sentences(frame: "pd.DataFrame", columns: Columns, resamples: int | None) -> list[str]:
    """Say what survives, what could have been found, and what was left out."""
    found = frame[frame["survives"] == "yes"]
    family = int(frame["p_value"].notna().sum())
    scope = "" if resamples else " over all rows and metrics of the table"
    lines = [f"† {len(found)} of {family} differences survive Holm's correction at {SIGNIFICANCE:g}{scope}."]
    for line in found.itertuples():
        info = columns[line.metric]
        verdict = f"{line.better} is better" if line.better else "they differ"
        size = f"{info.text(line.difference, signed=True)}{f' {info.unit}' if info.unit else ''}"
        lines.append(f"  {info.label}: {line.row} against {line.baseline}: {verdict}, {size}")
    unseen = frame[frame["survives"] == "no"]
    if len(unseen):
        lines.append(
            "The others are not evidence of no effect: a true difference is found with 80 % chance only from the value"
            ' in the column "detectable" on.'
        )
    floor = family / (resamples + 1) if resamples else 0.0
    if floor >= SIGNIFICANCE:
        lines.append(
            f"With {resamples} resamples no p-value of {family} comparisons falls below {floor:.2f} after correction:"
            f" ask for at least {int(family / SIGNIFICANCE)} (--resamples) or fewer metrics."
        )
    if frame["n_left_out"].sum():
        lines.append("Clips in brackets (−n) are in no pair: not scored on both sides, or only in one file.")
    return lines
