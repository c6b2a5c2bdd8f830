"""What decides the speech of a row. The study adds to it what a table needs (captions, groups, metrics)."""

import itertools
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from syncvoice.clocks import FPS
from syncvoice.model.guidance import Rule, Scales, Schedule, in_guidance_order
from syncvoice.section import Name, Section

if TYPE_CHECKING:
    from syncvoice.generation.speech import Sampling

Scale = Annotated[float, Field(ge=0.0)]
Precision = Literal["auto", "fp32", "bf16"]
VoiceKind = Literal["context", "speaker"]


class GuidanceRule(Section):
    """How a condition guides beside its scale; see `model.guidance.Rule`."""

    schedule: Schedule = "constant"
    where: Literal["all", "shut"] = "all"
    off_text: bool = False
    until: float = Field(default=1.0, ge=0.0, le=1.0)


# One split; or several whose films were taken at moments that follow each other in every frame, together a film of so
# many times the rate.
VideoSplit = Name | Annotated[tuple[Name, ...], Field(min_length=2)] | None


class Treatment(Section):
    """What is done to the features of a condition, in this order.

    Attributes:
        columns: those that are kept; the others are held at zero, the mean of standardised features. None: all.
        smooth_hz: highest frequency that is left, by a Gaussian whose gain there is one half. None: all.
        shift: frames by which the features come late; negative: early. The first or last frame is held.
        rate: frames per second that are kept, each held until the next. None: all.
        jitter: every frame shows that of up to so many frames before or after it, at random (as likely each); the same
            in all conditions of a clip, as if its pictures had come out of order.
    """

    columns: tuple[int, ...] | None = None
    smooth_hz: Annotated[float, Field(gt=0)] | None = None
    shift: int = 0
    rate: Annotated[float, Field(gt=0, le=FPS)] | None = None
    jitter: int = Field(default=0, ge=0)


class BestOf(Section):
    """What a row chooses from.

    Attributes:
        row: of kind `candidates`, on the same tasks.
        counts: how many of its candidates, from the first, may be chosen; every count is a point.
    """

    row: Name
    counts: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]


class SpeechSettings(Section):
    """Whose voice a row takes, how strongly each condition guides it, how it is sampled."""

    kind: Name  # who speaks: a module of `generation/kinds/`
    voice: VoiceKind  # the reference as context speech, or as speaker embedding
    scales: dict[Name, Scale]  # guidance by condition (paper: multi-condition guidance); unnamed = 0 = left out
    rules: dict[Name, GuidanceRule]  # by condition; unnamed: its scale at all times and everywhere
    treatments: dict[Name, Treatment]  # changes of the features that guide, by condition
    steps: int = Field(ge=1)  # Euler steps
    precision: Precision  # of the vector-field estimator
    t_shift: float = Field(gt=0.0, le=1.0)
    temperature: float = Field(ge=0.0, le=1.0)  # of the noise; 1: as the model learned
    seed: int = Field(ge=0)
    swap: Literal["none", "video", "text"]  # controls: another clip's video, or shuffled text
    sweep: dict[Name, Annotated[list[Scale], Field(min_length=1)]] | None  # points: every combination of these scales
    candidates: int = Field(ge=1)  # kind candidates: how often an utterance is spoken, each time from other noise
    best_of: BestOf | None  # kinds best_by_*: what they choose from
    references: list[Name] | None  # kind treated_references: splits that give the voices, each a point

    video_split: VideoSplit  # whose features guide instead of the task's: the same clips, filmed otherwise; None: own
    reading: Literal["own", "public"]  # of English by rows of start weights; models read as their features were made
    tts_voices: dict[Literal["female", "male"], str]  # stock voices of rows that a public TTS model speaks

    @model_validator(mode="after")
    def _names_the_text(self) -> "SpeechSettings":
        """Nothing is spoken without saying how strongly the text guides."""
        if "text" not in self.scales:
            raise ValueError("scales: text is missing; 2.0 is usual, 1.0 is no extra guidance")
        return self

    def asked_for(self) -> dict[str, float]:
        """Return the highest scale that is asked for of every condition, in scales or sweep."""
        highest = {condition: [scale] for condition, scale in self.scales.items()} | (self.sweep or {})
        return {condition: max(scales) for condition, scales in highest.items()}


class SampledSettings(Section):
    """What every job that samples from a model reads; fields are those of `SpeechSettings` and weight files."""

    experiment: Name
    voice: VoiceKind
    scales: dict[Name, Scale]
    rules: dict[Name, GuidanceRule] = {}
    treatments: dict[Name, Treatment] = {}
    steps: int
    precision: Precision
    t_shift: float
    temperature: float
    seed: int
    vocoder: str
    speaker_encoder: str

    def guidance(self) -> Scales:
        """Return the guidance scales."""
        rules = {name: Rule(**rule.model_dump()) for name, rule in self.rules.items()}
        return Scales(rules=rules, **self.scales)

    def sampling(self) -> "Sampling":
        """Return how speech is sampled at these scales."""
        from syncvoice.generation.speech import Sampling

        return Sampling(self.guidance(), self.steps, self.t_shift, self.temperature, self.voice)


def candidate_point(candidate: int) -> str:
    """Name of the point that holds a candidate, from 0."""
    return f"candidate{candidate}"


def best_of_point(count: int) -> str:
    """Name of the point that holds the best of the first `count` candidates."""
    return f"best_of{count}"


def point_name(scales: Scales, conditions: list[str]) -> str:
    """Name of a point of a sweep over `conditions`, used as folder.

    >>> point_name(Scales(2.0, face=1.0, lip=2.0), ["face", "lip"])
    'face1.0_lip2.0'
    """
    return "_".join(f"{name}{scales[name]}" for name in conditions)


def points_of(scales: Scales, sweep: dict[str, list[float]] | None) -> list[tuple[str, Scales]]:
    """Points of a row: one without name, or the grid of its sweep, conditions in guidance order.

    >>> [name for name, _ in points_of(Scales(2.0), {"lip": [0.0], "face": [0.0, 1.0]})]
    ['face0.0_lip0.0', 'face1.0_lip0.0']
    """
    if not sweep:
        return [("", scales)]
    swept = in_guidance_order(sweep)
    grid = (dict(zip(swept, values, strict=True)) for values in itertools.product(*(sweep[name] for name in swept)))
    return [(point_name(point, swept), point) for point in (scales.changed(**values) for values in grid)]
