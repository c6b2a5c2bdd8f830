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


def test_readme_agrees_with_the_kept_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # the block names the folder as seen from here
    readme = Path("README.md").read_text(encoding="utf-8")
    shown = readme[readme.index(BEGIN) : readme.index(END)]
    command = shown.split("from `")[1].split("`")[0]
    assert shown == f"{BEGIN}\n{results_block(Path('results/reference/mini'), command)}\n"
