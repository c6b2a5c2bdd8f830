"""Several processes of one pre-training learn what one would from all their batches, and agree on what they skip."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

SHARED = """
import sys, torch
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
print("RESULT", processes.rank, agreed, float(mean), *network.weight.grad.flatten().tolist(), flush=True)
"""


def test_several_processes_have_the_gradient_of_one_with_all_batches(tmp_path: Path) -> None:
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    found = subprocess.run([*command, "--nproc-per-node=2", str(script)], capture_output=True, text=True, timeout=120)
    rows = sorted(line.split()[1:] for line in found.stdout.splitlines() if line.startswith("RESULT"))
    assert [row[:2] for row in rows] == [["0", "7.0"], ["1", "7.0"]], found.stderr
    weight = torch.full((1, 3), 0.5, requires_grad=True)
    loss = (torch.arange(12.0).view(4, 3) @ weight.T + 0.5).square().mean()
    loss.backward()
    expected = [loss.item(), *weight.grad.flatten().tolist()]
    for row in rows:
        np.testing.assert_allclose([float(value) for value in row[2:]], expected, rtol=1e-6)
