"""Score files: tidy tables of what scorers found, one row per utterance, point and metric. One writer, one reader."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.errors import UserError, raise_if_passing
from syncvoice.files import atomic_path
from syncvoice.text_files import NotText, header_delimiter, read_text

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("errors", "words", "substitutions", "deletions", "insertions")
COLUMNS = ("utterance", "point", "metric", "value", "scorer", "scorer_version", "weights_sha256", "status", "message")
NEEDED = ("utterance", "metric", "value", "scorer", "status")  # what a score file of somebody else must have


def write_scores(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write score rows as CSV, atomically; the count columns are there only for word metrics."""
    write_rows(path, rows, counts=any("words" in row for row in rows))


def write_rows(path: Path, rows: Iterable[Mapping[str, str]], counts: bool) -> None:
    """Write score rows as they come, atomically; `counts` adds the columns of word metrics."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS + (COUNTS if counts else ()), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def score_files(folder: Path) -> list[Path]:
    """Score files of a folder, sorted; hidden ones are unfinished."""
    return sorted(path for path in folder.glob("*.csv") if not path.name.startswith("."))


def read_score_files(paths: Sequence[Path]) -> "pd.DataFrame":
    """Read score files, at least one, into one frame; `point` is "" where a file has none.

    Raises:
        UserError: one is missing or unreadable, or lacks a column.
    """
    import pandas as pd

    frames = [_read(path) for path in paths]
    filled = [frame for frame in frames if len(frame)]  # an empty one would turn columns of numbers into objects
    return pd.concat(filled or frames[:1], ignore_index=True)


def _read(path: Path) -> "pd.DataFrame":
    """Read one score file."""
    import pandas as pd

    try:
        text = read_text(path, "score file")
        delimiter = header_delimiter(text, [(name,) for name in NEEDED]) or ","
        decimal = "," if delimiter == ";" else "."  # as spreadsheets write where the comma is the decimal sign
        kinds = {"utterance": str, "point": str, "scorer_version": str}
        frame = pd.read_csv(StringIO(text), dtype=kinds, na_values=[""], sep=delimiter, decimal=decimal)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, NotText) as error:
        raise_if_passing(error, path)
        raise UserError(f"{path} is no readable score file ({error}); make it with `syncvoice score`") from error
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing:
        raise UserError(f"{path} is no score file: no column {', '.join(missing)}; make it with `syncvoice score`")
    if not pd.api.types.is_numeric_dtype(frame["value"]):
        wrong = frame["value"][pd.to_numeric(frame["value"], errors="coerce").isna() & frame["value"].notna()]
        if len(wrong):
            raise UserError(
                f"{path} row {wrong.index[0] + 2}: value {wrong.iloc[0]!r} is no number; write 1.5, not 1,5"
            )
    return frame.assign(point=frame["point"].fillna("") if "point" in frame.columns else "")
