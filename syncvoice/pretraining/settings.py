"""Settings of the runs that make start weights (config/pretrain/NAME.yaml): one section per network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.minidub.settings import CorpusJob
from syncvoice.section import Probability, S, Section, validated

Optimiser = Literal["adamw", "muon"]  # muon: for hidden matrices; adamw for all the rest


class RunSettings(Section):
    """What every run has: seed, threads, steps, highest learning rate, minutes between saves, sizes of the network."""

    seed: int = Field(ge=0)
    threads: int = Field(default=1, ge=1)
    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    save_minutes: float = Field(default=3.0, gt=0)
    config: dict[str, Any]  # checked by the network's own class


class SpeechSource(Section):
    """Speech to learn on.

    Attributes:
        seed: of the sentences that a run checks itself on.
        pool: file of espeak voices, built when absent, or folder of natural speech (`syncvoice speak-pool`).
        pool_size, pool_seed: of a file that has to be built.
        pool_hours: to use no more of a folder.
        more_pools: further folders of natural speech, those of other languages for instance.
        espeak_pool: file of espeak voices to learn on beside a folder of natural speech, built when absent.
        recordings: recorded splits of MiniDub (zip files) to learn on beside a folder of natural speech.
        manifests: prepared clips instead of a pool, by part.
    """

    seed: int = Field(ge=0)
    pool: str | None = None
    pool_size: int = Field(default=9_000, ge=1)
    pool_seed: int = Field(default=2, ge=0)
    pool_hours: float | None = Field(default=None, gt=0)
    more_pools: list[str] = []
    espeak_pool: str | None = None
    recordings: list[str] = []
    manifests: dict[Literal["train", "check"], list[str]] | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> "SpeechSource":
        """A run learns on a pool or on clips."""
        if (self.pool is None) == (self.manifests is None):
            raise ValueError("name a pool, or manifests of prepared clips")
        return self

    @property
    def place(self) -> Path:
        """Where the pool lies.

        Raises:
            UserError: the run learns on prepared clips.
        """
        if self.pool is None:
            raise UserError("this run learns on prepared clips, so it has no pool; name `pool` in its settings")
        return Path(self.pool)


class VocoderRun(RunSettings, SpeechSource):
    """Small vocoder of the public kind."""

    batch_size: int = Field(ge=1)
    crop_frames: int = Field(ge=1)
    mel_noise: float = Field(default=0.0, ge=0)  # largest deviation of noise on the input mel, natural-log units
    optimiser: Optimiser = "adamw"
    check_per_voice: int = Field(default=4, ge=1)  # test sentences per unseen voice and kind


class SpeakerEncoderRun(RunSettings, SpeechSource):
    """Small CAM++."""

    batch_size: int = Field(ge=1)
    crop_frames: tuple[int, int]  # 10 ms frames, drawn per batch
    noise: float = Field(ge=0)  # largest deviation of noise on the filter bank, natural-log units
    check_per_voice: int = Field(default=6, ge=1)


class RecogniserRun(RunSettings, SpeechSource):
    """CTC and phone recogniser."""

    batch_size: int = Field(ge=1)
    vocoder: str = "weights/vocoder.safetensors"
    vocoder_share: Probability = 0.0  # of sounds that are copied through the vocoder
    check_per_voice: int = Field(default=8, ge=1)


class BackboneRun(RunSettings, SpeechSource):
    """Small ZipVoice with Dual Speaker Encoder; config/pretrain/backbone.yaml says what each share is of."""

    speaker_encoder: str | None = None  # frozen; without it the pretrained branch sees zeros
    batch_frames: int = Field(ge=1)
    optimiser: Optimiser = "adamw"
    gradient_clip: float = Field(gt=0)
    average_decay: Probability
    precision: Literal["fp32", "bf16"]
    references_per_voice: int = Field(ge=1)
    drop_context: Probability
    drop_speaker: Probability
    one_speaker_branch: Probability
    average_expansion: Probability
    masking: dict[str, Probability]
    hint_noise: float = Field(ge=0)
    phone_stack: int = Field(ge=0)
    phone_weight: float = Field(ge=0)


class SyncNetRun(RunSettings):
    """Small SyncNet, on a corpus that is made when absent, or on prepared clips."""

    work: str | None = None
    corpus: CorpusJob | None = None
    manifests: dict[Literal["train", "check"], list[str]] | None = None
    weight_decay: float = Field(ge=0)
    batch_clips: int = Field(ge=2)
    batch_windows: int = Field(ge=1)
    bf16: bool

    def made(self) -> tuple[CorpusJob, Path]:
        """Return the corpus to make and the folder that it goes to.

        Raises:
            UserError: the run learns on prepared clips.
        """
        if self.corpus is None or self.work is None:
            raise UserError("this run learns on prepared clips; name `work` and `corpus` in its settings")
        return self.corpus, Path(self.work)

    @model_validator(mode="after")
    def _has_clips(self) -> "SyncNetRun":
        """A run learns on a corpus in a folder, or on clips."""
        made = self.work is not None and self.corpus is not None
        if made == (self.manifests is not None):
            raise ValueError("name work and corpus, or manifests of prepared clips")
        return self


def settings_of(section: type[S], values: Mapping[str, Any], name: str) -> S:
    """Return the settings of a run.

    Raises:
        UserError: a key is missing, unknown or wrong; names config/pretrain/NAME.yaml.
    """
    return validated(section, values, f"config/pretrain/{name}.yaml")
