"""What people write about the measurement of cost, and what its job reads."""

from pydantic import Field

from syncvoice.generation.kinds.model import Settings as ModelRow
from syncvoice.section import Name, Section


class Cost(Section):
    """Which parts of which rows are timed.

    Attributes:
        task: whose first clips are dubbed.
        row: whose model, steps and voice the parts are timed with, branch by branch of its guidance.
        rows: rows that are timed as a whole, sampling and vocoder together.
        clips: of the task.
        runs: timed ones of every clip, after one that does not count.
    """

    task: Name
    row: Name
    rows: list[Name] = Field(min_length=1)
    clips: int = Field(default=4, ge=1)
    runs: int = Field(default=3, ge=1)


class RowOfModel(Section):
    """A row of `kind: model`, and the recipe that speaks it."""

    recipe: Name
    row: ModelRow


class CostJob(Section):
    """The measurement to make."""

    row: Name
    rows: dict[Name, RowOfModel]  # those that are timed as a whole, and `row`
    timed: tuple[Name, ...]  # of `rows`, as a whole
    clips: int
    runs: int
