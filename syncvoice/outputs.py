"""No output may be an input: refused before any work, under whatever spelling, for every command alike."""

import argparse
import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from syncvoice.errors import UserError

# What commands write beside --out, and options that name folders to write into.
WRITTEN = {"prepare-shard": ("manifest", "excluded"), "merge-manifests": ("excluded",)}
FOLDERS = ("out_dir", "write_lists", "curves")


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse, before any work and for every command alike, outputs that are inputs.

    Raises:
        UserError: see `check_output`.
    """
    given = {name: value if isinstance(value, list) else [value] for name, value in vars(args).items()}
    paths = {name: [path for path in values if isinstance(path, Path)] for name, values in given.items()}
    written = WRITTEN.get(args.command, ()) + ("out",)
    inputs = [(name, path) for name, found in paths.items() if name not in (*written, *FOLDERS) for path in found]
    for out in (path for name in written for path in paths.get(name, ())):
        for name, path in inputs:
            if out.is_file() or not out.exists():
                check_output(out, {name.replace("_", " "): path})


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
