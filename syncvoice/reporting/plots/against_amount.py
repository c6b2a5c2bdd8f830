"""Plot `against_amount`: metrics of rows against an amount in which they differ, such as clips of training."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.plane import axis_label, values_of
from syncvoice.reporting.settings import Row, TableJob
from syncvoice.reporting.tables import build_table
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOLD = {"clips": "training clips", "hours": "training clips (hours)"}  # amounts that a model's metadata tell
PANELS_PER_LINE = 3
WIDTH, HEIGHT = 3.3, 3.1  # inches of a panel with what stands around it


class Settings(Plot):
    """Series of rows, each row at its amount, and rows without one as lines across.

    A row's amount is a number, or the recipe whose model tells it: how many `clips` or `hours` it was trained on.
    """

    task: Name
    series: dict[str, dict[Name, float | Name]] = Field(min_length=1)
    amount: Literal["clips", "hours"] | None = None  # where recipes tell it
    label: str = ""  # of the axis of numbers, with the unit
    logarithmic: bool = True
    lines: list[Name] = []
    metrics: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _amounts_are_known(self) -> "Settings":
        """Numbers need a label, recipes need to know what they are asked for, and a logarithm numbers above 0."""
        amounts = [amount for points in self.series.values() for amount in points.values()]
        numbers = [amount for amount in amounts if not isinstance(amount, str)]
        if numbers and (len(numbers) < len(amounts) or self.amount is not None or not self.label):
            raise ValueError("series: amounts are numbers of one kind, which `label` names, or all of them are recipes")
        if not numbers and self.amount is None:
            raise ValueError("amount: say which amount the models of these recipes tell, clips or hours")
        if self.logarithmic and any(number <= 0 for number in numbers):
            raise ValueError("series: an amount of 0 or less has no logarithm; set logarithmic to false")
        return self

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        points = [point for points in self.series.values() for point in points.items()]
        rows = dict.fromkeys([*(row for row, _ in points), *self.lines])
        recipes = dict.fromkeys(amount for _, amount in points if isinstance(amount, str))
        return Shown(task=self.task, rows=tuple(rows), recipes=tuple(recipes), metrics=tuple(self.metrics))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return one panel per metric: means with intervals over the amount, the rows of a series joined by a line."""
    table = _table(job, plot, root)
    series = {name: amounts_of(plot, points, root) for name, points in plot.series.items()}
    per_line = min(PANELS_PER_LINE, len(plot.metrics))
    n_lines = -(-len(plot.metrics) // per_line)
    n = int(table["n_expected"].max())
    percent = f"{job.bootstrap.confidence * 100:g}"
    text = f"Means over {n} clips with {percent} % intervals over clips, which know nothing of other trainings."
    text += " Lines across: rows without an amount, their intervals as bands." * bool(plot.lines)
    width = WIDTH * per_line + 0.1
    head = 0.55 + 0.17 * style.wrapped(text, width, 8).count("\n")
    height = n_lines * HEIGHT + head
    figure = style.new_figure(width, height)
    style.titled(figure, job.heading, text)
    for index, metric in enumerate(plot.metrics):
        line, column = divmod(index, per_line)
        left, bottom = column * WIDTH + 0.55, height - head - (line + 1) * HEIGHT + 0.5
        axis = figure.add_axes((left / width, bottom / height, (WIDTH - 0.7) / width, (HEIGHT - 0.75) / height))
        _panel(axis, job, plot, values_of(table, metric), series, job.column[metric])
        if index == 0 and len(series) > 1:
            axis.legend(fontsize=7)
    return figure


def amounts_of(plot: Settings, points: dict[str, float | str], root: Path) -> dict[str, float]:
    """Return the amount of each row of a series, in rising order.

    Raises:
        UserError: a model's metadata do not tell the amount.
    """
    amounts = {}
    for row, amount in points.items():
        if isinstance(amount, str):
            path = root / "models" / amount / "metadata.json"
            told = read_json(path).get(str(plot.amount))
            if told is None:
                raise UserError(f"{path} does not tell {plot.amount}; train recipe {amount} again")
            amount = float(told)
        amounts[row] = amount
    return dict(sorted(amounts.items(), key=lambda item: item[1]))


def _table(job: PlotJob, plot: Settings, root: Path) -> "pd.DataFrame":
    """Return means and intervals of all rows, all clips."""
    columns = tuple(job.column[metric] for metric in plot.metrics)
    table = TableJob(
        name=job.name, task=plot.task, rows=job.rows, columns=columns, groups=("all",), bootstrap=job.bootstrap
    )
    return build_table(table, root / "tasks", root / "metrics")[0]


def _panel(
    axis: "Axes",
    job: PlotJob,
    plot: Settings,
    lines: "pd.DataFrame",
    series: dict[str, dict[str, float]],
    info: Column,
) -> None:
    """Draw one metric."""
    rows = {row.key: row for row in job.rows}
    colours = style.row_colours(job.rows)
    labels = []
    for marker, (name, amounts) in zip("osD^v<>", series.items(), strict=False):
        shown = [row for row in amounts if not np.isnan(lines.loc[row, "mean"])]
        if not shown:
            continue
        x, colour = [amounts[row] for row in shown], colours[shown[-1]]
        mean, low, high = (lines.loc[shown, column] * info.scale for column in ("mean", "ci_low", "ci_high"))
        axis.vlines(x, low, high, color=colour, lw=2.2, alpha=0.4)
        axis.plot(x, mean, marker=marker, color=colour, ms=5.5, mec=style.PAPER, mew=0.8, label=name, zorder=3)
        labels += [(*place, row, 6.5, colour) for row, *place in zip(shown, x, mean, strict=True)]
    for row in plot.lines:
        _across(axis, rows[row], lines.loc[row], info, colours[row])
    ticks = sorted({amount for amounts in series.values() for amount in amounts.values()})
    if plot.logarithmic:
        axis.set_xscale("log")
        axis.minorticks_off()
    axis.set_xticks(ticks, [f"{tick:.3g}" if tick < 100 else f"{tick:.0f}" for tick in ticks])
    axis.margins(x=0.12, y=0.08)
    axis.set_xlabel(plot.label or TOLD[str(plot.amount)])
    axis.set_title(axis_label(info), fontsize=8.5)
    axis.grid(axis="y")
    style.place_labels(axis, labels)


def _across(axis: "Axes", row: Row, line: "pd.Series", info: Column, colour: str) -> None:
    """Draw a row without an amount: its mean as a line, its interval as a band, its name at the right."""
    if np.isnan(line["mean"]):
        return
    mean, low, high = (line[column] * info.scale for column in ("mean", "ci_low", "ci_high"))
    axis.axhspan(low, high, color=colour, alpha=0.12, lw=0, zorder=0)
    axis.axhline(mean, color=colour, lw=1.0, ls=(0, (4, 3)), zorder=1)
    axis.annotate(
        row.key, (1.0, mean), (-2, 2), xycoords=axis.get_yaxis_transform(), textcoords="offset points",
        ha="right", va="bottom", fontsize=6.5, color=colour, path_effects=style.halo(),
    )  # fmt: skip
