"""The full studies in miniature, from videos to tables: every scorer gives every row a figure or a reason.

See `miniature` for what is small. Weights are random and say nothing, so figures are not looked at.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from syncvoice.networks import ecapa, utmos
from syncvoice.study import Study, load_study
from syncvoice.study.weights import weights_wanted
from tests.end_to_end import job_server, miniature

CLIPS = {"s1": 6, "s2": 2}
pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


@dataclass
class Run:
    """A folder with the workflow, its job server, and the folders of data that each study names."""

    folder: Path
    roots: dict[str, dict[str, Path]]

    def study(self, name: str) -> Study:
        """The study as the workflow resolves it."""
        values = yaml.safe_load((self.folder / "config" / f"{name}.yaml").read_text())
        with chdir(self.folder):  # where its weights lie: a row may stand only where they do
            return load_study(values, self.folder / "config", name)

    def finish(self, name: str) -> Path:
        """Run a study to its end; returns its results."""
        options = [f"{root}_root={path}" for root, path in self.roots[name].items()]
        command = [sys.executable, "-m", "snakemake", "--configfile", f"config/{name}.yaml"]
        command += ["--config", "device=cpu", *options, "--cores", "2", "--nocolor", "--quiet"]
        environment = {**os.environ, "PYTHONPATH": str(miniature.REPOSITORY), "OMP_NUM_THREADS": "1"}
        environment["PATH"] = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{environment['PATH']}"
        result = subprocess.run(
            command, cwd=self.folder, env=environment, text=True, timeout=1500, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout[-8000:]
        return self.folder / "results" / name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The project, its data and weights, and a server that runs its jobs."""
    folder = miniature.project(tmp_path_factory.mktemp("miniature"))
    clips = folder / "clips"
    if not miniature.grid_clips(clips, CLIPS):
        pytest.skip("no GRID clips beside the checkout")
    miniature.as_lrs3(clips, folder / "lrs3")
    pairs = [("s1", "test", "en", 0), ("s1", "reference", "en", 1)]
    miniature.as_table(clips, folder / "hdtf", pairs)
    miniature.as_table(clips, folder / "cncvs", [(s, split, "zh", n) for s, split, _, n in pairs])
    training = [("s1", "train", "en", 2), ("s1", "train", "en", 3), ("s2", "train", "zh", 0), ("s2", "train", "zh", 1)]
    miniature.as_table(clips, folder / "bilingual", training)
    roots = {"grid": ["clips"], "lrs3": ["lrs3"], "translation": ["hdtf", "cncvs", "bilingual"]}
    named = {study: {"grid" if n == "clips" else n: folder / n for n in names} for study, names in roots.items()}
    made = Run(folder, named)
    wanted = {path for study in named for path in weights_wanted(made.study(study))}
    with small_networks():
        miniature.write_weights(
            folder / "resources" / "assets", {path.removeprefix("resources/assets/") for path in wanted}
        )
    server = start_server(folder)
    yield made
    server.terminate()
    server.wait()


@contextmanager
def small_networks() -> Iterator[None]:
    """Small networks while weights are made, without a trace for other tests."""
    before = ecapa.WavLM, utmos.TrunkConfig
    miniature.shrink_networks()
    try:
        yield
    finally:
        ecapa.WavLM, utmos.TrunkConfig = before  # type: ignore[misc]


def start_server(folder: Path) -> "subprocess.Popen[str]":
    """Start the server of jobs and put its client on the path of the workflow."""
    (folder / "bin").mkdir()
    address = folder / "jobs"
    job_server.client(folder / "bin", address)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with open(folder / "server.txt", "w") as said:
        server = subprocess.Popen(
            [sys.executable, job_server.__file__, str(address)], env=environment, text=True, stdout=said, stderr=said
        )
    for _ in range(600):
        if address.exists() or server.poll() is not None:
            break
        time.sleep(0.1)
    if not address.exists():
        server.kill()
        pytest.fail((folder / "server.txt").read_text())
    return server


@pytest.mark.parametrize("name", ["grid", "lrs3", "translation"])
def test_every_row_has_a_figure_or_a_reason(run: Run, name: str) -> None:
    results, study = run.finish(name), run.study(name)
    for table, settings in study.tables.items():
        figures = pd.read_csv(results / "tables" / f"{table}.csv")
        wanted = {(row, metric) for row in settings.rows for metric in settings.metrics}
        assert wanted <= set(zip(figures.experiment, figures.metric, strict=True))
        utterances = len(pd.read_csv(results / "tasks" / f"{settings.task}.csv"))
        for row in settings.rows:
            for metric in study.metrics_of(row, settings.task):
                lines = pd.read_csv(results / "metrics" / row / settings.task / f"{metric}.csv")
                assert lines.utterance.nunique() == utterances, "one line per clip and metric, whatever happened"
                assert lines[lines.status != "ok"].message.notna().all()
                assert (lines.status == "ok").any(), f"{name}: nothing of {row} could be scored by {metric}"
