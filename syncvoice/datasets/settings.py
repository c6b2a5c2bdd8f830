"""What a study says about a data set: its kind, where it lies, and which clips its splits hold."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, model_validator

from syncvoice.datasets.base import Selection, SplitContent
from syncvoice.datasets.perturbed import PerturbedClips
from syncvoice.section import Name, Section, validated
from syncvoice.video.prepare import PrepareSettings


class Split(Section):
    """A split of a data set: number of jobs, and which clips it holds.

    `settings` are those of the data set's kind: for the embedded corpus what is made, for local folders which clips
    belong to the split.
    """

    shards: int = Field(ge=1)
    settings: SerializeAsAny[SplitContent] = Selection()

    @property
    def perturbed(self) -> PerturbedClips | None:
        """Which clips of another split it holds, made worse on purpose; None for recordings of its own."""
        return self.settings if isinstance(self.settings, PerturbedClips) else None

    @property
    def selection(self) -> Selection:
        """Which clips of a local folder form the split; all, for a corpus that is made."""
        return self.settings if isinstance(self.settings, Selection) else Selection()


class Dataset(Section):
    """Where clips come from: `minidub` is made by the workflow, other layouts are read from `path`.

    `--config NAME_root=FOLDER` on the command line sets the path of data set NAME. With `fetch`, the workflow downloads
    what is not there to resources/datasets/NAME, unless the path is another one.
    """

    kind: Literal["minidub", "folder", "grid", "lrs3"]
    path: str | None = None
    fetch: bool = False
    settings: SerializeAsAny[Section] | None = None
    splits: dict[Name, Split]

    @model_validator(mode="after")
    def _path_fits_kind(self) -> "Dataset":
        """A corpus that is made has no path, one that is read needs it."""
        if self.is_embedded != (self.path is None):
            raise ValueError("kind minidub takes no path, other kinds need one")
        return self

    @property
    def is_embedded(self) -> bool:
        """Whether the workflow makes the data set itself."""
        return self.kind == "minidub"


class PrepareJob(Section):
    """Limits of files and faces, and which clips of a folder belong to the split."""

    limits: PrepareSettings = PrepareSettings()
    selection: Selection = Selection()


def with_typed_splits(dataset: Mapping[str, Any], content: type[SplitContent], source: str) -> dict[str, Any]:
    """Return plain values of a data set, the settings of its splits checked by the class of its kind.

    Args:
        dataset: values of a `Dataset`.
        content: class of the splits' settings; those that say `perturb` are `PerturbedClips` in any data set.
        source: file and key, for messages.

    Raises:
        UserError: a split's settings are wrong.
    """
    splits = dict(dataset.get("splits") or {})
    for name, split in splits.items():
        if isinstance(split, Mapping) and isinstance(settings := split.get("settings"), Mapping):
            kind = PerturbedClips if "perturb" in settings else content
            splits[name] = {**split, "settings": validated(kind, settings, f"{source}.splits.{name}.settings")}
    return {**dataset, "splits": splits}
