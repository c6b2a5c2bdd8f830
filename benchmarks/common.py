"""What all benchmarks share: facts about the machine, timing, and the file that keeps the result.

Needs torch and the standard library only, so that every benchmark also runs on a bare GPU machine.
"""

import argparse
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from syncvoice.files import write_json

INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # of the processor, as far as they decide the speed


def machine_facts() -> dict[str, Any]:
    """Facts about this machine that decide how fast it is; plain values for JSON."""
    flags = set(_cpuinfo("flags").split())
    facts: dict[str, Any] = {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        **{name: name in flags for name in INSTRUCTIONS},
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,  # other work beside us
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name(0)
        facts["cuda"] = torch.version.cuda
    return facts


def _cpuinfo(key: str) -> str:
    """Value of the first line of /proc/cpuinfo that starts with `key`; "" where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def seconds(fn: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that one call takes by `clock`; waits for the GPU where one is in use."""
    synchronise()
    began = clock()
    fn()
    synchronise()
    return clock() - began


def process_seconds(command: list[str], **options: Any) -> dict[str, float]:
    """Seconds of a command in a process of its own: `wall_s` by the clock and, of the processor, `cpu_s`."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, **options)
    wall, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": wall, "cpu_s": used}


def synchronise() -> None:
    """Wait until the GPU, if any is in use, has done its work."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def median_of(fn: Callable[[], object], runs: int, warm_up: int = 1) -> float:
    """Median wall-clock seconds of `runs` calls, after `warm_up` calls that do not count."""
    return medians_of({"": fn}, runs, warm_up)[""]


def medians_of(candidates: Mapping[str, Callable[[], object]], runs: int, warm_up: int = 1,
               clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:  # fmt: skip
    """Median seconds of each candidate.

    The candidates take turns, so that other work on the machine slows all of them alike and their ratios hold.

    Args:
        candidates: functions by name.
        runs: calls of each that count.
        warm_up: calls of each before, that do not count.
        clock: wall clock, or `time.process_time` (CPU seconds of all threads) where the machine is shared.
    """
    for fn in candidates.values():
        for _ in range(warm_up):
            fn()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, fn in candidates.items():
            taken[name].append(seconds(fn, clock))
    return {name: statistics.median(values) for name, values in taken.items()}


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def add_arguments(parser: argparse.ArgumentParser, runs: int) -> None:
    """Declare the arguments that every benchmark takes: --runs, --threads, --clock, --out."""
    parser.add_argument("--runs", type=int, default=runs, help="timed runs of each candidate")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: CPU seconds, for a shared machine")
    parser.add_argument("--out", type=Path, help="JSON file for the result")


def write_result(path: Path | str | None, result: Mapping[str, Any]) -> None:
    """Write a result with the facts about the machine as JSON, atomically; without a path do nothing."""
    if path is not None:
        write_json(path, {"machine": machine_facts(), **result})
