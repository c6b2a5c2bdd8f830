"""One misspelling per section: each stops while the study is read, with the nearest valid name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from syncvoice.errors import UserError
from syncvoice.study import load_study

CONFIG = Path(__file__).resolve().parents[2] / "config"
CASES: list[tuple[str, str, Any, str]] = [  # study, key path, value, what the message ends with
    ("tiny", "sead", 1, "unknown key sead; did you mean 'seed'?"),
    ("tiny", "device", "cdua", "(found 'cdua'); did you mean 'cuda'?"),
    ("tiny", "threads.trian", 1, "unknown key threads.trian; did you mean 'train'?"),
    ("tiny", "weights.vocodr", "x", "unknown key weights.vocodr; did you mean 'vocoder'?"),
    ("tiny", "prepare.min_confidense", 0.5, "unknown key prepare.min_confidense; did you mean 'min_confidence'?"),
    ("tiny", "prepare.several_faces", "speeking", "(found 'speeking'); did you mean 'speaking'?"),
    ("tiny", "bootstrap.resample", 1, "unknown key bootstrap.resample; did you mean 'resamples'?"),
    ("tiny", "datasets.minidub.kind", "minidob", "datasets.minidub.kind: .*did you mean 'minidub'?"),
    ("tiny", "datasets.minidub.settings.image_sise", 1, "unknown key image_sise; did you mean 'image_size'?"),
    ("tiny", "datasets.minidub.splits.test.shard", 1, "splits.test.shard; did you mean 'shards'?"),
    ("tiny", "datasets.minidub.splits.test.settings.voises", "both", "unknown key voises; did you mean 'voices'?"),
    ("wild", "datasets.wild.splits.test.settings.rank", [0, 1], "unknown key rank; did you mean 'ranks'?"),
    ("grid_s1", "adapt.vocodr", {"dataset": "grid", "split": "train"}, "did you mean 'vocoder'?"),
    ("grid_s1", "adapt.vocoder.splt", "train", "unknown key adapt.vocoder.splt; did you mean 'split'?"),
    ("grid_s1", "adapt.vocoder.settings.stepz", 3, "unknown key adapt.vocoder.settings.stepz; did you mean 'steps'?"),
    ("tiny", "features.lip.extracter", "mesh_lip", "features.lip.extracter; did you mean 'extractor'?"),
    ("tiny", "features.lip.extractor", "mesh_lips", "unknown extractor 'mesh_lips'; did you mean 'mesh_lip'?"),
    ("tiny", "features.lip.settings", {"windw": 3}, "features.lip.settings: unknown key windw"),
    ("tiny", "tasks.en_en.langauge", "en", "unknown key tasks.en_en.langauge; did you mean 'language'?"),
    ("tiny", "tasks.en_en.metrics", ["wer.whisper_bas"], "unknown metric 'wer.whisper_bas'; did you mean"),
    ("tiny", "recipe_defaults.stepp", 1, "stepp; did you mean 'steps'?"),
    ("tiny", "recipes.full.optimiser.nmae", "adamw", "recipes.full.optimiser.nmae; did you mean 'name'?"),
    ("tiny", "recipes.full.sees.lip", "lipp", "unknown visual feature 'lipp'; did you mean 'lip'?"),
    ("tiny", "experiment_defaults.stepps", 1, "stepps; did you mean 'steps'?"),
    ("tiny", "experiments.M3.captoin", "x", "unknown key experiments.M3.captoin; did you mean 'caption'?"),
    ("tiny", "experiments.M3.kind", "modle", "experiments.M3: kind 'modle' is unknown; did you mean 'model'?"),
    ("tiny", "experiments.M3.scales.lipp", 1.0, "unknown condition 'lipp'; did you mean 'lip'?"),
    ("tiny", "experiments.guidance_sweep.sweep.fase", [1.0], "unknown condition 'fase'; did you mean 'face'?"),
    ("tiny", "tables.en_en.metric", [], "unknown key tables.en_en.metric; did you mean 'metrics'?"),
    ("tiny", "tables.en_en.metrics", ["lse_c.syncnet_mni"], "unknown metric .*did you mean 'lse_c.syncnet_mini'?"),
    ("tiny", "plots.en_en.tabel", "en_en", "plots.en_en: unknown key tabel; did you mean 'table'?"),
    ("tiny", "plots.en_en.kind", "metric", "plots.en_en: unknown kind 'metric'; did you mean 'metrics'?"),
    ("tiny", "plots.en_en.table", "en_n", "plots.en_en.table: unknown table 'en_n'; did you mean 'en_en'?"),
    ("tiny", "plots.en_en.metrics", ["lse_c.syncnet_min"], "plots.en_en: unknown metric 'lse_c.syncnet_min'; did you"),
    ("tiny", "plots.training_curves.recipes", ["ful"], "unknown recipe 'ful'; did you mean 'full'?"),
    ("tiny", "gallery.max_megabyte", 3, "unknown key gallery.max_megabyte; did you mean 'max_megabytes'?"),
    ("tiny", "gallery.tasks.en_en.clip", 3, "unknown key gallery.tasks.en_en.clip; did you mean 'clips'?"),
    ("tiny", "gallery.tasks.en_en.metrics", ["lse_d.syncnet_mii"], "unknown metric 'lse_d.syncnet_mii'; did you mean"),
    ("tiny", "gallery.tasks", {"en_en_sweep": {"caption": "a", "rows": ["guidance_sweep"], "clips": 1}},
     "unknown row of a single point 'guidance_sweep'"),
    ("mini", "listening_test.cheks", 3, "unknown key listening_test.cheks; did you mean 'checks'?"),
    ("mini", "probe.tets", [], "unknown key probe.tets; did you mean 'tests'?"),
    ("mini", "probe.dataset", "minidb", "probe.dataset: unknown dataset 'minidb'; did you mean 'minidub'?"),
    ("mini", "probe.train", "trian", "probe.train: unknown split 'trian'; did you mean 'train'?"),
    ("mini", "probe.features", ["lips"], "probe.features: unknown feature 'lips'; did you mean 'lip'?"),
    ("tiny", "questions.mine.table", ["en_en"], "unknown key questions.mine.table; did you mean 'tables'?"),
    ("questions", "treated_references.short", {"dataset": "minidub", "split": "reference", "second": 1.0},
     "unknown key treated_references.short.second; did you mean 'seconds'?"),
    ("tiny", "cost.clip", 3, "unknown key cost.clip; did you mean 'clips'?"),
    ("tiny", "questions.some", {"question": "?", "counts_faces_lost": True}, "unknown setting of a split 'perturb'"),
    ("tiny", "questions.mine", {"question": "?", "measures_cost": True}, "unknown section 'cost'; valid: none"),
    ("mini", "pretrain_languages.jp", 1.0, "pretrain_languages.*jp"),
    ("mini", "pretrain_arithmetic", "bf61", "pretrain_arithmetic.*bf16"),
    ("grid_s1", "alignment_report.splits", "x", "unknown key alignment_report.splits; did you mean 'split'?"),
]  # fmt: skip


def with_entry(study: str, path: str, value: Any) -> dict[str, Any]:
    """Values of a shipped study with one entry set."""
    values = section = yaml.safe_load((CONFIG / f"{study}.yaml").read_text(encoding="utf-8"))
    *parents, key = path.split(".")
    for parent in parents:
        section[parent] = section.get(parent) or {}
        section = section[parent]
    section[key] = value
    return values


@pytest.mark.parametrize(("study", "path", "value", "message"), CASES, ids=[case[1] for case in CASES])
def test_a_misspelling_stops_the_dry_run(study: str, path: str, value: Any, message: str) -> None:
    pattern = message.replace("?", r"\?").replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(UserError, match=f"study.yaml: .*{pattern}"):
        load_study(with_entry(study, path, value), CONFIG, "study.yaml")


def test_every_section_has_a_case() -> None:
    from syncvoice.study.study import Study

    plain = {"name", "pretrain_from", "pretrain_minutes", "pretrain_hours", "seed"}  # single values, not sections
    assert {case[1].split(".")[0] for case in CASES} >= set(Study.model_fields) - plain
