"""Digests of code: an edit counts where it is used, a comment nowhere."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncvoice import provenance
from syncvoice.provenance import code_digest, reachable

CLOCKS = '"""Clocks."""\n\nFPS = 25  # frames per second\n'
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A package in which commands.train imports clocks inside a function, and commands.score imports nothing."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        for function in (provenance._file_of, provenance._tree, provenance._imports, provenance._module_digest):
            function.cache_clear()

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    for name in ("__init__.py", "commands/__init__.py"):
        write(name, "")
    write("clocks.py", CLOCKS)
    write("commands/train.py", "def run():\n    from syncvoice.clocks import FPS\n    return FPS\n")
    write("commands/score.py", "import json\n")
    yield write
    write("__init__.py", "")  # forget what was read here


def digests() -> tuple[str, str]:
    """Digests of the two commands."""
    return code_digest("syncvoice.commands.train"), code_digest("syncvoice.commands.score")


def test_imports_are_followed_transitively(write: Write) -> None:
    assert "syncvoice.clocks" in reachable("syncvoice.commands.train")
    assert "syncvoice.clocks" not in reachable("syncvoice.commands.score")


def test_edit_counts_where_the_module_is_used(write: Write) -> None:
    train, score = digests()
    write("clocks.py", CLOCKS.replace("25 ", "30 "))
    assert digests()[0] != train
    assert digests()[1] == score


def test_comments_layout_and_docstrings_count_nowhere(write: Write) -> None:
    before = digests()
    write("clocks.py", '"""Other words."""\nFPS = (25)\n\n\n# another comment\n')
    assert digests() == before


def test_data_files_count_with_their_package(write: Write) -> None:
    before = digests()
    write("commands/table.txt", "1 2 3")
    assert digests()[0] != before[0]


def test_absent_module_is_planned_around(write: Write) -> None:
    absent = code_digest("syncvoice.commands.later")
    write("commands/later.py", "x = 1\n")
    assert code_digest("syncvoice.commands.later") != absent


def test_every_module_of_a_package(write: Write) -> None:
    before = code_digest("syncvoice.commands.*")
    write("commands/other.py", "x = 1\n")
    assert code_digest("syncvoice.commands.*") != before
