"""Plots of one metric against another: the guidance sweep with its Pareto frontier, and rows in the plane."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.scores import MetricInfo, metric_info, point_caption, read_scores
from syncvoice.reporting.settings import Row, TableSettings
from syncvoice.reporting.tables import build_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def pareto_frontier(x: np.ndarray, y: np.ndarray, x_up: bool, y_up: bool) -> np.ndarray:
    """Return the indices of the points that no other point beats in one metric without losing in the other, along x.

    Args:
        x, y: (points,), finite.
        x_up, y_up: whether higher is better.
    """
    good_x, good_y = (x if x_up else -x), (y if y_up else -y)
    order = np.lexsort((np.arange(len(x)), -good_y, -good_x))  # best x first, then best y
    kept, best = [], -np.inf
    for index in order:
        if good_y[index] > best:
            kept.append(index)
            best = good_y[index]
    return np.array(sorted(kept, key=lambda index: x[index]), dtype=int)


def _table(
    settings: dict[str, Any],
    root: Path,
    rows: tuple[Row, ...],
    metrics: tuple[str, ...],
    utterances: frozenset[str] | None = None,
) -> "pd.DataFrame":
    table = TableSettings(
        name=settings["name"],
        title=settings["title"],
        study=settings["study"],
        task=settings["task"],
        rows=rows,
        baseline=None,
        metrics=metrics,
        groups=("all",),
        bootstrap=settings["bootstrap"],
    )
    return build_table(table, root / "tasks", root / "metrics", utterances)[0]


def _values(table: "pd.DataFrame", metric: str) -> "pd.DataFrame":
    return table[table["metric"] == metric].set_index("experiment")


def _label(info: MetricInfo) -> str:
    better = {"higher": "higher is better ↑", "lower": "lower is better ↓"}.get(info.direction, "")
    unit = f" ({info.unit})" if info.unit else ""
    return f"{info.label}{unit}: {better}" if better else f"{info.label}{unit}"


def guidance_pareto_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return the points of a guidance sweep: y against each of x, frontier drawn, points labelled with their scales.

    The first row is the sweep; further rows are drawn as marks of reference, over the clips of the sweep alone.
    """
    sweep, *references = settings["rows"]
    y = metric_info(settings["y"])
    figure = style.new_figure(0.75 + 4.1 * len(settings["x"]), 4.6)
    shared = tuple(dict.fromkeys([y.id, *settings["x"]]))
    table = _table(settings, root, (sweep,), shared)
    scored = frozenset(read_scores(root / "metrics", sweep.experiment, settings["task"])["utterance"])
    marks = _table(settings, root, tuple(references), shared, scored) if references else table.iloc[:0]
    n = int(table["n_expected"].max())
    subtitle = (
        f"f2 l1: face scale 2, lip scale 1; means over {n} clips. Line: Pareto frontier, with 95 % intervals."
        + " Rings: rows of the table, same clips." * bool(references)
    )
    top = style.titled(figure, settings["title"], subtitle)
    for index, metric in enumerate(settings["x"]):
        x = metric_info(metric)
        left = 0.72 + index * 4.1
        width = figure.get_size_inches()[0]
        axis = figure.add_axes((left / width, 0.125, 3.75 / width, 0.82 - top))
        _sweep_panel(axis, table, marks, references, x, y)
        axis.set_xlabel(_label(x))
        if index == 0:
            axis.set_ylabel(_label(y))
    return figure


