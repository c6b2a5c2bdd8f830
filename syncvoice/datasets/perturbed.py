"""A split that holds clips of another one, made worse on purpose (`video.perturb`): same ids, texts and times."""

import csv
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import Field

from syncvoice.datasets.base import SplitContent, in_shard
from syncvoice.datasets.minidub import COLUMNS
from syncvoice.datasets.tasks import some_of
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.records.clips import Clip
from syncvoice.section import Name, Section
from syncvoice.video.perturb import Perturbation, delayed, perturbed

log = logging.getLogger(__name__)


class PerturbedClips(SplitContent):
    """What a split of perturbed clips holds.

    Attributes:
        of: split of the same data set whose clips are taken.
        perturb: what is done to them.
        clips: at most this many, the same that a task of `of` keeps with its `clips`; None takes all.
    """

    of: Name
    perturb: Perturbation
    clips: int | None = Field(default=None, ge=1)

    @property
    def taken_from(self) -> str:
        """Split whose clips these are."""
        return self.of


class PerturbJob(Section):
    """A split to make; `seed` is the study's, which decides the clips that tasks keep."""

    content: PerturbedClips
    split: Name
    shards: int = Field(default=1, ge=1)
    seed: int = Field(ge=0)


def make_perturbed(clips: Sequence[Clip], job: PerturbJob, shard: int, out: Path) -> int:
    """Write a shard of perturbed clips, laid out as one of the embedded corpus (clips.csv, phones.jsonl, clips/).

    Args:
        clips: prepared clips of the split `of`; their landmarks say where the faces are.
        job: which of them, and what is done.
        shard: which of the job's shards.
        out: its folder.

    Returns:
        number of clips.

    Raises:
        UserError: a clip has no video, or its file changed after it was prepared.
    """
    (out / "clips").mkdir(parents=True, exist_ok=True)
    chosen = some_of(clips, job.seed, job.content.clips)
    mine = sorted((clip for clip in chosen if in_shard(clip.id, shard, job.shards)), key=lambda clip: clip.id)
    for clip in mine:
        write_perturbed(clip, job.content.perturb, out / media_of(clip))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(clip, job.split) for clip in mine)
    with atomic_path(out / "clips.csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    times = [{"clip": clip.id, "phones": clip.phones, "words": clip.words} for clip in mine]
    with atomic_path(out / "phones.jsonl") as temporary:
        lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in times]
        temporary.write_text("".join(lines), encoding="utf-8")
    return len(mine)


def media_of(clip: Clip) -> str:
    """Return where a shard keeps a perturbed clip."""
    return f"clips/{clip.id}.mkv"


def write_perturbed(clip: Clip, how: Perturbation, path: Path) -> None:
    """Write one clip, made worse, with its sound.

    Raises:
        UserError: see `make_perturbed`.
    """
    from syncvoice.clocks import SAMPLE_RATE
    from syncvoice.records.sound import sound_of
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.mux import write_clip
    from syncvoice.video.store import TrackReader

    if clip.video is None or clip.track is None:
        raise UserError(f"clip '{clip.id}' has no video, so none can be perturbed; name a split with videos in `of`")
    frames = np.stack(list(FrameSource(clip.video)))
    with TrackReader(clip.track) as reader:
        landmarks = reader.landmarks(clip.id)
    try:
        shown = perturbed(frames, landmarks, clip.id, how)
    except ValueError as error:
        raise UserError(f"{clip.video}: {error}; it was changed, prepare its split again") from error
    write_clip(path, shown, delayed(sound_of(clip, SAMPLE_RATE), how), quality=how.quality)


def _row(clip: Clip, split: str) -> dict[str, object]:
    """Return a clip's line of clips.csv; of a translation it says nothing."""
    known = {name: value for name, value in asdict(clip).items() if name in COLUMNS}
    return {**known, "clip": clip.id, "split": split, "media": media_of(clip), "translation_text": ""}
