"""Training at scale: accumulation, schedules, averages, checkpoints, export, low-rank adaptation, float16."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file

from syncvoice import clocks
from syncvoice.cli import main
from syncvoice.errors import UserError
from syncvoice.features.cache import open_features
from syncvoice.files import read_json
from syncvoice.model.start import load_model, model_from_start
from syncvoice.training import lora
from syncvoice.training.averaging import RunningAverage
from syncvoice.training.data import BatchMaker, BatchPlan, StepStream, accumulation, frames_of
from syncvoice.training.export import export_checkpoint
from syncvoice.training.module import FineTuning, keep_scale_up
from syncvoice.training.objective import predict
from syncvoice.training.optimisers import optimiser_of, rate_factor
from syncvoice.training.run import last_checkpoint, train
from syncvoice.training.scaled_adam import ScaledAdam, eden
from tests.unit.training_study import clips, make_study, recipe, run

SCALED = {"name": "scaled_adam", "betas": [0.9, 0.98], "weight_decay": 0.0, "clipping_scale": 2.0,
          "new_layers_rate": 10.0, "new_layers_min_rms": 0.01}  # fmt: skip
EDEN = {"name": "eden", "lr_batches": 10, "lr_hours": None, "lr_epochs": 2}
AT_SCALE = {"optimiser": SCALED, "schedule": EDEN, "gradient_clip": None, "device_seconds": 1.5,
            "average_period": 2, "average_from": 0.5, "learning_rate": 0.01, "checkpoint_every": 2,
            "keep_checkpoints": 2}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize(
    ("devices", "per_device", "expected"),
    [(1, None, 1), (4, None, 1), (1, 500.0, 4), (2, 500.0, 2), (3, 500.0, 2), (4, 500.0, 1), (8, 500.0, 1)],
)
def test_accumulation_follows_from_the_devices(devices: int, per_device: float | None, expected: int) -> None:
    assert accumulation(2000.0, per_device, devices) == expected


def test_parts_of_a_step_stay_below_the_limit_of_a_device(study: Path) -> None:
    plan = BatchPlan(clips(60), recipe(study, batch_seconds=12.0), parts=3)
    steps = list(plan.steps(0, 40))
    assert all(len(step) == 3 for _, step in steps)
    for _, step in steps:
        for part in step:
            # a batch's lengths differ by up to 7 frames, and only the last one decides
            assert len(part) == 1 or max(map(frames_of, part)) * len(part) <= 4.0 * clocks.FPS + 7 * len(part)
    assert list(plan.steps(25, 40)) == steps[25:]
    assert [plan.epoch_of(step) for step in (0, 39)] == [0, plan.epoch_of(39)]
    seen = [e.clip.id for _, step in steps for part in step for e in part]
    assert plan.epoch_of(39) == pytest.approx(len(seen) / 60, abs=1.0)


def test_gradient_of_parts_is_that_of_the_whole_step(study: Path) -> None:
    """Without random masking: shares weigh the parts so that their mean loss is the loss of one large batch."""
    settings = recipe(study, sees={}, speaker_branches=[])
    plan = BatchPlan(clips(), settings, parts=2)
    maker = BatchMaker(open_features(study / "features", ["mel", "text"]), {}, {})
    model = model_from_start(study / "backbone.safetensors", {}, 8, ())
    (_, parts), t = next(iter(plan.steps(0, 1))), 0.4
    batches = list(StepStream(plan, maker, 0, 1))
    assert [(b.part, b.parts) for b in batches] == [(0, 2), (1, 2)]

    def loss(batch: Any) -> Any:
        with mock.patch("torch.randn", lambda shape, dtype: torch.zeros(shape, dtype=dtype)):
            return predict(model, batch, {}, t=torch.full((len(batch.clip_ids),), t)).loss()

    whole = loss(maker(parts[0] + parts[1]))
    mean = sum(loss(batch) * batch.share for batch in batches) / 2
    torch.testing.assert_close(mean, whole, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def finished(study: Path) -> Path:
    """A run with ScaledAdam, Eden by epochs, accumulation and running averages; its last checkpoints are kept."""
    return run(study, "finished", **AT_SCALE)


def test_killed_in_the_middle_of_a_step_resumes_to_the_same_bytes(study: Path, finished: Path) -> None:
    kept = FineTuning.training_step

    def killed(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 4 and batch.part == 1:
            raise KeyboardInterrupt
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", killed), pytest.raises((KeyboardInterrupt, SystemExit)):
        run(study, "broken", **AT_SCALE)
    broken = run(study, "broken", **AT_SCALE)
    for name in ("model.safetensors", "curve.csv"):
        assert (broken / name).read_bytes() == (finished / name).read_bytes(), name
    assert len((finished / "curve.csv").read_text().splitlines()) == 1 + 6


def test_non_finite_loss_of_a_part_names_its_clips_only(study: Path) -> None:
    stopped: list[list[str]] = []

    def broken(model: Any, batch: Any, masking: Any) -> Any:
        prediction = predict(model, batch, masking)
        if batch.part == 1:
            prediction.v = prediction.v * float("nan")
            stopped.append(batch.clip_ids)
        return prediction

    with mock.patch("syncvoice.training.module.predict", broken), pytest.raises(UserError) as error:
        run(study, "bad", device_seconds=1.5)
    assert f"loss nan at step 0 on clips {', '.join(stopped[0])};" in str(error.value)


def test_last_checkpoints_stay_and_export_without_optimiser(finished: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in (finished / "state").glob("*.ckpt")) == ["step=4.ckpt", "step=6.ckpt"]
    assert main(["export", str(finished / "state/step=6.ckpt"), "--out", str(tmp_path)]) == 0
    for name in ("model.safetensors", "curve.csv"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
    # the plain layout: no optimiser, no averages
    assert set(load_file(finished / "model.safetensors")) == set(load_model(tmp_path).state_dict())
    assert read_json(tmp_path / "metadata.json")["steps"] == 6


def test_finished_run_trains_no_more(study: Path, finished: Path) -> None:
    before = (finished / "model.safetensors").read_bytes()
    with mock.patch.object(FineTuning, "training_step", side_effect=AssertionError("trained again")):
        run(study, "finished", **AT_SCALE)
    assert (finished / "model.safetensors").read_bytes() == before


def test_checkpoint_that_was_cut_off_falls_back_to_the_one_before(finished: Path, tmp_path: Path) -> None:
    for step, size in ((4, None), (6, 1000)):
        name = f"step={step}.ckpt"
        (tmp_path / name).write_bytes((finished / "state" / name).read_bytes()[:size])
    assert last_checkpoint(tmp_path) == (tmp_path / "step=4.ckpt", 4)
    assert not (tmp_path / "step=6.ckpt").exists()
    assert last_checkpoint(tmp_path / "none") == (None, 0)


def test_number_of_devices_must_fit_the_machine(study: Path) -> None:
    with pytest.raises(UserError, match="--devices 0"):
        train(recipe(study), study / "train.cuts.jsonl.gz", study / "features", study / "out", devices=0)


def test_average_between_two_checkpoints(finished: Path, tmp_path: Path) -> None:
    earlier, later = finished / "state/step=4.ckpt", finished / "state/step=6.ckpt"
    export_checkpoint(later, tmp_path, average_from=earlier)
    last = torch.load(later, weights_only=True)["state_dict"]  # the one sample of every second step between the two
    for name, value in load_file(tmp_path / "model.safetensors").items():
        torch.testing.assert_close(value.float(), last[f"model.{name}"], atol=1e-4, rtol=1e-3)  # stored as float16
    with pytest.raises(UserError, match="nothing lies between"):
        export_checkpoint(earlier, tmp_path, average_from=later)


def test_export_of_something_else_says_so(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no checkpoint of `syncvoice train`"):
        export_checkpoint(study / "backbone.safetensors", tmp_path)


def test_running_average_is_the_mean_of_its_samples() -> None:
    torch.manual_seed(0)
    values, average, earlier = torch.randn(100, 3), RunningAverage(20), None
    for step, value in enumerate(values, start=1):
        average.update({"w": value}, step)
        if step == average.span_start(45.0, 100):
            earlier = RunningAverage.of(average.content())
    samples = values[19::20]
    torch.testing.assert_close(average.since(None)["w"], samples.mean(0))
    assert earlier is not None and earlier.step == 40
    torch.testing.assert_close(average.since(earlier)["w"], samples[2:].mean(0))
    assert average.span_start(99.0, 100) == 80  # at least one sample


def test_schedules(study: Path) -> None:
    values = {"steps": 100, "warmup_steps": 10}
    linear = rate_factor(recipe(study, **values), lambda step: 0)
    assert (linear(0), linear(9), linear(99)) == (0.1, 1.0, 0.02)
    constant = rate_factor(recipe(study, **values, schedule=EDEN | {"name": "constant"}), lambda step: 0)
    assert (constant(0), constant(99)) == (0.1, 1.0)
    by_epoch = rate_factor(recipe(study, **values, schedule=EDEN), lambda step: step // 5)
    assert by_epoch(20) == eden(21, 4, 10, 2, 10)
    by_hours = rate_factor(
        recipe(study, **values, **{"schedule": EDEN | {"lr_hours": 100.0}, "batch_seconds": 3600.0}), lambda step: 0
    )
    assert by_hours(20) == eden(21, 21.0, 10, 100.0, 10)


def test_scaled_adam_moves_layers_that_start_at_zero(study: Path) -> None:
    model = model_from_start(study / "backbone.safetensors", {"lip": 6}, 8, ())
    assert model.fusion is not None and not model.fusion.linear.weight.any()
    optimiser = optimiser_of(
        recipe(study, optimiser=SCALED, learning_rate=1e-4, gradient_clip=None), model, ("fusion.",)
    )
    assert isinstance(optimiser, ScaledAdam)
    rates = [(group["lr"], group["param_min_rms"]) for group in optimiser.param_groups]
    assert rates == [(1e-4, 1e-5), (1e-3, 0.01)]
    torch.manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimiser.step()
    assert model.fusion.linear.weight.abs().mean() > 0.5 * 0.1 * 1e-3 * 0.01  # (1 - beta1) lr min_rms


def test_low_rank_adaptation_trains_little_and_exports_the_plain_layout(study: Path) -> None:
    start = model_from_start(study / "backbone.safetensors", {"lip": 6, "face": 4}, 8, ("pretrained", "learnable"))
    settings = {"lora": {"rank": 2, "alpha": 4.0}, "average_from": 1.0, "keep_checkpoints": 1}
    out = run(study, "lora", **settings)
    model = load_model(out)
    before, after = start.state_dict(), model.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name].half(), after[name].half())}
    assert any(name.startswith("fusion.") for name in changed) and any(name.startswith("speaker.") for name in changed)
    backbone = {name for name in changed if name.startswith("backbone.")}
    assert backbone and all(n.startswith("backbone.fm_decoder.encoders") and n.endswith("weight") for n in backbone)
    difference = after["backbone.fm_decoder.encoders.0.layers.0.feed_forward1.in_proj.weight"] - before[
        "backbone.fm_decoder.encoders.0.layers.0.feed_forward1.in_proj.weight"]  # fmt: skip
    assert torch.linalg.svdvals(difference)[2] < 0.03 * torch.linalg.svdvals(difference)[0]  # rank 2, up to float16
    export_checkpoint(out / "state/step=6.ckpt", study / "lora_again")
    assert (study / "lora_again/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def test_rank_zero_trains_the_fusion_alone(study: Path) -> None:
    start = model_from_start(study / "backbone.safetensors", {"lip": 6, "face": 4}, 8, ("pretrained", "learnable"))
    after = load_model(run(study, "fusion_only", lora={"rank": 0, "alpha": 1.0}, average_from=1.0)).state_dict()
    before = start.state_dict()
    changed = {name for name in before if not torch.equal(before[name].half(), after[name].half())}
    assert changed and all(name.startswith("fusion.") for name in changed)


def test_low_rank_adaptation_changes_nothing_at_first_and_merging_nothing_at_all(study: Path) -> None:
    from syncvoice.model.syncvoice import Script

    model = model_from_start(study / "backbone.safetensors", {}, 8, ())
    x, script = torch.randn(1, 12, 100), Script([[1, 2]], [((0, 0), (2, 12))], {})
    time_emb = torch.zeros(1, model.config.backbone.time_embed_dim)

    def velocity() -> torch.Tensor:
        return model.backbone.velocity(x, model.text_condition(script), x, time_emb)

    plain = velocity()
    lora.adapt(model, rank=2, alpha=2.0)
    assert torch.equal(velocity(), plain)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(".b"):
                p.normal_()
    adapted = velocity()
    assert (adapted - plain).abs().max() > 1e-3
    lora.merge(model)
    torch.testing.assert_close(velocity(), adapted)


@pytest.mark.parametrize("parts", [None, 1.5])
def test_gradients_are_clipped_before_a_fused_update(
    study: Path, monkeypatch: pytest.MonkeyPatch, parts: float | None
) -> None:
    kept, norms = torch.optim.AdamW.step, []

    def step(self: torch.optim.AdamW, closure: Any) -> Any:
        loss = closure()
        assert self.defaults["fused"]
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(grads)))
        return kept(self, lambda: loss)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    run(study, f"clipped_{parts}", gradient_clip=0.01, steps=3, device_seconds=parts, average_from=1.0)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_float16_scales_the_loss(study: Path) -> None:
    out = run(study, "half", precision="fp16", keep_checkpoints=1, steps=2, average_from=1.0)
    content = torch.load(out / "state/step=2.ckpt", weights_only=True)
    assert content["MixedPrecision"]["scale"] > 1.0
    assert read_json(out / "metadata.json")["precision"] == "fp16"
    assert load_model(out).config.visual_dims


def test_a_small_loss_scale_rises() -> None:
    for step, scale, expected in ((100, 512.0, 1024.0), (100, 2048.0, 2048.0), (400, 2048.0, 4096.0), (99, 1.0, 1.0)):
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.ones(1))
        keep_scale_up(scaler, step)
        assert scaler.get_scale() == expected, (step, scale)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e-6)
    scaler.scale(torch.ones(1))
    with pytest.raises(UserError, match="scale of float16 losses fell"):
        keep_scale_up(scaler, 100)
