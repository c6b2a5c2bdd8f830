"""Which jobs ask for a graphics card, that one card never holds two of them, and that devices reach the training."""

from typing import Any

import pytest

from syncvoice.study import load_study, read_study
from tests.workflow.conftest import REPOSITORY, make_project

CONFIG = REPOSITORY / "config"
STUB = """#!/usr/bin/env python3
# A job on a card writes when it began and ended, and is slow; everything else is left to the usual stub.
import os, subprocess, sys, time
began = time.time()
on_card = os.environ.get("SYNCVOICE_DEVICE") == "auto"
if on_card:
    time.sleep(0.4)
code = subprocess.call([os.path.join(os.path.dirname(__file__), "plain_stub"), *sys.argv[1:]])
with open("jobs.txt", "a") as file:
    file.write(f"{sys.argv[1]} {on_card} {began} {time.time()} {' '.join(sys.argv[2:4])}\\n")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Jobs of the study `tiny` with `device: auto`: command, whether it may use a card, begin, end, first option."""
    project = make_project(tmp_path_factory.mktemp("cards"))
    (project.folder / "bin" / "syncvoice").rename(project.folder / "bin" / "plain_stub")
    stub = project.folder / "bin" / "syncvoice"
    stub.write_text(STUB)
    stub.chmod(0o755)

    def change(values: dict[str, Any]) -> None:
        values["device"] = "auto"
        values["name"] = "cards"

    study = project.study("tiny", change, "cards")
    result = project.snakemake("--configfile", study, "--cores", "8", "--resources", "gpu=1", "--quiet")
    assert result.returncode == 0, result.stdout
    return [line.split() for line in (project.folder / "jobs.txt").read_text().splitlines()]


def test_one_card_never_holds_two_jobs(jobs: list[list[str]]) -> None:
    spans = sorted((float(began), float(ended)) for _, on_card, began, ended, *_ in jobs if on_card == "True")
    assert len(spans) >= 4
    assert all(ended <= began for (_, ended), (began, _) in zip(spans, spans[1:], strict=False))
    others = [(float(began), float(ended)) for _, on_card, began, ended, *_ in jobs if on_card == "False"]
    assert any(b < e2 and b2 < e for b, e in others for b2, e2 in spans), "jobs without a card need not wait for it"


def test_only_jobs_with_a_network_ask_for_a_card(jobs: list[list[str]]) -> None:
    asked = {(command, *rest) for command, on_card, _, _, *rest in jobs if on_card == "True"}
    assert {entry[0] for entry in asked} == {
        "train",
        "generate",
        "features",
    }  # speaker embeddings; tiny's scorers do not
    kinds = {entry[2] for entry in asked if entry[0] == "generate"}
    assert kinds == {"model", "zero_shot"}


@pytest.mark.parametrize("name", ["tiny", "mini", "grid_s1"])
def test_cpu_studies_ask_for_none(name: str) -> None:
    study = read_study(CONFIG / f"{name}.yaml")
    assert study.device == "cpu"
    asked = [
        *map(study.cards_of_row, study.experiments), *map(study.cards_of_recipe, study.recipes),
        *map(study.cards_of_feature, study.features),
        *(study.cards_of_scorer(metric) for task in study.tasks.values() for metric in task.metrics),
    ]  # fmt: skip
    assert set(asked) == {0}


def test_full_study_asks_where_a_network_runs() -> None:
    study = read_study(CONFIG / "grid.yaml")
    rows = {name: study.cards_of_row(name) for name in study.experiments}
    assert rows["ground_truth"] == rows["vocoder_copy"] == 0
    assert rows["M3"] == rows["zero_shot_tts"] == 1
    assert study.cards_of_feature("lip") == 1 and study.cards_of_feature("mel") == study.cards_of_feature("face") == 0
    assert study.cards_of_scorer("lse.syncnet_v2.tracked") == study.cards_of_scorer("mos.utmos_strong") == 1


def test_devices_of_a_recipe_are_cards_of_its_training() -> None:
    import yaml

    values = yaml.safe_load((CONFIG / "grid.yaml").read_text()) | {"recipe_defaults": {"devices": 4}}
    study = load_study(values, CONFIG, "grid")
    assert study.cards_of_recipe("full") == 4
    assert load_study(values | {"device": "cpu"}, CONFIG, "grid").cards_of_recipe("full") == 0
