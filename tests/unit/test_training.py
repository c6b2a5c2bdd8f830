"""Fine-tuning: batches are functions of seed and step, a killed run resumes to the same bytes, bad loss names clips."""

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.model.start import load_model, model_from_start
from syncvoice.training.data import BatchPlan
from syncvoice.training.module import FineTuning
from syncvoice.training.objective import predict
from syncvoice.training.share import hours_of, share_of
from tests.unit.training_study import clips, make_study, recipe, run


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_killed_run_resumes_to_the_same_bytes(study: Path, optimiser: str) -> None:
    changes = {"optimiser": recipe(study).optimiser.model_dump() | {"name": optimiser}}
    whole = run(study, "whole", **changes)
    kept = FineTuning.training_step

    def killed(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 4:
            raise KeyboardInterrupt
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", killed), pytest.raises((KeyboardInterrupt, SystemExit)):
        run(study, "broken", **changes)
    assert [p.name for p in (study / "broken/state").glob("*.ckpt")] == ["step=4.ckpt"]
    steps: list[int] = []

    def watched(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        steps.append(self.global_step)
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", watched):
        broken = run(study, "broken", **changes)
    assert steps == [4, 5]
    for name in ("model.safetensors", "curve.csv"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def test_changed_settings_start_anew(study: Path) -> None:
    with mock.patch.object(FineTuning, "final_model", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run(study, "out")
    changed = run(study, "out", learning_rate=5e-4)
    fresh = run(study, "fresh", learning_rate=5e-4)
    assert (changed / "model.safetensors").read_bytes() == (fresh / "model.safetensors").read_bytes()


def test_exported_model_loads_and_learned_something(study: Path) -> None:
    model = load_model(run(study, "out"))
    assert model.config.visual_dims == {"lip": 6, "face": 4}
    assert model.fusion is not None
    assert model.fusion.linear.weight.abs().sum() > 0  # started at zero


def test_plan_is_a_function_of_seed_and_step(study: Path) -> None:
    whole = list(BatchPlan(clips(), recipe(study)).steps(0, 9))
    later = list(BatchPlan(clips(), recipe(study)).steps(5, 9))
    assert whole[5:] == later
    other = recipe(study, sees={})
    assert list(BatchPlan(clips(), other).steps(0, 9)) == whole  # M1 and M3 see the same batches
    assert list(BatchPlan(clips(), recipe(study, seed=2)).steps(0, 9)) != whole


def test_masking_never_drops_both_voices(study: Path) -> None:
    masking = {"text": 0.0, "context": 0.5, "speaker": 0.5}
    plan = BatchPlan(clips(), recipe(study, masking=masking))
    examples = [e for _, step in plan.steps(0, 60) for batch in step for e in batch]
    assert {(e.context, e.use_speaker) for e in examples} == {(True, False), (False, True)}
    assert all(e.reference.id != e.clip.id and e.reference.speaker == e.clip.speaker for e in examples)


def test_shares_are_exact_and_lie_inside_larger_ones() -> None:
    everything = clips(61)
    parts = [{c.id for c in share_of(everything, share, 1)} for share in (0.001, 0.125, 0.25, 0.5, 1.0)]
    assert [len(part) for part in parts] == [1, 8, 15, 30, 61]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(parts))
    assert share_of(everything, 1.0, 1) == everything  # in the order given: the batches stay what they were
    assert share_of(everything[::-1], 0.5, 1) == share_of(everything, 0.5, 1)[::-1]
    assert {c.id for c in share_of(everything, 0.25, 2)} != parts[2]


def test_a_share_has_its_part_of_every_voice_and_language() -> None:
    voices = [("a", "en", 40), ("a", "zh", 24), ("b", "en", 16)]
    speakers = [(speaker, language) for speaker, language, n in voices for _ in range(n)]
    everything = [replace(c, speaker=s, language=x) for c, (s, x) in zip(clips(80), speakers, strict=True)]
    for share in (0.125, 0.25, 0.5):
        counts = Counter((c.speaker, c.language) for c in share_of(everything, share, 1))
        assert counts == {(speaker, language): share * n for speaker, language, n in voices}


def test_a_small_share_is_seen_in_many_epochs_of_the_same_clips(study: Path) -> None:
    plan = BatchPlan(clips(64), recipe(study, share=0.125))
    examples = [e for _, step in plan.steps(0, 200) for batch in step for e in batch]
    assert len({e.clip.id for e in examples}) == len(plan.clips) == 8
    assert {e.reference.id for e in examples} <= {c.id for c in plan.clips}  # voices come from the share too
    assert plan.epoch_of(200) > 10


def test_model_tells_how_many_clips_and_hours_it_learned_from(study: Path) -> None:
    run(study, "part", share=0.5)
    facts = read_json(study / "part" / "metadata.json")
    assert facts["clips"] == 4
    assert facts["hours"] == hours_of(share_of(clips(8), 0.5, facts["recipe"]["seed"]))
    assert hours_of([replace(c, n_frames=25 * 900) for c in clips(2)]) == 0.5


def test_non_finite_loss_names_the_clips(study: Path) -> None:
    with mock.patch("syncvoice.training.module.predict") as broken:
        broken.return_value.loss.return_value = torch.tensor(float("nan"))
        with pytest.raises(UserError, match="clip"):
            run(study, "out")


def test_recipe_without_a_branch_leaves_its_start_weights_out(study: Path) -> None:
    model = model_from_start(study / "backbone.safetensors", {}, 8, ("learnable",))
    assert model.speaker is not None and model.speaker.projection is None and model.fusion is None


def test_loss_counts_target_frames_only(study: Path) -> None:
    from syncvoice.model.syncvoice import Script
    from syncvoice.training.objective import Batch

    model = model_from_start(study / "backbone.safetensors", {}, 8, ())
    script = Script([[1, 2, 3]], [((1, 10), (2, 15))], {})
    torch.manual_seed(0)
    prediction = predict(model, Batch(["a"], script, torch.randn(1, 25, 100), torch.ones(1)), {})
    assert prediction.mask[0].tolist() == [False] * 10 + [True] * 15
    expected = (prediction.v - prediction.u)[0, 10:].square().mean()
    torch.testing.assert_close(prediction.loss(), expected)
