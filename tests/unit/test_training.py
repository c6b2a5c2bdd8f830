"""Fine-tuning: batches are functions of seed and step, a killed run resumes to the same bytes, bad loss names clips."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from syncvoice.checkpoints import save_weights, write_metadata
from syncvoice.errors import UserError
from syncvoice.features.cache import write_shard
from syncvoice.files import sha256_of
from syncvoice.manifest import Clip, write_manifest
from syncvoice.model.camplus import CAMPPlus
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.seeding import rng
from syncvoice.training.data import BatchPlan
from syncvoice.training.module import FineTuning
from syncvoice.training.objective import Masking, predict
from syncvoice.training.run import train
from syncvoice.training.start import load_model, model_from_start
from tests.unit.test_model import TINY

CAMPPLUS = {
    "feat_dim": 80,
    "embedding_size": 12,
    "growth": 4,
    "bn_size": 2,
    "init_channels": 8,
    "head_channels": 4,
    "layers": [1, 1, 1],
}


def clips(n: int = 8) -> list[Clip]:
    return [
        Clip(
            f"clip{i}",
            "train",
            "d",
            f"voice{i % 2}",
            "female",
            "yes",
            "en",
            "grid",
            "a b",
            None,
            Path(f"{i}.wav"),
            10 + i,
        )
        for i in range(n)
    ]


def start_weights(folder: Path) -> Path:
    torch.manual_seed(3)
    config = SyncVoiceConfig(TINY, {"lip": 5, "face": 2}, 8, ("pretrained", "learnable"), 12, 16)
    path = folder / "backbone.safetensors"
    save_weights(path, {f"model.{k}": v for k, v in SyncVoice(config).state_dict().items()})
    write_metadata(path, {"config": config.as_dict(), "weights_sha256": sha256_of(path)})
    encoder = folder / "speaker_encoder.safetensors"
    save_weights(encoder, CAMPPlus(**CAMPPLUS).state_dict())
    write_metadata(encoder, {"config": CAMPPLUS})
    return path


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    values = {
        "recipe": "full", "start": str(folder / "backbone.safetensors"), "vocoder": "", "visual": ["lip", "face"],
        "speaker_encoder": str(folder / "speaker_encoder.safetensors"), "speaker_branches": ["pretrained", "learnable"],
        "dataset": "d", "split": "train", "share": 1.0, "steps": 6, "batch_seconds": 3.0, "learning_rate": 1e-3,
        "warmup_steps": 1, "gradient_clip": 1.0, "average_from": 0.3, "adapter_dim": 8, "padding": "invariant",
        "masking": {"text": 0.2, "lip": 0.2, "face": 0.2, "context": 0.3, "speaker": 0.3}, "precision": "fp32",
        "seed": 1, "threads": 1, "log_every": 1, "checkpoint_every": 1, "made_by": "train",
    }  # fmt: skip
    return values | changes


@pytest.fixture
def study(tmp_path: Path) -> Path:
    start_weights(tmp_path)
    write_manifest(tmp_path / "train.cuts.jsonl.gz", clips())
    widths = {"lip": 6, "face": 4}
    for feature in ("mel", "text", "lip", "face", "speaker"):
        items = []
        for clip in clips():
            draw = rng(0, feature, clip.id)
            rows = {"mel": (15 * clip.n_frames + 2) // 4, "speaker": 60, "text": 7}.get(feature, clip.n_frames)
            if feature == "text":
                items.append((clip.id, draw.integers(1, 300, rows).astype(np.int32)))
            else:
                width = {"mel": 100, "speaker": 80}.get(feature) or widths[feature]
                items.append((clip.id, draw.standard_normal((rows, width)).astype(np.float32)))
        write_shard(
            tmp_path / "features" / feature / "shard-0.h5", {"feature": feature, "dim": widths.get(feature)}, items
        )
    return tmp_path


def run(study: Path, out: str, **changes: Any) -> Path:
    train(recipe(study, **changes), study / "train.cuts.jsonl.gz", study / "features", study / out)
    return study / out


def test_killed_run_resumes_to_the_same_bytes(study: Path) -> None:
    whole = run(study, "whole")
    kept = FineTuning.training_step

    def killed(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 4:
            raise KeyboardInterrupt
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", killed), pytest.raises((KeyboardInterrupt, SystemExit)):
        run(study, "broken")
    assert (study / "broken/state/last.ckpt").exists()
    steps: list[int] = []

    def watched(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        steps.append(self.global_step)
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", watched):
        broken = run(study, "broken")
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
    other = recipe(study, visual=[])
    assert list(BatchPlan(clips(), other).steps(0, 9)) == whole  # M1 and M3 see the same batches
    assert list(BatchPlan(clips(), recipe(study, seed=2)).steps(0, 9)) != whole


def test_masking_never_drops_both_voices(study: Path) -> None:
    masking = {"text": 0.0, "lip": 0.0, "face": 0.0, "context": 0.5, "speaker": 0.5}
    examples = [e for _, batch in BatchPlan(clips(), recipe(study, masking=masking)).steps(0, 60) for e in batch]
    assert {(e.context, e.use_speaker) for e in examples} == {(True, False), (False, True)}
    assert all(e.reference.id != e.clip.id and e.reference.speaker == e.clip.speaker for e in examples)


def test_share_takes_part_of_the_clips(study: Path) -> None:
    half = BatchPlan(clips(60), recipe(study, share=0.5)).clips
    assert 15 < len(half) < 45
    assert {c.id for c in half} < {c.id for c in clips(60)}


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
    prediction = predict(model, Batch(["a"], script, torch.randn(1, 25, 100), torch.ones(1)), Masking(0, 0, 0, 0, 0))
    assert prediction.mask[0].tolist() == [False] * 10 + [True] * 15
    expected = (prediction.v - prediction.u)[0, 10:].square().mean()
    torch.testing.assert_close(prediction.loss(), expected)
