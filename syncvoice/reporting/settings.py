"""Settings of tables, the gallery and reports: what a study's YAML says, and what each job reads.

`Table`, `Gallery`, ... are what people write. A job reads `TableJob`, `GalleryJob`, ...: the same with names resolved
to rows and columns, so that the same files and the same settings give the same bytes, and a new caption reruns only the
jobs that show it. Plots have a module per kind (`syncvoice.reporting.plots`).
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from syncvoice.reporting.columns import Column, Columns
from syncvoice.section import Name, Section

Group = Literal[  # by voice; by sentence (GRID grammar or not); by how the clip was spoken, thirds of the clips
    "all", "seen", "unseen", "grid", "open", "slow", "medium", "fast", "quiet", "moderate", "loud"
]  # fmt: skip
Colour = Literal["", "ink", "blue", "vermilion", "green", "pink", "orange", "sky", "purple"]  # see style.COLOURS
GROUPS: tuple[Group, ...] = ("all", "seen", "unseen")


class Bootstrap(Section):
    """How intervals are made: number of resamples, confidence, seed."""

    resamples: int = Field(default=10_000, ge=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    seed: int = Field(default=0, ge=0)


# ---- what people write -----------------------------------------------------------------------------------------------


class Table(Section):
    """A table: rows (experiments) of one task; the baseline of the paired differences is one of the rows."""

    task: Name
    rows: list[Name] = Field(min_length=1)
    metrics: list[str] = Field(min_length=1)  # metric ids, in the order of the columns
    baseline: Name | None = None
    groups: list[Group] = list(GROUPS)  # of clips, each with its own values and differences
    spread: bool = False  # show how far a row's means spread over the trainings of a recipe with several seeds
    caption: str
    notes: list[str] = []


class GalleryTask(Section):
    """Clips of one task, all rows side by side."""

    caption: str
    rows: list[Name] = Field(min_length=1)
    metrics: list[str] = []  # metric ids under each video
    flags: dict[str, float] = {}  # metric of `metrics` -> the value beyond which a clip of a row is flagged
    clips: int = Field(ge=1)

    @model_validator(mode="after")
    def _flags_are_shown(self) -> "GalleryTask":
        """What flags a clip stands under it."""
        hidden = [metric for metric in self.flags if metric not in self.metrics]
        if hidden:
            raise ValueError(f"flags names {hidden[0]}, which is not among the metrics under the videos")
        return self


class Gallery(Section):
    """The page that plays rows side by side."""

    caption: str
    max_megabytes: float = Field(gt=0)
    tasks: dict[Name, GalleryTask]


class ListeningTest(Section):
    """The page of a listening test; files of answers are read back when `answers` names their folder."""

    caption: str
    task: Name
    rows: list[Name] = Field(min_length=1)
    baseline: Name | None = None
    clips: int = Field(ge=1)
    pairs: list[tuple[Name, Name]] = []  # rows that are compared directly
    checks: int = Field(ge=0)
    max_megabytes: float = Field(gt=0)
    answers: str | None = None


class Question(Section):
    """A question of the study and what answers it: a target of its own for Snakemake, `questions_NAME`."""

    question: str
    tables: list[Name] = []
    plots: list[Name] = []
    measures_cost: bool = False  # the study's measurement of cost answers it
    counts_faces_lost: bool = False  # its table of faces lost in perturbed video does

    @model_validator(mode="after")
    def _is_answered(self) -> "Question":
        """Nothing would be made for a question without table, plot and measurement."""
        if not (self.tables or self.plots or self.measures_cost or self.counts_faces_lost):
            raise ValueError("nothing answers it; name a table or plot, or set measures_cost or counts_faces_lost")
        return self


class Probe(Section):
    """Linear probe of visual features: fitted on one split, scored on others (see reporting/probe.py)."""

    dataset: Name
    train: Name
    tests: list[Name] = Field(min_length=1)
    features: list[Name] = ["lip", "face"]


class AlignmentReport(Section):
    """Error of forced alignment on a split with known word times, for the shipped recogniser and the study's own."""

    dataset: Name
    split: Name


# ---- what jobs read --------------------------------------------------------------------------------------------------


def _named(value: Any) -> Any:
    """Take an experiment's name for a row without caption."""
    return {"experiment": value} if isinstance(value, str) else value


class Row(Section):
    """One row of a table: an experiment, or one point of a sweep.

    `group` (reference, control) or else `colour` decides its colour in plots; `original` rows play a recording.
    """

    experiment: str
    caption: str = ""
    point: str = ""
    group: str = ""
    colour: Colour = ""
    original: bool = False

    @property
    def key(self) -> str:
        """Name of the row in tables: the experiment, with the point of a sweep behind a slash."""
        return f"{self.experiment}/{self.point}" if self.point else self.experiment

    @property
    def what(self) -> str:
        """Caption, or the name of a row that has none."""
        return self.caption or self.experiment


