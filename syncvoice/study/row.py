"""A row of a table: what decides its speech (owned by generation), and what the study adds to show and score it."""

from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.generation.settings import SpeechSettings
from syncvoice.generation.work import kind_module
from syncvoice.reporting.settings import Colour
from syncvoice.section import Name


class Experiment(SpeechSettings):
    """One row: which model speaks, whose voice it takes, how strongly each condition guides it, where it is shown."""

    recipe: Name | None
    tasks: list[Name] = Field(min_length=1)
    only_with: str | None  # asset without which the study goes without this row
    metrics: list[str] | None  # None = all metrics of the task
    group: str  # heading in a table
    caption: str
    colour: Colour  # in plots; "": the name decides
    paper: str | None  # row of config/paper_values.yaml
    repeats: Name | None = None  # row of the same settings from the recipe's first seed, see study/seeds.py

    @model_validator(mode="after")
    def _recipe_fits_kind(self) -> "Experiment":
        """Only models have a recipe; a control of text or video needs a model."""
        try:
            needs = kind_module(self.kind).NEEDS_RECIPE
        except UserError as error:
            raise ValueError(str(error)) from error
        if needs != (self.recipe is not None):
            raise ValueError(f"kind {self.kind} {'needs a' if needs else 'takes no'} recipe")
        takes = kind_module(self.kind).Settings.model_fields
        if "sweep" not in takes and (self.swap != "none" or self.sweep or self.video_split):
            raise ValueError(f"kind {self.kind} takes no swap, sweep or video_split")
        if isinstance(self.video_split, tuple) and (self.treatments or self.rules):
            raise ValueError(
                "treatments and rules are for features at 25 fps; video_split names films of a higher rate"
            )
        if (self.kind == "candidates") != (self.candidates > 1):
            raise ValueError("kind candidates speaks 2 candidates or more, every other kind 1")
        if self.chooses != (self.best_of is not None):
            raise ValueError(f"kind {self.kind} {'needs' if self.chooses else 'takes no'} best_of")
        if (self.kind == "treated_references") != (self.references is not None):
            raise ValueError("kind treated_references needs references, every other kind takes none")
        return self

    @property
    def films(self) -> tuple[str, ...]:
        """Splits whose videos guide instead of the task's, none if the task's do."""
        if self.video_split is None or isinstance(self.video_split, tuple):
            return self.video_split or ()
        return (self.video_split,)

    @property
    def chooses(self) -> bool:
        """Whether the row chooses from another row's candidates."""
        return bool(getattr(kind_module(self.kind), "CHOOSES", False))

    def job(self, name: str, weights: dict[str, str]) -> dict[str, object]:
        """Return what the row's generate job reads: its kind's settings, and nothing that does not decide the speech.

        Args:
            name: of the row.
            weights: files by network.
        """
        values = {**self.model_dump(), **weights, "experiment": name}
        if self.video_split is None:  # settings of other rows do not name it
            del values["video_split"]
        return {key: values[key] for key in kind_module(self.kind).Settings.model_fields if key in values}
