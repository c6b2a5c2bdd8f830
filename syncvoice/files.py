"""Atomic writes, digests and JSON: the only place that knows how a file gets into results/.

No output may be an input: `check_output` refuses it before any work, under whatever spelling.
"""

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on error it is removed.

    The temporary name keeps the suffix, because many writers choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_output(out: Path | str, inputs: Mapping[str, Path | str | None]) -> None:
    """Refuse an output file that is a folder, or that is one of the inputs under any spelling.

    Links, hard links, `./`, and names that differ only in case or Unicode form count as the same file: many file
    systems take such names for one.

    Args:
        out: file to be written; it need not exist.
        inputs: files, or folders whose files are read, by what people call them; None is skipped.

    Raises:
        UserError: writing would replace an input, or cannot work.
    """
    out = Path(out)
    if out.is_dir():
        raise UserError(f"the output {out} is a folder; give the name of a file, e.g. {out / 'NAME'}")
    blocked = next((parent for parent in out.parents if parent.exists()), None)
    if blocked is not None and not blocked.is_dir():
        raise UserError(f"the output {out} cannot be written: {blocked} is a file, no folder; choose another place")
    for name, source in inputs.items():
        if source is None:
            continue
        found = _same_input(out, Path(source))
        if found is not None:
            told = "itself" if found.name == out.name else f"{found} under another name"
            raise UserError(f"the output {out} is the {name} {told}, which would be lost; choose another name")


def _same_input(out: Path, source: Path) -> Path | None:
    """Return the file of an input (a file, or anything below a folder) that `out` would replace, None if there is none.

    Of a folder only what could be the same is looked at: names beside `out`, and links when `out` exists.
    """
    if source.is_dir():
        beside = out.parent.iterdir() if out.parent.is_dir() and _is_below(out.parent, source) else ()
        candidates = [path for path in beside if _folded(path) == _folded(out) and path.is_file()]
        if out.exists() and (out.is_symlink() or out.stat().st_nlink > 1):
            candidates += [Path(top, name) for top, _, names in os.walk(source) for name in names]
    else:
        candidates = [source] if source.exists() else []
    return next((path for path in candidates if _is_same(out, path)), None)


def _is_same(out: Path, path: Path) -> bool:
    """Tell whether two paths are one file, here or on a file system that ignores case."""
    if out.exists() and path.exists() and out.samefile(path):
        return True
    return any(
        _folded(out) == _folded(other) and _is_below(out.parent, other.parent) and _is_below(other.parent, out.parent)
        for other in {path, path.resolve()}
    )


def _folded(path: Path) -> str:
    """Return a file's name as a file system that ignores case and Unicode form sees it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path.name).casefold())


def _is_below(path: Path, folder: Path) -> bool:
    """Tell whether a folder is another one or lies in it, links followed."""
    return path.resolve().is_relative_to(folder.resolve())


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
