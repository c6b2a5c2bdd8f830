"""What a scoring job reaches over the real imports: its own scorer, no list of metrics, no caption."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES, METRICS
from syncvoice.metrics.scorer import Scorer, Sources, load_scorer
from syncvoice.provenance import reachable

JOB = "syncvoice.commands.score_task"
SCORERS = {file.scorer.split(":")[0] for file in METRIC_FILES.values()}
FORBIDDEN = ("minidub", "pretraining", "study", "reporting", "training", "generation", "dubbing", "model", "datasets")
METRICS_FOLDER = Path(__file__).resolve().parents[2] / "syncvoice" / "metrics"


def job_of(metric_file: str) -> set[str]:
    """Modules that a scoring job reaches, without the package's name: what the workflow makes its digest of."""
    module = METRIC_FILES[metric_file].scorer.split(":")[0]
    return {name.removeprefix("syncvoice.") for name in reachable(JOB, f"syncvoice.metrics.{module}")}


@pytest.mark.parametrize("metric_file", METRIC_FILES)
def test_job_reaches_its_own_scorer_only(metric_file: str) -> None:
    module = METRIC_FILES[metric_file].scorer.split(":")[0]
    reached = job_of(metric_file)
    assert {name for name in SCORERS if f"metrics.{name}" in reached} == {module}
    rooms = {name.split(".")[1] for name in reached if name.count(".") == 2 and name.startswith("metrics.")}
    assert rooms == {module.split(".")[0]}
    assert not {"metrics.registry", "metrics.metric", "metrics.folders", "cli"} & reached
    assert not {name for name in reached if name.endswith(".columns")}
    assert not {name for name in reached if name.split(".")[0] in FORBIDDEN}


def test_s3fd_is_reached_by_syncnet_v2_only() -> None:
    reaching = {file for file in METRIC_FILES if "networks.s3fd" in job_of(file)}
    assert reaching == {file for file in METRIC_FILES if file.startswith("lse.syncnet_v2.")}
    commands = ("prepare", "features", "generate", "train", "check_syncnet", "tabulate")
    assert not [name for name in commands if "syncvoice.networks.s3fd" in reachable(f"syncvoice.commands.{name}")]


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, syncvoice.metrics; print([m for m in sys.modules if m.startswith('syncvoice.metrics.')])"
    printed = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout
    assert printed.strip() == "[]"


def test_listing_metrics_imports_no_network() -> None:
    code = "import sys, syncvoice.metrics.registry; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("metric_file", METRIC_FILES)
def test_every_scorer_derives_from_the_base(metric_file: str) -> None:
    import importlib

    module, name = METRIC_FILES[metric_file].scorer.split(":")
    scorer = vars(importlib.import_module(f"syncvoice.metrics.{module}"))[name]
    assert issubclass(scorer, Scorer)
    for constant in scorer.METRICS:
        assert f"{constant}.{scorer.NAME}" in METRICS


def test_unknown_scorer_is_a_sentence() -> None:
    for name in ("melody.spectral", "melody.spectral:Nothing", "melody.nothing:McdScorer"):
        with pytest.raises(UserError, match="expected module:Class"):
            load_scorer(name, Sources(Path("weights")))


def test_nobody_asks_a_scorer_what_it_offers() -> None:
    called = {
        (path.name, node.func.id)
        for path in METRICS_FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")
    }
    assert not called
