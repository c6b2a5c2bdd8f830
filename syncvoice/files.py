"""Atomic writes, digests and JSON: the only place that knows how a file gets into results/."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on error it is removed.

    The temporary name keeps the suffix, because many writers choose the format by it.

    Raises:
        UserError: the folder cannot be made.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        UserError: something on the way is a file, or may not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next((above for above in (folder, *folder.parents) if above.exists() and not above.is_dir()), folder)
        raise UserError(
            f"the folder {folder} cannot be made, because {file} is a file; choose another place"
        ) from error
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be made ({error.strerror}); choose another place") from error


def files_below(folder: Path) -> list[Path]:
    """Return all files anywhere below a folder, sorted; linked folders are entered, each real folder once."""
    found: list[Path] = []
    seen: set[Path] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        real = Path(top).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [path for name in names if (path := Path(top, name)).is_file()]
    return sorted(found)


def sha256_of(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically (same value, same bytes)."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the step that makes it first") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is no valid JSON ({error}); delete it and make it again") from error
