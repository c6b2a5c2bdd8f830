"""What the full studies will need: memory of a training step and arithmetic, measured here; hours by an assumed rate.

    python -m benchmarks.estimates --out results/reference/benchmarks/estimates.json

The paper's model at full size with random weights, bfloat16 autocast, ScaledAdam, as the full recipes train. Measured:
the highest resident memory of one step for a few numbers of clips, each in a fresh process, and a straight line through
it; operations of training and sampling by `torch.utils.flop_counter`. Computed from these for config/recipes: memory
at a device's share of a batch and operations of a whole run. Hours are those operations over `--assumed-tflops`:
arithmetic over an assumption, not a measurement. A Markdown table is written beside the JSON file.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import add_arguments, machine_facts, write_result
from benchmarks.memory import resident_peak
from benchmarks.sampling import base_model, conditions_of, sampled
from benchmarks.training import BETAS, RATE, Step, make_batch
from syncvoice.files import atomic_path
from syncvoice.model.guidance import Scales
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.training.scaled_adam import ScaledAdam

RECIPES = Path("config/recipes")
CLIP_SECONDS = {"grid": 6.0, "lrs3": 8.0, "bilingual": 10.0}  # context and target together (our guess)
CLIPS = (1, 2, 4)  # per measured step
BYTES_PER_PARAMETER = 16  # float32 weight, gradient, momentum and squared gradient
SAMPLING = {"plain": Scales(), "four branches": Scales(2.0, face=1.5, lip=2.0)}


def new_step(clips: int, seconds: float) -> Step:
    """A training step of the paper's model."""
    torch.manual_seed(0)
    model = SyncVoice(SyncVoiceConfig())
    optimiser = ScaledAdam(model.parameters(), RATE, BETAS)
    return Step(model, make_batch(clips, seconds), nullcontext, optimiser, "bf16", time.process_time)


def step_memory(clips: int, seconds: float) -> dict[str, float]:
    """Peak of one training step in this process, after a short step that creates gradients and optimiser state."""
    step = new_step(1, 0.5)
    step()
    ready, step.batch = resident_peak(), make_batch(clips, seconds)
    step()
    cpu_seconds = sum(taken[-1] for taken in step.parts.values())
    return {"clips": clips, "audio_s": clips * seconds, "ready_bytes": ready, "peak_bytes": resident_peak(),
            "cpu_s": cpu_seconds}  # fmt: skip


