"""Settings of the embedded corpus: what a split holds, and what the jobs that make it read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from syncvoice.datasets.base import SplitContent
from syncvoice.errors import UserError
from syncvoice.minidub.phrases import PHRASE_LANGUAGES
from syncvoice.section import Name, Probability, Section

Language = Annotated[str, Field(pattern=f"^({'|'.join(PHRASE_LANGUAGES)})$")]


class SplitSettings(SplitContent):
    """What a split holds: clips of its own, or those of another split (`of`) filmed once more.

    Attributes:
        clips: number of clips per language, or
        clips_per_voice: the same for every voice (then `clips` stays empty).
        media: "video" (mp4) or "audio" (wav).
        grid_share: share of the English sentences that follow the GRID grammar, the rest is the phrase bank.
        voices: train | validation | unseen | both (train and unseen, clips alternate) | pretrain (all but unseen).
        sentences: train | validation | test; the last two are unseen by every shipped weight.
        prosody_coupling: how far head, brows and lids follow the voice, one number or (low, high) to draw from.
        translate_to: language of the translation that each clip of another language gets.
        of: split of the same data set whose clips are filmed once more; all but `moment` is as there.
        moment: how much later than the middle of its frame every picture is taken, in frames. Films at -0.25 and 0.25
            are together one of twice the rate.
    """

    clips: dict[Language, int] = {}
    clips_per_voice: dict[Language, int] = {}
    media: Literal["video", "audio"] = "video"
    grid_share: Probability = 0.5
    voices: Literal["train", "validation", "unseen", "both", "pretrain"] = "train"
    sentences: Literal["train", "validation", "test"] = "train"
    prosody_coupling: float | tuple[float, float] = 1.0
    translate_to: Language | None = None
    of: Name | None = None
    moment: float = Field(default=0.0, ge=-0.5, le=0.5)

    @property
    def taken_from(self) -> str | None:
        """Split whose clips these are; None: clips of its own."""
        return self.of

    @property
    def has_video(self) -> bool:
        """Whether the clips have a picture."""
        return self.media == "video"

    @model_validator(mode="after")
    def _one_way_of_counting(self) -> "SplitSettings":
        """Clips are counted in all or per voice, or are those of another split."""
        if self.of is not None:
            defaults = {name: field.default for name, field in type(self).model_fields.items()}
            if more := sorted(name for name in {*defaults} - {"of", "moment"} if getattr(self, name) != defaults[name]):
                raise ValueError(f"of takes {', '.join(more)} from split {self.of}; name only moment beside it")
            return self
        if bool(self.clips) == bool(self.clips_per_voice):
            raise ValueError("name clips, clips_per_voice or of, one of the three")
        return self


class CorpusSettings(Section):
    """What all splits share.

    Attributes:
        engine: who speaks (`syncvoice.minidub.engine`).
        arithmetic: of kokoro's network: int8 as published, or bf16, faster where the processor multiplies it fast; the
            sounds differ. For large corpora; needs the packages of requirements-pool.lock.
        recordings: folder with a recording of every split (`syncvoice.minidub.spoken`), None lets the engine speak.
        seed: of every draw.
        image_size: of pictures, pixels.
    """

    engine: Literal["espeak", "kokoro"] = "espeak"
    arithmetic: Literal["int8", "bf16"] = "int8"
    recordings: str | None = None
    seed: int = Field(default=1, ge=0)
    image_size: int = Field(default=288, ge=64)

    @model_validator(mode="after")
    def _only_a_network_computes(self) -> "CorpusSettings":
        """Refuse an arithmetic that would mean nothing."""
        if self.arithmetic != "int8" and self.engine != "kokoro":
            raise ValueError(f"arithmetic {self.arithmetic} is of engine kokoro; {self.engine} has none to choose")
        return self


class CorpusJob(CorpusSettings):
    """One data set to make; `shards` gives the number of parts of each split (1 where it says none).

    A split that is filmed once more needs the one whose clips it takes beside it.
    """

    dataset: Name = "minidub"
    splits: dict[Name, SplitSettings]
    shards: dict[Name, int] = {}

    def split(self, name: str) -> SplitSettings:
        """Return the settings of a split.

        Raises:
            UserError: there is none of this name.
        """
        if name not in self.splits:
            raise UserError(f"the corpus settings have no split {name!r}, only {', '.join(self.splits) or 'none'}")
        return self.splits[name]


def recording_path(folder: Path | str, split: str) -> Path:
    """Return the file of a recorded split."""
    return Path(folder) / f"{split}.zip"
