"""What the README shows is what the kept tables hold."""

from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.reporting.publish import BEGIN, END, fill, results_block

REPOSITORY = Path(__file__).resolve().parents[2]


def test_block_is_replaced_and_nothing_else() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert fill(text, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert fill(fill(text, "new"), "new") == fill(text, "new")
    with pytest.raises(UserError, match="markers"):
        fill("no markers", "new")


def test_readme_agrees_with_the_kept_tables() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = readme[readme.index(BEGIN) : readme.index(END)]
    command = shown.split("from `")[1].split("`")[0]
    folder = Path("results/reference/mini")
    import os

    before = Path.cwd()
    os.chdir(REPOSITORY)
    try:
        expected = results_block(folder, command)
    finally:
        os.chdir(before)
    assert shown == f"{BEGIN}\n{expected}\n"
