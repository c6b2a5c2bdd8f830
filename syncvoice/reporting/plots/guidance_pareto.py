"""Plot `guidance_pareto`: the points of a guidance sweep with their Pareto frontier."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.plots.plane import PlanePlot, axis_label, cross, means, values_of
from syncvoice.reporting.scores import point_caption, read_scores
from syncvoice.reporting.settings import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Colour, mark and line of each sweep: the palette once, and again with other marks.
LEGEND = 1.75  # inches for the names of several sweeps
LOOKS = tuple((colour, mark, line) for mark, line in (("o", "-"), ("s", "--"), ("^", ":")) for colour in style.PALETTE)


class Settings(PlanePlot):
    """One sweep or several, and further rows as marks of reference; all over the clips that every sweep has."""


@dataclass(frozen=True)
class Sweep:
    """A sweep's points and how they are drawn."""

    row: Row
    table: "pd.DataFrame"
    colour: str
    mark: str
    line: str


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


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return the points of guidance sweeps: y against each of x, frontiers drawn, points labelled with their scales."""
    sweeps, references, marks = _read(job, plot, root)
    y = job.column[plot.y]
    names = LEGEND if len(sweeps) > 1 else 0.0
    figure = style.new_figure(0.75 + 4.1 * len(plot.x) + names, 4.6)
    n = int(sweeps[0].table["n_expected"].max())
    subtitle = (
        f"f2 l1: face scale 2, lip scale 1; means over {n} clips. Line: Pareto frontier, with 95 % intervals."
        + " Rings: rows of the table, same clips." * bool(references)
    )
    top = style.titled(figure, job.heading, subtitle)
    for index, metric in enumerate(plot.x):
        x = job.column[metric]
        left = 0.72 + index * 4.1
        width = figure.get_size_inches()[0]
        axis = figure.add_axes((left / width, 0.125, 3.75 / width, 0.82 - top))
        _panel(axis, sweeps, marks, references, x, y)
        axis.set_xlabel(axis_label(x))
        if index == 0:
            axis.set_ylabel(axis_label(y))
        if names and index == len(plot.x) - 1:  # beside the panels: it would lie over points
            axis.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, fontsize=8)
    return figure


def _read(job: PlotJob, plot: Settings, root: Path) -> tuple[list[Sweep], list[Row], "pd.DataFrame"]:
    """Return the sweeps, the rows that are none, and the table of these, over the clips that every sweep has.

    Raises:
        UserError: no row is a sweep, or the sweeps share no clip.
    """
    scores = {row.experiment: read_scores(root / "metrics", row.experiment, plot.task) for row in job.rows}
    swept = [row for row in job.rows if not row.point and "" not in set(scores[row.experiment]["point"])]
    if not swept:
        raise UserError(f"plot {job.name}: none of {', '.join(plot.rows)} is a sweep; name one")
    clips = frozenset.intersection(*(frozenset(scores[row.experiment]["utterance"]) for row in swept))
    if not clips:
        raise UserError(f"plot {job.name}: the sweeps share no clip, so their points cannot stand in one plot")
    sweeps = [
        Sweep(row, means(job, plot, root, (row,), clips), *LOOKS[index % len(LOOKS)]) for index, row in enumerate(swept)
    ]
    references = [row for row in job.rows if row not in swept]
    marks = means(job, plot, root, tuple(references), clips) if references else sweeps[0].table.iloc[:0]
    return sweeps, references, marks


Label = tuple[float, float, str, float, str]  # x, y, text, size, colour


def _panel(
    axis: "Axes", sweeps: list[Sweep], marks: "pd.DataFrame", references: list[Row], x: Column, y: Column
) -> None:
    labels: list[Label] = []
    for sweep in sweeps:
        labels += _points(axis, sweep, x, y, alone=len(sweeps) == 1)
    for row in references:
        place = (values_of(marks, x.id)["mean"][row.key] * x.scale, values_of(marks, y.id)["mean"][row.key] * y.scale)
        if not np.isnan(place).any():
            axis.plot(*place, "o", mfc="none", mec=style.INK, ms=7, mew=1.1, zorder=3)
            labels.append((*place, row.key, 8, style.INK))
    axis.grid()
    axis.margins(0.08)
    if x.direction == "lower":
        axis.invert_xaxis()  # better is always to the right
    style.place_labels(axis, sorted(labels, key=lambda label: -label[3]))


def _points(axis: "Axes", sweep: Sweep, x: Column, y: Column, alone: bool) -> list[Label]:
    """Draw the points of a sweep and its frontier; return their labels."""
    across, up = values_of(sweep.table, x.id), values_of(sweep.table, y.id)
    known = across["mean"].notna() & up["mean"].notna()
    across, up = across[known], up[known]
    if across.empty:
        raise UserError(f"sweep {sweep.row.key} has no point with both {x.id} and {y.id}; score it first")
    a, b = across["mean"].to_numpy() * x.scale, up["mean"].to_numpy() * y.scale
    frontier = pareto_frontier(a, b, x.direction == "higher", y.direction == "higher")
    drawn: dict[str, Any] = {"color": sweep.colour, "ls": sweep.line, "lw": 1.2, "alpha": 0.8, "zorder": 1}
    axis.plot(a[frontier], b[frontier], marker=sweep.mark, ms=4, label=sweep.row.key, **drawn)
    labels: list[Label] = []
    for index, name in enumerate(across.index):
        best = index in frontier
        colour = sweep.colour if best or not alone else style.REFERENCE
        if best:
            cross(axis, across.iloc[index], up.iloc[index], x, y, colour)
        axis.plot(a[index], b[index], sweep.mark, color=colour, ms=6 if best else 4, mec=style.PAPER, mew=0.7, zorder=3)
        text = _short(name.rpartition("/")[2])
        labels.append((a[index], b[index], text, 7.5 if best else 6, style.INK if best else style.SOFT))
    return labels


def _short(point: str) -> str:
    """Return the scales of a point in short: f2 l1."""
    return point_caption(point).replace("face ", "f").replace("lip ", "l").replace("text ", "t").replace(",", "")
