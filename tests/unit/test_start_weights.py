"""A fine-tuned model becomes start weights: a training from them begins as that model."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from syncvoice.cli import main
from syncvoice.dubbing.model import load_dubbing_model
from syncvoice.dubbing.start_weights import make_start_weights
from syncvoice.errors import UserError
from syncvoice.files import read_json, write_json
from syncvoice.model.start import load_model
from syncvoice.records.weights import read_metadata, read_state_dict, save_weights, write_metadata
from syncvoice.training.data import BatchPlan
from syncvoice.training.run import prepare
from tests.unit.training_study import clips, make_study, recipe, run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Start weights as pre-training leaves them, with what it alone uses, and a model fine-tuned from them."""
    folder = make_study(tmp_path_factory.mktemp("study"))
    start = folder / "backbone.safetensors"
    config = read_metadata(start)["config"]
    save_weights(start, {**read_state_dict(start), "phone_head.bias": torch.ones(3)})
    write_metadata(start, {"config": config, "chain": [{"steps": 1}], "curve": "backbone.csv"})
    (folder / "backbone.csv").write_text("run,step,flow,weighted\n0,50,1.5,0.4\n")
    run(folder, "model", steps=6)
    return folder


@pytest.fixture(scope="module")
def made(study: Path) -> Path:
    """The start weights of that model."""
    (study / "made").mkdir()
    command = ["start-weights", "--model", str(study / "model"), "--start", str(study / "backbone.safetensors")]
    assert main([*command, "--out", str(study / "made")]) == 0
    return study / "made"


def test_a_training_from_them_begins_as_the_model(study: Path, made: Path) -> None:
    settings = recipe(
        study, start=str(made / "dubbing_start.safetensors"), fusion=str(made / "dubbing.safetensors"), steps=1
    )
    begun = prepare(settings, BatchPlan(clips(), settings), study / "features")[0].model.state_dict()
    model = load_model(study / "model").state_dict()
    assert begun.keys() == model.keys() and all(torch.equal(begun[name], model[name]) for name in model)


def test_the_model_to_dub_with_is_the_fusion_alone(study: Path, made: Path) -> None:
    assert all(name.startswith("fusion.") for name in load_file(made / "dubbing.safetensors"))
    dubbing, model = load_dubbing_model(made / "dubbing.safetensors").model, load_model(study / "model")
    assert all(torch.equal(dubbing.state_dict()[name], value) for name, value in model.state_dict().items())


def test_what_pre_training_alone_uses_stays_and_the_history_grows(study: Path, made: Path) -> None:
    before, after = (
        read_state_dict(one) for one in (study / "backbone.safetensors", made / "dubbing_start.safetensors")
    )
    assert before.keys() == after.keys()
    kept = [name for name in before if name.startswith(("model.fusion.", "phone_head."))]
    assert len(kept) > 1 and all(torch.equal(before[name], after[name]) for name in kept)
    metadata = read_metadata(made / "dubbing_start.safetensors")
    assert (made / metadata["curve"]).is_file() and metadata["name"] == "dubbing_start"
    assert [one["steps"] for one in metadata["chain"]] == [1, 6]
    assert metadata["chain"][1]["recipe"]["recipe"] == "full"
    losses = [float(line.split(",")[1]) for line in (study / "model/curve.csv").read_text().splitlines()[1:]]
    last = (made / "dubbing_start.csv").read_text().splitlines()[-1].split(",")
    assert last[:2] == ["1", "6"] and float(last[3]) == pytest.approx(sum(losses) / 6, rel=1e-3)
    assert metadata["figures"]["flow_loss_last_steps"] == float(last[3])


def test_a_model_of_other_start_weights_is_refused(study: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="was fine-tuned from weights .* name the file"):
        make_start_weights(study / "model", made / "dubbing_start.safetensors", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_of_other_sizes_is_refused(study: Path, tmp_path: Path) -> None:
    model = load_file(study / "model/model.safetensors")
    model["speaker.extra.weight"] = torch.zeros(2)
    save_weights(tmp_path / "model.safetensors", model)
    metadata = read_json(study / "model/metadata.json")
    metadata.pop("weights_sha256")
    write_json(tmp_path / "metadata.json", json.loads(json.dumps(metadata)))
    with pytest.raises(UserError, match="other sizes than .*speaker.extra.weight"):
        make_start_weights(tmp_path, study / "backbone.safetensors", tmp_path / "out")
