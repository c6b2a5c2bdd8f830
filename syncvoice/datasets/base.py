"""What a dataset tells about its clips, and the table of known dataset layouts."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.section import Section

MAX_ID_BYTES = 200  # file systems take 255, of which endings and temporary names need some
Interval = tuple[str, float, float]  # symbol, start in seconds, end in seconds


@dataclass(frozen=True)
class SourceClip:
    """One recording as found in a dataset, before it is decoded.

    Attributes:
        id: name, unique in the dataset.
        media: video file, or sound file when `has_video` is False.
        reference: id of the recording that shall give the voice, "" for any other one of the speaker.
        speaker, sex, voice_seen, language, source, text, translation_text: "" if unknown.
        translation_media: sound file of the same voice saying `translation_text` in the length of the clip, if any.
        phones, words: known times (symbol, start_s, end_s), empty if unknown.
        cues: texts of subtitles with their times, empty without.
        problem: why its text cannot be read, "" if it can.
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
    translation_media: Path | None = None
    phones: tuple[Interval, ...] = ()
    words: tuple[Interval, ...] = ()
    has_video: bool = True
    reference: str = ""
    cues: tuple[Interval, ...] = ()
    problem: str = ""


class SplitContent(Section):
    """What a split holds; every kind of data set has its own keys."""

    @property
    def has_video(self) -> bool:
        """Whether the clips have a picture."""
        return True

    @property
    def taken_from(self) -> str | None:
        """Split whose clips these are, with another picture; None: clips of its own."""
        return None


class Selection(SplitContent):
    """Which clips of a folder form a split (settings of the split in a study).

    Attributes:
        within: only clips below these sub-folders; () takes all.
        speakers: only these speakers; None takes all.
        listed: file with one clip id per line; only these, and each must be there; "" takes all.
        ranks: [from, to]: order each speaker's clips by crc32 of their ids and take these places; to = None takes the
            rest. [0, 100] and [100, None] are disjoint, whatever else the folder holds.
        share: only clips whose id falls into this part of [0, 1), by crc32: [0, 0.9] and [0.9, 1] are disjoint.
        clips: at most this many, those with the smallest crc32; None takes all.
        language: set as the language of every clip, "" keeps what the folder says.
    """

    within: tuple[str, ...] = ()
    speakers: tuple[str, ...] | None = None
    listed: str = ""
    ranks: tuple[int, int | None] = (0, None)
    share: tuple[float, float] = (0.0, 1.0)
    clips: int | None = Field(default=None, ge=1)
    language: str = ""

    @model_validator(mode="after")
    def _ranges_rise(self) -> "Selection":
        """A range that holds nothing is a mistake."""
        if not 0 <= self.share[0] < self.share[1] <= 1:
            raise ValueError(f"share is {list(self.share)}; expected [from, to] with 0 <= from < to <= 1")
        if not 0 <= self.ranks[0] < (self.ranks[1] or float("inf")):
            raise ValueError(f"ranks is {list(self.ranks)}; expected [from, to] with 0 <= from < to, or to = null")
        return self

    def pick(self, clips: Sequence[SourceClip]) -> list[SourceClip]:
        """Return the selected clips in their order.

        Raises:
            UserError: a clip of the list is not there.
        """
        low, high = self.share
        kept = [clip for clip in clips if self.speakers is None or clip.speaker in self.speakers]
        if self.listed:
            kept = _listed(kept, Path(self.listed))
        kept = _ranked(kept, *self.ranks)
        kept = [clip for clip in kept if low <= zlib.crc32(clip.id.encode()) / 2**32 < high]
        if self.clips is not None:
            chosen = {clip.id for clip in sorted(kept, key=lambda clip: zlib.crc32(clip.id.encode()))[: self.clips]}
            kept = [clip for clip in kept if clip.id in chosen]
        return [replace(clip, language=self.language) for clip in kept] if self.language else kept


