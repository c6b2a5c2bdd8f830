"""A recipe is a trained model: everything that decides its weights, and nothing else."""

from typing import Literal

from pydantic import Field, model_validator

from syncvoice.config.base import Name, Probability, Section

Visual = Literal["lip", "face"]
SpeakerBranch = Literal["pretrained", "learnable"]


class Masking(Section):
    """Probabilities of hiding a condition from the model in training, independent per clip (our choice)."""

    text: Probability  # the whole fused text-visual condition z_tv
    lip: Probability
    face: Probability
    context: Probability  # the context speech; never together with `speaker`
    speaker: Probability  # the speaker embedding

    @model_validator(mode="after")
    def _voices_exclude_each_other(self) -> "Masking":
        """Context speech and speaker embedding are never hidden together, so their chances must fit in one draw."""
        if self.context + self.speaker > 1.0:
            raise ValueError("context + speaker must not exceed 1: they are never hidden together")
        return self


class Recipe(Section):
    """Resolved settings of one training run (paper section 3; what the paper leaves open is our choice)."""

    start: str  # weights of the backbone before fine-tuning
    vocoder: str  # weights
    speaker_encoder: str  # weights of the pretrained speaker branch
    visual: list[Visual]  # features that the text-visual fusion sees
    speaker_branches: list[SpeakerBranch]  # branches of the dual speaker encoder; [] trains no speaker embedding
    dataset: Name
    split: Name
    share: float = Field(gt=0.0, le=1.0)  # part of the training clips, chosen by hash of the clip id
    steps: int = Field(ge=0)
    batch_seconds: float = Field(gt=0)  # seconds of audio per step, all devices together
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    gradient_clip: float = Field(gt=0)
    average_from: Probability  # part of the steps after which weights are averaged; 1 = no averaging
    masking: Masking
    adapter_dim: int = Field(gt=0)  # width of the bottleneck adapters of lip and face
    padding: Literal["invariant", "reference"]
    precision: Literal["auto", "fp32", "bf16"]  # auto: bf16 where the hardware is fast at it
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    log_every: int = Field(ge=1)  # steps
    checkpoint_every: int = Field(ge=1)  # steps
    made_by: Name  # rule that makes the model; another than `train` stands in workflow/rules/ablations/
