"""Plot `metrics`: means with intervals, one panel per metric, one line per row."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.panels import labels_of, panel_title, panels, room, rows_of, shown_table, subtitle
from syncvoice.reporting.settings import Group
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Settings(Plot):
    """Which table, which of its metrics (null: all), which group of clips."""

    table: Name
    metrics: list[str] | None = None
    group: Group = "all"

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(table=self.table, metrics=tuple(self.metrics or ()))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return means with intervals, one panel per metric, one line per row; the first reference row as a line."""
    table, infos = shown_table(job, root, plot.table, plot.metrics, plot.group)
    labels = labels_of(table)
    rows = rows_of(job, labels)
    colours = style.row_colours(rows)
    recorded = next((row.key for row in rows if row.group == "reference"), None)
    text = subtitle(table, "mean with 95 % interval over clips")
    figure, axes = panels(job.heading, labels, len(infos), text)
    for axis, info in zip(axes, infos, strict=True):
        lines = table[table["metric"] == info.id].set_index("experiment")
        panel_title(axis, table, info)
        for position, (name, _) in enumerate(labels):
            _interval(axis, position, lines.loc[name], info, colours[name])
        if recorded is not None and not math.isnan(lines.loc[recorded, "mean"]):
            place = lines.loc[recorded, "mean"] * info.scale
            axis.axvline(place, color=style.REFERENCE, lw=0.8, ls=(0, (4, 3)), zorder=0)
        room(axis)
    return figure


def _interval(axis: "Axes", position: int, line: "pd.Series", info: Column, colour: str) -> None:
    """Draw one mean with its interval and its value as text above the mark."""
    if math.isnan(line["mean"]):
        axis.text(
            0.5, position, "n/a", transform=axis.get_yaxis_transform(), ha="center", va="center", color=style.SOFT
        )
        return
    mean, low, high = (line[name] * info.scale for name in ("mean", "ci_low", "ci_high"))
    axis.plot([low, high], [position, position], color=colour, lw=2.2, alpha=0.55, solid_capstyle="round")
    axis.plot(mean, position, "o", color=colour, ms=5, mec=style.PAPER, mew=0.8)
    failed = f" ({line['n_scored']:.0f} of {line['n_expected']:.0f})" if line["n_scored"] != line["n_expected"] else ""
    axis.annotate(
        info.text(line["mean"]) + failed, (mean, position), (0, 4.5), textcoords="offset points",
        ha="center", va="bottom", fontsize=6.5, color=style.INK, path_effects=style.halo(),
    )  # fmt: skip
