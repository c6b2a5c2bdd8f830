"""What a change of the metrics' code plans again on a finished `tiny`: one scorer's scores, or no score at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.workflow.conftest import Project

BESIDE_SCORES = {"all", "tabulate", "plot", "make_gallery", "report", "listening_test"}  # what shows scores or captions


@contextmanager
def changed(project: Project, module: str, old: str, new: str) -> Iterator[None]:
    """Replace `old` (once) in a module of the project while the block runs."""
    path = project.folder / "syncvoice" / f"{module}.py"
    before = path.read_text()
    assert before.count(old) >= 1
    path.write_text(before.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(before)


def scores(project: Project, metric: str) -> int:
    """Score files of a metric in the finished study."""
    return len(list((project.folder / "results" / "tiny" / "metrics").glob(f"*/*/{metric}.csv")))


@pytest.mark.parametrize(
    ("module", "old", "new", "metric"),
    [
        ("metrics/melody/spectral", "6.1418", "6.1418", ""),  # a comment
        ("metrics/melody/spectral", "np.sqrt(2)", "np.sqrt(3)", "mcd_dtw.melcep13"),
        ("metrics/lip_sync/distances", "VSHIFT = 15", "VSHIFT = 14", "lse.syncnet_mini"),
        ("metrics/words/ctc_mini", 'f"1, {', 'f"2, {', "wer.ctc_mini"),
    ],
)
def test_constant_of_a_scorer_plans_its_own_scores(
    project: Project, module: str, old: str, new: str, metric: str
) -> None:
    with changed(project, module, old, new):
        plan = project.plan()
    assert plan.get("score", 0) == (scores(project, metric) if metric else 0)
    assert set(plan) <= BESIDE_SCORES | {"score", "check_syncnet"}
    assert ("check_syncnet" in plan) == (metric == "lse.syncnet_mini")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("metrics/registry", "_FILES = (", '_FILES = (\n    MetricFile("new.metric", "melody.new:Scorer"),'),
        ("metrics/naturalness/dnsmos", "WINDOW_S = 9.01", "WINDOW_S = 9.02"),
        ("networks/s3fd", "MEAN_RGB = (123.0", "MEAN_RGB = (124.0"),
    ],
)
def test_new_metrics_and_unused_scorers_plan_nothing(project: Project, module: str, old: str, new: str) -> None:
    with changed(project, module, old, new):
        assert project.plan() == {}


def test_caption_of_a_metric_plans_what_shows_it(project: Project) -> None:
    with changed(project, "metrics/melody/columns", "MCD-DTW (13 cepstra", "MCD (13 cepstra"):
        plan = project.plan()
    assert plan == {"all": 1, "write_settings": 3, "tabulate": 2, "plot": 1}
