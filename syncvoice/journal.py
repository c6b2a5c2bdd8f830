"""Journals: what a job had finished when it was killed, line by line, so that the same job goes on after it."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from syncvoice.files import atomic_path, files_below, make_folder

PACKAGE = Path(__file__).resolve().parent


def work_of(inputs: Iterable[Path | str], *values: Any) -> str:
    """Return a digest of what a job works on: any change of its files, its settings or our code makes it another job.

    Args:
        inputs: files, and folders with all that lies below; by size and time, as Snakemake tells that one changed.
        values: what else decides the results, as JSON can hold it.
    """
    files = [file for path in map(Path, inputs) for file in (files_below(path) if path.is_dir() else [path])]
    files += sorted(PACKAGE.rglob("*.py"))  # a digest of their syntax trees would take longer than many a job
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()]
    return hashlib.sha256(json.dumps([states, values], sort_keys=True, default=str).encode()).hexdigest()


class Journal:
    """Entries of one job, one JSON value a line under a line that names its work; a line that was cut off is dropped.

    Use it in a `with` block. It stays on the disk until `finish`.
    """

    def __init__(self, path: Path, work: str) -> None:
        """Open the journal of `work` (see `work_of`); what another work left there is dropped.

        Raises:
            UserError: its folder cannot be made.
        """
        self.path, self.work = path, work
        self.entries = self._read()
        make_folder(path.parent)
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in (work, *self.entries))
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed at the end of the block

    def _read(self) -> list[Any]:
        """Return the whole lines of an earlier job, if it did the same work."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        try:
            if not lines or json.loads(lines[0]) != self.work:
                return []
            return [json.loads(line) for line in lines[1:]]
        except json.JSONDecodeError:
            return []

    def add(self, entry: Any) -> None:
        """Write an entry down; it survives the end of this process from here on."""
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()

    def finish(self) -> None:
        """Remove the journal: the job's output is there."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "Journal":
        """Return the journal."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()
