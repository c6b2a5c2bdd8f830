"""Speech folders: WAV files, and `utterances.csv`, which lists what was generated (with digests) and what failed."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.audio import read_wav
from syncvoice.errors import UserError
from syncvoice.files import atomic_path

if TYPE_CHECKING:
    import numpy as np

TABLE = "utterances.csv"
COLUMNS = ("utterance", "point", "wav", "status", "message", "sha256")
DEFAULTS = {"point": "", "status": "ok", "message": "", "sha256": ""}  # columns that others' tables may lack


def write_speech(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write utterances.csv, atomically; `wav` is relative to the folder."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(folder / TABLE) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def sound_of(folder: Path, row: Mapping[str, str], sample_rate: int) -> "np.ndarray":
    """Return the sound (samples,) of a row at a rate, float32, if it is still what was generated.

    Raises:
        ChangedFile: the file is another one than utterances.csv says.
        UserError: it cannot be read as sound.
    """
    return read_wav(folder / row["wav"], sample_rate, row.get("sha256", ""))[0]


def read_speech(folder: Path) -> list[dict[str, str]]:
    """List the sounds of a speech folder: utterances.csv, or without one every {utterance}.wav (other models' speech).

    Returns:
        Rows with at least the columns `COLUMNS`.

    Raises:
        UserError: there is neither, or columns are missing.
    """
    table = folder / TABLE
    sounds = sorted(folder.glob("*.wav"))
    if not table.exists() and sounds:
        return [{**DEFAULTS, "utterance": path.stem, "wav": path.name} for path in sounds]
    advice = "generate the speech first (`syncvoice generate`), or put {utterance}.wav files there"
    try:
        with open(table, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            found, rows = reader.fieldnames or (), list(reader)
    except FileNotFoundError as error:
        raise UserError(f"{table} does not exist; {advice}") from error
    if missing := [name for name in ("utterance", "wav") if name not in found]:
        raise UserError(f"{table} lacks the columns {', '.join(missing)}; {advice}")
    return [{**DEFAULTS, **row} for row in rows]