def in_fresh_process(clips: int, seconds: float, threads: int) -> dict[str, float]:
    """`step_memory` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.estimates", "--child", str(clips), str(seconds), "--threads",
               str(threads)]  # fmt: skip
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def memory_line(seconds: float, threads: int) -> dict[str, Any]:
    """Measured points for clips of one length, and the line through them.

    Points below the peak of the model alone say nothing about the batch, so the line goes through the others.
    """
    points = [in_fresh_process(clips, seconds, threads) for clips in CLIPS]
    above = [p for p in points if p["peak_bytes"] > 1.02 * p["ready_bytes"]]
    slope, start = np.polyfit([p["audio_s"] for p in above], [p["peak_bytes"] for p in above], 1)
    return {"clip_s": seconds, "points": points, "bytes_at_zero": start, "bytes_per_audio_s": slope}


def training_flop(seconds: float) -> float:
    """Operations of forward and backward pass per second of audio, for clips of `seconds`."""
    with FlopCounterMode(display=False) as counter:
        new_step(1, seconds).loss().backward()
    return counter.get_total_flops() / seconds


def sampling_flop(scales: Scales, target: float, steps: int = 16) -> float:
    """Operations per second of generated speech, after a prompt of 3 s; counted over one step."""
    model = base_model()
    x_0, conditions = conditions_of(model, target, tuple(scales.subsets()))
    with FlopCounterMode(display=False) as counter:
        sampled(model, x_0, conditions, scales, 1)
    return counter.get_total_flops() * steps / target


def recipe_row(name: str, line: dict[str, Any], flop: float, rates: list[float]) -> dict[str, Any]:
    """What the recipe `full` of one file needs."""
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text(encoding="utf-8"))["recipes"]["full"]
    per_device = recipe["device_seconds"]
    total = recipe["steps"] * recipe["batch_seconds"] * flop
    return {
        "recipe": name, "steps": recipe["steps"], "batch_s": recipe["batch_seconds"], "device_s": per_device,
        "parts_on_one_device": math.ceil(recipe["batch_seconds"] / per_device), "clip_s": line["clip_s"],
        "device_bytes": line["bytes_at_zero"] + line["bytes_per_audio_s"] * per_device, "flop": total,
        "assumed_hours": {f"{rate:g} TFLOP/s": total / (rate * 1e12) / 3600 for rate in rates},
    }  # fmt: skip


def markdown(result: dict[str, Any]) -> str:
    """Tables of the result."""
    rates = list(result["recipes"][0]["assumed_hours"])
    lines = [
        "Measured on this CPU: memory of a training step (straight line, extrapolated) and operations. "
        "Hours are arithmetic over an assumed rate of one GPU, not measured.", "",
        "| Recipe | Steps | Audio per step (s) | Audio per device (s) | Memory there (GB) "
        "| Operations of the run (PFLOP) | "
        + " | ".join(f"Hours on one GPU, if it did {rate}" for rate in rates) + " |",
        "| --- " * (6 + len(rates)) + "|",
    ]  # fmt: skip
    for row in result["recipes"]:
        hours = " | ".join(f"{row['assumed_hours'][rate]:.1f}" for rate in rates)
        lines.append(f"| {row['recipe']} | {row['steps']} | {row['batch_s']:g} | {row['device_s']:g} | "
                     f"{row['device_bytes'] / 1e9:.0f} | {row['flop'] / 1e15:.0f} | {hours} |")  # fmt: skip
    lines += ["", "| Clips of (s) | Memory without audio (GB) | Memory per second of audio (GB) "
              "| Training (TFLOP per second of audio) |", "| --- | --- | --- | --- |"]  # fmt: skip
    lines += [f"| {line['clip_s']:g} | {line['bytes_at_zero'] / 1e9:.2f} | {line['bytes_per_audio_s'] / 1e9:.3f} | "
              f"{line['training_flop_per_audio_s'] / 1e12:.3f} |" for line in result["memory"]]  # fmt: skip
    lines += ["", "| Sampling, 16 steps | TFLOP per second of speech |", "| --- | --- |"]
    lines += [f"| {name} | {flop / 1e12:.2f} |" for name, flop in result["sampling_flop_per_s"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=1)
    parser.add_argument("--assumed-tflops", type=float, nargs="+", default=[50.0, 150.0], help="rates for the hours")
    parser.add_argument("--child", nargs=2, type=float, metavar=("CLIPS", "SECONDS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.child:
        print(json.dumps(step_memory(int(args.child[0]), args.child[1])))
        return
    lines = {name: memory_line(seconds, args.threads) for name, seconds in CLIP_SECONDS.items()}
    for line in lines.values():
        line["training_flop_per_audio_s"] = training_flop(line["clip_s"])
    parameters = sum(p.numel() for p in SyncVoice(SyncVoiceConfig()).parameters())
    result = {
        "parameters_and_optimiser_bytes": BYTES_PER_PARAMETER * parameters,
        "memory": list(lines.values()),
        "sampling_flop_per_s": {name: sampling_flop(scales, 3.0) for name, scales in SAMPLING.items()},
        "recipes": [recipe_row(name, line, line["training_flop_per_audio_s"], args.assumed_tflops)
                    for name, line in lines.items()],
    }  # fmt: skip
    print(markdown(result), machine_facts())
    write_result(args.out, {"benchmark": "estimates", **result})
    if args.out:
        with atomic_path(args.out.with_suffix(".md")) as temporary:
            temporary.write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()
