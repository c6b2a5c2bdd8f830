"""Plot `temporal_ablation`: rows in the plane of two metrics, each with its intervals."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.plots.plane import PlanePlot, axis_label, cross, means, values_of
from syncvoice.reporting.settings import Row

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Settings(PlanePlot):
    """One mark with intervals per row."""


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return rows in the plane of two metrics, each with intervals in both directions and its name beside it."""
    y = job.column[plot.y]
    rows = job.rows
    table = means(job, plot, root, rows)
    width = 0.75 + 5.0 * len(plot.x)
    figure = style.new_figure(width, 4.2)
    n = int(table["n_expected"].max())
    top = style.titled(figure, job.heading, f"Means over {n} clips with 95 % intervals; better is up and right.")
    for index, metric in enumerate(plot.x):
        x = job.column[metric]
        axis = figure.add_axes(((0.72 + 5.0 * index) / width, 0.135, 4.5 / width, 0.82 - top))
        _row_marks(axis, rows, table, x, y)
        axis.set_xlabel(axis_label(x))
        if index == 0:
            axis.set_ylabel(axis_label(y))
    return figure


def _row_marks(axis: "Axes", rows: tuple[Row, ...], table: "pd.DataFrame", x: Column, y: Column) -> None:
    """Draw one mark with intervals per row; better is always up and to the right."""
    across, up = values_of(table, x.id), values_of(table, y.id)
    colours = style.row_colours(rows)
    labels = []
    for row in rows:
        place = (across.loc[row.key, "mean"] * x.scale, up.loc[row.key, "mean"] * y.scale)
        if not np.isnan(place).any():
            cross(axis, across.loc[row.key], up.loc[row.key], x, y, colours[row.key])
            axis.plot(*place, "o", color=colours[row.key], ms=7, mec=style.PAPER, mew=0.8, zorder=3)
            labels.append((*place, row.key, 8.5, colours[row.key]))
    axis.grid()
    axis.margins(0.12)
    for info, invert in ((x, axis.invert_xaxis), (y, axis.invert_yaxis)):
        if info.direction == "lower":
            invert()
    if labels:
        style.place_labels(axis, labels)
