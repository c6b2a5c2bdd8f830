"""Dubbing tasks on disk: which clips are dubbed, with which text, in whose voice. `datasets.tasks` makes them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.files import atomic_path


@dataclass(frozen=True)
class Utterance:
    """One row of a task.

    Attributes:
        utterance: name, the id of the clip.
        clip, split, dataset: the video to dub.
        text, language: what the generated speech says.
        speaker, sex, voice_seen, source: of the clip.
        reference, reference_split, reference_text, reference_language: the recording that gives the voice; all "" when
            the speaker has no other recording (generation then marks the utterance as failed).
        n_frames: length of the video at 25 fps.
    """

    utterance: str
    clip: str
    split: str
    dataset: str
    text: str
    language: str
    speaker: str
    sex: str
    voice_seen: str
    source: str
    reference: str
    reference_split: str
    reference_text: str
    reference_language: str
    n_frames: int


def write_task(path: Path | str, utterances: Sequence[Utterance]) -> None:
    """Write a task as CSV, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Utterance)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, utterances))
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_task(path: Path | str) -> list[Utterance]:
    """Read a task.

    Raises:
        UserError: the file is missing, lists an utterance twice or has other columns.
    """
    try:
        rows = read_rows(path, [field.name for field in fields(Utterance)])
        return [Utterance(**{**row, "n_frames": int(row["n_frames"])}) for row in rows]  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is no task of this version ({error}); run 'syncvoice tasks' again") from error


def read_rows(path: Path | str, needed: Sequence[str]) -> list[dict[str, str]]:
    """Read the rows of a task as text; a task that somebody else wrote may have more columns or fewer.

    Args:
        path: the file.
        needed: columns that it must have.

    Raises:
        UserError: the file is missing or empty, lacks a column or lists an utterance twice.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            found, rows = reader.fieldnames or (), list(reader)
    except FileNotFoundError as error:
        raise UserError(f"task {path} does not exist; run 'syncvoice tasks' (rule tasks) first") from error
    if missing := [name for name in needed if name not in found]:
        raise UserError(f"{path} is no task: it lacks the columns {', '.join(missing)}; run 'syncvoice tasks' again")
    if not rows:
        raise UserError(
            f"{path} lists no utterance; a task has at least one: delete it and run 'syncvoice tasks' again"
        )
    names = [row["utterance"] for row in rows]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path}: utterance {twice} stands there twice; each utterance may appear once")
    return rows
