"""Lists of clips: the members of a split as a file, one id per line; "#" begins a comment."""

from collections.abc import Iterable
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.text_files import read_text


def read_list(path: Path) -> list[str]:
    """Return the ids of a list.

    Raises:
        UserError: the list is missing or empty, or an id occurs twice (the line is named).
    """
    if not path.is_file():
        raise UserError(f"list {path} does not exist; write it with 'syncvoice prepare --check --write-lists FOLDER'")
    first: dict[str, int] = {}
    for number, line in enumerate(read_text(path, "list").split("\n"), start=1):
        clip = line.strip()
        if not clip or clip.startswith("#"):
            continue
        if clip in first:
            raise UserError(f"{path} line {number} repeats clip {clip!r} of line {first[clip]}; remove one")
        first[clip] = number
    if not first:
        raise UserError(f"list {path} names no clip; expected one id per line")
    return list(first)


def write_list(path: Path, clips: Iterable[str], comment: str) -> None:
    """Write a list, sorted, under a line of comment, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in (f"# {comment}", *sorted(clips))), encoding="utf-8")
