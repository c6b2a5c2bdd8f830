"""results/{study}/run.json: every run says what made the results, and names no place."""

import json
from pathlib import Path

import pytest

from syncvoice.study import read_study
from syncvoice.study.run_record import KEPT, config_digest, record_run, start_of_run, weight_files
from tests.workflow.conftest import REPOSITORY, Project

CONFIG = REPOSITORY / "config"


def test_a_finished_run_is_recorded(project: Project) -> None:
    record = json.loads((project.folder / "results" / "tiny" / "run.json").read_text())
    run = record["runs"][-1]
    assert record["study"] == "tiny" and run["status"] == "finished" and run["wall_seconds"] > 0
    assert run["machine"]["cores"] >= 1 and run["versions"]["snakemake"] and len(run["config_sha256"]) == 64
    assert set(run["weights_sha256"]) >= {"weights/backbone.safetensors", "weights/vocoder.safetensors"}
    assert str(project.folder) not in json.dumps(record)


def test_a_failed_run_is_recorded_and_old_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = read_study(CONFIG / "tiny.yaml")
    for number in range(KEPT + 2):
        path = record_run(study, start_of_run(), "failed" if number else "finished", REPOSITORY)
    runs = json.loads(path.read_text())["runs"]
    assert len(runs) == KEPT and {run["status"] for run in runs} == {"failed"}
    assert runs[-1]["code"]["commit"] is None or len(runs[-1]["code"]["commit"]) == 40


def test_the_digest_of_the_settings_knows_a_change() -> None:
    tiny = read_study(CONFIG / "tiny.yaml")
    assert config_digest(tiny) == config_digest(read_study(CONFIG / "tiny.yaml"))
    assert config_digest(tiny) != config_digest(tiny.model_copy(update={"seed": tiny.seed + 1}))


def test_weights_of_rows_without_a_model_count() -> None:
    lip_timing = "weights/lip_timing.safetensors"
    assert lip_timing in weight_files(read_study(CONFIG / "mini.yaml"))
    assert lip_timing not in weight_files(read_study(CONFIG / "tiny.yaml"))  # has no row that reads it
