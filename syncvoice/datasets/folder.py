"""Read any folder of videos with texts: the bring-your-own-data layout.

A video is found anywhere below the folder. Its text comes from the first of these that exists: a row of `clips.csv` or
`clips.tsv` in the folder (columns `media` and `text`; optional `clip`, `speaker`, `sex`, `language`, `source`,
`translation_text`, `split`), a `.txt` beside the video, a GRID `.align` beside it (which also gives word times). The
speaker is the row's, else the name of the folder that holds the video. A video without text is listed too and excluded
later with a sentence.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from syncvoice.datasets.base import SourceClip
from syncvoice.errors import UserError

VIDEO_SUFFIXES = (".mp4", ".mpg", ".mpeg", ".mov", ".mkv", ".webm", ".avi", ".m4v")
GRID_TICKS_PER_SECOND = 25_000  # unit of .align files
GRID_SILENCES = ("sil", "sp")


def read(folder: Path, dataset: str, split: str) -> Iterator[SourceClip]:
    """Yield the videos below `folder` in the order of their relative paths.

    Raises:
        UserError: the table lacks columns, or there is no video at all.
    """
    table = _table(folder)
    media = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    listed = {Path(name) for name in table}
    media = sorted({*media, *listed}, key=lambda path: path.as_posix())
    if not media:
        raise UserError(f"folder {folder} holds no video ({', '.join(VIDEO_SUFFIXES)}); put the clips there")
    for name in media:
        row = table.get(name.as_posix(), {})
        if row.get("split") and row["split"] != split:
            continue
        words = read_align(folder / name.with_suffix(".align"))
        yield SourceClip(
            id=row.get("clip") or "__".join(name.with_suffix("").parts),
            split=split,
            dataset=dataset,
            media=folder / name,
            text=row.get("text") or _text(folder / name.with_suffix(".txt")) or " ".join(word for word, _, _ in words),
            speaker=row.get("speaker") or (name.parts[-2] if len(name.parts) > 1 else folder.name),
            language=row.get("language") or "en",
            sex=row.get("sex") or "",
            source=row.get("source") or dataset,
            translation_text=row.get("translation_text") or "",
            words=words,
        )


def _table(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of clips.csv or clips.tsv by media path; empty without such a file.

    Raises:
        UserError: the columns media or text are missing.
    """
    for name, delimiter in (("clips.csv", ","), ("clips.tsv", "\t")):
        path = folder / name
        if not path.is_file():
            continue
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            if not {"media", "text"} <= set(reader.fieldnames or ()):
                raise UserError(f"{path} has columns {reader.fieldnames}; at least 'media' and 'text' are needed")
            return {Path(row["media"]).as_posix(): row for row in reader}
    return {}


def _text(path: Path) -> str:
    """Return the text of a file in one line, "" if it does not exist."""
    return " ".join(path.read_text(encoding="utf-8").split()) if path.is_file() else ""


def read_align(path: Path) -> tuple[tuple[str, float, float], ...]:
    """Return the words and times of a GRID .align file without its silences, () if it does not exist.

    Raises:
        UserError: a line is not "start end word".
    """
    if not path.is_file():
        return ()
    words = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
            raise UserError(f"{path} line {number} is {line!r}; expected 'start end word' in ticks of 1/25,000 s")
        if parts[2] not in GRID_SILENCES:
            words.append((parts[2], int(parts[0]) / GRID_TICKS_PER_SECOND, int(parts[1]) / GRID_TICKS_PER_SECOND))
    return tuple(words)