def _sweep_panel(
    axis: "Axes", table: "pd.DataFrame", marks: "pd.DataFrame", references: list[Row], x: MetricInfo, y: MetricInfo
) -> None:
    across, up = _values(table, x.id), _values(table, y.id)
    known = across["mean"].notna() & up["mean"].notna()
    across, up = across[known], up[known]
    if across.empty:
        raise UserError(f"the sweep has no point with both {x.id} and {y.id}; score it first")
    a, b = across["mean"].to_numpy() * x.scale, up["mean"].to_numpy() * y.scale
    frontier = pareto_frontier(a, b, x.direction == "higher", y.direction == "higher")
    axis.plot(a[frontier], b[frontier], color=style.PALETTE[0], lw=1.2, alpha=0.8, zorder=1)
    labels = []
    for index, name in enumerate(across.index):
        best = index in frontier
        colour = style.PALETTE[0] if best else style.REFERENCE
        if best:
            _cross(axis, across.iloc[index], up.iloc[index], x, y, colour)
        axis.plot(a[index], b[index], "o", color=colour, ms=6 if best else 4, mec=style.PAPER, mew=0.7, zorder=3)
        text = _short(name.rpartition("/")[2])
        labels.append((a[index], b[index], text, 7.5 if best else 6, style.INK if best else style.SOFT))
    for row in references:
        place = (_values(marks, x.id)["mean"][row.key] * x.scale, _values(marks, y.id)["mean"][row.key] * y.scale)
        if not np.isnan(place).any():
            axis.plot(*place, "o", mfc="none", mec=style.INK, ms=7, mew=1.1, zorder=3)
            labels.append((*place, row.key, 8, style.INK))
    axis.grid()
    axis.margins(0.08)
    if x.direction == "lower":
        axis.invert_xaxis()  # better is always to the right
    style.place_labels(axis, sorted(labels, key=lambda label: -label[3]))


def _short(point: str) -> str:
    """Return the scales of a point in short: f2 l1."""
    return point_caption(point).replace("face ", "f").replace("lip ", "l").replace("text ", "t").replace(",", "")


def _cross(axis: "Axes", across: "pd.Series", up: "pd.Series", x: MetricInfo, y: MetricInfo, colour: str) -> None:
    """Draw the intervals of one point in both directions."""
    a, b = across["mean"] * x.scale, up["mean"] * y.scale
    thin: dict[str, Any] = {"color": colour, "lw": 0.8, "alpha": 0.35, "zorder": 1}
    axis.plot([across["ci_low"] * x.scale, across["ci_high"] * x.scale], [b, b], **thin)
    axis.plot([a, a], [up["ci_low"] * y.scale, up["ci_high"] * y.scale], **thin)


def temporal_ablation_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return rows in the plane of two metrics, each with intervals in both directions and its name beside it."""
    y = metric_info(settings["y"])
    rows = settings["rows"]
    table = _table(settings, root, rows, tuple(dict.fromkeys([y.id, *settings["x"]])))
    width = 0.75 + 5.0 * len(settings["x"])
    figure = style.new_figure(width, 4.2)
    n = int(table["n_expected"].max())
    top = style.titled(figure, settings["title"], f"Means over {n} clips with 95 % intervals; better is up and right.")
    for index, metric in enumerate(settings["x"]):
        x = metric_info(metric)
        axis = figure.add_axes(((0.72 + 5.0 * index) / width, 0.135, 4.5 / width, 0.82 - top))
        _row_marks(axis, rows, table, x, y)
        axis.set_xlabel(_label(x))
        if index == 0:
            axis.set_ylabel(_label(y))
    return figure


def _row_marks(axis: "Axes", rows: tuple[Row, ...], table: "pd.DataFrame", x: MetricInfo, y: MetricInfo) -> None:
    """Draw one mark with intervals per row; better is always up and to the right."""
    across, up = _values(table, x.id), _values(table, y.id)
    colours = style.row_colours(rows)
    labels = []
    for row in rows:
        place = (across.loc[row.key, "mean"] * x.scale, up.loc[row.key, "mean"] * y.scale)
        if not np.isnan(place).any():
            _cross(axis, across.loc[row.key], up.loc[row.key], x, y, colours[row.key])
            axis.plot(*place, "o", color=colours[row.key], ms=7, mec=style.PAPER, mew=0.8, zorder=3)
            labels.append((*place, row.key, 8.5, colours[row.key]))
    axis.grid()
    axis.margins(0.12)
    for info, invert in ((x, axis.invert_xaxis), (y, axis.invert_yaxis)):
        if info.direction == "lower":
            invert()
    if labels:
        style.place_labels(axis, labels)
