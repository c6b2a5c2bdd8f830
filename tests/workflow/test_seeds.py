"""Recipes with several seeds become trainings and rows, and only those that a table asks for."""

from typing import Any

import pytest

from syncvoice.errors import UserError
from syncvoice.study import read_study
from syncvoice.study.jobs import job_settings, recipe_settings
from tests.workflow.conftest import Project
from tests.workflow.test_config import CONFIG, changed

SEEDS = {"recipes": {"full": {"seeds": [1, 2, 3]}}, "tables": {"en_en": {"spread": True}}}


def test_further_seeds_are_recipes_that_differ_in_seed_alone() -> None:
    study = changed(**SEEDS)
    assert [name for name in study.recipes if name.startswith("full")] == ["full", "full_seed2", "full_seed3"]
    first, second = (recipe_settings(study, name) for name in ("full", "full_seed2"))
    assert first == recipe_settings(read_study(CONFIG / "tiny.yaml"), "full")  # nothing is trained twice
    assert {key for key in first if first[key] != second[key]} == {"recipe", "seed"} and second["seed"] == 2


def test_rows_of_further_trainings_are_those_of_tables_that_show_the_spread() -> None:
    study = changed(**SEEDS)
    again = {name: row for name, row in study.experiments.items() if row.repeats}
    assert set(again) == {
        f"{row}_seed{seed}" for row in ("M3", "M3_other_video") for seed in (2, 3)
    }  # M5: another task
    assert all(row.tasks == ["en_en"] and row.paper is None for row in again.values())
    assert study.trainings_of("M3") == {1: "M3", 2: "M3_seed2", 3: "M3_seed3"} and study.trainings_of("M1") == {}
    assert {"M3_seed2", "M3_other_video_seed3"} < set(study.rows_of_table("en_en"))
    jobs = job_settings(study, {})
    spoken, repeated = jobs["experiments/M3"], jobs["experiments/M3_seed2"]
    assert spoken == job_settings(read_study(CONFIG / "tiny.yaml"), {})["experiments/M3"]
    assert {key for key in spoken if spoken[key] != repeated[key]} == {"experiment"}  # the same noise
    assert [one["experiment"] for one in jobs["tables/en_en"]["trainings"]["M3"]] == ["M3", "M3_seed2", "M3_seed3"]
    assert not jobs["tables/en_zh"]["trainings"]


def test_further_trainings_are_scored_with_what_the_table_shows() -> None:
    study = changed(recipes=SEEDS["recipes"], tables={"en_zh": {"spread": True}, "en_en": {}})
    assert study.metrics_of("M5_seed2", "en_zh") == ["wer.ctc_mini"]


def test_a_recipe_like_another_does_not_take_its_seeds() -> None:
    study = changed(recipes={**SEEDS["recipes"], "mine": {"like": "full", "steps": 1}}, tables=SEEDS["tables"])
    assert "mine_seed2" not in study.recipes


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"recipes": {"full": {"seeds": [2, 3]}}}, "full.seeds: the first is the recipe's own seed, 1 .found 2"),
        ({"recipes": {"full": {"seeds": [1, 1]}}}, "recipes.full: seeds: a seed stands there twice"),
        ({"recipes": {"full": {"seeds": [1]}}}, "recipes.full: seeds: .*at least 2"),
        ({"recipes": {"full": {"seeds": [1, 2]}}, "tables": {}}, "no table shows the spread.*`spread: true`"),
        ({"recipes": {"full": {"seeds": [1, 2]}, "full_seed2": {"like": "full"}}}, "already has a full_seed2"),
        ({"recipes": {}}, "tables.en_en.spread: no row of the table has a recipe with several seeds"),
        ({"experiments": {"M3": {"repeats": "M1"}}}, "experiments.M3.repeats: only `seeds`"),
    ],
)
def test_mistakes_are_named(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        changed(**{"tables": SEEDS["tables"], **sections})


def test_questions_plans_shares_and_seeds(project: Project) -> None:
    study = read_study(CONFIG / "questions.yaml")
    shares = {name: recipe.share for name, recipe in study.recipes.items() if name in study.models_used()}
    assert sorted(share for share in shares.values() if share < 1) == [0.125, 0.25, 0.5]
    plan = project.plan("config/questions.yaml", "--", "results/questions/tables/seeds_en_en.csv")
    assert plan["train"] == 6  # two recipes, three seeds each
    assert plan["generate"] == 7  # recorded speech, M1 and M3 of three trainings
    assert plan["score"] == 17  # two scorers each; recorded speech, M1 and M3 also phone by phone
    plan = project.plan("config/questions.yaml", "--", "results/questions/plots/data.svg")
    assert plan["train"] == 4 and plan["generate"] == 8
