"""A recipe may go on from the fusion of another model; one that does not fit is a sentence."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from syncvoice.dubbing.model import save_difference
from syncvoice.errors import UserError
from syncvoice.model.start import start_state
from syncvoice.study import load_study
from syncvoice.study.weights import weights_wanted
from syncvoice.training.data import BatchPlan
from syncvoice.training.module import FineTuning
from syncvoice.training.run import prepare
from tests.unit.training_study import clips, make_study, recipe, run

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def trained(study: Path) -> Path:
    """A model that has learned."""
    return run(study, "trained") / "model.safetensors"


def begun(study: Path, **changes: Any) -> FineTuning:
    """A training before its first step."""
    settings = recipe(study, **changes)
    return prepare(settings, BatchPlan(clips(), settings), study / "features")[0]


def test_the_fusion_comes_from_the_model_and_all_else_from_the_start_weights(study: Path, trained: Path) -> None:
    module = begun(study, fusion=str(trained))
    theirs, state = load_file(trained), module.model.state_dict()
    fusion = {name for name in state if name.startswith("fusion.")}
    assert fusion and all(torch.equal(state[name], theirs[name].float()) for name in fusion)
    assert state["fusion.linear.weight"].any()
    start = start_state(study / "backbone.safetensors")
    assert all(torch.equal(state[name], start[name].float()) for name in state if name not in fusion)


def test_a_fusion_that_has_learned_is_not_new(study: Path, trained: Path) -> None:
    assert begun(study).new == ("fusion.",)
    assert begun(study, fusion=str(trained)).new == ()


def test_a_difference_brings_its_fusion_too(study: Path, trained: Path) -> None:
    small = study / "shipped.safetensors"
    save_difference(trained, study / "backbone.safetensors", small)
    whole, part = (begun(study, fusion=str(path)).model.state_dict() for path in (trained, small))
    assert all(torch.equal(part[name], value) for name, value in whole.items())


def test_a_model_without_video_takes_none(study: Path, trained: Path) -> None:
    assert begun(study, sees={}, fusion=str(trained)).model.fusion is None


def test_a_condition_beside_those_of_the_fusion_begins_without_effect(study: Path, trained: Path) -> None:
    sees = {"lip": "lip", "face": "face", "head_pose": "head_pose"}
    module, plain = begun(study, fusion=str(trained), sees=sees), begun(study, fusion=str(trained))
    assert module.new == ("fusion.adapters.head_pose.", "fusion.null.head_pose")
    features = {name: torch.randn(1, 12, seen.dim) for name, seen in module.conditions.items()}
    z_t, present = torch.randn(1, 30, 100), {name: torch.ones(1, 30, dtype=torch.bool) for name in features}
    assert module.model.fusion is not None and plain.model.fusion is not None
    wide, narrow = (
        fusion(z_t, fusion.adapt(features, 30), present) for fusion in (module.model.fusion, plain.model.fusion)
    )
    torch.testing.assert_close(wide, narrow)
    assert not torch.equal(wide, z_t)


def test_a_condition_that_learns_anew_takes_nothing_from_the_fusion(study: Path, trained: Path) -> None:
    sees = {"lip": "lip", "face": {"feature": "head_pose", "anew": True}}  # another feature, refused otherwise
    module = begun(study, fusion=str(trained), sees=sees)
    assert module.new == ("fusion.adapters.face.", "fusion.null.face")
    theirs, state = load_file(trained), module.model.state_dict()
    z_t, lip, face = state["fusion.linear.weight"].split(100, dim=1)
    their_z_t, their_lip, their_face = theirs["fusion.linear.weight"].float().split(100, dim=1)
    assert torch.equal(z_t, their_z_t) and torch.equal(lip, their_lip) and their_face.any() and not face.any()
    lips = [name for name in theirs if name.startswith(("fusion.adapters.lip.", "fusion.null.lip"))]
    assert lips and all(torch.equal(state[name], theirs[name].float()) for name in lips)


def test_another_fusion_is_another_training(study: Path, trained: Path) -> None:
    plain = (run(study, "plain") / "model.safetensors").read_bytes()
    assert plain == trained.read_bytes()
    assert (run(study, "plain", fusion=str(trained)) / "model.safetensors").read_bytes() != plain


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sees": {"lip": "lip"}}, "a recipe that sees lip: it sees .*face"),
        (
            {"sees": {"lip": "lip", "face": "head_pose"}},
            "face has extractor 'random_face' instead of 'random_head_pose'",
        ),
        ({"adapter_dim": 4}, "adapter_dim is 8 instead of 4"),
    ],
)
def test_a_fusion_of_other_features_or_sizes_is_a_sentence(
    study: Path, trained: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        begun(study, fusion=str(trained), **changes)
    assert "set the recipe's fusion to null" in str(caught.value)


def test_a_study_asks_for_a_fusion_that_it_does_not_make_itself() -> None:
    def wanted(fusion: str) -> dict[str, str]:
        values = yaml.safe_load((CONFIG / "tiny.yaml").read_text(encoding="utf-8"))
        values["recipe_defaults"] = values.get("recipe_defaults", {}) | {"fusion": fusion}
        return weights_wanted(load_study(values, CONFIG, "tiny.yaml"))

    assert wanted("elsewhere/dubbing.safetensors")["elsewhere/dubbing.safetensors"] == "recipe full"
    own = "results/tiny/models/full/model.safetensors"
    assert own not in wanted(own)


def test_a_missing_model_is_a_sentence(study: Path) -> None:
    with pytest.raises(UserError, match="nowhere.json"):
        begun(study, fusion=str(study / "nowhere.safetensors"))
