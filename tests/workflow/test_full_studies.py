"""Studies on real recordings: they resolve, plan on a fake tree of the right shape, and say what is absent."""

from pathlib import Path

import pytest
import yaml

from syncvoice.datasets.card import cards_in
from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.study import load_study, read_study
from syncvoice.study.jobs import job_settings
from tests.workflow.conftest import REPOSITORY, Project, make_project

CONFIG = REPOSITORY / "config"
STUDIES = {
    "grid": ["grid"],
    "grid_s1": ["grid"],
    "lrs3": ["lrs3"],
    "translation": ["hdtf", "cncvs", "bilingual"],
    "wild": ["wild"],
}
MODELS = {"grid": 2, "grid_s1": 2, "lrs3": 4, "translation": 4, "wild": 2}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project without any results and without any weights of others."""
    return make_project(tmp_path_factory.mktemp("bare"))


def roots(project: Project, study: str) -> list[str]:
    """Make an empty folder for each data set; return the options that name them."""
    folders = {name: project.folder / "my data" / name for name in STUDIES[study]}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return ["--config", *(f"{name}_root={folder}" for name, folder in folders.items())]


@pytest.mark.parametrize("study", STUDIES)
def test_study_resolves_and_every_data_set_has_a_card(study: str) -> None:
    resolved = read_study(CONFIG / f"{study}.yaml")
    local = [name for name, dataset in resolved.datasets.items() if dataset.kind != "minidub"]
    assert resolved.name == study and sorted(local) == sorted(STUDIES[study])
    assert set(local) <= set(cards_in(CONFIG / "datasets"))
    sections = job_settings(resolved, {})
    assert all(f"prepare/{name}/{split}" in sections for name in local for split in resolved.datasets[name].splits)


@pytest.mark.parametrize("study", [*STUDIES, "mini", "tiny"])
def test_prepare_settings_are_those_that_the_step_knows(study: str) -> None:
    settings = read_study(CONFIG / f"{study}.yaml").prepare
    assert settings.several_faces == ("speaking" if study == "wild" else "exclude")
    assert settings.cut_above_seconds == (20 if study == "wild" else None)


@pytest.mark.parametrize("study", STUDIES)
def test_study_plans_on_a_fake_tree(bare: Project, study: str) -> None:
    plan = bare.plan(f"config/{study}.yaml", *roots(bare, study))
    resolved = read_study(CONFIG / f"{study}.yaml")
    parts = [resolved.tasks[task].parts for _, task in resolved.rows()]
    assert plan["train"] == MODELS[study] and plan.get("generate", 0) == parts.count(1)
    several = [number for number in parts if number > 1]
    assert plan.get("join_parts", 0) == len(several) and plan.get("generate_part", 0) == sum(several)
    assert plan["tabulate"] == len(resolved.tables) and "fetch_grid" not in plan
    looked_at = {
        (task.dataset, task.split, metric) for task in resolved.tasks.values() for metric in task.metrics
        if METRIC_FILES[metric].sees_once
    }  # fmt: skip
    assert plan.get("embed_lips", 0) == sum(
        resolved.datasets[dataset].splits[split].shards for dataset, split, _ in looked_at
    ), "faces are looked for once per clip, not once per row"
    splits = [split for dataset in resolved.datasets.values() for split in dataset.splits.values()]
    assert plan["draw_contact_sheet"] == sum(split.settings.has_video for split in splits)
    assert sum(plan.values()) < 2500, "jobs per shard, never per clip"


@pytest.mark.parametrize(
    ("study", "fetched", "by_hand"),
    [
        ("grid", ["vocos_mel_24khz", "whisper_base"], ["zipvoice_libritts/model.pt", "lrw_resnet18"]),
        ("lrs3", ["zipvoice_emilia/model.pt", "zipvoice_emilia/tokens.txt"], ["wavlm_large_finetune"]),
        ("translation", ["zipvoice_emilia/model.json", "syncnet_v2", "s3fd"], ["wavlm_large_finetune"]),
    ],
)
def test_dry_run_without_weights_lists_what_is_missing(
    bare: Project, study: str, fetched: list[str], by_hand: list[str]
) -> None:
    result = bare.snakemake("--dry-run", "--quiet", "--configfile", f"config/{study}.yaml", *roots(bare, study))
    assert result.returncode == 0 and "MissingInputException" not in result.stdout, result.stdout
    assert "weight files of others are missing:" in result.stdout
    lines = result.stdout.splitlines()
    for names, way in ((fetched, "fetches them"), (by_hand, "by hand")):
        for name in names:
            (line,) = [line for line in lines if line.startswith(f"weights resources/assets/{name} are not there")]
            assert way in line and "licence of the weights: " in line


@pytest.mark.parametrize(
    ("study", "wanted"), [("grid", {"vocos_mel_24khz", "whisper_base"}), ("lrs3", {"zipvoice_emilia/model.pt", "s3fd"})]
)
def test_fetch_plans_what_has_a_source_and_nothing_else(bare: Project, study: str, wanted: set[str]) -> None:
    config = ["--configfile", f"config/{study}.yaml", *roots(bare, study)]
    result = bare.snakemake("fetch", "--dry-run", *config)
    assert result.returncode == 0, result.stdout
    outputs = {line.split("resources/assets/")[1] for line in result.stdout.splitlines() if "output: resources" in line}
    assert outputs >= wanted and "lrw_resnet18" not in outputs
    assert "train" not in result.stdout.partition("Job stats:")[2].partition("total")[0]


@pytest.mark.parametrize(("study", "overlay"), [("grid", "emonet_grid"), ("lrs3", "emonet")])
def test_a_pretrained_face_encoder_is_an_overlay(bare: Project, study: str, overlay: str) -> None:
    alone = bare.plan(f"config/{study}.yaml", *roots(bare, study))
    overlaid = bare.plan(f"config/{study}.yaml", f"config/ablations/{overlay}.yaml", *roots(bare, study))
    added = {rule: count - alone.get(rule, 0) for rule, count in overlaid.items() if count != alone.get(rule, 0)}
    splits = {name: split.shards for name, split in read_study(CONFIG / f"{study}.yaml").datasets[study].splits.items()}
    assert added == {"train": 2, "resolve_recipe": 2, "generate_part": 8, "join_parts": 2, "score": 10,
                     "write_settings": 4, "fetch_asset": 1,
                     "compute_feature": 2 * (splits["train"] + splits["test"])}  # fmt: skip


def test_the_authors_row_appears_with_their_file(bare: Project) -> None:
    alone = bare.plan("config/lrs3.yaml", *roots(bare, "lrs3"))
    folder = bare.folder / "resources/assets/syncvoice_lrs3"
    folder.mkdir(parents=True)
    try:
        (folder / "model.pt").touch()
        found = bare.plan("config/lrs3.yaml", *roots(bare, "lrs3"))
        added = {rule: count - alone.get(rule, 0) for rule, count in found.items() if count != alone.get(rule, 0)}
        # model.json and tokens.txt beside it are fetched
        assert added == {"import_checkpoint": 1, "resolve_recipe": 1, "generate_part": 4, "join_parts": 1, "score": 5,
                         "write_settings": 1, "fetch_asset": 2}  # fmt: skip
        assert bare.plan("config/translation.yaml", *roots(bare, "translation"))["import_checkpoint"] == 1
    finally:
        (folder / "model.pt").unlink()


def test_embedded_study_misses_nothing(bare: Project) -> None:
    result = bare.snakemake("--dry-run", "--quiet", "--configfile", "config/tiny.yaml")
    assert result.returncode == 0 and "missing" not in result.stdout


def test_grid_is_downloaded_where_no_folder_is_named(bare: Project) -> None:
    assert bare.plan("config/grid.yaml")["fetch_grid"] == 1


def test_absent_folder_gives_one_sentence(bare: Project) -> None:
    result = bare.snakemake("--dry-run", "--configfile", "config/translation.yaml", "--config", "hdtf_root=no where")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    sentence = "folder no where of data set 'hdtf' does not exist; say where it lies with '--config hdtf_root=FOLDER'"
    assert result.stdout.count(sentence) == 1


def test_root_sets_the_path_and_a_misspelt_one_is_refused() -> None:
    values = yaml.safe_load((CONFIG / "grid_s1.yaml").read_text())
    assert load_study(values | {"grid_root": "my/clips"}, CONFIG, "s").datasets["grid"].path == "my/clips"
    with pytest.raises(UserError, match="unknown key gird_root"):
        load_study(values | {"gird_root": "my/clips"}, CONFIG, "s")


def test_studies_leak_nothing_into_each_other() -> None:
    for study in STUDIES:
        resolved = read_study(CONFIG / f"{study}.yaml")
        assert not set(resolved.tasks) & {"en_en_sweep", "en_en_uncoupled"}
        assert resolved.probe is None and set(resolved.tables) <= set(resolved.tasks) | {"speaker_encoders"}


def test_default_study_knows_no_selection_settings() -> None:
    sections = job_settings(read_study(CONFIG / "mini.yaml"), {})
    assert not [name for name in sections if name.startswith("prepare/")]


def test_no_rule_but_fetch_names_an_address() -> None:
    for file in [*Path(REPOSITORY / "workflow").rglob("*.smk"), *Path(REPOSITORY / "workflow").rglob("*.py")]:
        text = file.read_text()
        assert "http" not in text and "urllib" not in text, f"{file} touches the network"
