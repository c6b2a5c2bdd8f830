"""Plot `by_point`: metrics of a table against the number in the names of its points, one line per row."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.panels import shown_table
from syncvoice.reporting.plots.plane import axis_label
from syncvoice.reporting.render import GROUP_TITLES
from syncvoice.reporting.scores import scales_of_point
from syncvoice.reporting.settings import Group, Row
from syncvoice.section import Name, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS_PER_LINE = 3
PANEL = (3.4, 2.5)  # inches, with its labels
SHIFT = 0.05  # of a step along the axis, between rows, so that intervals lie side by side


class Start(Section):
    """A row without points that stands at a place of the axis: one candidate, the whole recording."""

    row: Name
    at: float


class Settings(Plot):
    """One line per row that has points, one panel per metric.

    Attributes:
        table: that holds the rows.
        rows: with points; their last number is the place.
        start: where every line begins, too.
        level: a row that is a level line instead.
        metrics: None takes all of the table.
        group: of clips.
        shown: the mean, or the paired difference to the table's baseline.
        x: what the numbers count.
        log: whether the axis is logarithmic.
        falling: whether high numbers stand left.
    """

    table: Name
    rows: list[Name] = Field(min_length=1)
    start: Start | None = None
    level: Name | None = None
    metrics: list[str] | None = None
    group: Group = "all"
    shown: Literal["mean", "difference"] = "mean"
    x: str
    log: bool = False
    falling: bool = False

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(table=self.table, metrics=tuple(self.metrics or ()))


Place = tuple[float, float, float, float]  # number, value, low and high end of its interval


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return the figure.

    Raises:
        UserError: the table lacks a row, a metric, or a row its points.
    """
    table, columns = shown_table(job, root, plot.table, plot.metrics, plot.group)
    known = {row.experiment: row for row in job.rows}
    across = min(PANELS_PER_LINE, len(columns))
    lines = -(-len(columns) // across)
    width, height = across * PANEL[0] + 0.1, lines * PANEL[1] + 1.25
    figure = style.new_figure(width, height)
    n = int(table["n_expected"].max())
    what = {"mean": "means", "difference": f"paired differences to {table['baseline'].iloc[0]}"}[plot.shown]
    says = f"{GROUP_TITLES[plot.group]}, {n} clips: {what} with 95 % intervals. Filled: differs by Holm's correction."
    style.titled(figure, job.heading, says)
    for index, column in enumerate(columns):
        line, place = divmod(index, across)
        left, bottom = place * PANEL[0] + 0.6, height - 0.95 - (line + 1) * PANEL[1] + 0.5
        axis = figure.add_axes((left / width, bottom / height, (PANEL[0] - 0.75) / width, (PANEL[1] - 0.75) / height))
        _panel(axis, plot, table[table["metric"] == column.id].set_index("experiment"), column, known)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", ncols=len(labels), fontsize=8, bbox_to_anchor=(0.01, 0.0))
    return figure


def _panel(axis: "Axes", plot: Settings, lines: "pd.DataFrame", column: Column, known: dict[str, Row]) -> None:
    """Draw one metric; `lines` are those of the metric, by row."""
    colours = style.row_colours(known[name] for name in plot.rows)
    numbers: set[float] = set()
    for rank, name in enumerate(plot.rows):
        keys = [key for key in lines.index if key.startswith(f"{name}/")]
        if not keys:
            raise UserError(f"plot: row {name} of table {plot.table} has no points; it cannot stand against {plot.x}")
        found = [(_number(key), key) for key in keys]
        if plot.start:
            found.append((plot.start.at, plot.start.row))
        found.sort()
        numbers |= {number for number, _ in found}
        _line(axis, plot, [(number, lines.loc[key]) for number, key in found], column, name, colours[name],
              SHIFT * (rank - (len(plot.rows) - 1) / 2))  # fmt: skip
    if plot.shown == "difference":
        axis.axhline(0, color=style.SOFT, lw=0.8, zorder=0)
    if plot.level:
        _level(axis, plot, lines.loc[plot.level], column)
    _numbered(axis, plot, sorted(numbers))
    signed = f"{column.label}, difference" if plot.shown == "difference" else column.label
    axis.set_title(f"{signed} {'↑' if column.direction == 'higher' else '↓' if column.direction == 'lower' else ''}")
    axis.set_ylabel(axis_label(column).split(":")[0] if column.unit else "")
    axis.set_xlabel(plot.x)
    axis.grid(axis="y")


def _number(key: str) -> float:
    """Return the last number in the name of a point.

    Raises:
        UserError: there is none.
    """
    numbers = list(scales_of_point(key.rpartition("/")[2]).values())
    if not numbers:
        raise UserError(f"plot: point {key} has no number in its name; it has no place on the axis")
    return numbers[-1]


def _line(axis: "Axes", plot: Settings, points: list[tuple[float, "pd.Series"]], column: Column, name: str,
          colour: str, shift: float) -> None:  # fmt: skip
    """Draw a row through its points, with intervals; filled marks differ from the baseline."""
    places = list(_places(plot, points, column))
    x = [_beside(number, shift, plot.log) for number, *_ in places]
    axis.plot(x, [value for _, value, _, _ in places], color=colour, lw=1.4, label=name)
    for at, (_, value, low, high), (_, line) in zip(x, places, points, strict=True):
        axis.plot([at, at], [low, high], color=colour, lw=1.0, alpha=0.5)
        clear = line["p_holm"] < 0.05
        axis.plot(at, value, "o", mfc=colour if clear else style.PAPER, mec=colour, ms=4.5, mew=1.1, zorder=3)


def _places(plot: Settings, points: list[tuple[float, "pd.Series"]], column: Column) -> Iterator[Place]:
    """Yield what is drawn of every point; the baseline differs from itself by nothing."""
    for number, line in points:
        if plot.shown == "mean":
            values = [line[key] for key in ("mean", "ci_low", "ci_high")]
        elif line.name == line["baseline"]:
            values = [0.0, 0.0, 0.0]
        else:
            values = [line[key] for key in ("diff_vs_baseline", "diff_low", "diff_high")]
        value, low, high = (float(value) * column.scale for value in values)
        yield number, value, low, high


def _beside(number: float, shift: float, log: bool) -> float:
    """Return a number moved by a share of a doubling (log axis), or of one."""
    return float(number * 2**shift) if log else number + shift


def _level(axis: "Axes", plot: Settings, line: "pd.Series", column: Column) -> None:
    """Draw a row without points across the panel."""
    value, low, high = next((v, lo, hi) for _, v, lo, hi in _places(plot, [(0.0, line)], column))
    axis.axhspan(low, high, color=style.FAINT, alpha=0.7, zorder=0, lw=0)
    axis.axhline(value, color=style.SOFT, lw=1.0, ls="--", zorder=0, label=plot.level)


def _numbered(axis: "Axes", plot: Settings, numbers: list[float]) -> None:
    """Put a tick at every number that occurs, and no other."""
    if plot.log:
        axis.set_xscale("log", base=2)
    axis.set_xticks(numbers, [f"{number:g}" for number in numbers])
    axis.minorticks_off()
    if plot.falling:
        axis.invert_xaxis()