def _ranked(clips: list[SourceClip], first: int, last: int | None) -> list[SourceClip]:
    """Keep places [first, last) of each speaker's clips in the order of crc32 of their ids."""
    if (first, last) == (0, None):
        return clips
    of_speaker: dict[str, list[str]] = {}
    for clip in clips:
        of_speaker.setdefault(clip.speaker, []).append(clip.id)
    kept: set[str] = set()
    for ids in of_speaker.values():
        kept |= set(sorted(ids, key=lambda clip: (zlib.crc32(clip.encode()), clip))[first:last])
    return [clip for clip in clips if clip.id in kept]


def _listed(clips: list[SourceClip], path: Path) -> list[SourceClip]:
    """Keep the clips of a list.

    Raises:
        UserError: the list is missing, or names clips that are not there.
    """
    from syncvoice.datasets.lists import read_list

    wanted = set(read_list(path))
    missing = sorted(wanted - {clip.id for clip in clips})
    if missing:
        raise UserError(
            f"{path} names {len(missing)} clips that the folder lacks, the first is {missing[0]!r}; complete "
            "the folder or correct the list"
        )
    return [clip for clip in clips if clip.id in wanted]


Reader = Callable[[Path, str, str, tuple[str, ...]], Iterator[SourceClip]]


def read_dataset(
    layout: str, folder: Path, split: str, dataset: str = "", within: tuple[str, ...] = ()
) -> list[SourceClip]:
    """List the clips of one split.

    Args:
        layout: name of a dataset layout: "minidub", "grid", "lrs3", or "folder" for any folder of videos and texts.
        folder: where the clips lie.
        split: name of the split.
        dataset: name of the dataset, the layout's if "".
        within: only what lies below these sub-folders; () takes all.

    Raises:
        UserError: unknown layout, missing folder or sub-folder, malformed tables, or an id that cannot name a file.
    """
    readers = _readers()
    if layout not in readers:
        raise UserError(f"dataset layout '{layout}' is unknown; choose one of {', '.join(readers)}")
    if not folder.is_dir():
        raise UserError(f"folder {folder} of dataset '{layout}' does not exist; make or download the data first")
    for part in within:
        if not (folder / part).is_dir():
            raise UserError(
                f"folder {folder} of dataset '{layout}' has no folder '{part}'; see its card in config/datasets"
            )
    clips = list(readers[layout](folder, dataset or layout, split, within))
    for clip in clips:
        check_id(clip.id)
    return clips


def check_id(clip: str) -> None:
    """Refuse ids that cannot be a file name and an HDF5 group at once.

    Raises:
        UserError: the id is empty or long, starts with a dot, or holds a slash, a control character or a line break.
    """
    if not clip or clip.startswith(".") or "/" in clip or not clip.isprintable() or len(clip.encode()) > MAX_ID_BYTES:
        raise UserError(
            f"clip id {clip!r} cannot be used as a file name; use letters, digits, spaces, '-', '_' and no '/', do not "
            f"start with '.' and stay within {MAX_ID_BYTES} bytes"
        )


def safe_id(name: str) -> str:
    """Return a name as an id: what no file name should hold becomes "_", a long one is cut and gets a checksum."""
    safe = "".join(letter if letter.isprintable() and letter != "/" else "_" for letter in name)
    safe = f"_{safe[1:]}" if safe.startswith(".") else safe
    if len(safe.encode()) > MAX_ID_BYTES:
        checksum = zlib.crc32(name.encode(errors="surrogateescape"))
        safe = f"{safe.encode()[: MAX_ID_BYTES - 9].decode(errors='ignore')}_{checksum:08x}"
    return safe


def in_shard(clip: str, shard: int, shards: int) -> bool:
    """Tell whether a clip belongs to shard number `shard` of `shards` (crc32 of its id, the same everywhere)."""
    return zlib.crc32(clip.encode()) % shards == shard


def _readers() -> dict[str, Reader]:
    """Return layouts by name."""
    from syncvoice.datasets import folder, grid, lrs3, minidub

    return {"minidub": minidub.read, "folder": folder.read, "grid": grid.read, "lrs3": lrs3.read}
