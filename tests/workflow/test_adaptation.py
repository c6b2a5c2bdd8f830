"""Networks that learn on, on a study's own clips: who reads them, who learns from what, what readers are told."""

import json
from pathlib import Path

import pytest
import yaml

from syncvoice.datasets.base import SourceClip
from syncvoice.errors import UserError
from syncvoice.study import load_study, read_study
from syncvoice.study.jobs import job_settings
from tests.workflow.conftest import REPOSITORY

CONFIG = REPOSITORY / "config"
REFERENCE = REPOSITORY / "results" / "reference" / "grid_s1"


def grid_s1(**changes: object) -> dict:
    return yaml.safe_load((CONFIG / "grid_s1.yaml").read_text()) | changes


def test_adapted_networks_replace_the_shipped_ones() -> None:
    study = read_study(CONFIG / "grid_s1.yaml")
    own = "results/grid_s1/networks/vocoder.safetensors"
    assert study.network_file("vocoder") == own and study.shipped_file("vocoder") == "weights/vocoder.safetensors"
    assert {recipe.vocoder for recipe in study.recipes.values()} == {own}
    assert study.weights_of("vocoder_copy")["vocoder"] == own and study.weights_of("M3")["vocoder"] == own
    assert read_study(CONFIG / "mini.yaml").network_file("vocoder") == "weights/vocoder.safetensors"


def test_settings_of_an_adaptation_hold_its_clips_and_nothing_synthetic() -> None:
    study = read_study(CONFIG / "grid_s1.yaml")
    shipped = {name: yaml.safe_load((CONFIG / "pretrain" / f"{name}.yaml").read_text()) for name in study.adapt}
    sections = job_settings(study, {}, shipped)
    for network in study.adapt:
        values = sections[f"adapt/{network}"]
        assert values["manifests"] == {"train": ["results/grid_s1/manifests/grid/train.cuts.jsonl.gz"]}
        assert not {"pool", "work", "corpus"} & set(values) and values["config"] == shipped[network]["config"]
        assert values["steps"] == study.adapt[network].settings["steps"]
    assert sections["adapt/recogniser"]["vocoder"] == study.network_file("vocoder")


def test_table_says_that_its_scorers_learned_on() -> None:
    notes = job_settings(read_study(CONFIG / "grid_s1.yaml"), {})["tables/dub_2"]["notes"]
    assert sum("mini SyncNet is not the shipped one" in note for note in notes) == 1
    assert sum("mini CTC recogniser is not the shipped one" in note for note in notes) == 1
    assert job_settings(read_study(CONFIG / "mini.yaml"), {})["tables/en_en"]["notes"] == []


def test_unknown_split_and_network_are_refused() -> None:
    with pytest.raises(UserError, match=r"adapt\.vocoder\.split: unknown split 'trian'; did you mean 'train'"):
        load_study(grid_s1(adapt={"vocoder": {"dataset": "grid", "split": "trian"}}), CONFIG, "s")
    with pytest.raises(UserError, match=r"adapt\.backbone"):
        load_study(grid_s1(adapt={"backbone": {"dataset": "grid", "split": "train"}}), CONFIG, "s")
    with pytest.raises(UserError, match=r"alignment_report\.split: unknown split 'tset'"):
        load_study(grid_s1(alignment_report={"dataset": "grid", "split": "tset"}), CONFIG, "s")


def test_nothing_in_training_sees_a_test_clip() -> None:
    """Everything that learns names one split, and that split shares no clip with those that are tested or lend voices.

    Ranks are places in one order of all clips of a speaker, so disjoint ranks are disjoint sets of clips.
    """
    study = read_study(CONFIG / "grid_s1.yaml")
    learning = {(part.dataset, part.split) for part in (*study.adapt.values(), *study.recipes.values())}
    tested = {(task.dataset, split) for task in study.tasks.values() for split in (task.split, task.reference_split)}
    tested |= {(study.alignment_report.dataset, study.alignment_report.split)}
    assert learning == {("grid", "train")} and not learning & tested
    clips = [
        SourceClip(f"s1_{k:03d}", "", "grid", Path(f"{k}.mpg"), "text", "s1") for k in range(300)
    ]  # more than any folder of this study
    picked = {
        split: {clip.id for clip in entry.selection.pick(clips)}
        for split, entry in study.datasets["grid"].splits.items()
    }
    assert all(picked.values()) and len(picked["train"]) == 168
    assert sum(map(len, picked.values())) == len(set().union(*picked.values()))


def test_no_network_of_the_kept_run_learned_from_a_tested_clip() -> None:
    """The same of the run whose tables are kept: what its networks say they learned from, against what was scored."""
    tested = set((REFERENCE / "clips" / "test.txt").read_text().split())
    voices = set((REFERENCE / "clips" / "reference.txt").read_text().split())
    assert len(tested) == 40 and len(voices) == 8
    manifests = set()
    for network in ("vocoder", "syncnet", "recogniser"):
        record = json.loads((REFERENCE / "networks" / f"{network}.json").read_text())
        learned = set(record["train_clip_ids"])
        assert len(learned) > 150 and not learned & (tested | voices), network
        manifests |= set(record["train_manifests"].values())
    for recipe in ("no_visual", "full"):  # the same clips, by the digest of their manifest
        assert {json.loads((REFERENCE / "models" / f"{recipe}.json").read_text())["manifest_sha256"]} == manifests
