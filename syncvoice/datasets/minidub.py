"""Read a shard of the embedded corpus: clips.csv, phones.jsonl and the media files."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from syncvoice.datasets.base import SourceClip
from syncvoice.errors import UserError

COLUMNS = (
    "clip",
    "split",
    "dataset",
    "speaker",
    "sex",
    "voice_seen",
    "language",
    "source",
    "text",
    "media",
    "n_frames",
    "translation_text",
)


def read(folder: Path, dataset: str, split: str, within: tuple[str, ...] = ()) -> Iterator[SourceClip]:
    """Yield the clips of `clips.csv` that belong to `split`; a shard has no parts, `within` does nothing.

    Raises:
        UserError: a table is missing or lacks columns.
    """
    times = _phone_times(folder / "phones.jsonl")
    for row in _rows(folder / "clips.csv"):
        if row["split"] != split:
            continue
        known = times.get(row["clip"], {})
        media = folder / row["media"]
        yield SourceClip(
            id=row["clip"],
            split=split,
            dataset=row["dataset"] or dataset,
            media=media,
            text=row["text"],
            speaker=row["speaker"],
            language=row["language"],
            sex=row["sex"],
            voice_seen=row["voice_seen"],
            source=row["source"],
            translation_text=row["translation_text"] or "",
            translation_media=folder / row["translation_media"] if row.get("translation_media") else None,
            phones=_intervals(known.get("phones", ())),
            words=_intervals(known.get("words", ())),
            has_video=media.suffix.lower() != ".wav",
        )


def _rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of clips.csv.

    Raises:
        UserError: missing file or columns.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; run 'syncvoice corpus' for this split first")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise UserError(f"{path} lacks the columns {', '.join(missing)}; run 'syncvoice corpus' again")
        return list(reader)


def _phone_times(path: Path) -> dict[str, dict[str, Any]]:
    """Return the known times by clip; none if the file does not exist."""
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8") as file:
        return {entry["clip"]: entry for entry in map(json.loads, file)}


def _intervals(items: Any) -> tuple[tuple[str, float, float], ...]:
    """Return [[symbol, start, end], ...] as tuples."""
    return tuple((str(symbol), float(start), float(end)) for symbol, start, end in items)
