"""What the job of a plot reads, and how the module of its kind is found and called."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.reporting import style
from syncvoice.reporting.settings import Bootstrap, NamedRow, Page
from syncvoice.section import Name, Section, validated

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shown:
    """What of a study a plot shows: a table, or rows of a task, or models; and which metrics."""

    table: str | None = None
    task: str | None = None
    rows: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    speech: bool = False  # of the rows, not only their scores


class Plot(Section):
    """What people write about a plot; every kind adds its own keys in `Settings` of its module."""

    kind: Name
    caption: str = ""

    def shows(self) -> Shown:
        """Return what of the study the plot needs; every kind says so."""
        raise NotImplementedError(f"plots of kind {self.kind} do not say what they show")


class PlotJob(Page):
    """One plot to draw: the settings of its kind, with names resolved to rows and columns."""

    plot: dict[str, Any]
    rows: tuple[NamedRow, ...] = ()
    bootstrap: Bootstrap = Bootstrap()


def settings_of(values: dict[str, Any], source: str) -> Plot:
    """Return what people wrote about a plot, checked by the module of its kind.

    Raises:
        UserError: a key is missing or unknown.
        ModuleNotFoundError: no module has the name of the kind; the study checks that first.
    """
    kind = importlib.import_module(f"syncvoice.reporting.plots.{values['kind']}")
    return validated(kind.Settings, values, source)


def draw(job: PlotJob, study_root: Path | str) -> "Figure":
    """Return the figure that a job asks for.

    Args:
        job: the plot.
        study_root: results/{study}.

    Raises:
        UserError: an input is missing.
    """
    import matplotlib

    plot = settings_of(job.plot, f"plot {job.name}")
    kind = importlib.import_module(f"syncvoice.reporting.plots.{plot.kind}")
    with matplotlib.rc_context(style.SETTINGS):
        return kind.draw(job, plot, Path(study_root))


def save(job: PlotJob, study_root: Path | str, folder: Path | str) -> list[Path]:
    """Draw a plot and write it as SVG and PNG; returns both paths."""
    import matplotlib

    figure = draw(job, study_root)
    with matplotlib.rc_context(style.SETTINGS):
        return style.save(figure, folder, job.name)
