"""An experiment is a row of a table: a recipe plus everything that is decided when speech is generated."""

from typing import Literal

from pydantic import Field, model_validator

from syncvoice.section import Name, Section

Kind = Literal["model", "zero_shot", "ground_truth", "vocoder_copy", "noise"]


class Scales(Section):
    """Guidance scales s_t, s_f, s_l of text, face and lip (paper: multi-condition guidance); 0 leaves one out."""

    text: float = Field(ge=0.0)
    face: float = Field(ge=0.0)
    lip: float = Field(ge=0.0)


class Sweep(Section):
    """Points of one experiment: every pair of a face and a lip scale."""

    face: list[float] = Field(min_length=1)
    lip: list[float] = Field(min_length=1)


class Experiment(Section):
    """One row: which model speaks, whose voice it takes, how strongly each condition guides it."""

    kind: Kind
    recipe: Name | None
    tasks: list[Name] = Field(min_length=1)
    voice: Literal["context", "speaker"]  # the reference as context speech, or as speaker embedding
    scales: Scales
    steps: int = Field(ge=1)  # Euler steps
    precision: Literal["auto", "fp32", "bf16"]  # of the vector-field estimator
    t_shift: float = Field(gt=0.0, le=1.0)
    seed: int = Field(ge=0)
    swap: Literal["none", "video", "text"]  # controls: another clip's video, or shuffled text
    sweep: Sweep | None
    metrics: list[str] | None  # None = all metrics of the task
    group: str  # heading in a table
    caption: str
    paper: str | None  # row of config/paper_values.yaml

    @model_validator(mode="after")
    def _recipe_fits_kind(self) -> "Experiment":
        """Only models have a recipe; a control of text or video needs a model."""
        if (self.kind == "model") != (self.recipe is not None):
            raise ValueError(f"kind {self.kind} {'needs a' if self.kind == 'model' else 'takes no'} recipe")
        if self.kind != "model" and (self.swap != "none" or self.sweep):
            raise ValueError("swap and sweep need kind: model")
        return self

    def generation_settings(self) -> dict[str, object]:
        """Return what decides the speech: a change of caption, metrics or paper row must not generate again."""
        return self.model_dump(exclude={"tasks", "metrics", "group", "caption", "paper"})
