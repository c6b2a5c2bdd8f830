"""Examples in docstrings: what they show is what happens."""

import doctest
import importlib
from pathlib import Path

import pytest

NEED_FILES = {"syncvoice.dubbing.speaking", "syncvoice.dubbing.run"}  # run by tests that make the recordings they name
PACKAGE = Path(__file__).resolve().parents[2] / "syncvoice"
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", [module for module in MODULES if module not in NEED_FILES])
def test_examples_are_true(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PACKAGE.parent)  # examples name files as in the checkout
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted and not result.failed


def test_scorers_have_examples() -> None:
    rooms = ("lip_sync", "words", "voice", "melody", "scorer", "folders")
    shown = {module.split(".")[2] for module in MODULES if module.startswith("syncvoice.metrics.")}
    assert shown >= set(rooms)
