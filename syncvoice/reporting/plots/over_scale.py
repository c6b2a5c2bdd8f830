"""Plot `over_scale`: metrics over the guidance scale of one condition, one line per sweep."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.plane import axis_label, values_of
from syncvoice.reporting.scores import scales_of_point
from syncvoice.reporting.settings import Row, TableJob
from syncvoice.reporting.tables import build_table
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH, PANEL_HEIGHT = 4.0, 3.4  # inches
LEFT, BOTTOM = 0.72, 0.5  # room for the labels of the axes
KEY_LINE = 0.16  # inches that a row takes in the key
DODGE = 0.012  # of the width, by which lines stand beside each other so that their intervals can be told apart


class Settings(Plot):
    """Sweeps over one condition as lines, other rows as level lines.

    Attributes:
        task: whose clips.
        rows: sweeps, and rows without one.
        condition: whose scale goes along the axis; no other condition may be swept.
        zero: the row that every sweep is at scale 0; None where the sweeps have that point, or it was not made.
        metrics: one panel each.
    """

    task: Name
    rows: list[Name] = Field(min_length=1)
    condition: Name
    zero: Name | None = None
    metrics: list[str] = Field(min_length=1)

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        rows = dict.fromkeys([*self.rows, *([self.zero] if self.zero else [])])
        return Shown(task=self.task, rows=tuple(rows), metrics=tuple(self.metrics))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return one panel per metric: means with 95 % intervals over clips, over the scale of the condition."""
    table = _table(job, plot, root)
    points = [_point_of(key, plot, job.name) for key in dict.fromkeys(table["experiment"])]
    sweeps = [row for row in job.rows if any(name == row.experiment and scale is not None for name, scale in points)]
    if not sweeps:
        raise UserError(
            f"plot {job.name}: none of {', '.join(plot.rows)} sweeps {plot.condition}; name a row that does"
        )
    levels = [row for row in job.rows if row not in sweeps and row.experiment != plot.zero]
    width, key = LEFT + PANEL_WIDTH * len(plot.metrics), KEY_LINE * (len(sweeps) + len(levels)) + 0.15
    height = 0.75 + PANEL_HEIGHT + BOTTOM + key
    figure = style.new_figure(width, height)
    n = int(table["n_expected"].max())
    zero = f" At scale 0 all sweeps are {plot.zero}." if plot.zero else ""
    style.titled(figure, job.heading, f"Means over {n} clips with 95 % intervals.{zero} Dashed: rows without a sweep.")
    for index, metric in enumerate(plot.metrics):
        left = (LEFT + index * PANEL_WIDTH) / width
        axis = figure.add_axes((left, (BOTTOM + key) / height, (PANEL_WIDTH - 0.7) / width, PANEL_HEIGHT / height))
        _panel(axis, values_of(table, metric), job.column[metric], plot, sweeps, levels)
        if index == 0:
            handles, labels = axis.get_legend_handles_labels()
            figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.0, 0.0), fontsize=7.5)
    return figure


def _table(job: PlotJob, plot: Settings, root: Path) -> "pd.DataFrame":
    """Means and intervals of all rows and points."""
    columns = tuple(job.column[metric] for metric in plot.metrics)
    table = TableJob(
        name=job.name, task=plot.task, rows=job.rows, columns=columns, groups=("all",), bootstrap=job.bootstrap
    )
    return build_table(table, root / "tasks", root / "metrics")[0]


def _point_of(key: str, plot: Settings, name: str) -> tuple[str, float | None]:
    """Experiment and scale of a row of the table; None: it is no point of a sweep.

    Raises:
        UserError: the sweep is over another condition too.
    """
    experiment, _, point = key.partition("/")
    if not point:
        return experiment, None
    scales = scales_of_point(point)
    if set(scales) != {plot.condition}:
        raise UserError(
            f"plot {name}: {experiment} sweeps {', '.join(scales)}; a line over one scale needs a sweep of "
            f"{plot.condition} alone (two conditions: kind guidance_map)"
        )
    return experiment, scales[plot.condition]


def _panel(
    axis: "Axes", values: "pd.DataFrame", info: Column, plot: Settings, sweeps: list[Row], levels: list[Row]
) -> None:
    """Draw one metric."""
    shown = values[["mean", "ci_low", "ci_high"]] * info.scale
    colours = style.row_colours([*sweeps, *levels])
    found = {key: _point_of(key, plot, "") for key in shown.index}
    widest = max(scale for _, scale in found.values() if scale is not None)
    for number, row in enumerate(sweeps):
        points = [(scale, key) for key, (name, scale) in found.items() if name == row.experiment and scale is not None]
        points += [(0.0, plot.zero)] if plot.zero else []
        lines = shown.loc[[key for _, key in sorted(points)]]
        dodge = DODGE * widest * (number - (len(sweeps) - 1) / 2)
        across = [scale + dodge for scale, _ in sorted(points)]
        colour = colours[row.key]
        axis.vlines(across, lines["ci_low"], lines["ci_high"], color=colour, lw=1.6, alpha=0.4, zorder=1)
        axis.plot(across, lines["mean"], "o-", color=colour, ms=4.5, mec=style.PAPER, mew=0.6, label=_name(row))
    for number, row in enumerate(levels):
        place, dashes = shown.loc[row.key, "mean"], (0, (4 + 2 * number, 2 + number))
        axis.axhline(place, color=colours[row.key], lw=1.0, ls=dashes, zorder=0, label=_name(row))
    axis.grid(axis="y")
    axis.set_xticks(sorted({0.0, *(scale for _, scale in found.values() if scale is not None)}))
    axis.set_xlabel(f"scale of {plot.condition}")
    axis.set_ylabel(axis_label(info))


def _name(row: Row) -> str:
    """Name and caption of a row, once if they are the same."""
    return row.experiment if row.what == row.experiment else f"{row.experiment}: {row.what}"
