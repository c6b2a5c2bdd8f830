"""Errors of a study name the file, the key and the nearest valid name; overlays leak nothing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from syncvoice.errors import UserError
from syncvoice.study import Study, load_study, read_study
from syncvoice.study.jobs import job_settings, recipe_settings

CONFIG = Path(__file__).resolve().parents[2] / "config"


def changed(base: str = "tiny", **sections: dict[str, Any]) -> Study:
    """Load a study after changing entries of its sections."""
    values = yaml.safe_load((CONFIG / f"{base}.yaml").read_text())
    for section, entries in sections.items():
        for name, entry in entries.items():
            values.setdefault(section, {}).setdefault(name, {}).update(entry)
    return load_study(values, CONFIG, "study.yaml")


@pytest.mark.parametrize("name", ["mini", "tiny"])
def test_shipped_studies_are_valid(name: str) -> None:
    assert read_study(CONFIG / f"{name}.yaml").name == name


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"recipes": {"full": {"stepz": 3}}}, "study.yaml: unknown key recipes.full.stepz; did you mean 'steps'?"),
        ({"recipes": {"full": {"masking": {"txt": 0.1}}}}, "recipes.full.masking.txt; did you mean 'text'?"),
        (
            {"recipes": {"full": {"sees": {"lip": {"feature": "lip", "mas": 0.1}}}}},
            "sees.lip.mas; did you mean 'mask'?",
        ),
        ({"recipes": {"full": {"sees": {"lip": {"feature": "lip", "mask": 2}}}}}, "sees.lip.mask: .*found 2"),
        ({"recipes": {"full": {"sees": {"text": "lip"}}}}, "sees: text is no visual condition"),
        ({"recipes": {"full": {"sees": {"lip2": "lip"}}}}, "sees: lip2 ends with a digit"),
        ({"features": {"lip": {"extractor": "mesh_lips"}}}, "unknown extractor 'mesh_lips'; did you mean 'mesh_lip'?"),
        (
            {"features": {"lip": {"extractor": "lrw_resnet18", "settings": {"activatoin": "relu"}}}},
            "features.lip.settings: unknown key activatoin; did you mean 'activation'?",
        ),
        ({"features": {"lip": {"settigns": {}}}}, "unknown key features.lip.settigns; did you mean 'settings'?"),
        (
            {"experiments": {"M3": {"scales": {"lips": 2.0}}}},
            "experiments.M3.scales: unknown condition 'lips'; did you mean 'lip'?",
        ),
        (
            {"experiments": {"M1": {"scales": {"lip": 2.0}}}},
            "experiments.M1.scales: unknown condition 'lip'; valid: text",
        ),
        (
            {"experiments": {"guidance_sweep": {"sweep": {"fase": [0.0, 1.0]}}}},
            "experiments.guidance_sweep.sweep: unknown condition 'fase'; did you mean 'face'?",
        ),
        ({"experiments": {"M3": {"kind": "modl"}}}, "experiments.M3: .*kind 'modl' is unknown; did you mean 'model'?"),
        ({"bootstrap": {"boot": {}}}, "unknown key bootstrap.boot"),
        (
            {"recipes": {"full": {"optimiser": {"name": "scaled_adam", "betas": [0.0, 0.9]}, "gradient_clip": None}}},
            "recipes.full.*first beta above 0",
        ),
        ({"recipes": {"full": {"masking": {"context": 0.9}}}}, "recipes.full.masking: .*never hidden together"),
        (
            {"recipes": {"full": {"sees": {"lip": "lips"}}}},
            "recipes.full.sees.lip.feature: unknown visual feature 'lips'; did you mean 'lip'?",
        ),
        ({"recipes": {"full": {"sees": {"lip": "mel"}}}}, "sees.lip.feature: unknown visual feature 'mel'"),
        (
            {"experiments": {"M3": {"recipe": "ful"}}},
            "experiments.M3.recipe: unknown recipe 'ful'; did you mean 'full'",
        ),
        ({"experiments": {"M3": {"recipe": None}}}, "experiments.M3: .*kind model needs a recipe"),
        ({"experiments": {"M3": {"tasks": ["en_zz"]}}}, "experiments.M3.tasks: unknown task 'en_zz'; did you mean"),
        (
            {"tasks": {"en_en": {"metrics": ["lse.syncnet_mni"]}}},
            "'lse.syncnet_mni'; .*'lse.syncnet_mini'",
        ),
        ({"tasks": {"en_en": {"split": "tst"}}}, "tasks.en_en.split: unknown split 'tst'; did you mean 'test'"),
        (
            {"experiments": {"M3": {"video_split": ["test", "tets"]}}},
            "experiments.M3.video_split: unknown split 'tets'; did you mean 'test'",
        ),
        ({"experiments": {"M3": {"video_split": ["test", "train"]}}}, "test does not hold the clips of task en_en"),
        (
            {"experiments": {"M3": {"video_split": ["test", "train"], "treatments": {"lip": {"shift": 1}}}}},
            "treatments and rules are for features at 25 fps",
        ),
        (
            {"datasets": {"minidub": {"splits": {"again": {"shards": 1, "settings": {"of": "tset"}}}}}},
            "splits.again.settings.of: unknown split 'tset'; did you mean 'test'",
        ),
        ({"tables": {"en_en": {"rows": ["M9"]}}}, "tables.en_en.rows: unknown experiment 'M9'"),
        ({"tables": {"en_en": {"rows": ["M5"]}}}, "tables.en_en.rows: experiments.M5.tasks: unknown task 'en_en'"),
        ({"tables": {"en_en": {"baseline": "M5"}}}, "tables.en_en.baseline: unknown row 'M5'"),
        ({"extends": {"nothing.yaml": ["recipes"]}}, "nothing.yaml does not exist"),
        ({"extends": {"recipes/small.yaml": ["recipe"]}}, "no section 'recipe' there; did you mean 'recipes'"),
    ],
)
def test_errors_name_key_and_nearest_name(sections: dict[str, Any], message: str) -> None:
    values = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    with pytest.raises(UserError, match=message):
        load_study(_merge(values, sections), CONFIG, "study.yaml")


def _merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Merge maps key by key."""
    for key, value in top.items():
        known = base.get(key)
        base[key] = _merge(known if isinstance(known, dict) else {}, value) if isinstance(value, dict) else value
    return base


