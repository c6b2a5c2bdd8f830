"""Atomic writes, digests and JSON: the only place that knows how a file gets into results/."""

import errno
import glob
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncvoice.errors import PASSING, ChangedFile, UserError, raise_if_passing

LEFT_BEHIND_S = 86_400  # age at which another machine's temporary file counts as left behind


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on error it is removed.

    The temporary name keeps the suffix, because many writers choose the format by it. What a killed process left behind
    is removed first.

    Raises:
        UserError: the folder cannot be made.
        OSError: the system could not write; names `path`, whatever the writer raised when the disk was full.
    """
    path = Path(path)
    make_folder(path.parent)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.stem}.{socket.gethostname()}-{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except Exception as error:
        number = getattr(error, "errno", None)
        if number is None and os.strerror(errno.ENOSPC) in str(error):  # writers that are no part of Python
            number = errno.ENOSPC
        if isinstance(number, int) and number in PASSING and not getattr(error, "filename", None):
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
        if error.errno != errno.EACCES:
            raise_if_passing(error, folder)
        raise UserError(f"the folder {folder} cannot be made ({error.strerror}); choose another place") from error


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose process is dead: of this machine, or of another one a day ago."""
    for found in path.parent.glob(f".{glob.escape(path.stem)}.*-*.tmp{glob.escape(path.suffix)}"):
        host, _, process = found.name[len(path.stem) + 2 : -len(f".tmp{path.suffix}")].rpartition("-")
        try:
            here = host == socket.gethostname()
            dead = not _is_alive(int(process)) if here else found.stat().st_mtime < time.time() - LEFT_BEHIND_S
            if dead:
                found.unlink(missing_ok=True)
        except (ValueError, FileNotFoundError):  # no name of ours, or another process was quicker
            continue


def _is_alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def sha256_of(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(path: Path | str, content: bytes, recorded: str) -> None:
    """Compare what was read with the digest that was recorded when it was written ("" = none was).

    Raises:
        ChangedFile: they differ.
    """
    found = hashlib.sha256(content).hexdigest()
    if recorded and found != recorded:
        raise ChangedFile(
            f"{path} is not the file that was written: sha256 {found[:12]}, recorded {recorded[:12]}; delete it and "
            "run the step that makes it again"
        )


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
