"""Rows in the plane of two metrics: what the plots `guidance_pareto` and `temporal_ablation` are drawn with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.settings import Row, TableJob
from syncvoice.reporting.tables import build_table
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class PlanePlot(Plot):
    """Rows of a task, one metric up and others across, one panel each."""

    task: Name
    rows: list[Name] = Field(min_length=1)
    y: str
    x: list[str] = Field(min_length=1)

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(task=self.task, rows=tuple(self.rows), metrics=tuple(dict.fromkeys([self.y, *self.x])))


def means(
    job: PlotJob, plot: PlanePlot, root: Path, rows: tuple[Row, ...], utterances: frozenset[str] | None = None
) -> "pd.DataFrame":
    """Return the table of rows (all clips, or some) with the metrics of both axes."""
    shown = dict.fromkeys([plot.y, *plot.x])
    table = TableJob(
        name=job.name,
        task=plot.task,
        rows=rows,
        columns=tuple(job.column[metric] for metric in shown),
        groups=("all",),
        bootstrap=job.bootstrap,
    )
    return build_table(table, root / "tasks", root / "metrics", utterances)[0]


def values_of(table: "pd.DataFrame", metric: str) -> "pd.DataFrame":
    """Return the lines of one metric, by row."""
    return table[table["metric"] == metric].set_index("experiment")


def axis_label(info: Column) -> str:
    """Return the text beside an axis: label, unit and which way is better."""
    better = {"higher": "higher is better ↑", "lower": "lower is better ↓"}.get(info.direction, "")
    unit = f" ({info.unit})" if info.unit else ""
    return f"{info.label}{unit}: {better}" if better else f"{info.label}{unit}"


def cross(axis: "Axes", across: "pd.Series", up: "pd.Series", x: Column, y: Column, colour: str) -> None:
    """Draw the intervals of one point in both directions."""
    a, b = across["mean"] * x.scale, up["mean"] * y.scale
    thin: dict[str, Any] = {"color": colour, "lw": 0.8, "alpha": 0.35, "zorder": 1}
    axis.plot([across["ci_low"] * x.scale, across["ci_high"] * x.scale], [b, b], **thin)
    axis.plot([a, a], [up["ci_low"] * y.scale, up["ci_high"] * y.scale], **thin)
