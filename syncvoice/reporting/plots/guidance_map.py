"""Plot `guidance_map`: the means of a sweep over two guidance scales as heat maps, one panel per metric."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.scores import scales_of_point
from syncvoice.reporting.settings import TableJob
from syncvoice.reporting.tables import build_table
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, BETWEEN = 2.6, 0.75  # inches


class Settings(Plot):
    """Which sweep of which task, and its metrics, one panel each."""

    task: Name
    row: Name
    metrics: list[str] = Field(min_length=1)

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(task=self.task, rows=(self.row,), metrics=tuple(self.metrics))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return one map per metric: a cell per point, darker is better, the best one framed.

    Raises:
        UserError: the row is no sweep over two conditions.
    """
    columns = tuple(job.column[metric] for metric in plot.metrics)
    asked = TableJob(
        name=job.name, task=plot.task, rows=job.rows, columns=columns, groups=("all",), bootstrap=job.bootstrap
    )
    table = build_table(asked, root / "tasks", root / "metrics")[0]
    points = {name: scales_of_point(name.partition("/")[2]) for name in dict.fromkeys(table["experiment"])}
    conditions = list(dict.fromkeys(condition for scales in points.values() for condition in scales))
    if len(conditions) != 2 or any(len(scales) != 2 for scales in points.values()):
        found = ", ".join(conditions) or "no scale"
        raise UserError(f"plot {job.name}: a map needs a sweep over two conditions, {plot.row} sweeps {found}")
    width = 0.6 + len(columns) * (PANEL + BETWEEN)
    figure = style.new_figure(width, PANEL + 1.4)
    text = f"Means over {int(table['n_expected'].max())} clips; darker is better, framed: best."
    top = style.titled(figure, job.heading, text)
    bottom = 0.5 / (PANEL + 1.4)
    for index, column in enumerate(columns):
        left = (0.6 + index * (PANEL + BETWEEN)) / width
        axis = figure.add_axes((left, bottom, PANEL / width, 0.93 - top - bottom))
        _map(axis, table[table["metric"] == column.id], points, conditions, column)
    return figure


def _map(
    axis: "Axes", lines: "pd.DataFrame", points: dict[str, dict[str, float]], conditions: list[str], column: Column
) -> None:
    """Draw one metric: the first condition across, the second up; a point that was not scored stays empty."""
    across, up = (sorted({scales[condition] for scales in points.values()}) for condition in conditions)
    means = np.full((len(up), len(across)), np.nan)
    for name, mean in zip(lines["experiment"], lines["mean"], strict=True):
        first, second = (points[name][condition] for condition in conditions)
        means[up.index(second), across.index(first)] = mean
    goodness = {"higher": means, "lower": -means, "zero": -np.abs(means)}.get(column.direction, means)
    axis.imshow(goodness, origin="lower", cmap="Blues", aspect="auto")
    low, high = np.nanmin(goodness), np.nanmax(goodness)
    for (y, x), mean in np.ndenumerate(means):
        dark = high > low and goodness[y, x] > low + 0.6 * (high - low)
        ink = style.PAPER if dark else style.INK
        axis.text(x, y, column.text(mean), ha="center", va="center", fontsize=8, color=ink)
    y, x = map(int, np.unravel_index(np.nanargmax(goodness), goodness.shape))
    frame = ([x - 0.5, x + 0.5, x + 0.5, x - 0.5, x - 0.5], [y - 0.5, y - 0.5, y + 0.5, y + 0.5, y - 0.5])
    axis.plot(*frame, color=style.PALETTE[1], lw=1.6, clip_on=False)
    axis.set_xticks(range(len(across)), [f"{scale:g}" for scale in across])
    axis.set_yticks(range(len(up)), [f"{scale:g}" for scale in up])
    axis.set(title=column.heading, xlabel=f"{_words(conditions[0])} scale", ylabel=f"{_words(conditions[1])} scale")


def _words(condition: str) -> str:
    return condition.replace("_", " ")
