"""A recipe is a trained model: everything that decides its weights, and nothing else."""

from typing import Any, Literal

from pydantic import Field, model_validator

from syncvoice.section import Name, Probability, Section

SpeakerBranch = Literal["pretrained", "learnable"]


RESERVED = ("text", "context", "speaker")  # conditions that are no feature of the video


class Condition(Section):
    """What the model sees as one visual condition; `lip: mesh` is short for `lip: {feature: mesh}`."""

    feature: Name  # an entry of the study's `features`
    mask: Probability = 0.2  # of hiding it in training, independent per clip (our choice)
    anew: bool = (
        False  # begins without effect even where the recipe's `fusion` has learned it: its feature is another now
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """The feature's name alone takes the usual rate."""
        return {"feature": value} if isinstance(value, str) else value


class Masking(Section):
    """Probabilities of hiding text or voice from the model in training, independent per clip (our choice)."""

    text: Probability  # the whole fused text-visual condition z_tv
    context: Probability  # the context speech; never together with `speaker`
    speaker: Probability  # the speaker embedding

    @model_validator(mode="after")
    def _voices_exclude_each_other(self) -> "Masking":
        """Context speech and speaker embedding are never hidden together, so their chances must fit in one draw."""
        if self.context + self.speaker > 1.0:
            raise ValueError("context + speaker must not exceed 1: they are never hidden together")
        return self


class Context(Section):
    """Where the speech comes from that the model hears beside a training clip, in the clip's voice."""

    # other_clip: another recording of the speaker before the clip, as at inference (our choice);
    # span: what a mask leaves of the clip itself, as in the public training of ZipVoice
    kind: Literal["other_clip", "span"]
    longest_reference: int = Field(
        ge=1
    )  # video frames; a longer clip is a reference only where a speaker has none such
    masked_share: tuple[Probability, Probability]  # span: bounds of the share of a clip that is masked

    @model_validator(mode="after")
    def _bounds_rise(self) -> "Context":
        """The smaller share comes first."""
        if self.masked_share[0] > self.masked_share[1] or not self.masked_share[1] > 0:
            raise ValueError("masked_share: expected the smaller share first, and the larger above 0")
        return self


class CrossLanguage(Section):
    """Training pairs of a clip's speech with the lips of a clip in another language, see `training.cross_language`."""

    share: Probability  # of the clips, drawn anew in every epoch
    conditions: list[Name] = Field(min_length=1)  # that show those lips; the others keep the clip's own video


class Optimiser(Section):
    """How gradients change the weights."""

    name: Literal["adamw", "muon", "scaled_adam"]  # muon: of the Zipformer layers' matrices, adamw for all the rest
    betas: tuple[Probability, Probability]
    weight_decay: float = Field(ge=0)  # adamw, muon
    clipping_scale: float = Field(gt=0)  # scaled_adam: gradients are clipped at this multiple of their median norm
    new_layers_rate: float = Field(gt=0)  # layers that start weights lack learn at this multiple of learning_rate
    new_layers_min_rms: float = Field(gt=0)  # scaled_adam: size that such a layer, which starts at zero, counts with


class Schedule(Section):
    """How the learning rate changes with the steps; all kinds rise over `warmup_steps` first."""

    name: Literal["linear", "eden", "constant"]  # linear falls to 2 % at the last step
    lr_batches: float = Field(gt=0)  # eden
    lr_hours: float | None = Field(gt=0)  # eden: hours of audio seen; null = count passes over the data instead
    lr_epochs: float = Field(gt=0)  # eden, used when lr_hours is null


class LowRank(Section):
    """Low-rank adaptation of the vector-field estimator: W + (alpha / rank) B A, with W and the text encoder fixed.

    Rank 0: no corrections, and the speaker encoder is fixed too; the fusion learns alone.
    """

    rank: int = Field(ge=0)
    alpha: float = Field(gt=0)


class Recipe(Section):
    """Resolved settings of one training run (paper section 3; what the paper leaves open is our choice)."""

    start: str  # weights of the backbone before fine-tuning
    vocoder: str  # weights
    speaker_encoder: str  # weights of the pretrained speaker branch
    fusion: str | None = None  # weights of a model whose text-visual fusion this one goes on from; null: new
    sees: dict[Name, Condition]  # visual conditions of the text-visual fusion; {} is a model without video
    speaker_branches: list[SpeakerBranch]  # branches of the dual speaker encoder; [] trains no speaker embedding
    dataset: Name
    split: Name
    share: float = Field(
        gt=0.0, le=1.0
    )  # part of the training clips, balanced over voices; parts of one seed are nested
    steps: int = Field(ge=0)
    batch_seconds: float = Field(gt=0)  # seconds of audio per step, all devices together
    device_seconds: float | None = Field(gt=0)  # most seconds that a device takes at once; the rest is accumulated
    devices: int = Field(ge=1)  # processes that share a step, each with its own graphics card
    optimiser: Optimiser
    schedule: Schedule
    learning_rate: float = Field(gt=0)  # the highest
    warmup_steps: int = Field(ge=0)
    gradient_clip: float | None = Field(gt=0)  # largest norm; null where the optimiser clips
    average_from: Probability  # part of the steps after which weights are averaged; 1 = no averaging
    average_period: int | None = Field(ge=1)  # null: every step enters; N: every Nth, in float64 as the public code
    lora: LowRank | None  # null trains all weights
    masking: Masking
    context: Context
    cross_language: CrossLanguage | None = None
    expansion: Literal["segments", "average"]  # of tokens over frames: context and target apart, or ZipVoice's rule
    speaker_width: int | None = Field(ge=4, multiple_of=4)  # learnable speaker encoder; null: as in the start weights
    time_weight: Literal[
        "uniform", "noise_share"
    ]  # of a clip's loss at flow time t: 1, or 1 - t, the share of noise in x_t
    adapter_dim: int = Field(gt=0)  # width of the bottleneck adapters of visual conditions
    padding: Literal["invariant", "reference"]
    precision: Literal["auto", "fp32", "bf16", "fp16"]  # auto: bf16 where the hardware is fast at it
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    log_every: int = Field(ge=1)  # steps
    checkpoint_every: int = Field(ge=1)  # steps
    keep_checkpoints: int = Field(ge=0)  # training checkpoints that stay when the run has finished
    # rule that makes the model: train, import_checkpoint (`start` is somebody else's trained checkpoint), or one in
    # workflow/rules/ablations/
    made_by: Name
    key_map: str | None = None  # import_checkpoint: file that names its tensors, see config/foreign/README.md

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Recipe":
        """Refuse settings that would contradict each other in silence."""
        for name in RESERVED:
            if name in self.sees:
                raise ValueError(f"sees: {name} is no visual condition; give it another name")
        for name in self.sees:
            if name[-1].isdigit():
                raise ValueError(f"sees: {name} ends with a digit, where points of a sweep put their scale; rename it")
        for name in self.cross_language.conditions if self.cross_language else ():
            if name not in self.sees:
                raise ValueError(
                    f"cross_language.conditions: the model sees no {name}; it sees: {', '.join(self.sees)}"
                )
        if self.optimiser.name == "scaled_adam" and self.gradient_clip is not None:
            raise ValueError(
                "optimiser scaled_adam clips by itself (optimiser.clipping_scale): set gradient_clip to null"
            )
        if self.optimiser.name == "scaled_adam" and not self.optimiser.betas[0] > 0:
            raise ValueError("optimiser scaled_adam needs a first beta above 0")
        if self.lora and self.optimiser.name == "muon":
            raise ValueError("muon is for whole matrices, not for their low-rank corrections: take adamw with lora")
        if self.lora and self.average_from < 1.0:
            raise ValueError("factors of lora cannot be averaged (their product matters): set average_from to 1.0")
        if self.device_seconds is not None and self.device_seconds > self.batch_seconds:
            raise ValueError("device_seconds must not exceed batch_seconds, the audio of a whole step")
        return self

    def weights(self) -> list[str]:
        """Return the weight files that the model starts from, speaks or hears with."""
        brought = [self.brought_fusion] if self.brought_fusion else []
        return [self.start, self.vocoder, self.speaker_encoder, *brought]

    @property
    def brought_fusion(self) -> str | None:
        """The model whose fusion this one goes on from; a model without video takes none."""
        return self.fusion if self.sees else None

    def features(self) -> dict[str, str]:
        """Return the study's feature behind every visual condition."""
        return {condition: seen.feature for condition, seen in self.sees.items()}

    def masks(self) -> dict[str, float]:
        """Return the rates of hiding text and visual conditions."""
        return {"text": self.masking.text, **{condition: seen.mask for condition, seen in self.sees.items()}}


class NamedRecipe(Recipe):
    """A recipe and its name: what a training job reads, and what its checkpoints and models carry."""

    recipe: Name

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return self.model_dump(mode="json")