def test_network_must_not_condition_and_score() -> None:
    made = {"folder": "x", "dim": 3, "origin": "its own lip stream", "made_with": "syncnet_mini"}
    lip = {"extractor": "precomputed", "settings": made}
    with pytest.raises(UserError, match="lse.syncnet_mini scores with syncnet_mini, which also conditions a model"):
        changed(features={"lip": lip})


def test_scorer_weights_must_not_condition() -> None:
    with pytest.raises(UserError, match="weights/syncnet.safetensors, which also conditions"):
        changed(recipes={"full": {"speaker_encoder": "weights/syncnet.safetensors"}})


def test_maps_of_a_study_replace_those_it_extends() -> None:
    values = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    sections = ["tasks", "tables", "plots", "gallery"]
    values["extends"] = {"mini.yaml": sections, "experiments.yaml": ["experiments"]}
    study = load_study(values, CONFIG, "study.yaml")
    assert list(study.experiments) == list(values["experiments"])
    assert set(study.tasks) == set(values["tasks"])
    assert set(study.tables) == set(values["tables"])


def test_no_visual_and_full_differ_in_the_visual_branch_only() -> None:
    study = read_study(CONFIG / "mini.yaml")
    no_visual, full = recipe_settings(study, "no_visual"), recipe_settings(study, "full")
    assert {key for key in full if full[key] != no_visual[key]} == {"recipe", "sees"}


def test_a_recipe_may_be_like_another() -> None:
    study = changed(recipes={"mine": {"like": "full", "sees": {"lip": "lip"}}})
    full, mine = (recipe_settings(study, name) for name in ("full", "mine"))
    assert {key for key in full if full[key] != mine[key]} == {"recipe", "sees"} and list(mine["sees"]) == ["lip"]
    with pytest.raises(UserError, match="recipes.mine.like: unknown recipe 'ful'; did you mean 'full'"):
        changed(recipes={"mine": {"like": "ful"}})
    with pytest.raises(UserError, match="recipes.yours.like: mine is like another recipe itself; name full instead"):
        changed(recipes={"mine": {"like": "full"}, "yours": {"like": "mine"}})


def test_captions_and_paper_rows_reach_no_job_that_computes() -> None:
    study = changed(experiments={"M3": {"caption": "a new caption", "paper": "M3", "group": "new"}})
    settings = job_settings(study, {})["experiments/M3"]
    assert settings == job_settings(read_study(CONFIG / "tiny.yaml"), {})["experiments/M3"]


def test_every_paper_value_has_a_reachable_cell_and_stands_in_one_task() -> None:
    paper = yaml.safe_load((CONFIG / "paper_values.yaml").read_text())
    cells: dict[tuple[str, str, float], set[str]] = {}
    for name in ("grid", "lrs3", "translation"):
        study = read_study(CONFIG / f"{name}.yaml")
        for key, job in job_settings(study, paper).items():
            if not key.startswith("tables/"):
                continue
            metrics = {column["id"] for column in job["columns"]}
            for entry in (*job["paper_values"], *job["external"]):
                who = entry.get("experiment") or entry["system"]
                if entry["metric"] in metrics and entry["dataset"] == study.tasks[job["task"]].dataset:
                    cells.setdefault((who, entry["metric"], entry["value"]), set()).add(job["task"])
    listed = [(entry["metric"], entry["value"]) for entry in (*paper["values"], *paper["external"])]
    lost = set(listed) - {(metric, value) for _, metric, value in cells}
    assert not lost, "no study has a cell for these"
    assert all(len(tasks) == 1 for tasks in cells.values()), cells


def test_paper_values_and_directions_reach_their_tables() -> None:
    study = read_study(CONFIG / "mini.yaml")
    settings = job_settings(study, yaml.safe_load((CONFIG / "paper_values.yaml").read_text()))
    found = [e for e in settings["tables/en_zh"]["comparisons"] if e["id"] == "faces_between_text_and_lips"]
    assert {tuple(entry["ascending"]) for entry in found} == {("M2", "M5", "M4")}
    assert [entry["metric"] for entry in found] == ["cer.whisper_base.by_ear", "cer.whisper_base.by_ear_capped"]
    assert {value["experiment"] for value in settings["tables/en_zh"]["paper_values"]} == {"M1", "M2", "M4", "M5"}
