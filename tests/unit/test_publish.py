"""What the README shows is what the kept tables hold."""

from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.reporting.publish import BLOCKS, fill, markers, results_block

REPOSITORY = Path(__file__).resolve().parents[2]


def test_block_is_replaced_and_nothing_else() -> None:
    begin, end = markers("mini")
    other = "\n".join(markers("grid_s1"))
    text = f"before\n{begin}\nold\n{end}\nafter\n{other}\n"
    assert fill(text, "mini", "new") == f"before\n{begin}\nnew\n{end}\nafter\n{other}\n"
    assert fill(fill(text, "mini", "new"), "mini", "new") == fill(text, "mini", "new")
    with pytest.raises(UserError, match="markers"):
        fill("no markers", "mini", "new")
    with pytest.raises(UserError, match="not of tiny"):
        results_block(Path("results/reference/tiny"), "make results")


@pytest.mark.parametrize("study", BLOCKS)
def test_readme_agrees_with_the_kept_tables(study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # the block names the folder as seen from here
    readme = Path("README.md").read_text(encoding="utf-8")
    begin, end = markers(study)
    shown = readme[readme.index(begin) : readme.index(end)]
    command = shown.split("from `")[1].split("`")[0]
    assert shown == f"{begin}\n{results_block(Path('results/reference') / study, command)}\n"
