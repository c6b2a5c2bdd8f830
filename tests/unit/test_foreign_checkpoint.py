"""A checkpoint of another program with other names becomes a model of ours, to the bit of float16, or says why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from syncvoice.cli import main
from syncvoice.errors import UserError
from syncvoice.features.base import FeatureJob, key_of, make_extractor
from syncvoice.features.conditions import seen_by
from syncvoice.files import read_json, write_json
from syncvoice.generation.speech import Request, Sampling, Voice, sample_mels
from syncvoice.model.guidance import Scales
from syncvoice.model.key_map import KeyMap, read_key_map, renamed
from syncvoice.model.map_proposal import propose
from syncvoice.model.public_layout import save_release
from syncvoice.model.start import load_model
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.model.text_path import TextPath, text_of_record
from syncvoice.section import validated
from syncvoice.text.vocabulary import emilia_symbols
from syncvoice.training.foreign import import_checkpoint
from syncvoice.training.recipe import NamedRecipe
from tests.golden.det import fill
from tests.unit.public_weights import DynamicBucketingSampler, tiny
from tests.unit.training_study import recipe

DIMS = {"lip": 30, "face": 20}  # of mesh_lip and mesh_face
STYLES: dict[str, dict[str, str]] = {  # our module -> theirs
    "sequential": {
        "backbone.": "", "fusion.adapters.lip.norm": "lip_adapter.0", "fusion.adapters.lip.down": "lip_adapter.1",
        "fusion.adapters.lip.up": "lip_adapter.3", "fusion.adapters.face.norm": "face_adapter.0",
        "fusion.adapters.face.down": "face_adapter.1", "fusion.adapters.face.up": "face_adapter.3",
        "fusion.linear": "tv_fusion",
    },
    "prefixed": {
        "backbone.": "tts.", "fusion.adapters.lip.norm": "visual.mouth.ln",
        "fusion.adapters.lip.down": "visual.mouth.fc1",
        "fusion.adapters.lip.up": "visual.mouth.fc2", "fusion.adapters.lip.residual": "visual.mouth.skip",
        "fusion.adapters.face.norm": "visual.emo.ln", "fusion.adapters.face.down": "visual.emo.fc1",
        "fusion.adapters.face.up": "visual.emo.fc2", "fusion.adapters.face.residual": "visual.emo.skip",
        "fusion.null.lip": "visual.null_lip", "fusion.null.face": "visual.null_face", "fusion.linear": "merge.proj",
    },
}  # fmt: skip
ABSENT = {"sequential": ("residual.", "null."), "prefixed": ()}


def our_model(style: str) -> SyncVoice:
    """A model of ours; what the style has no name for is zero."""
    backbone = tiny()
    model = SyncVoice(SyncVoiceConfig(backbone.config, DIMS, 8, text_expansion="average")).eval()
    state = fill(model.state_dict(), 0.5) | {f"backbone.{k}": v for k, v in backbone.state_dict().items()}
    for name in state:
        if any(part in name for part in ABSENT[style]):
            state[name] = torch.zeros_like(state[name])
    model.load_state_dict(state)
    return model


def foreign_name(name: str, style: str) -> str | None:
    """Another program's name of one of our tensors."""
    for ours, theirs in STYLES[style].items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return None


def write_foreign(folder: Path, style: str, extra: dict[str, torch.Tensor] | None = None) -> SyncVoice:
    """Write a training file with foreign names and objects, sizes and symbols beside it; returns our model."""
    model = our_model(style)
    state = {f"module.{theirs}": tensor for name, tensor in model.state_dict().items()
             if (theirs := foreign_name(name, style)) is not None}  # fmt: skip
    state |= {f"module.{name}": tensor for name, tensor in (extra or {}).items()}
    save_release(folder, tiny(), emilia_symbols(), safetensors=False)
    content = {"model": state, "sampler": DynamicBucketingSampler(), "batch_idx_train": 55000}
    torch.save(content, folder / "model.pt")
    return model


def jobs() -> list[FeatureJob]:
    return [FeatureJob(feature=name, extractor=f"mesh_{name}") for name in DIMS]


def settings(folder: Path, **changes: Any) -> NamedRecipe:
    return recipe(folder, start=str(folder / "model.pt"), speaker_branches=[], made_by="import_checkpoint", **changes)


def speech(model: SyncVoice, visual: dict[str, torch.Tensor]) -> torch.Tensor:
    """What a model says."""
    draw = torch.Generator().manual_seed(1)
    voice = Voice([5, 6, 7], torch.randn(20, 100, generator=draw), None)
    request = Request("a", [8, 9, 10, 11], voice, visual, 9, 1)
    return sample_mels(model, [request], Sampling(Scales(2.0, lip=2.0, face=1.5), 2))[0]


@pytest.mark.parametrize("style", STYLES)
def test_round_trip(style: str, tmp_path: Path) -> None:
    model = write_foreign(tmp_path, style)
    import_checkpoint(settings(tmp_path), jobs(), tmp_path / "out")
    found, metadata = load_model(tmp_path / "out"), read_json(tmp_path / "out/metadata.json")
    assert found.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor.half().float()), name
    model.load_state_dict({name: tensor.half().float() for name, tensor in model.state_dict().items()})
    visual = {name: torch.randn(9, dim, generator=torch.Generator().manual_seed(2)) for name, dim in DIMS.items()}
    assert torch.equal(speech(found, visual), speech(model, visual))
    seen = seen_by(metadata, found.config.visual_dims, "x")
    assert all(not seen[name].differences(key_of(make_extractor(f"mesh_{name}"))) for name in DIMS)
    assert metadata["steps"] == 55000 and text_of_record(metadata["text"]) == TextPath()
    assert metadata["imported"]["file"] == "model.pt" and len(metadata["imported"]["sha256"]) == 64


