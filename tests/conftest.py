"""What every test needs: one thread per process, whatever the machine has, and a process to run in."""

import os

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")


# First, so that pytest-xdist finds the marks when it reads them.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests together that share what is costly to make, where several processes run them (pytest-xdist).

    The tests of plans share one finished study; of others, those of a file share its fixtures.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group("workflow" if folder == "workflow" else item.path.stem))
