"""Plots of tables and curves. Every function returns a figure; `draw` picks one by the settings' kind."""

import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.scores import MetricInfo, metric_info
from syncvoice.reporting.settings import Row
from syncvoice.reporting.tables import read_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS_PER_LINE = 4
CAPTION_WIDTH = 30  # characters per line of a row's caption


def draw(settings: dict[str, Any], study_root: Path | str) -> "Figure":
    """Return the figure that a plot's settings ask for.

    Args:
        settings: as `settings.read_plot_settings` returns them.
        study_root: results/{study}.

    Raises:
        UserError: an input is missing.
    """
    import matplotlib

    from syncvoice.reporting import spectrogram, tradeoff

    kinds: dict[str, Callable[[dict[str, Any], Path], Figure]] = {
        "metrics": metrics_figure,
        "differences": differences_figure,
        "guidance_pareto": tradeoff.guidance_pareto_figure,
        "temporal_ablation": tradeoff.temporal_ablation_figure,
        "spectrogram": spectrogram.spectrogram_figure,
        "training_curves": training_curves_figure,
    }
    with matplotlib.rc_context(style.SETTINGS):
        return kinds[settings["kind"]](settings, Path(study_root))


def save(settings: dict[str, Any], study_root: Path | str, folder: Path | str) -> list[Path]:
    """Draw a plot and write it as SVG and PNG; returns both paths."""
    import matplotlib

    figure = draw(settings, study_root)
    with matplotlib.rc_context(style.SETTINGS):
        return style.save(figure, folder, settings["name"])


def _table(settings: dict[str, Any], root: Path) -> tuple["pd.DataFrame", list[MetricInfo]]:
    path = root / "tables" / f"{settings['table']}.csv"
    table = read_csv(path)
    table = table[table["group"] == settings["group"]]
    metrics = settings["metrics"] or list(dict.fromkeys(table["metric"]))
    missing = sorted(set(metrics) - set(table["metric"]))
    if missing or table.empty:
        raise UserError(f"{path}: no lines of group {settings['group']} and metric {', '.join(missing) or 'any'}")
    return table, [metric_info(metric) for metric in metrics]


def _panels(
    settings: dict[str, Any], labels: list[tuple[str, str]], n_panels: int, subtitle: str
) -> tuple["Figure", list["Axes"]]:
    """Return a figure of small multiples that share their rows, written once at the left of each line of panels."""
    n_lines = math.ceil(n_panels / PANELS_PER_LINE)
    per_line = math.ceil(n_panels / n_lines)
    left, panel, row_height, between = 2.25, 1.85, 0.34, 0.7
    width = left + per_line * panel + 0.15
    title, subtitle = style.wrapped(settings["title"], width, 12), style.wrapped(subtitle, width, 8)
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
        caption = "" if caption == name else textwrap.shorten(caption, CAPTION_WIDTH + 14, placeholder=" …")
        soft: dict[str, Any] = {"va": "top", "fontsize": 6.5, "color": style.SOFT}
        axis.text(x, position + 0.03, caption, transform=axis.get_yaxis_transform(), **soft)


def _labels(table: "pd.DataFrame") -> list[tuple[str, str]]:
    return list(dict.fromkeys(zip(table["experiment"], table["caption"], strict=True)))


def metrics_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return means with intervals, one panel per metric, one line per row; the recorded speech as a reference line."""
    table, infos = _table(settings, root)
    labels = _labels(table)
    rows = [Row(name, caption) for name, caption in labels]
    colours = style.row_colours(rows)
    figure, panels = _panels(settings, labels, len(infos), _subtitle(table, "mean with 95 % interval over clips"))
    for axis, info in zip(panels, infos, strict=True):
        lines = table[table["metric"] == info.id].set_index("experiment")
        axis.set_title(info.heading, fontsize=8.5, pad=5)
        for position, (name, _) in enumerate(labels):
            _interval(axis, position, lines.loc[name], info, colours[name])
        if "ground_truth" in lines.index and not math.isnan(lines.loc["ground_truth", "mean"]):
            axis.axvline(
                lines.loc["ground_truth", "mean"] * info.scale, color=style.REFERENCE, lw=0.8, ls=(0, (4, 3)), zorder=0
            )
        _room(axis)
    return figure


def _interval(axis: "Axes", position: int, line: "pd.Series", info: MetricInfo, colour: str) -> None:
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


def _room(axis: "Axes") -> None:
    """Widen the axis so that value labels at its ends stay inside, and keep its ticks few."""
    low, high = axis.get_xlim()
    margin = 0.1 * (high - low)
    axis.set_xlim(low - margin, high + margin)
    axis.locator_params(axis="x", nbins=4)


def _subtitle(table: "pd.DataFrame", what: str) -> str:
    from syncvoice.reporting.render import GROUP_TITLES

    group = GROUP_TITLES[table["group"].iloc[0]]
    n = int(table["n_expected"].max())
    return f"{group}, {n} clips: {what}. ↑ higher is better, ↓ lower is better."


def differences_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return a forest plot: paired differences from the baseline, one panel per metric.

    Blue and filled: better, interval beyond 0; orange and filled: worse; grey and hollow: undecided.
    """
    table, infos = _table(settings, root)
    baseline = table["baseline"].iloc[0]
    if not baseline:
        raise UserError(
            f"plot {settings['name']}: table {settings['table']} has no baseline, so there is no difference"
        )
    table = table[table["experiment"] != baseline]
    labels = _labels(table)
    what = (
        f"paired difference from {baseline} with 95 % interval; filled: interval beyond 0 (blue better, orange worse)"
    )
    figure, panels = _panels(settings, labels, len(infos), _subtitle(table, what))
    for axis, info in zip(panels, infos, strict=True):
        lines = table[table["metric"] == info.id].set_index("experiment")
        axis.set_title(info.heading, fontsize=8.5, pad=5)
        axis.axvline(0, color=style.INK, lw=0.8, zorder=0)
        for position, (name, _) in enumerate(labels):
            _difference(axis, position, lines.loc[name], info)
        _room(axis)
    return figure


def verdict(line: "pd.Series", info: MetricInfo) -> str:
    """Return `better`, `worse` or `undecided` for a paired difference; undecided where no direction is better."""
    if not (line["diff_low"] > 0 or line["diff_high"] < 0) or info.direction not in ("higher", "lower"):
        return "undecided"
    return "better" if (line["diff_low"] > 0) == (info.direction == "higher") else "worse"


def _difference(axis: "Axes", position: int, line: "pd.Series", info: MetricInfo) -> None:
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


def training_curves_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return the training curves of all recipes, smoothed, each labelled at its end, raw values behind them."""
    import pandas as pd

    column = settings["value"]
    figure = style.new_figure(7.2, 3.6)
    top = style.titled(
        figure, settings["title"], f"{column} over training steps; line: moving median of 9 logged values"
    )
    axis = figure.add_axes((0.085, 0.13, 0.62, 0.81 - top))
    ends = []
    for index, (recipe, caption) in enumerate(settings["recipes"].items()):
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
            ends.append((float(smooth.iloc[-1]), float(curve["step"].iloc[-1]), caption, colour))
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
