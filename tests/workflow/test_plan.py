"""How many jobs a change plans: counted by dry runs over a finished study."""

from pathlib import Path
from typing import Any

from tests.workflow.conftest import Project, make_project

ROW = {"recipe": "full", "scales": {"face": 3.0}, "tasks": ["en_en"], "caption": "stronger face guidance"}
ABLATION = """
use rule train as train_other_procedure with:
    wildcard_constraints:
        recipe="other_procedure",
    params:
        code="1",
        env="",
        features_root="elsewhere",
        folder=subpath(output.model, parent=True),
"""


def add_row(values: dict[str, Any], name: str = "new_row", **changes: Any) -> None:
    """Add an experiment and show it in the table en_en."""
    values["experiments"][name] = {**ROW, **changes}
    values["tables"]["en_en"]["rows"].append(name)


def test_finished_study_plans_nothing(project: Project) -> None:
    assert project.plan() == {}


def test_rows_that_share_a_recipe_share_its_training(project: Project) -> None:
    assert len(list((project.folder / "results" / "tiny" / "models").iterdir())) == 2


def test_every_split_with_video_gets_a_contact_sheet(project: Project) -> None:
    sheets = project.folder / "results" / "tiny" / "plots" / "contact_sheet"
    made = sorted(path.relative_to(sheets).as_posix() for path in sheets.rglob("*.*"))
    assert made == ["minidub/test.jpg", "minidub/train.jpg", "minidub/translation.jpg"]  # "reference" is sound only


def test_new_experiment_trains_nothing(project: Project) -> None:
    plan = project.plan_of(add_row)
    # settings of the row, its table and the plot of that table, which names the rows' colours
    assert plan == {"all": 1, "write_settings": 3, "generate": 1, "score": 2, "tabulate": 1, "plot": 1}


