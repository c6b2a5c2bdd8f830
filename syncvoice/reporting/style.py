"""House style of all plots: one font, one palette, deterministic files.

Colours are those of Okabe and Ito (distinguishable with the common kinds of colour blindness); a colour means the same
row in every plot: grey for recorded speech and controls, else what the study says (`colour` of a row). Where colour
carries a meaning, so does the shape of the mark.
"""

import itertools
import textwrap
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from syncvoice.files import atomic_path
from syncvoice.reporting.settings import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = Path(__file__).with_name("fonts") / "SyncVoiceSans-Regular.otf"

INK, SOFT, FAINT, PAPER = "#1f2328", "#6b727b", "#dfe2e6", "#ffffff"
REFERENCE, CONTROL = "#8a9199", "#b9bec4"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")
COLOURS = {
    "ink": INK,
    "blue": PALETTE[0],
    "vermilion": PALETTE[1],
    "green": PALETTE[2],
    "pink": PALETTE[3],
    "orange": PALETTE[4],
    "sky": PALETTE[5],
    "purple": PALETTE[6],
}
# For rows that name no colour: every colour of the palette, and a darker shade of each.
HASHED = (*PALETTE, "#004f7c", "#954200", "#006f51", "#8f5375", "#a16e00", "#3c7ea3", "#563966")
BETTER, WORSE, UNDECIDED = "#0072b2", "#d55e00", "#8a9199"

METADATA = {
    ".svg": {"Date": None, "Creator": "SyncVoice"},
    ".pdf": {"CreationDate": None, "Creator": "SyncVoice", "Producer": None},
    ".png": {"Software": "SyncVoice"},
}

SETTINGS = {
    "font.family": ["SyncVoice Sans", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "image.interpolation": "nearest",
    "svg.fonttype": "path",  # text as outlines: the SVG shows Mandarin everywhere
    "svg.hashsalt": "syncvoice",  # else ids in the SVG are random
}


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure (width and height in inches) in the house style; no window, no global state."""
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    if "SyncVoice Sans" not in {entry.name for entry in font_manager.fontManager.ttflist}:
        font_manager.fontManager.addfont(FONT)
    return Figure(figsize=(width, height))


def save(figure: "Figure", folder: Path | str, name: str) -> list[Path]:
    """Write {name}.svg, .pdf and .png (200 dpi) without dates or versions, atomically; returns the paths."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    paths = []
    for suffix, metadata in METADATA.items():
        path = Path(folder) / f"{name}{suffix}"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=200, metadata=metadata)
        paths.append(path)
    return paths


def row_colours(rows: Iterable[Row]) -> dict[str, str]:
    """Return a colour per row key, the same in every plot and whatever other rows there are.

    Greys for the groups reference and control; else the colour that the row names; else one that its name decides.
    """
    return {row.key: _row_colour(row) for row in rows}


def _row_colour(row: Row) -> str:
    if row.group in ("reference", "control"):
        return REFERENCE if row.group == "reference" else CONTROL
    return COLOURS[row.colour] if row.colour else HASHED[zlib.crc32(row.experiment.encode()) % len(HASHED)]


def wrapped(text: str, width: float, size: float) -> str:
    """Break text into lines that fit a figure `width` inches wide at a font size in points."""
    characters = int((width - 0.2) * 72 / (0.53 * size))
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, characters) or [""])


def titled(figure: "Figure", title: str, subtitle: str = "") -> float:
    """Put title and subtitle at the top left, broken to fit; returns the height they take, as a share of the figure."""
    width, height = figure.get_size_inches()
    title, subtitle = wrapped(title, width, 12), wrapped(subtitle, width, 8) if subtitle else ""
    taken = 0.36 + 0.22 * title.count("\n")
    figure.text(0.1 / width, 1 - 0.1 / height, title, va="top", fontsize=12, color=INK)
    if subtitle:
        soft: dict[str, Any] = {"fontsize": 8, "color": SOFT, "linespacing": 1.35}
        figure.text(0.1 / width, 1 - taken / height, subtitle, va="top", **soft)
        taken += 0.17 * (1 + subtitle.count("\n"))
    return taken / height


def quiet(axes: "Axes", grid: Literal["x", "y"] = "x") -> None:
    """Leave only the axis that carries numbers, with a light grid along it."""
    axes.grid(axis=grid)
    if grid == "x":
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)


def place_labels(axes: "Axes", labels: list[tuple[float, float, str, float, str]]) -> None:
    """Write a label beside each mark, where it covers the fewest marks and labels; a thin line leads to a far one.

    Call it after limits, scales and sizes are final. Greedy in the order given, so important labels go first.

    Args:
        axes: axes of the marks.
        labels: (x, y, text, font size, colour) per mark, data coordinates.
    """
    axes.get_xlim(), axes.get_ylim()  # limits are made when asked for; until then the transform is another
    pixels = axes.figure.dpi / 72
    places = axes.transData.transform([(x, y) for x, y, *_ in labels]) / pixels  # points
    bounds = [edge / pixels for edge in axes.get_window_extent().extents]
    boxes = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for (x, y), (data_x, data_y, text, size, colour) in zip(places, labels, strict=True):
        width, height = 0.56 * size * len(text), 1.15 * size
        options = []
        for rank, (gap, (side_x, side_y)) in enumerate(itertools.product(LABEL_GAPS, LABEL_SIDES)):
            left = x + gap if side_x > 0 else x - gap - width if side_x < 0 else x - width / 2
            bottom = y + side_y * (gap + height / 2) * (1 if side_x == 0 else 0.6) - height / 2
            box = (left, bottom, left + width, bottom + height)
            cost = sum(_overlap(box, other) for other in boxes) + 100 * _outside(box, bounds) + 0.5 * rank
            options.append((cost, rank, box))
        _, rank, box = min(options)
        boxes.append(box)
        far = rank >= len(LABEL_SIDES)
        axes.annotate(
            text, (data_x, data_y), (box[0] - x, (box[1] + box[3]) / 2 - y), textcoords="offset points",
            va="center", fontsize=size, color=colour, zorder=5, path_effects=halo(),
            arrowprops={"arrowstyle": "-", "color": SOFT, "lw": 0.4, "shrinkA": 0, "shrinkB": 2} if far else None,
        )  # fmt: skip


LABEL_GAPS = (5, 13, 22, 32)  # points between mark and label, tried in this order
LABEL_SIDES = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (0, 1), (0, -1), (-1, 0))


def _outside(box: tuple[float, ...], bounds: list[float]) -> float:
    """Return by how many points a box leaves the axes; at the right a little is allowed."""
    across = max(0.0, bounds[0] - box[0]) + max(0.0, box[2] - bounds[2] - 8)
    return across + max(0.0, bounds[1] - box[1]) + max(0.0, box[3] - bounds[3] - 4)


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(0.0, width) * max(0.0, height)


def halo() -> list[Any]:
    """Return path effects that put a white rim around text, so that lines behind it do not disturb."""
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=2, foreground=PAPER)]
