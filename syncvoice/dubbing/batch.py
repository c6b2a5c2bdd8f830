"""Many clips, one engine: a table of clips in, one dubbed MP4 for each out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.run import Dubber
from syncvoice.errors import UserError
from syncvoice.section import nearest
from syncvoice.text_files import read_table

COLUMNS = ("video", "text", "subtitles", "voice", "voice_text", "language", "out")
FILES = ("video", "subtitles", "voice")


@dataclass(frozen=True)
class BatchRow:
    """One clip of a table: its row (the header is row 1), its own options, and the MP4 to write."""

    row: int
    options: dict[str, Any]
    out: Path


def read_batch(path: Path, folder: Path) -> list[BatchRow]:
    """Read a table of clips.

    Args:
        path: CSV with a column `video` and any others of COLUMNS; files are relative to the table, empty fields take
            the common option.
        folder: for the videos; `out`, or else the video's name, becomes the name of the MP4.

    Raises:
        UserError: the table cannot be read, a column is unknown, or two clips would be written to one file.
    """
    found: list[BatchRow] = []
    for row in read_table(path, [("video",)], "table of clips"):
        unknown = [name for name in row.values if name not in COLUMNS]
        if unknown:
            raise UserError(f"{path} has column {unknown[0]!r}; {nearest(unknown[0], COLUMNS)}")
        given = {name: value for name, value in row.values.items() if value}
        if "video" not in given:
            raise UserError(f"{path} row {row.number}: column video is empty; every row needs a clip")
        name = given.pop("out", f"{Path(given['video']).stem}.mp4")
        options = {key: path.parent / value if key in FILES else value for key, value in given.items()}
        found.append(BatchRow(row.number, options, folder / name))
    names = [one.out for one in found]
    twice = next((one for one in found if names.count(one.out) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: several rows would be written to {twice.out}; give them names in a column 'out'")
    return found


def dub_batch(dubber: Dubber, rows: list[BatchRow], **common: Any) -> Iterator[tuple[BatchRow, Dubbed | UserError]]:
    """Dub clip after clip; a clip that cannot be dubbed gives its error, and the next one follows.

    Args:
        dubber: the engine.
        rows: the clips.
        common: options of `Dubber.dub` for all clips that name none themselves.
    """
    for row in rows:
        options = {**common, **row.options}
        if "subtitles" in row.options:
            options["text"] = None
        try:
            yield row, dubber.dub(out=row.out, **options)
        except UserError as error:
            yield row, error
