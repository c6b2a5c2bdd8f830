"""Plot `differences`: paired differences from the baseline of a table, one panel per metric."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.plots.panels import labels_of, panel_title, panels, room, shown_table, subtitle
from syncvoice.reporting.render import SIGNIFICANCE
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
    """Return a forest plot: paired differences from the baseline, one panel per metric.

    Filled marks are the † of the table: they survive Holm's correction. Blue: better; orange: worse; grey and hollow:
    undecided.
    """
    table, infos = shown_table(job, root, plot.table, plot.metrics, plot.group)
    baseline = table["baseline"].iloc[0]
    if not baseline:
        raise UserError(f"plot {job.name}: table {plot.table} has no baseline, so there is no difference")
    table = table[table["experiment"] != baseline]
    labels = labels_of(table)
    what = (
        f"paired difference from {baseline} with 95 % interval; filled: survives Holm's correction, as † in the table"
        " (blue better, orange worse)"
    )
    figure, axes = panels(job.heading, labels, len(infos), subtitle(table, what))
    for axis, info in zip(axes, infos, strict=True):
        lines = table[table["metric"] == info.id].set_index("experiment")
        panel_title(axis, table, info)
        axis.axvline(0, color=style.INK, lw=0.8, zorder=0)
        for position, (name, _) in enumerate(labels):
            _difference(axis, position, lines.loc[name], info)
        room(axis)
    return figure


def verdict(line: "pd.Series", info: Column) -> str:
    """Return `better`, `worse` or `undecided` for a paired difference; undecided where no direction is better."""
    if not line["p_holm"] < SIGNIFICANCE or info.direction not in ("higher", "lower"):
        return "undecided"
    return "better" if (line["diff_vs_baseline"] > 0) == (info.direction == "higher") else "worse"


def _difference(axis: "Axes", position: int, line: "pd.Series", info: Column) -> None:
    if math.isnan(line["diff_vs_baseline"]):
        axis.text(0.5, position, "–", transform=axis.get_yaxis_transform(), ha="center", va="center", color=style.SOFT)
        return
    decided = verdict(line, info)
    colour = {"better": style.BETTER, "worse": style.WORSE, "undecided": style.UNDECIDED}[decided]
    value, low, high = (line[name] * info.scale for name in ("diff_vs_baseline", "diff_low", "diff_high"))
    axis.plot([low, high], [position, position], color=colour, lw=2.2, alpha=0.55)
    filled = style.PAPER if decided == "undecided" else colour
    axis.plot(value, position, "D" if decided == "worse" else "o", mfc=filled, mec=colour, ms=4.5, mew=1.2)
    text = info.text(line["diff_vs_baseline"], signed=True)
    axis.annotate(
        text, (value, position), (0, 4.5), textcoords="offset points",
        ha="center", va="bottom", fontsize=6.5, path_effects=style.halo(),
    )  # fmt: skip