def test_the_order_of_their_fusion_is_turned_into_ours(tmp_path: Path) -> None:
    model = write_foreign(tmp_path, "prefixed")
    content = torch.load(tmp_path / "model.pt", weights_only=False)
    text, lip, face = content["model"]["module.merge.proj.weight"].chunk(3, dim=1)
    content["model"]["module.merge.proj.weight"] = torch.cat([face, text, lip], dim=1)
    torch.save(content, tmp_path / "model.pt")
    assert main(["inspect-checkpoint", str(tmp_path / "model.pt"), "--propose", str(tmp_path / "map.yaml")]) == 0
    values = yaml.safe_load((tmp_path / "map.yaml").read_text())
    assert values["fusion_inputs"] == ["text", "lip", "face"], "the usual order is proposed"
    for order in (["face", "text", "lip"], ["face", "lip"]):
        (tmp_path / "map.yaml").write_text(yaml.safe_dump(values | {"fusion_inputs": order}))
        run = settings(tmp_path, key_map=str(tmp_path / "map.yaml"))
        if len(order) == 2:
            with pytest.raises(
                UserError, match="fusion_inputs names face, lip, the model's inputs are text, lip, face"
            ):
                import_checkpoint(run, jobs(), tmp_path / "wrong")
            continue
        import_checkpoint(run, jobs(), tmp_path / "out")
    weight = model.state_dict()["fusion.linear.weight"]
    assert torch.equal(load_model(tmp_path / "out").state_dict()["fusion.linear.weight"], weight.half().float())


def test_what_has_no_place_is_named_not_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_foreign(tmp_path, "sequential", {"lip_conv.weight": torch.zeros(4, 30, 3), "head.weight": torch.zeros(2, 2)})
    with pytest.raises(UserError, match=r"no place is known for 2 tensors .*lip_conv.weight \(4, 30, 3\).* --propose"):
        import_checkpoint(settings(tmp_path), jobs(), tmp_path / "out")
    file = tmp_path / "map.yaml"
    assert main(["inspect-checkpoint", str(tmp_path / "model.pt"), "--propose", str(file)]) == 0
    assert "2 tensors not placed; look at every line" in capsys.readouterr().out
    text = file.read_text()
    assert "# not placed: head.weight (2, 2)\n" in text and "# condition lip: 30 values per video frame\n" in text
    with pytest.raises(
        UserError, match=r"says nothing of lip_conv.weight \(4, 30, 3\), head.weight \(2, 2\); add rules"
    ):
        import_checkpoint(settings(tmp_path, key_map=str(file)), jobs(), tmp_path / "out")
    file.write_text(text + "ignored: [lip_conv.*, head.*]\n")
    import_checkpoint(settings(tmp_path, key_map=str(file)), jobs(), tmp_path / "out")
    file.write_text(text.replace("zero:\n", "zero: []\nno:\n").partition("no:")[0] + "ignored: [lip_conv.*, head.*]\n")
    with pytest.raises(UserError, match=r"8 missing|6 missing"):
        import_checkpoint(settings(tmp_path, key_map=str(file)), jobs(), tmp_path / "out")


def test_other_features_and_wrong_maps_are_refused(tmp_path: Path) -> None:
    write_foreign(tmp_path, "sequential")
    with pytest.raises(UserError, match=r"takes 30 values per frame as lip, feature lip \(mesh_face\) gives 20; let"):
        wrong = [FeatureJob(feature="lip", extractor="mesh_face"), jobs()[1]]
        import_checkpoint(settings(tmp_path), wrong, tmp_path / "out")
    with pytest.raises(UserError, match="recipe full sees lip, its checkpoint lip, face"):
        import_checkpoint(settings(tmp_path, sees={"lip": "lip"}), jobs(), tmp_path / "out")
    with pytest.raises(UserError, match="key map .*none.yaml does not exist; .*inspect-checkpoint"):
        read_key_map(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("rename: []\nignore: [x]\n")
    with pytest.raises(UserError, match="unknown key ignore; did you mean 'ignored'"):
        read_key_map(tmp_path / "bad.yaml")
    twice = validated(KeyMap, {"rename": [{"theirs": "[ab]", "ours": "c"}]}, "map")
    with pytest.raises(UserError, match="more than one tensor becomes c"):
        renamed({"a": torch.zeros(1), "b": torch.zeros(1)}, twice, "file")


def test_a_projected_speaker_embedding_finds_its_place() -> None:
    state = {f"tts.{name}": tensor for name, tensor in tiny().state_dict().items()}
    state |= {"spk_proj.weight": torch.zeros(16, 192), "spk_proj.bias": torch.zeros(16)}
    found = propose(state)
    assert not found.left and found.rules[r"spk_proj\.weight"] == "speaker.projection.weight"
    assert propose(state | {"spk_net.0.weight": torch.zeros(3, 3)}).left.keys() >= {"spk_net.0.weight"}


def test_the_command_imports(tmp_path: Path) -> None:
    write_foreign(tmp_path, "sequential")
    write_json(tmp_path / "recipe.json", settings(tmp_path).as_json())
    files = []
    for job in jobs():
        files.append(str(tmp_path / f"{job.feature}.json"))
        write_json(Path(files[-1]), job.model_dump())
    command = ["import-checkpoint", "--recipe", str(tmp_path / "recipe.json"), "--features", *files]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert np.isfinite(load_model(tmp_path / "out").state_dict()["fusion.linear.weight"].numpy()).all()
