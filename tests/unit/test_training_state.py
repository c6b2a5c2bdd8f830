"""What training continues from: the same data, features and code, whole checkpoints, as many processes as planned."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore, write_shard
from syncvoice.files import sha256_of, write_json
from syncvoice.records.clips import clips_of, write_manifest
from syncvoice.training import run as runs
from syncvoice.training.module import FineTuning
from tests.unit.training_study import make_study, recipe, run

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A study whose training was killed at step 4."""
    study = make_study(tmp_path)
    kept = FineTuning.training_step

    def killed(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 4:
            raise KeyboardInterrupt
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", killed), pytest.raises((KeyboardInterrupt, SystemExit)):
        run(study, "out", keep_checkpoints=2)
    assert (study / "out/state/step=4.ckpt").exists()
    return study


def first_step(study: Path) -> int:
    """Step at which training goes on."""
    steps: list[int] = []
    kept = FineTuning.training_step

    def watched(self: FineTuning, batch: Any, batch_idx: int) -> Any:
        steps.append(self.global_step)
        return kept(self, batch, batch_idx)

    with mock.patch.object(FineTuning, "training_step", watched):
        run(study, "out", keep_checkpoints=2)
    return steps[0]


def other_text(study: Path) -> None:
    """Another manifest, as another seed of the corpus makes."""
    path = study / "train.cuts.jsonl.gz"
    write_manifest(path, [replace(clip, text="c d") for clip in clips_of(path)])


def other_features(study: Path) -> None:
    """Features of another version of their extractor."""
    path = study / "features/mel/shard-0.h5"
    with FeatureStore([path]) as store:
        key = dict(next(iter(store.keys_by_path.values())))
        items = [(clip, store[clip] * np.float32(2)) for clip in store]
    write_shard(path, key | {"version": "2"}, items)


def other_encoder(study: Path) -> None:
    """Other weights of the speaker encoder, whose embeddings were computed again."""
    change_encoder(study)
    path = study / "features" / "speaker" / "shard-0.h5"
    shutil.copy(path, study / "again.h5")
    with h5py.File(study / "again.h5", "r+") as file:
        digest = sha256_of(study / "speaker_encoder.safetensors")
        file.attrs["key"] = json.dumps(json.loads(file.attrs["key"]) | {"weights_sha256": digest})
    (study / "again.h5").replace(path)


def change_encoder(study: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = study / "speaker_encoder.safetensors"
    save_file({name: value * 2 for name, value in load_file(path).items()}, path)


def test_embeddings_of_other_weights_are_refused(broken: Path) -> None:
    change_encoder(broken)
    with pytest.raises(UserError, match="speaker embeddings of other weights"):
        first_step(broken)


@pytest.mark.parametrize("change", [other_text, other_features, other_encoder])
def test_training_starts_anew_on_other_data(broken: Path, change: Callable[[Path], None]) -> None:
    change(broken)
    assert first_step(broken) == 0


def test_training_starts_anew_after_a_change_of_the_code(broken: Path) -> None:
    with mock.patch.object(runs, "code_digest", return_value="another"):
        assert first_step(broken) == 0


def test_training_goes_on_where_nothing_changed(broken: Path) -> None:
    assert first_step(broken) == 4


def test_flipped_checkpoint_falls_back_to_the_one_before(broken: Path) -> None:
    path = broken / "out/state/step=4.ckpt"
    weight = torch.load(path, weights_only=True)["state_dict"]["model.backbone.fm_decoder.in_proj.weight"]
    content, stored = bytearray(path.read_bytes()), weight.numpy().tobytes()
    content[content.index(stored) + 2] ^= 0x40
    path.write_bytes(content)
    assert first_step(broken) == 3


def test_a_batch_system_does_not_change_the_number_of_processes(broken: Path) -> None:
    """A Slurm job of one task says so in its environment; the two processes are this command's own."""
    write_json(broken / "two.json", recipe(broken, steps=2, devices=2, device_seconds=1.5).as_json())
    slurm = {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NAME": "x"}
    arguments = ["--recipe", "two.json", "--manifest", "train.cuts.jsonl.gz", "--features-root", "features"]
    done = subprocess.run(
        [sys.executable, "-m", "syncvoice.cli", "train", *arguments, "--out", "two"], cwd=broken, check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "SYNCVOICE_DEVICE": "cpu"} | slurm,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one = run(broken, "one", steps=2, device_seconds=1.5)
    assert (broken / "two/curve.csv").read_text() == (one / "curve.csv").read_text()


def test_other_number_of_processes_than_planned_is_refused(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    trainer = mock.Mock(world_size=1)
    with mock.patch.object(runs, "trainer_of", return_value=trainer), pytest.raises(runs.UserError, match="expected 2"):
        runs.train(recipe(study), study / "train.cuts.jsonl.gz", study / "features", study / "out", devices=2)
    assert not trainer.fit.called
