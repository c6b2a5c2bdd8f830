"""Where context speech comes from, how text is spread, how wide a speaker encoder is; and what differs at step 0."""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.generation.speech import Sampling
from syncvoice.model.guidance import Scales
from syncvoice.model.public_layout import save_release
from syncvoice.model.start import load_model, model_from_start, new_parts
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.model.zipvoice import ZipVoice
from syncvoice.section import validated
from syncvoice.study.jobs import recipe_settings
from syncvoice.text.vocabulary import emilia_symbols
from syncvoice.training.data import BatchPlan, Example, target_frames
from syncvoice.training.module import FineTuning
from syncvoice.training.objective import Batch, predict
from syncvoice.training.recipe import NamedRecipe
from tests.unit.test_model import TINY
from tests.unit.test_training_recipes import CONFIG, FILES, study_of
from tests.unit.training_study import clips, make_study, recipe, run

SPAN = {"kind": "span", "longest_reference": 55, "masked_share": [0.7, 1.0]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("study"))
    torch.manual_seed(5)
    save_release(folder / "public", ZipVoice(TINY), emilia_symbols(), False)
    return folder


def examples_of(plan: BatchPlan, steps: int = 60) -> list[Example]:
    return [e for _, step in plan.steps(0, steps) for batch in step for e in batch]


def test_spans_follow_the_public_rule(study: Path) -> None:
    masking = {"text": 0.0, "context": 0.0, "speaker": 0.0}
    found = examples_of(BatchPlan(clips(), recipe(study, context=SPAN, masking=masking)))
    assert not any(e.context for e in found) and all(e.span for e in found)
    shares, places = zip(*(e.span for e in found if e.span), strict=True)
    assert 0.7 <= min(shares) < 0.72 and 0.98 < max(shares) <= 1.0 and min(places) < 0.05 and max(places) > 0.95
    example = Example(clips()[0], clips()[2], False, True, (0.75, 0.5))
    assert example.masked(101) == (13, 88)  # trunc(0.75 * 101) = 75, trunc(0.5 * 26) = 13
    assert replace(example, span=None).masked(101) == (0, 101)
    assert target_frames([example]) == int(0.75 * 38)  # 10 video frames are 38 of mel


def test_a_dropped_context_masks_all_and_the_speaker_is_heard(study: Path) -> None:
    masking = {"text": 0.0, "context": 0.5, "speaker": 0.5}
    found = examples_of(BatchPlan(clips(), recipe(study, context=SPAN, masking=masking)))
    assert {(e.span is not None, e.use_speaker) for e in found} == {(True, False), (False, True)}
    assert all(e.reference.id != e.clip.id and e.reference.speaker == e.clip.speaker for e in found)
    alone = [replace(clip, speaker=clip.id) for clip in clips()]
    kept = examples_of(BatchPlan(alone, recipe(study, context=SPAN, masking=masking | {"context": 0.0})))
    assert all(e.span for e in kept), "a clip on its own is context for itself"


def test_reference_length_is_the_recipes(study: Path) -> None:
    longest = {e.reference.n_frames for e in examples_of(BatchPlan(clips(), recipe(study)))}
    short = {"kind": "other_clip", "longest_reference": 13, "masked_share": [0.7, 1.0]}
    found = {e.reference.n_frames for e in examples_of(BatchPlan(clips(), recipe(study, context=short)))}
    assert max(longest) == 17 and max(found) == 13


