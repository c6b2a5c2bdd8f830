"""Conditions as data: adding one changes no other number; models name their extractors; jobs reach what they use."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.dubbing.faces import extractors_of
from syncvoice.dubbing.model import load_dubbing_model
from syncvoice.errors import UserError
from syncvoice.features.base import extractor_names, key_of, make_extractor, module_name
from syncvoice.features.cache import FeatureStore, write_shard
from syncvoice.features.conditions import Seen, check_store, seen_by
from syncvoice.files import read_json
from syncvoice.generation import work as kinds
from syncvoice.generation.speech import Sampling, sample_mels
from syncvoice.model.fusion import TextVisualFusion
from syncvoice.model.guidance import Scales
from syncvoice.model.start import load_model, model_from_start
from syncvoice.model.vocoder import Vocoder
from syncvoice.provenance import ROOT, reachable
from syncvoice.records.tasks import Utterance
from syncvoice.records.weights import save_weights, write_metadata
from syncvoice.training.export import export_checkpoint
from syncvoice.training.objective import hidden
from tests.unit.test_generation import VOCODER
from tests.unit.test_model import make_request
from tests.unit.training_study import make_study, run

THREE = {"lip": "lip", "face": "face", "head_pose": {"feature": "head_pose", "mask": 0.4}}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def three(study: Path) -> Path:
    """A model that sees a third condition."""
    return run(study, "three", sees=THREE, keep_checkpoints=1)


def test_an_unused_feature_of_the_study_changes_no_byte(study: Path, tmp_path: Path) -> None:
    with_it = run(study, "two")
    bare = make_study(tmp_path)
    for file in (bare / "features" / "head_pose").iterdir():
        file.unlink()
    without = run(bare, "two")
    assert (with_it / "model.safetensors").read_bytes() == (without / "model.safetensors").read_bytes()


def test_masks_of_a_step_do_not_depend_on_other_conditions() -> None:
    draws = []
    for masks in ({"text": 0.2}, {"text": 0.2, "lip": 0.5, "face": 0.5}, {"text": 0.2, "lip": 0.5, "head_pose": 0.5}):
        torch.manual_seed(11)
        draws.append((hidden(500, masks), torch.rand(3)))
    (alone, next_1), (paper, next_2), (other, next_3) = draws
    assert torch.equal(alone["text"], paper["text"]) and torch.equal(paper["lip"], other["lip"])
    assert torch.equal(next_1, next_2) and torch.equal(next_2, next_3), "times and noise of the step stay the same"
    assert 0.4 < other["head_pose"].float().mean() < 0.6
    assert not torch.equal(other["head_pose"], other["lip"])
    torch.manual_seed(11)
    more = hidden(500, {"text": 0.2, "body": 0.5, "head_pose": 0.5})
    assert torch.equal(more["head_pose"], other["head_pose"]) and not torch.equal(more["body"], more["head_pose"])


@pytest.mark.parametrize("order", [["lip", "face", "head_pose", "body"], ["body", "head_pose", "face", "lip"]])
def test_first_weights_do_not_depend_on_other_conditions(order: list[str]) -> None:
    torch.manual_seed(4)
    paper = TextVisualFusion({"lip": 6, "face": 4}, 8, 100)
    after = torch.rand(3)
    torch.manual_seed(4)
    more = TextVisualFusion({name: {"lip": 6, "face": 4}.get(name, 5) for name in order}, 8, 100)
    assert torch.equal(torch.rand(3), after), "what is made after the fusion draws the same numbers"
    for name, value in paper.adapters.state_dict().items():
        assert torch.equal(more.adapters.state_dict()[name], value), name
    torch.manual_seed(4)
    alone = TextVisualFusion({"head_pose": 5}, 8, 100)
    for name, value in alone.adapters["head_pose"].state_dict().items():
        assert torch.equal(more.adapters["head_pose"].state_dict()[name], value), name
    assert more.modalities == ("lip", "face", "body", "head_pose")


def test_recipes_that_see_more_start_from_the_same_weights(study: Path) -> None:
    dims = {"lip": 6, "face": 4}
    states = []
    for seen in (dims, {**dims, "head_pose": 3}):
        torch.manual_seed(1)
        states.append(model_from_start(study / "backbone.safetensors", seen, 8, ("pretrained",)).state_dict())
    two, three = states
    changed = {name for name in two if two[name].shape != three[name].shape or not torch.equal(two[name], three[name])}
    assert changed == {"fusion.linear.weight"}, "only as wide as there are conditions"


def test_a_third_condition_is_learned_guides_and_can_be_left_out(three: Path) -> None:
    model = load_model(three)
    assert model.config.visual_dims == {"lip": 6, "face": 4, "head_pose": 3}
    request = make_request("a", 8)
    request.visual["head_pose"] = torch.randn(8, 3)  # type: ignore[index]
    scales = Scales(2.0, lip=2.0, head_pose=1.5)
    assert scales.subsets()[-1] == ("text", "head_pose", "lip")
    torch.nn.init.normal_(model.fusion.linear.weight, std=0.3)  # type: ignore[union-attr]
    guided, off = (sample_mels(model, [request], Sampling(s, 2))[0] for s in (scales, scales.changed(head_pose=0.0)))
    assert not torch.allclose(guided, off)
    request.visual["head_pose"].fill_(torch.nan)
    again = sample_mels(model, [request], Sampling(scales.changed(head_pose=0.0), 2))[0]
    assert torch.equal(again, off), "at scale 0 a condition is not looked at"


def test_two_features_stand_under_one_condition_in_two_recipes(study: Path) -> None:
    out = run(study, "other_lips", sees={"lip": "head_pose"}, steps=1)
    metadata = read_json(out / "metadata.json")
    assert metadata["conditions"]["lip"]["extractor"] == "random_head_pose"
    assert metadata["config"]["visual_dims"] == {"lip": 3}


def test_models_and_checkpoints_say_what_they_see(three: Path, tmp_path: Path) -> None:
    metadata = read_json(three / "metadata.json")
    expected = {"feature": "head_pose", "extractor": "random_head_pose", "version": "1", "settings": {},
                "weights_sha256": None, "dim": 3}  # fmt: skip
    assert metadata["conditions"]["head_pose"] == expected
    export_checkpoint(three / "state/step=6.ckpt", tmp_path)
    assert read_json(tmp_path / "metadata.json")["conditions"] == metadata["conditions"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "2"}, "version '2' instead of '1'"),
        ({"settings": {"parts": "all"}}, "settings {'parts': 'all'} instead of {}"),
        ({"extractor": "mesh_face"}, "extractor 'mesh_face' instead of 'mesh_lip'"),
        ({"weights_sha256": "ff"}, "weights_sha256 'ff' instead of None"),
        ({"dim": 31}, "dim 31 instead of 30"),
    ],
)
def test_cached_features_of_another_kind_are_refused(change: dict, words: str, tmp_path: Path) -> None:
    key = key_of(make_extractor("mesh_lip"))
    seen = Seen.of_key("lip", key)
    write_shard(tmp_path / "same.h5", key, [("a", np.zeros((2, 30)))])
    check_store("lip", seen, FeatureStore([tmp_path / "same.h5"]))
    write_shard(tmp_path / "other.h5", key | change, [("a", np.zeros((2, 30)))])
    with pytest.raises(UserError) as caught:
        check_store("lip", seen, FeatureStore([tmp_path / "other.h5"]))
    assert words in str(caught.value) and "condition lip" in str(caught.value)


def seen(**changes: object) -> Seen:
    """The lips of a model, changed."""
    return Seen.of_key("lip", key_of(make_extractor("mesh_lip"))).model_copy(update=changes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extractor": "mesh_lips"}, "extractor 'mesh_lips' is unknown; did you mean 'mesh_lip'?"),
        ({"extractor": "lrw_resnet18"}, "put the published file at resources/assets/lrw_resnet18"),
        ({"version": "0"}, "version '1' instead of '0'"),
        ({"settings": {"points": 3}}, "unknown key points"),
    ],
)
def test_dubbing_refuses_an_extractor_that_it_cannot_have(
    change: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    assert extractors_of({"lip": seen()}, ["lip"])["lip"].name == "mesh_lip"
    with pytest.raises(UserError) as caught:
        extractors_of({"lip": seen(**change)}, ["lip"])
    assert words in str(caught.value) and "condition lip" in str(caught.value) and "scale" in str(caught.value)


def test_a_model_that_says_not_what_it_saw_is_refused() -> None:
    with pytest.raises(UserError, match="says not which extractor its lip features came from.*describe-model"):
        seen_by({}, {"lip": 30}, "model.json")
    with pytest.raises(UserError, match="condition lip has 30 values, the model 512"):
        seen_by({"conditions": {"lip": seen().model_dump()}}, {"lip": 512}, "model.json")


def test_shipped_model_names_its_extractors_as_they_are() -> None:
    shipped = load_dubbing_model(ROOT.parent / "weights/dubbing.safetensors").seen
    made_by = {"lip": "mesh_lip", "face": "mesh_face"}
    assert shipped == {name: Seen.of_key(name, key_of(make_extractor(made_by[name]))) for name in shipped}
    assert set(shipped) == set(made_by)


def features_of(*modules: str) -> set[str]:
    """Extractor modules that modules reach."""
    return {
        name.rpartition(".")[2] for name in reachable(*modules) if name.startswith("syncvoice.features.extractors.")
    }


def test_a_feature_job_reaches_its_own_extractor_only() -> None:
    assert features_of("syncvoice.commands.features") == set()
    for name in extractor_names():
        expected = {name} | ({"mesh_face"} if name in ("head_pose", "emonet") else set())
        assert features_of("syncvoice.commands.features", module_name(name)) == expected


def test_copies_and_start_weights_do_not_reach_training() -> None:
    reached = {kind: reachable("syncvoice.commands.generate", kinds.module_name(kind)) for kind in kinds.kind_names()}
    for kind, modules in reached.items():
        assert not [name for name in modules if name.startswith("syncvoice.training")], kind
        assert not [name for name in modules if name.startswith(("syncvoice.study", "syncvoice.dubbing"))], kind
        others = {kinds.module_name(other) for other in kinds.kind_names() if other != kind}
        assert not modules & others, "one kind's code does not count for another"
    for kind in ("ground_truth", "noise"):
        rooms = {name.split(".")[1] for name in reached[kind] if name.count(".")}
        assert not rooms & {"model", "networks", "fast", "text", "features", "video"}, kind
    assert {name for name in reached["vocoder_copy"] if name.startswith("syncvoice.model.")} == {
        "syncvoice.model.vocoder"
    }
    assert "syncvoice.features.extractors" not in set().union(*reached.values())


def test_dubbing_does_not_reach_training_and_training_no_generation() -> None:
    rooms = {name.split(".")[1] for name in reachable("syncvoice.commands.dub") if name.count(".")}
    assert "training" not in rooms and "study" not in rooms
    rooms = {name.split(".")[1] for name in reachable("syncvoice.commands.train") if name.count(".")}
    assert not rooms & {"generation", "dubbing", "study", "metrics", "reporting"}
    assert features_of("syncvoice.commands.train") == set(), "training reads shards, it computes no feature"


def spoken(study: Path, out: Path, model: Path, features: Path, scales: dict[str, float]) -> dict[str, bytes]:
    """Let a model speak two utterances; returns the files by name."""
    row = dict(dataset="d", language="en", sex="", voice_seen="", source="", reference="clip3", reference_split="train",
               reference_text="set red", reference_language="en", split="train")  # fmt: skip
    utterances = [
        Utterance(utterance=name, clip=name, text="bin blue", speaker="voice1", n_frames=12, **row)
        for name in ("clip1", "clip5")
    ]
    settings = kinds.kind_module("model").Settings(
        experiment="M3", voice="context", scales=scales, steps=2, precision="fp32", t_shift=0.5, temperature=1.0,
        seed=1, swap="none", sweep=None, vocoder=str(study / "vocoder.safetensors"), speaker_encoder="",
    )  # fmt: skip
    out.mkdir()
    rows = kinds.kind_module("model").speak(
        settings, kinds.Work(utterances, study / "train.cuts.jsonl.gz", features, model, out)
    )
    assert [row["status"] for row in rows] == ["ok", "ok"], rows
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_speech_does_not_depend_on_a_third_condition_that_is_not_used(study: Path, three: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_weights(study / "vocoder.safetensors", Vocoder(VOCODER).state_dict())
    write_metadata(study / "vocoder.safetensors", {"config": VOCODER})
    (tmp_path / "with").mkdir()
    shutil.copytree(study / "features", tmp_path / "with/train")
    shutil.copytree(study / "features", tmp_path / "without/train", ignore=shutil.ignore_patterns("head_pose"))
    two, m3 = run(study, "m3"), {"text": 2.0, "face": 2.0, "lip": 2.0}
    speech = spoken(study, tmp_path / "a", two, tmp_path / "with", m3)
    assert len(speech) == 2 and speech == spoken(study, tmp_path / "b", two, tmp_path / "without", m3)
    # A model that sees it speaks without it too, when it does not guide; and needs it when it does.
    off = spoken(study, tmp_path / "c", three, tmp_path / "without", m3)
    assert off == spoken(study, tmp_path / "d", three, tmp_path / "with", m3 | {"head_pose": 0.0})
    assert off != spoken(study, tmp_path / "e", three, tmp_path / "with", m3 | {"head_pose": 2.0})
    with pytest.raises(UserError, match="feature 'head_pose' has no shard"):
        spoken(study, tmp_path / "f", three, tmp_path / "without", m3 | {"head_pose": 2.0})
    shutil.copy(tmp_path / "with/train/face/shard-0.h5", tmp_path / "with/train/lip/shard-0.h5")
    with pytest.raises(UserError, match="condition lip: .*extractor 'random_face' instead of 'random_lip'"):
        spoken(study, tmp_path / "g", two, tmp_path / "with", m3)
