"""The examples in docstrings of what people call from Python say what happens."""

import doctest
import importlib

import pytest

MODULES = (
    "syncvoice.features.base", "syncvoice.generation.requests", "syncvoice.generation.settings",
    "syncvoice.model.guidance", "syncvoice.model.public_layout",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), verbose=False)
    assert result.attempted > 0 and result.failed == 0