NamedRow = Annotated[Row, BeforeValidator(_named)]
Rows = Annotated[tuple[NamedRow, ...], Field(min_length=1)]


def _each_once(rows: tuple[Row, ...]) -> None:
    """Refuse a row that stands there twice."""
    keys = [row.key for row in rows]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"row {', '.join(twice)} stands there twice; each row may appear once")


class Training(Section):
    """One training of a row's recipe: its seed, and the row that speaks with its model."""

    seed: int
    experiment: str


class Comparison(Section):
    """A direction that the paper reports: `ascending` lists rows from the lowest to the highest value of `metric`."""

    metric: str
    ascending: tuple[str, ...] = Field(min_length=2)
    id: str = ""
    statement: str = ""
    source: str = ""
    verified: bool = False

    @property
    def name(self) -> str:
        """Id, or the rows in their order."""
        return self.id or "_".join(self.ascending)


class PaperValue(Section):
    """A number that the paper (or a paper it cites) reports for a row, a metric id and a data set."""

    experiment: str
    metric: str
    dataset: str
    value: float
    source: str
    verified: bool = False


class ExternalValue(Section):
    """A published number of another system; the table shows it apart, nothing of it is computed here."""

    system: str
    metric: str
    dataset: str
    value: float
    source: str
    verified: bool = False


class Page(Section):
    """What every table, plot and page carries; `columns` describes the metrics that it shows."""

    name: str
    title: str = ""
    study: str = ""
    columns: tuple[Column, ...] = ()

    @property
    def heading(self) -> str:
        """Title, or the name of a page that has none."""
        return self.title or self.name

    @property
    def column(self) -> Columns:
        """Columns by metric id."""
        return Columns({column.id: column for column in self.columns})


class TableJob(Page):
    """One table to make; its columns are the metrics, in their order."""

    columns: tuple[Column, ...] = Field(min_length=1)
    task: str
    rows: Rows
    baseline: str | None = None
    groups: tuple[Group, ...] = GROUPS
    bootstrap: Bootstrap = Bootstrap()
    comparisons: tuple[Comparison, ...] = ()
    paper_values: tuple[PaperValue, ...] = ()
    external: tuple[ExternalValue, ...] = ()
    notes: tuple[str, ...] = ()
    trainings: dict[str, tuple[Training, ...]] = {}  # by row; the row itself is the first

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metric ids, in the order of the columns."""
        return tuple(column.id for column in self.columns)

    @model_validator(mode="after")
    def _rows_fit(self) -> "TableJob":
        """A row stands there once, and the baseline is one of them."""
        _each_once(self.rows)
        keys = [row.key for row in self.rows]
        if self.baseline is not None and self.baseline not in keys:
            raise ValueError(f"baseline {self.baseline} is no row of the table; rows: {', '.join(keys)}")
        return self


class GallerySection(Section):
    """One section of the gallery: the clips of a task, all rows side by side."""

    task: str
    title: str = ""
    rows: Rows
    metrics: tuple[str, ...] = ()
    flags: dict[str, float] = {}
    clips: int = Field(default=6, ge=1)
    utterances: tuple[str, ...] = ()  # instead of clips

    @property
    def heading(self) -> str:
        """Title, or the name of the task."""
        return self.title or self.task


class GalleryJob(Page):
    """The gallery to make; `max_megabytes` limits the whole file (10^6 bytes).

    The recordings of `synthetic_datasets` were made by a machine themselves.
    """

    name: str = "gallery"
    tasks: tuple[GallerySection, ...] = Field(min_length=1)
    max_megabytes: float = Field(default=25.0, gt=0)
    synthetic_datasets: tuple[str, ...] = ()


class FacesLostJob(Section):
    """The table of faces lost to make: perturbed splits as (data set, split)."""

    splits: tuple[tuple[Name, Name], ...] = Field(min_length=1)
    bootstrap: Bootstrap


class ListeningTestJob(Page):
    """The listening test to make."""

    name: str = "listening_test"
    task: str
    rows: Rows
    baseline: str | None = None
    clips: int = Field(default=8, ge=1)
    pairs: tuple[tuple[str, str], ...] = ()
    checks: int = Field(default=3, ge=0)
    seed: int = Field(default=1, ge=0)
    max_megabytes: float = Field(default=40.0, gt=0)

    @model_validator(mode="after")
    def _pairs_are_rows(self) -> "ListeningTestJob":
        """Pairs and the baseline name rows that are judged."""
        _each_once(self.rows)
        rows = [row.experiment for row in self.rows]
        for name in (*(name for pair in self.pairs for name in pair), *([self.baseline] if self.baseline else [])):
            if name not in rows:
                raise ValueError(f"{name} is no row of the listening test; rows: {', '.join(rows)}")
        return self
