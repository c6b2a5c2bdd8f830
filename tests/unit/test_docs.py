"""README and docs: links lead somewhere, pages stand in the site, the table of metrics is that of the registry.

`python -m tests.unit.test_docs` writes the table anew.
"""

import re
from pathlib import Path

import pytest
import yaml

from syncvoice.metrics.registry import METRICS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", REPOSITORY / "config/README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
BEGIN, END = "<!-- metrics -->\n", "<!-- /metrics -->\n"
ARROWS = {"higher": "↑", "lower": "↓", "zero": "→ 0", "": ""}


def table() -> str:
    """Table of all metrics as Markdown."""
    lines = ["| Metric | | What it is |", "| --- | --- | --- |"]
    for metric in METRICS.values():
        better = f"{ARROWS[metric.direction]} ({metric.unit})" if metric.unit else ARROWS[metric.direction]
        lines.append(f"| `{metric.id}` | {better.strip()} | {metric.title}. {metric.caption} |")
    return "\n".join(lines) + "\n"


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists() and target.is_relative_to(REPOSITORY), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} has no such heading"


def test_every_page_stands_in_the_site() -> None:
    navigation = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    shown = {path for entry in navigation for path in entry.values()}
    assert shown == {page.relative_to(REPOSITORY).as_posix() for page in PAGES}


def test_the_table_of_metrics_is_that_of_the_registry() -> None:
    page = (REPOSITORY / "docs/metrics.md").read_text(encoding="utf-8")
    shown = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert shown == table(), "run python -m tests.unit.test_docs"


def test_the_readme_can_be_read_in_a_minute() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    assert all(word in readme for word in ("make results", "make test", "syncvoice dub", "syncvoice score"))


if __name__ == "__main__":
    path = REPOSITORY / "docs/metrics.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index(BEGIN) + len(BEGIN)] + table() + text[text.index(END) :], encoding="utf-8")
