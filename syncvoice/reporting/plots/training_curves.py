"""Plot `training_curves`: a column of every model's curve over the training steps."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.section import Name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Settings(Plot):
    """Which models, and which column of their curve.csv."""

    recipes: list[Name] = Field(min_length=1)
    value: str = "loss"

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(recipes=tuple(self.recipes))


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return the training curves of all recipes, smoothed, each labelled at its end, raw values behind them."""
    import pandas as pd

    column = plot.value
    figure = style.new_figure(7.2, 3.6)
    top = style.titled(figure, job.heading, f"{column} over training steps; line: moving median of 9 logged values")
    axis = figure.add_axes((0.085, 0.13, 0.62, 0.81 - top))
    ends = []
    for index, recipe in enumerate(plot.recipes):
        path = root / "models" / recipe / "curve.csv"
        if not path.exists():
            raise UserError(f"{path} does not exist; train recipe {recipe} first")
        curve = pd.read_csv(path)
        if column not in curve.columns or "step" not in curve.columns:
            raise UserError(f"{path}: no columns step and {column}; found {', '.join(curve.columns)}")
        curve = curve[["step", column]].dropna()
        colour = style.PALETTE[index % len(style.PALETTE)]
        smooth = curve[column].rolling(9, center=True, min_periods=1).median()
        axis.plot(curve["step"], curve[column], color=colour, lw=0.6, alpha=0.3)
        axis.plot(curve["step"], smooth, color=colour)
        if len(curve):
            ends.append((float(smooth.iloc[-1]), float(curve["step"].iloc[-1]), recipe, colour))
    axis.set_xlabel("training step")
    axis.set_ylabel(column)
    axis.grid(axis="y")
    axis.margins(x=0.01)
    label_ends(axis, ends)
    return figure


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
