"""Several processes of one pre-training learn what one would from all their batches, and agree on what they skip."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from syncvoice.cli import main
from syncvoice.minidub import voices
from syncvoice.pretraining import loop
from syncvoice.pretraining.loop import PretrainingRun
from syncvoice.pretraining.settings import BackboneRun, settings_of
from syncvoice.pretraining.speech_data import build
from syncvoice.records import weights

CONFIG = Path(__file__).resolve().parents[2] / "config" / "pretrain" / "backbone.yaml"

SHARED = """
import json, pathlib, sys, torch
from syncvoice.pretraining.processes import Processes
torch.set_num_threads(1)
processes = Processes()
network = torch.nn.Linear(3, 1)
for p in network.parameters():
    torch.nn.init.constant_(p, 0.5)
inputs = torch.arange(12.0).view(4, 3)[processes.rank :: 2]
loss = network(inputs).square().mean()
loss.backward()
mean = processes.average(list(network.parameters()), loss)
agreed = processes.agreed(7.0 + processes.rank)
found = [agreed, float(mean), *network.weight.grad.flatten().tolist()]
pathlib.Path(sys.argv[1], f"rank{processes.rank}.json").write_text(json.dumps(found))
"""


def test_several_processes_have_the_gradient_of_one_with_all_batches(tmp_path: Path) -> None:
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    subprocess.run([*command, "--nproc-per-node=2", str(script), str(tmp_path)], check=True, timeout=120)
    weight = torch.full((1, 3), 0.5, requires_grad=True)
    loss = (torch.arange(12.0).view(4, 3) @ weight.T + 0.5).square().mean()
    loss.backward()
    expected = [7.0, loss.item(), *weight.grad.flatten().tolist()]
    for rank in (0, 1):
        np.testing.assert_allclose(json.loads((tmp_path / f"rank{rank}.json").read_text()), expected, rtol=1e-6)


def test_each_process_draws_batches_of_its_own_and_the_first_those_of_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = settings_of(BackboneRun, yaml.safe_load(CONFIG.read_text(encoding="utf-8")), "backbone")
    seeds = [PretrainingRun("backbone", run, tmp_path / "a.safetensors", None, None).seed]
    for rank in (0, 1, 2):
        monkeypatch.setattr(loop, "Processes", lambda rank=rank: SimpleNamespace(rank=rank, count=3))
        seeds.append(PretrainingRun("backbone", run, tmp_path / "a.safetensors", None, None).seed)
    assert seeds[0] == seeds[1] and len(set(seeds)) == 3


def test_the_command_starts_them_and_one_writes(tmp_path: Path) -> None:
    pool, settings, out = tmp_path / "pool.h5", tmp_path / "settings.yaml", tmp_path / "backbone.safetensors"
    build(pool, 8, 1, voices.BACKBONE_VOICES[:2])
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    for key in ("more_pools", "recordings", "espeak_pool"):
        values.pop(key, None)
    # fp32: in bfloat16 oneDNN's depthwise convolution of exactly 16 channels does not end
    values |= {"pool": str(pool), "speaker_encoder": None, "steps": 3, "batch_frames": 1000, "precision": "fp32"}
    values["config"]["backbone"] |= {"fm_decoder_dim": 16, "fm_decoder_feedforward_dim": 16, "text_encoder_dim": 16}
    settings.write_text(yaml.safe_dump(values))
    options = ["--settings", str(settings), "--out", str(out), "--minutes", "5", "--processes", "2"]
    main(["pretrain", "backbone", *options])
    (run,) = weights.read_metadata(out)["chain"]
    assert (run["processes"], run["steps"], run["finished"]) == (2, 3, True)


def test_a_process_that_fails_is_a_sentence(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("seed: 1\n")
    found = subprocess.run(
        [sys.executable, "-m", "syncvoice", "pretrain", "backbone", "--processes", "2", "--settings", str(settings)]
        + ["--out", str(tmp_path / "a.safetensors")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert found.returncode == 2 and "config/pretrain/backbone.yaml: steps" in found.stderr
    assert "pretrain backbone: one of 2 processes failed" in found.stderr
