"""A tiny training study for tests: start weights, clips and features of random numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from syncvoice.features.cache import write_shard
from syncvoice.files import sha256_of
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.networks.camplus import CAMPPlus
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.weights import save_weights, write_metadata
from syncvoice.section import validated
from syncvoice.seeding import rng
from syncvoice.training.recipe import NamedRecipe
from syncvoice.training.run import train
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


def recipe(folder: Path, **changes: Any) -> NamedRecipe:
    values: dict[str, Any] = {
        "recipe": "full", "start": str(folder / "backbone.safetensors"), "vocoder": "",
        "sees": {"lip": "lip", "face": "face"},
        "speaker_encoder": str(folder / "speaker_encoder.safetensors"), "speaker_branches": ["pretrained", "learnable"],
        "dataset": "d", "split": "train", "share": 1.0, "steps": 6, "batch_seconds": 3.0, "device_seconds": None,
        "devices": 1,
        "optimiser": {"name": "adamw", "betas": [0.9, 0.98], "weight_decay": 0.01, "clipping_scale": 2.0,
                      "new_layers_rate": 3.0, "new_layers_min_rms": 0.01},
        "schedule": {"name": "linear", "lr_batches": 7500, "lr_hours": None, "lr_epochs": 10},
        "learning_rate": 1e-3, "warmup_steps": 1, "gradient_clip": 1.0, "average_from": 0.3, "average_period": None,
        "lora": None, "keep_checkpoints": 0, "adapter_dim": 8, "padding": "invariant", "time_weight": "uniform",
        "masking": {"text": 0.2, "context": 0.3, "speaker": 0.3}, "expansion": "segments", "speaker_width": None,
        "context": {"kind": "other_clip", "longest_reference": 55, "masked_share": [0.7, 1.0]}, "precision": "fp32",
        "seed": 1, "threads": 1, "log_every": 1, "checkpoint_every": 1, "made_by": "train",
    }  # fmt: skip
    return validated(NamedRecipe, values | changes, "recipe")


def make_study(folder: Path) -> Path:
    start_weights(folder)
    write_manifest(folder / "train.cuts.jsonl.gz", clips())
    widths = {"lip": 6, "face": 4, "head_pose": 3}
    for feature in ("mel", "text", "lip", "face", "head_pose", "speaker"):
        items = []
        for clip in clips():
            draw = rng(0, feature, clip.id)
            rows = {"mel": (15 * clip.n_frames + 2) // 4, "speaker": 1, "text": 7}.get(feature, clip.n_frames)
            if feature == "text":
                items.append((clip.id, draw.integers(1, 300, rows).astype(np.int32)))
            else:
                width = {"mel": 100, "speaker": CAMPPLUS["embedding_size"]}.get(feature) or widths[feature]
                items.append((clip.id, draw.standard_normal((rows, width)).astype(np.float32)))
        key = {"feature": feature, "extractor": f"random_{feature}", "version": "1", "settings": {}, "fps": None}
        weights = sha256_of(folder / "speaker_encoder.safetensors") if feature == "speaker" else None
        key |= {"weights_sha256": weights, "dim": widths.get(feature)}
        write_shard(folder / "features" / feature / "shard-0.h5", key, items)
    return folder


def run(study: Path, out: str, **changes: Any) -> Path:
    train(recipe(study, **changes), study / "train.cuts.jsonl.gz", study / "features", study / out)
    return study / out
