"""What a dataset tells about its clips, and the table of known dataset layouts."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError

Interval = tuple[str, float, float]  # symbol, start in seconds, end in seconds


@dataclass(frozen=True)
class SourceClip:
    """One recording as found in a dataset, before it is decoded.

    Attributes:
        id: name, unique in the dataset.
        media: video file, or sound file when `has_video` is False.
        speaker, sex, voice_seen, language, source, text, translation_text: "" if unknown.
        phones, words: known times (symbol, start_s, end_s), empty if unknown.
    """

    id: str
    split: str
    dataset: str
    media: Path
    text: str
    speaker: str
    language: str = "en"
    sex: str = ""
    voice_seen: str = ""
    source: str = ""
    translation_text: str = ""
    phones: tuple[Interval, ...] = ()
    words: tuple[Interval, ...] = ()
    has_video: bool = True


@dataclass(frozen=True)
class Selection:
    """Which clips of a folder form a split (settings of the split in a study).

    Attributes:
        speakers: only these speakers; None takes all.
        share: only clips whose id falls into this part of [0, 1), by crc32: [0, 0.9] and [0.9, 1] are disjoint.
        clips: at most this many, those with the smallest crc32; None takes all.
        language: set as the language of every clip, "" keeps what the folder says.
    """

    speakers: tuple[str, ...] | None = None
    share: tuple[float, float] = (0.0, 1.0)
    clips: int | None = None
    language: str = ""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the settings."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Selection":
        """Return the selection of JSON values.

        Raises:
            UserError: share is no rising pair within [0, 1].
        """
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        selection = cls(**values)
        if len(selection.share) != 2 or not 0 <= selection.share[0] < selection.share[1] <= 1:
            raise UserError(f"share is {list(selection.share)}; expected [from, to] with 0 <= from < to <= 1")
        return selection

    def pick(self, clips: list[SourceClip]) -> list[SourceClip]:
        """Return the selected clips in their order."""
        low, high = self.share
        kept = [clip for clip in clips if self.speakers is None or clip.speaker in self.speakers]
        kept = [clip for clip in kept if low <= zlib.crc32(clip.id.encode()) / 2**32 < high]
        if self.clips is not None:
            chosen = {clip.id for clip in sorted(kept, key=lambda clip: zlib.crc32(clip.id.encode()))[: self.clips]}
            kept = [clip for clip in kept if clip.id in chosen]
        return [replace(clip, language=self.language) for clip in kept] if self.language else kept


Reader = Callable[[Path, str, str], Iterator[SourceClip]]


def read_dataset(layout: str, folder: Path, split: str, dataset: str = "") -> list[SourceClip]:
    """List the clips of one split.

    Args:
        layout: name of a dataset layout: "minidub", "grid", or "folder" for any folder of videos and texts.
        folder: where the clips lie.
        split: name of the split.
        dataset: name of the dataset, the layout's if "".

    Raises:
        UserError: unknown layout, missing folder, malformed tables, or an id that cannot name a file.
    """
    readers = _readers()
    if layout not in readers:
        raise UserError(f"dataset layout '{layout}' is unknown; choose one of {', '.join(readers)}")
    if not folder.is_dir():
        raise UserError(f"folder {folder} of dataset '{layout}' does not exist; make or download the data first")
    clips = list(readers[layout](folder, dataset or layout, split))
    for clip in clips:
        check_id(clip.id)
    return clips


def check_id(clip: str) -> None:
    """Refuse ids that cannot be a file name and an HDF5 group at once.

    Raises:
        UserError: the id is empty, starts with a dot, or holds a slash, a control character or a line break.
    """
    if not clip or clip.startswith(".") or "/" in clip or not clip.isprintable():
        raise UserError(
            f"clip id {clip!r} cannot be used as a file name; use letters, digits, spaces, '-', '_' and no '/', and do "
            "not start with '.'"
        )


def in_shard(clip: str, shard: int, shards: int) -> bool:
    """Tell whether a clip belongs to shard number `shard` of `shards` (crc32 of its id, the same everywhere)."""
    return zlib.crc32(clip.encode()) % shards == shard


def _readers() -> dict[str, Reader]:
    """Return layouts by name."""
    from syncvoice.datasets import folder, grid, minidub

    return {"minidub": minidub.read, "folder": folder.read, "grid": grid.read}