def test_a_row_in_parts_is_spoken_by_several_jobs_and_joined(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        add_row(values)
        values["tasks"]["en_zh"]["parts"] = 3
        values["experiments"]["new_row"]["tasks"] = ["en_zh"]
        values["tables"]["en_en"]["rows"].remove("new_row")
        values["tables"]["en_zh"]["rows"].append("new_row")

    plan = project.plan_of(change)
    assert plan["join_parts"] == 3 and plan["generate_part"] == 9 and "generate" not in plan  # all rows of the task


def test_new_recipe_trains_one_model(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["recipes"]["lip_trained"] = {"dataset": "minidub", "sees": {"lip": "lip"}}
        add_row(values, recipe="lip_trained", scales={"lip": 2.0})

    plan = project.plan_of(change)
    assert plan["train"] == plan["resolve_recipe"] == plan["generate"] == 1
    assert "compute_feature" not in plan


def test_a_recipe_that_goes_on_from_a_fusion_waits_for_its_model(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        sees = {"lip": "lip", "face": "face"}
        fusion = "results/tiny/models/longer/model.safetensors"
        values["recipes"] |= {
            "longer": {"dataset": "minidub", "sees": sees, "steps": 3},
            "goes_on": {"dataset": "minidub", "sees": sees, "fusion": fusion},
        }
        add_row(values, recipe="goes_on", scales={"lip": 2.0})

    assert project.plan_of(change)["train"] == 2


def test_a_training_in_two_processes_asks_for_the_memory_of_two(project: Project) -> None:
    start = ("config/mini.yaml", "config/ablations/dubbing_start.yaml")
    target = "results/mini/models/dubbing_second/model.safetensors"  # its start weights are made by hand, once
    for weights in ("dubbing_start", "dubbing"):
        for kind in ("safetensors", "json"):
            file = project.folder / f"results/mini/first/{weights}.{kind}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    text = project.snakemake("-n", "--configfile", *start, "--", target).stdout
    (training,) = [job for job in text.split("\n\n") if "rule train:" in job]
    assert "mem_mb=12000" in training


def test_third_condition_adds_its_own_jobs_only(project: Project) -> None:
    ablation = "config/ablations/head_pose.yaml"
    assert project.plan("config/tiny.yaml", ablation) == {
        "all": 1, "write_settings": 5, "resolve_recipe": 1, "compute_feature": 3, "train": 1, "generate": 1, "score": 2,
        "tabulate": 1, "plot": 2,
    }  # fmt: skip
    alone, overlaid = project.plan("config/mini.yaml"), project.plan("config/mini.yaml", ablation)
    added = {rule: count - alone.get(rule, 0) for rule, count in overlaid.items() if count != alone.get(rule, 0)}
    train, test = (len(project.shards("mini", split)) for split in ("train", "test"))
    assert added == {"write_settings": 2, "resolve_recipe": 1, "compute_feature": train + test, "train": 1,
                     "generate": 1, "score": 8}  # fmt: skip


def test_a_second_lip_front_end_is_another_recipe_and_row(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        files = {"folder": "lips", "dim": 4, "origin": "another program"}
        values.setdefault("features", {})["other_lip"] = {"extractor": "precomputed", "settings": files}
        values["recipes"]["other_lips"] = {"dataset": "minidub", "sees": {"lip": "other_lip", "face": "face"}}
        add_row(values, recipe="other_lips", scales={"lip": 2.0, "face": 2.0})

    plan = project.plan_of(change)
    assert plan == {"all": 1, "write_settings": 4, "resolve_recipe": 1, "compute_feature": 3, "train": 1, "generate": 1,
                    "score": 2, "tabulate": 1, "plot": 1}  # fmt: skip


def test_feature_that_nobody_sees_plans_nothing(project: Project) -> None:
    assert project.plan_of(lambda values: values.update(features={"head_pose": {"extractor": "head_pose"}})) == {}


def changed_code(project: Project, module: str, text: str = "\nNEW_CONSTANT = 1\n") -> dict[str, int]:
    """Plan after a change of a module, which is then undone."""
    file = project.folder / "syncvoice" / f"{module}.py"
    before = file.read_text() if file.is_file() else None
    try:
        file.write_text((before or "") + text)
        return project.plan()
    finally:
        file.unlink() if before is None else file.write_text(before)


def test_training_loss_replans_trainings_and_what_reads_their_models(project: Project) -> None:
    assert changed_code(project, "training/objective") == {
        "all": 1, "train": 2, "generate": 5, "score": 8, "mux": 1, "tabulate": 3, "plot": 2, "make_gallery": 1,
    }  # fmt: skip


def test_kind_of_a_row_replans_its_own_rows(project: Project) -> None:
    assert changed_code(project, "generation/kinds/noise") == {
        "all": 1, "generate": 1, "score": 2, "tabulate": 1, "plot": 1
    }  # fmt: skip
    assert changed_code(project, "generation/requests")["generate"] == 6  # models and zero-shot, no copy


def test_extractor_replans_its_own_features(project: Project) -> None:
    assert changed_code(project, "features/extractors/head_pose") == {}
    assert changed_code(project, "features/extractors/unused", '"""Unused."""\n\nNAME = 1\n') == {}
    plan = changed_code(project, "features/extractors/mesh_lip")
    assert plan["compute_feature"] == 3 and plan["train"] == 1


def test_ablation_file_makes_one_model_with_its_own_rule(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["recipes"]["other_procedure"] = {"dataset": "minidub", "made_by": "train_other_procedure"}
        add_row(values, recipe="other_procedure", scales={})

    file = project.folder / "workflow" / "rules" / "ablations" / "other_procedure.smk"
    file.write_text(ABLATION)
    try:
        plan = project.plan_of(change)
    finally:
        file.unlink()
    assert plan["train_other_procedure"] == 1
    assert "train" not in plan


def test_recipe_whose_rule_is_missing_stops_the_dry_run(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["recipes"]["orphan"] = {"dataset": "minidub", "made_by": "train_orphan"}
        add_row(values, recipe="orphan", scales={})

    result = project.snakemake("--dry-run", "--configfile", project.study("tiny", change))
    assert result.returncode != 0
    assert "recipes.orphan.made_by: no rule 'train_orphan'; did you mean 'train'?" in result.stdout


def test_caption_reaches_tables_only(project: Project) -> None:
    plan = project.plan_of(lambda values: values["experiments"]["M3"].update(caption="another caption"))
    assert set(plan) == {"all", "write_settings", "tabulate", "plot", "make_gallery"}


def test_sampling_change_generates_one_row_again(project: Project) -> None:
    plan = project.plan_of(lambda values: values["experiments"]["M1"].update(steps=3))
    assert plan["generate"] == 1
    assert plan["score"] == 2
    assert "train" not in plan


def test_code_change_reruns_what_uses_it_and_a_comment_nothing(project: Project) -> None:
    module = project.folder / "syncvoice" / "reporting" / "gallery.py"
    before = module.read_text()
    try:
        module.write_text(before + "\n# a comment\n")
        assert project.plan() == {}
        module.write_text(before + "\nNEW_CONSTANT = 1\n")
        assert project.plan() == {"all": 1, "make_gallery": 1}
    finally:
        module.write_text(before)


def test_split_change_makes_only_that_split_again(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["datasets"]["minidub"]["splits"]["translation"]["settings"]["clips"] = {"en": 3}

    plan = project.plan_of(change)
    assert plan["make_corpus"] == plan["prepare"] == 1
    assert "train" not in plan


def test_other_study_in_between_changes_nothing(project: Project) -> None:
    other = project.study("tiny", lambda values: values.update(name="other"), name="other")
    result = project.snakemake("--quiet", "--configfile", other, "--", "results/other/tasks/en_zh.csv")
    assert result.returncode == 0, result.stdout
    assert project.plan() == {}


def test_mini_plans_every_row_of_the_paper(project: Project) -> None:
    plan = project.plan("config/mini.yaml")
    assert plan["train"] == 4
    assert plan["generate"] >= 20
    assert "pretrain_network" not in plan


def test_150_000_clips_need_no_job_each(  # benchmarks/start.py times it
    tmp_path: Path,
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    rows = "".join(f"{number}.mp4,text {number}\n" for number in range(150_000))
    (clips / "clips.csv").write_text("media,text\n" + rows)
    project = make_project(tmp_path / "project")

    def change(values: dict[str, Any]) -> None:
        split = {"shards": 100, "settings": {}}
        splits = dict.fromkeys(values["datasets"]["minidub"]["splits"], split)
        values["datasets"]["minidub"] = {"kind": "folder", "path": str(clips), "splits": splits}

    config = project.study("tiny", change)
    assert sum(project.plan(config).values()) <= 2_000


def test_misspelt_name_stops_the_dry_run(project: Project) -> None:
    config = project.study("tiny", lambda values: values["experiments"]["M3"].update(recipe="ful"))
    result = project.snakemake("--dry-run", "--configfile", config)
    assert result.returncode != 0
    assert "changed.yaml: experiments.M3.recipe: unknown recipe 'ful'; did you mean 'full'?" in result.stdout


def test_every_question_is_a_target_of_its_own(project: Project) -> None:
    whole = project.plan("config/questions.yaml")
    lips = project.plan("config/questions.yaml", "--", "questions_lips")
    shifted = project.plan("config/questions.yaml", "--", "questions_alignment")
    assert lips["train"] == 3 and shifted["train"] == 2  # with and without visual features, with the opening
    data = project.plan("config/questions.yaml", "--", "questions_data")
    assert data["train"] == 6  # an eighth, a quarter, half and all of the clips; all of them with two more seeds
    cost = project.plan("config/questions.yaml", "--", "questions_cost")
    assert cost["measure_cost"] == 1 and cost["train"] == 2 and "generate" not in cost and "score" not in cost
    assert whole["train"] == 11  # with pairs across languages, and two more seeds without visual features
    assert lips["generate"] >= 16 and 8 <= shifted["generate"] < lips["generate"] < whole["generate"]
    assert shifted["tabulate"] == shifted["questions_alignment"] == 1 and "plot" not in shifted


def test_an_unknown_answer_of_a_question_is_named(project: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["questions"] = {"mine": {"question": "What?", "tables": ["en_ne"]}}

    result = project.snakemake("--dry-run", "--configfile", project.study("tiny", change))
    assert "questions.mine.tables: unknown table 'en_ne'; did you mean 'en_en'?" in result.stdout
