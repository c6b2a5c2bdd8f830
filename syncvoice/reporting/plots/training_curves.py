"""Plot `training_curves`: a column of every model's curve over the training steps."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.section import Name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Settings(Plot):
    """Which models, and which column of their curve.csv."""

    recipes: list[Name] = Field(min_length=1)
    value: str = "loss"
    note: str = ""  # what a reader must know, for instance what the spikes are

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(recipes=tuple(self.recipes))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return the training curves of all recipes, smoothed, each labelled at its end, raw values behind them."""
    column = plot.value
    figure = style.new_figure(7.2, 3.9)
    curves = [_curve(root / "models" / recipe / "curve.csv", column, recipe) for recipe in plot.recipes]
    limit = ceiling([curve[column] for curve in curves])
    above = [(value, step) for curve in curves for step, value in curve.to_numpy() if value > limit]
    text = f"{column} over training steps; line: moving median of 9 logged values."
    if above:
        value, step = max(above)
        text += f" ▲: steps above the axis, up to {value:.2f} at step {step:.0f}."
    top = style.titled(figure, job.heading, f"{text} {plot.note}".strip())
    axis = figure.add_axes((0.085, 0.13, 0.62, 0.81 - top))
    ends = []
    for index, (recipe, curve) in enumerate(zip(plot.recipes, curves, strict=True)):
        colour = style.PALETTE[index % len(style.PALETTE)]
        smooth = curve[column].rolling(9, center=True, min_periods=1).median()
        axis.plot(curve["step"], curve[column].where(curve[column] <= limit), color=colour, lw=0.6, alpha=0.3)
        axis.plot(curve["step"], smooth, color=colour)
        if len(curve):
            ends.append((float(smooth.iloc[-1]), float(curve["step"].iloc[-1]), recipe, colour))
    axis.set_xlabel("training step")
    axis.set_ylabel(column)
    axis.grid(axis="y")
    axis.margins(x=0.01)
    if above:
        low = axis.get_ylim()[0]
        axis.set_ylim(low, limit + 0.06 * (limit - low))
        axis.plot([step for _, step in above], [limit] * len(above), "^", color=style.SOFT, ms=4, zorder=3)
    label_ends(axis, ends)
    return figure


def _curve(path: Path, column: str, recipe: str) -> "pd.DataFrame":
    """Read step and one column of a model's curve."""
    import pandas as pd

    if not path.exists():
        raise UserError(f"{path} does not exist; train recipe {recipe} first")
    curve = pd.read_csv(path)
    if column not in curve.columns or "step" not in curve.columns:
        raise UserError(f"{path}: no columns step and {column}; found {', '.join(curve.columns)}")
    return curve[["step", column]].dropna()


def ceiling(values: list["pd.Series"]) -> float:
    """Return up to where an axis must reach so that single spikes do not flatten the curves.

    The limit is three times the interquartile range above the upper quartile of all values (our choice), or the largest
    value if nothing lies beyond.
    """
    everything = np.concatenate([np.asarray(curve, dtype=np.float64) for curve in values])
    if not everything.size:
        return math.inf
    lower, upper = np.quantile(everything, [0.25, 0.75])
    limit = upper + 3 * (upper - lower)
    return float(everything[everything <= limit].max()) if limit > lower else math.inf


def label_ends(axis: "Axes", ends: list[tuple[float, float, str, str]]) -> None:
    """Write names at the right ends of lines, moved apart so that they do not overlap.

    Args:
        axis: axes of the lines.
        ends: (y, x, text, colour) of each line's end.
    """
    low, high = axis.get_ylim()
    height = axis.get_window_extent().height / axis.figure.dpi * 72  # points
    gap = 11 * (high - low) / height
    ends = sorted(ends)
    places = [end[0] for end in ends]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    overshoot = max(0.0, places[-1] - high) if places else 0.0
    for (y, x, text, colour), place in zip(ends, places, strict=True):
        axis.annotate(
            text, (x, y), (1.03, place - overshoot), xycoords="data", textcoords=axis.get_yaxis_transform(),
            color=colour, fontsize=8.5, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.6, "relpos": (0, 0.5)},
        )  # fmt: skip
