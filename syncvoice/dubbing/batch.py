"""Many clips, one engine: a table of clips in, one dubbed MP4 for each out."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.run import Dubber
from syncvoice.dubbing.voices import parse_voices
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.section import nearest
from syncvoice.text_files import read_table

COLUMNS = ("video", "text", "subtitles", "voice", "voice_text", "speaker", "language", "out")
FILES = ("video", "subtitles")
REPORT = "report.csv"


@dataclass(frozen=True)
class BatchRow:
    """One clip of a table: its row (the header is row 1), its own options, and the MP4 to write."""

    row: int
    options: dict[str, Any]
    out: Path

    def merged(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of this clip, common ones where it names none itself.

        A session is a folder per clip; a column `speaker` says who speaks with one of the common voices.
        """
        options = {**common, **{name: value for name, value in self.options.items() if name != "speaker"}}
        if "subtitles" in self.options:
            options["text"] = None
        if "text" in self.options:
            options["subtitles"] = None
        wishes = options.get("wishes")
        if wishes is not None:
            session = wishes.session and wishes.session / self.out.stem
            speaker = self.options.get("speaker", wishes.speaker)
            options["wishes"] = replace(wishes, session=session, speaker=speaker)
        return options


@dataclass
class Report:
    """A table of what became of every row, written anew after each."""

    path: Path
    rows: list[dict[str, object]] = field(default_factory=list)

    @property
    def failed(self) -> list[int]:
        """Rows of the table that could not be used."""
        return [int(str(row["row"])) for row in self.rows if row["status"] == "failed"]

    def add(self, row: "BatchRow", result: Dubbed | UserError, problem: str) -> None:
        """Add a row; `problem` is "" for one that is done."""
        made = result if isinstance(result, Dubbed) else None
        self.rows.append(
            {
                "row": row.row, "video": row.options["video"], "out": row.out if made is not None else "",
                "status": "failed" if problem else "ok", "seconds": f"{made.seconds:.2f}" if made is not None else "",
                "warnings": " | ".join(made.warnings) if made is not None else "", "message": problem,
            }
        )  # fmt: skip
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        with atomic_path(self.path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")

    def told(self) -> str:
        """Return a sentence for people."""
        done = len(self.rows) - len(self.failed)
        return f"{done} of {len(self.rows)} clips dubbed; {self.path} says what became of every row"


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
        options: dict[str, Any] = {key: path.parent / value if key in FILES else value for key, value in given.items()}
        if "voice" in given:  # one file, or NAME=FILE for several speakers, between semicolons
            voices = parse_voices([part.strip() for part in given["voice"].split(";")], path.parent)
            options["voice"] = {name: path.parent / file for name, file in voices.items()}
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
        try:
            yield row, dubber.dub(out=row.out, **row.merged(common))
        except UserError as error:
            yield row, error
