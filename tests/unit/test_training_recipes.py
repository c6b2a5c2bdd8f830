"""The paper's recipes resolve, contradictions are refused, and a run starts from weights in the public layout."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import yaml

from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.model.public_layout import save_release
from syncvoice.model.start import load_model, model_from_start, new_parts
from syncvoice.model.zipformer import ZipformerLayer
from syncvoice.model.zipvoice import ZipVoice
from syncvoice.study import Study, load_study
from syncvoice.study.jobs import recipe_settings
from syncvoice.text.vocabulary import emilia_symbols
from syncvoice.training.optimisers import optimiser_of
from tests.unit.test_model import TINY
from tests.unit.training_study import make_study, recipe, run

CONFIG = Path(__file__).resolve().parents[2] / "config"
FILES = ("grid", "bilingual", "lrs3", "efficient")


def study_of(file: str, no_visual: dict[str, Any] | None = None, **changes: Any) -> Study:
    """A study that takes its recipes from a file, with the data set that they name; `no_visual` adds such a recipe."""
    recipes = yaml.safe_load((CONFIG / f"recipes/{file}.yaml").read_text())["recipes"]
    names = {recipe["dataset"] for recipe in recipes.values()}
    values = {
        "name": "test", "extends": {f"recipes/{file}.yaml": ["recipes"]}, "tasks": {},
        "datasets": {n: {"kind": "folder", "path": "data", "splits": {"train": {"shards": 1}}} for n in names},
        "experiments": {}, "tables": {},
    }  # fmt: skip
    if changes:
        values |= {"recipes": {"full": recipes["full"] | changes}}
    if no_visual:
        first = next(iter(recipes))
        values |= {"recipes": {"full": recipes[first], "no_visual": recipes[first] | no_visual}}
    return load_study(values, CONFIG, "study.yaml")


@pytest.mark.parametrize("file", FILES)
def test_recipe_files_resolve(file: str) -> None:
    study = study_of(file)
    for name in study.recipes:
        settings = recipe_settings(study, name)
        assert settings["recipe"] == name and settings["steps"] >= 5000


@pytest.mark.parametrize("file", ["grid", "bilingual", "lrs3"])
def test_paper_recipes_differ_where_their_experiments_do(file: str) -> None:
    study = study_of(file)
    trained = [name for name, one in study.recipes.items() if one.made_by == "train"]
    full, others = recipe_settings(study, "full"), [name for name in trained if name != "full"]
    for name in others:
        other = recipe_settings(study, name)
        expected = "speaker_branches" if name.startswith("dse") else "sees"
        assert {key for key in full if full[key] != other[key]} == {"recipe", expected}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"optimiser": {"name": "adam"}},
            "recipes.full.optimiser.name: .*'adamw', 'muon' or 'scaled_adam'.*found 'adam'",
        ),
        ({"optimiser": {"betaz": [0.9, 0.9]}}, "unknown key recipes.full.optimiser.betaz; did you mean 'betas'?"),
        ({"schedule": {"name": "edn"}}, "recipes.full.schedule.name: .*'eden'.*found 'edn'"),
        ({"schedule": {"lr_hour": 3}}, "unknown key recipes.full.schedule.lr_hour; did you mean 'lr_hours'?"),
        ({"lora": {"rnk": 3}}, "recipes.full.lora"),
        ({"gradient_clip": 1.0}, "scaled_adam clips by itself"),
        ({"lora": {"rank": 4, "alpha": 8.0}}, "cannot be averaged"),
        (
            {"lora": {"rank": 4, "alpha": 8.0}, "optimiser": {"name": "muon"}, "gradient_clip": 1.0},
            "muon is for whole matrices",
        ),
        ({"device_seconds": 1e6}, "device_seconds must not exceed batch_seconds"),
        ({"precision": "fp8"}, "recipes.full.precision"),
    ],
)
def test_errors_name_key_and_way_out(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        study_of("grid", **changes)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("study"))
    torch.manual_seed(5)
    save_release(folder / "public", ZipVoice(TINY), emilia_symbols(), False)
    return folder


def test_a_run_starts_from_the_public_layout(study: Path) -> None:
    out = run(study, "out", start=str(study / "public/model.pt"), steps=2, average_from=1.0)
    model = load_model(out)
    assert model.config.pretrained_speaker_dim == 12 and model.config.visual_dims == {"lip": 6, "face": 4}
    started = torch.load(study / "public/model.pt", weights_only=True)["model"]["embed.weight"]
    assert 0 < (model.backbone.embed.weight - started).abs().max() < 0.01


def test_layers_that_public_weights_lack_are_new(study: Path) -> None:
    start = study / "public/model.pt"
    assert new_parts(start) == ("fusion.", "speaker.")
    model = model_from_start(start, {"lip": 6}, 8, ("pretrained", "learnable"), speaker_width=12)
    first, second = optimiser_of(recipe(study, learning_rate=1.0), model, new_parts(start)).param_groups
    assert (first["lr"], second["lr"]) == (1.0, 3.0)
    assert len(first["params"]) == len(list(model.backbone.parameters()))


def test_muon_takes_the_matrices_of_the_layers_and_adamw_the_rest(study: Path) -> None:
    model = model_from_start(study / "backbone.safetensors", {"lip": 6}, 8, ("pretrained", "learnable"))
    settings = recipe(study).optimiser.model_dump() | {"name": "muon"}
    optimiser = optimiser_of(recipe(study, optimiser=settings), model, ("fusion.",))
    *adamw, muon = optimiser.param_groups
    layers = [m for m in model.modules() if isinstance(m, ZipformerLayer)]
    assert set(muon["params"]) == {w for layer in layers for w in layer.parameters() if w.ndim == 2} and layers
    everything = [p for group in optimiser.param_groups for p in group["params"]]
    assert len(everything) == len(set(everything)) == len(list(model.parameters())) and len(adamw) == 2
    matrix, bias = muon["params"][0], adamw[0]["params"][0]
    before = matrix.detach().clone(), bias.detach().clone()
    for parameter in (matrix, bias):
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    state = optimiser.state_dict()["state"]
    assert sorted(sorted(one) for one in state.values()) == [["exp_avg", "exp_avg_sq", "step"], ["momentum_buffer"]]
    assert not torch.equal(matrix, before[0]) and not torch.equal(bias, before[1])


def test_distilled_start_is_refused(study: Path) -> None:
    with (
        mock.patch("syncvoice.model.start.DISTILLED_KEY", "embed.weight"),
        pytest.raises(UserError, match="distilled"),
    ):
        model_from_start(study / "public/model.pt", {}, 8, ())


def test_other_metadata_beside_the_start_is_an_error(study: Path) -> None:
    write_json(study / "odd.json", {"name": "x"})
    with pytest.raises(UserError, match="has no section 'model'"):
        model_from_start(study / "odd.pt", {}, 8, ())


def test_time_weight_counts_clips_by_their_share_of_noise() -> None:
    import torch

    from syncvoice.training.objective import Prediction

    target = torch.zeros(2, 3, 1)
    v = torch.stack([torch.full((3, 1), 1.0), torch.full((3, 1), 2.0)])  # squared errors 1 and 4
    prediction = Prediction(v, target, torch.ones(2, 3, dtype=torch.bool), torch.tensor([0.25, 0.75]))
    assert prediction.loss().item() == pytest.approx(2.5)
    assert prediction.loss("noise_share").item() == pytest.approx((0.75 * 1 + 0.25 * 4) / 1.0)
