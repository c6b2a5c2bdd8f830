"""The loss curve of a training as CSV: written while it learns, read by plots and by trainings that go on from it."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from syncvoice.files import atomic_path


def write_loss_curve(path: Path, rows: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> None:
    """Write a loss curve, atomically.

    Args:
        path: the file.
        rows: values by column, one per line.
        columns: the first ones; whatever else the rows hold comes after these.
    """
    names = list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_loss_curve(path: Path) -> list[dict[str, str]]:
    """Return the lines of a loss curve."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
