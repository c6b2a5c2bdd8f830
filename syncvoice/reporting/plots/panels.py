"""Small multiples that share their rows: what the plots `metrics` and `differences` are drawn with."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.render import GROUP_TITLES, clips_of_metric
from syncvoice.reporting.settings import Row
from syncvoice.reporting.tables import read_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS_PER_LINE = 4
CAPTION_WIDTH = 44  # characters per line of a row's caption
TITLE_WIDTH = 30  # characters per line of a panel's title
CAPTION_LINE = 0.115  # inches that a further line of a caption takes


def shown_table(
    job: PlotJob, root: Path, table: str, metrics: list[str] | None, group: str
) -> tuple["pd.DataFrame", list[Column]]:
    """Return the lines of one group of a table, and the columns to draw (None: all of the table).

    Raises:
        UserError: the table has no such group or metric.
    """
    path = root / "tables" / f"{table}.csv"
    lines = read_csv(path)
    lines = lines[lines["group"] == group]
    wanted = metrics or list(dict.fromkeys(lines["metric"]))
    missing = sorted(set(wanted) - set(lines["metric"]))
    if missing or lines.empty:
        raise UserError(f"{path}: no lines of group {group} and metric {', '.join(missing) or 'any'}")
    return lines, [job.column[metric] for metric in wanted]


def panels(title: str, labels: list[tuple[str, str]], n_panels: int, subtitle: str) -> tuple["Figure", list["Axes"]]:
    """Return a figure of small multiples that share their rows, written once at the left of each line of panels."""
    n_lines = math.ceil(n_panels / PANELS_PER_LINE)
    per_line = math.ceil(n_panels / n_lines)
    left, panel, between = 2.25, 1.85, 0.7
    lines_of_captions = max((len(_caption_lines(name, caption)) for name, caption in labels), default=1)
    row_height = 0.34 + CAPTION_LINE * max(0, lines_of_captions - 1)
    width = left + per_line * panel + 0.15
    title, subtitle = style.wrapped(title, width, 12), style.wrapped(subtitle, width, 8)
    top = 0.62 + 0.22 * title.count("\n") + 0.17 * subtitle.count("\n")
    height = top + n_lines * (row_height * len(labels) + between)
    figure = style.new_figure(width, height)
    style.titled(figure, title, subtitle)
    axes = []
    for index in range(n_panels):
        line, column = divmod(index, per_line)
        bottom = height - top - 0.27 - (line + 1) * row_height * len(labels) - line * between
        position = ((left + column * panel) / width, bottom / height, (panel - 0.25) / width)
        axis = figure.add_axes((*position, row_height * len(labels) / height))
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.set_yticks([])
        style.quiet(axis)
        axes.append(axis)
        if column == 0:
            _row_labels(axis, labels, left, panel - 0.25)
    return figure, axes


def _row_labels(axis: "Axes", labels: list[tuple[str, str]], left: float, panel: float) -> None:
    for position, (name, caption) in enumerate(labels):
        x = -(left - 0.1) / panel
        axis.text(x, position, name, transform=axis.get_yaxis_transform(), va="bottom", fontsize=8.5)
        text = "\n".join(_caption_lines(name, caption))
        soft: dict[str, Any] = {"va": "top", "fontsize": 6.5, "color": style.SOFT}
        axis.text(x, position + 0.03, text, transform=axis.get_yaxis_transform(), **soft)


def _caption_lines(name: str, caption: str) -> list[str]:
    """Return the whole caption of a row in lines; none if it only repeats the name."""
    return [] if caption == name else textwrap.wrap(caption, CAPTION_WIDTH)


def panel_title(axis: "Axes", table: "pd.DataFrame", info: Column) -> None:
    """Head a panel with its metric, and with its number of clips where that is a part of the group's."""
    clips = clips_of_metric(table, table["group"].iloc[0], info.id).removeprefix(", ")
    lines = [*textwrap.wrap(info.heading, TITLE_WIDTH), *([clips] if clips else [])]
    axis.set_title("\n".join(lines), fontsize=8.5, pad=5)


def rows_of(job: PlotJob, labels: list[tuple[str, str]]) -> list[Row]:
    """Return what a job knows of the rows of its table; points of a sweep take after the sweep's row."""
    known = {row.key: row for row in job.rows}
    rows = []
    for name, caption in labels:
        experiment, _, point = name.partition("/")
        row = known.get(experiment, Row(experiment=experiment))
        rows.append(row.model_copy(update={"caption": caption, "point": point}))
    return rows


def labels_of(table: "pd.DataFrame") -> list[tuple[str, str]]:
    """Return name and caption of every row, in the order of the table."""
    return list(dict.fromkeys(zip(table["experiment"], table["caption"], strict=True)))


def room(axis: "Axes") -> None:
    """Widen the axis so that value labels at its ends stay inside, and keep its ticks few."""
    low, high = axis.get_xlim()
    margin = 0.1 * (high - low)
    axis.set_xlim(low - margin, high + margin)
    axis.locator_params(axis="x", nbins=4)


def subtitle(table: "pd.DataFrame", what: str) -> str:
    """Return the line under a title: which clips, how many, and what is drawn."""
    group = GROUP_TITLES[table["group"].iloc[0]]
    n = int(table["n_expected"].max())
    return f"{group}, {n} clips: {what}. ↑ higher is better, ↓ lower is better."
