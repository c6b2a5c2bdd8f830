"""Plot `profile`: one line per row over metrics of one unit, or over groups of clips, with intervals."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.panels import labels_of, rows_of
from syncvoice.reporting.settings import Group, Row
from syncvoice.reporting.tables import read_csv
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GROUP_TICKS = {"all": "all clips", "grid": "GRID", "open": "open"}  # others are called what they are
FOLDED_FROM = 12  # letters of a name at a tick, above which it takes two lines
PLACES = 0.62  # of the distance between two ticks, over which the rows of one tick are spread
Place = tuple[str, str, str]  # metric, group, text under it


class Settings(Plot):
    """Which table, and what stands along the axis: its `metrics`, or for a single metric groups of clips.

    Attributes:
        table: whose rows are drawn.
        metrics: along the axis, of one unit; or the only one, over `groups`.
        groups: one panel per list; none: all clips.
    """

    table: Name
    metrics: list[str] = Field(min_length=1)
    groups: list[list[Group]] = []

    @model_validator(mode="after")
    def _one_axis(self) -> "Settings":
        """Metrics or groups stand along the axis, not both."""
        if self.groups and len(self.metrics) > 1:
            raise ValueError("name one metric with groups, or several metrics without")
        return self

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(table=self.table, metrics=tuple(self.metrics))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return means with intervals, one colour and mark per row.

    Raises:
        UserError: the metrics have several units, or the table lacks one of them or a group.
    """
    table = read_csv(root / "tables" / f"{plot.table}.csv")
    columns = [job.column[metric] for metric in plot.metrics]
    if len({column.unit for column in columns}) > 1:
        units = ", ".join(f"{column.id} ({column.unit or 'none'})" for column in columns)
        raise UserError(f"plot {job.name}: the metrics of a profile share one axis, but have several units: {units}")
    panels: list[list[Place]] = [
        [(plot.metrics[0], group, GROUP_TICKS.get(group, group)) for group in groups] for groups in plot.groups
    ]
    common = _common_word([column.label for column in columns])
    panels = panels or [[(column.id, "all", column.label.removeprefix(common).strip()) for column in columns]]
    _check(table, [place for panel in panels for place in panel], plot.table)
    rows = rows_of(job, labels_of(table))
    legend = 0.19 * len(rows) + 0.1
    widths = [1.0 + 0.85 * len(panel) for panel in panels]
    width, height = max(5.5, sum(widths) + 0.3), 3.6 + legend
    figure = style.new_figure(width, height)
    top = style.titled(figure, job.heading, "Means over clips with 95 % intervals.")
    left = 0.0
    for number, (panel, own) in enumerate(zip(panels, widths, strict=True)):
        scale = (width - 0.3) / sum(widths)
        bottom = (0.75 + legend) / height
        axis = figure.add_axes(
            ((left + 0.75) / width, bottom, (scale * own - 0.85) / width, 1 - top - bottom - 0.1 / height)
        )
        left += scale * own
        _lines(axis, table, panel, rows, columns[0])
        if number == 0:
            axis.set_ylabel(_axis_label(columns[0], common) if len(columns) > 1 else columns[0].heading)
    _share_limits(figure.axes)
    _legend(figure, rows, height)
    return figure


def _check(table: "pd.DataFrame", places: list[Place], name: str) -> None:
    """Refuse a metric or group that the table does not hold."""
    held = set(zip(table["metric"], table["group"], strict=True))
    missing = [(metric, group) for metric, group, _ in places if (metric, group) not in held]
    if missing:
        raise UserError(
            f"table {name} has no {missing[0][0]} for the group {missing[0][1]}; add them to its metrics and groups"
        )


def _lines(axis: "Axes", table: "pd.DataFrame", panel: list[Place], rows: list[Row], column: Column) -> None:
    """Draw every row over the places of a panel, side by side."""
    colours, lines = style.row_colours(rows), table.set_index(["experiment", "metric", "group"])
    for number, row in enumerate(rows):
        aside = PLACES * ((number + 0.5) / len(rows) - 0.5)
        for place, (metric, group, _) in enumerate(panel):
            mean, low, high = (
                lines.loc[(row.key, metric, group), name] * column.scale for name in ("mean", "ci_low", "ci_high")
            )
            colour = colours[row.key]
            axis.plot([place + aside] * 2, [low, high], color=colour, lw=2.2, alpha=0.55, solid_capstyle="round")
            axis.plot(place + aside, mean, mark_of(number), color=colour, ms=5, mec=style.PAPER, mew=0.8)
    counts = [int(lines.loc[(rows[0].key, metric, group), "n_expected"]) for metric, group, _ in panel]
    texts = [f"{_folded(text)}\n{n} clips" for (_, _, text), n in zip(panel, counts, strict=True)]
    axis.set_xticks(range(len(panel)), texts, fontsize=7)
    axis.set_xlim(-0.5, len(panel) - 0.5)
    style.quiet(axis, "y")


def mark_of(number: int) -> str:
    """Return the mark of the row of a number: shape tells rows apart as colour does."""
    return "osD^vPX<>"[number % 9]


def _folded(text: str) -> str:
    """Break a long name of a place in two."""
    return text.replace(" ", "\n", 1) if len(text) > FOLDED_FROM else text


def _common_word(labels: list[str]) -> str:
    """Return the first word that all of several labels share, "" if they do not."""
    first = {label.split()[0] for label in labels}
    return first.pop() if len(labels) > 1 and len(first) == 1 and all(" " in label for label in labels) else ""


def _axis_label(column: Column, common: str) -> str:
    """Return the label of the axis that several metrics share."""
    return f"{common} ({column.unit}) {column.arrow}".strip()


def _share_limits(axes: list["Axes"]) -> None:
    """Give all panels the same range, from zero where it is near."""
    low, high = min(axis.get_ylim()[0] for axis in axes), max(axis.get_ylim()[1] for axis in axes)
    for axis in axes:
        axis.set_ylim(0 if 0 < low < 0.6 * high else low, high)


def _legend(figure: "Figure", rows: list[Row], height: float) -> None:
    """Name the rows under the panels."""
    from matplotlib.lines import Line2D

    colours, width = style.row_colours(rows), figure.get_size_inches()[0]
    for number, row in enumerate(rows):
        y = (0.19 * (len(rows) - number) - 0.05) / height
        figure.text(0.75 / width, y, row.key, fontsize=8.5, color=colours[row.key], va="center")
        figure.text(2.6 / width, y, row.what if row.what != row.key else "", fontsize=7, color=style.SOFT, va="center")
        figure.add_artist(Line2D([0.55 / width], [y], marker=mark_of(number), color=colours[row.key], ms=5, ls=""))
