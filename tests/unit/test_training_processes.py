"""Two processes that share the parts of every step train the weights that one process trains."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file

from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.training.module import FineTuning, Loss
from tests.unit.training_study import make_study, recipe

REPOSITORY = Path(__file__).resolve().parents[2]
CHANGES = {"device_seconds": 1.5, "steps": 3, "average_from": 0.5}


def train_in_processes(study: Path, out: str, devices: int) -> None:
    """`syncvoice train --devices N`: gloo between CPU processes of this machine, alike for every N."""
    arguments = ["--recipe", f"{out}.json", "--manifest", "train.cuts.jsonl.gz", "--features-root", "features"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", "syncvoice.cli", "train", *arguments, "--out", out, "--devices", str(devices)],
        cwd=study, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


def test_two_processes_equal_one(study: Path) -> None:
    for devices, out in enumerate(("one", "two"), start=1):
        write_json(study / f"{out}.json", recipe(study, **CHANGES).as_json())
        train_in_processes(study, out, devices)
    assert (study / "two/curve.csv").read_text() == (study / "one/curve.csv").read_text()  # losses and rates
    weights, expected = load_file(study / "two/model.safetensors"), load_file(study / "one/model.safetensors")
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(weights[name].float(), value.float(), rtol=2e-3, atol=1e-6, msg=name)
    assert not (study / "two/state").exists()


def test_bad_clip_in_another_process_stops_this_one_too() -> None:
    def gather(gathered: list[Any], own: Any) -> None:
        gathered[:] = [own, (float("nan"), 7, ["clip_of_another"])]

    trainer, settings = SimpleNamespace(world_size=2), SimpleNamespace(recipe="r", learning_rate=1.0)
    module, loss = SimpleNamespace(trainer=trainer, recipe=settings), Loss(7, torch.tensor(1.0), ["a"], 1, 0.1)
    with mock.patch("torch.distributed.all_gather_object", gather), pytest.raises(UserError) as error:
        FineTuning._check_finite(module, [1.0], [loss])
    assert "loss nan at step 7 on clips clip_of_another;" in str(error.value)