def test_video_and_loss_are_those_of_the_span(study: Path) -> None:
    torch.manual_seed(0)
    model = model_from_start(study / "backbone.safetensors", {"lip": 6}, 8, ())
    assert model.fusion is not None
    torch.nn.init.normal_(model.fusion.linear.weight)
    torch.nn.init.normal_(model.fusion.null["lip"])
    features, lips = torch.randn(1, 30, 100), torch.randn(1, 8, 6)

    def predicted(lips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        script = Script([[1, 2, 3]], [((0, 0), (3, 30))], {"lip": lips}, spans=[(8, 27)])
        with mock.patch.object(ZipVoice, "velocity", autospec=True, side_effect=lambda _, x, *rest: x) as velocity:
            torch.manual_seed(0)
            mask = predict(model, Batch(["a"], script, features, torch.ones(1)), {}).mask
        return mask, velocity.call_args.args[2], velocity.call_args.args[3]

    mask, z_tv, speech = predicted(lips)
    assert mask[0].nonzero().flatten().tolist() == list(range(8, 27))
    assert torch.equal(speech[~mask], features[~mask]) and not speech[mask].any()
    _, other, _ = predicted(torch.randn(1, 8, 6))
    changed = (z_tv != other).any(dim=-1)
    assert torch.equal(changed, mask), "video shows on the frames that are to be spoken, as at inference"


def test_a_run_on_spans_exports_what_it_learned_with(study: Path) -> None:
    out = run(study, "spans", context=SPAN, expansion="average", steps=2, average_from=1.0)
    assert read_json(out / "metadata.json")["config"]["text_expansion"] == "average"
    assert load_model(out).config.text_expansion == "average"
    other = run(study, "clips", steps=2, average_from=1.0)
    assert load_model(other).config.text_expansion == "segments"


def test_speech_spreads_text_as_the_model_learned() -> None:
    script = Script([[1, 2, 3, 4, 5]], [((2, 11), (3, 12))], {})
    for rule in ("segments", "average"):
        torch.manual_seed(0)
        model = SyncVoice(SyncVoiceConfig(TINY, text_expansion=rule)).eval()
        with torch.no_grad():
            asked, own = model.text_condition(script, rule), model.text_condition(script)
            other = model.text_condition(script, "average" if rule == "segments" else "segments")
        assert torch.equal(asked, own) and not torch.equal(own, other)
    assert Sampling(Scales(2.0)).expansion is None


def test_moving_a_script_keeps_all_of_it() -> None:
    script = Script([[1]], [((0, 0), (1, 4))], {}, parts=[((1, 2), (0, 2))], spans=[(0, 3)])
    assert script.to(torch.device("cpu")) == script


def test_speaker_width_is_the_recipes(study: Path) -> None:
    public, own = study / "public/model.pt", study / "backbone.safetensors"
    branches = ("pretrained", "learnable")
    assert model_from_start(public, {}, 8, branches, learnable_width=32).config.speaker_dim == 32
    assert model_from_start(own, {}, 8, branches).config.speaker_dim == 16
    with pytest.raises(UserError, match=r"is 16 wide, the recipe asks for 32; set its speaker_width to null"):
        model_from_start(own, {}, 8, branches, learnable_width=32)


def started(settings: NamedRecipe, start: Path) -> dict[str, torch.Tensor]:
    """What a recipe's run begins with, low-rank corrections included."""
    torch.manual_seed(settings.seed)
    dims = {name: {"lip": 6, "face": 4}[name] for name in settings.sees}
    model = model_from_start(start, dims, settings.adapter_dim, tuple(settings.speaker_branches), settings.padding, 12,
                             settings.expansion, settings.speaker_width)  # fmt: skip
    return FineTuning(model, settings, {}, new_parts(start)).model.state_dict()


@pytest.mark.parametrize("file", [*FILES, "small"])
def test_all_models_of_a_file_begin_alike_but_for_the_visual_branch(file: str, study: Path) -> None:
    resolved = study_of(file, no_visual={"sees": {}}) if file == "efficient" else study_of(file)
    start = study / ("backbone.safetensors" if file == "small" else "public/model.pt")
    states = {}
    for name in (name for name, one in resolved.recipes.items() if one.made_by == "train"):
        settings = validated(NamedRecipe, recipe_settings(resolved, name), name)
        states[name] = {key: value for key, value in started(settings, start).items() if not key.startswith("fusion.")}
    assert "no_visual" in states and len(states) > 1
    full = states["full"]
    for name, state in states.items():
        if not name.startswith("dse"):
            assert set(state) == set(full), name
        different = [key for key in set(state) & set(full) if not torch.equal(state[key], full[key])]
        assert not different, f"{name}: {different}"


def test_span_masking_is_an_overlay() -> None:
    from syncvoice.study import load_study

    values = yaml.safe_load((CONFIG / "lrs3.yaml").read_text())
    overlay = yaml.safe_load((CONFIG / "ablations/span_masking.yaml").read_text())
    resolved = load_study(values | overlay, CONFIG, "study.yaml")
    full, span = (recipe_settings(resolved, name) for name in ("full", "span_masked"))
    assert {key for key in full if full[key] != span[key]} == {"recipe", "context", "expansion"}
    assert span["context"]["kind"] == "span" and span["context"]["masked_share"] == (0.7, 1.0)
