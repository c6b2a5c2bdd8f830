"""SyncNet v2 forward alone: the package syncnet-python against ours in float32 and bfloat16, same weights and windows.

    python -m benchmarks.syncnet_forward --threads 1 --out syncnet_forward.json

Random weights (none can be shipped). The batch is the package's own: 20 windows of lips and of sound, taken from one
clip of 24 frames; the package gets them window by window as its own code cuts them.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import write_result
from benchmarks.syncnet_peer import package, pair_of_networks
from syncvoice.fast.syncnet_fused import FusedSyncNet
from syncvoice.metrics.lip_sync.distances import lip_sync_of, window_distances

WINDOWS = 20  # the package's batch size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    theirs, plain = pair_of_networks(package())
    random = torch.Generator().manual_seed(0)
    lips = torch.randint(0, 256, (1, 3, WINDOWS + 4, 224, 224), generator=random).float()
    sounds = 5 * torch.randn(WINDOWS, 1, 13, 20, generator=random)

    def peer() -> tuple[torch.Tensor, torch.Tensor]:
        """As SyncNetInstance.evaluate does."""
        with torch.no_grad():
            windows = torch.cat([lips[:, :, v : v + 5] for v in range(WINDOWS)])
            return theirs.forward_lip(windows), theirs.forward_aud(sounds)

    fused, half = FusedSyncNet(plain), FusedSyncNet(plain, "bfloat16")
    candidates = {
        "syncnet-python": peer,
        "ours float32": lambda: (fused.embed_lips(lips), fused.embed_audio(sounds)),
        "ours bfloat16": lambda: (half.embed_lips(lips), half.embed_audio(sounds)),
    }
    seconds, cpu = both_clocks(candidates, args.runs)
    scores = {name: lse_d(*run()) for name, run in candidates.items()}
    report(seconds, cpu, scores, args)


def both_clocks(candidates: Mapping[str, Callable[[], object]], runs: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each candidate, in turns, by the wall clock and of the processor.

    Other work on the machine hardly changes the latter.
    """
    clocks = (time.perf_counter, time.process_time)
    taken: dict[str, list[list[float]]] = {name: [[], []] for name in candidates}
    for number in range(runs + 1):  # the first round warms up
        for name, run in candidates.items():
            began = [clock() for clock in clocks]
            run()
            for clock, start, values in zip(clocks, began, taken[name], strict=True):
                values += [clock() - start] if number else []
    wall, processor = ({name: statistics.median(values[k]) for name, values in taken.items()} for k in (0, 1))
    return wall, processor


def lse_d(lips: torch.Tensor, sounds: torch.Tensor) -> float:
    """LSE-D of embeddings."""
    return lip_sync_of(window_distances(np.asarray(lips), np.asarray(sounds)).mean(0)).lse_d


def report(
    seconds: dict[str, float], cpu: dict[str, float], scores: dict[str, float], args: argparse.Namespace
) -> None:
    """Print a line per candidate and write the file."""
    peer = seconds["syncnet-python"]
    rows: dict[str, Any] = {}
    for name, value in seconds.items():
        difference = abs(scores[name] - scores["syncnet-python"])
        cpu_ratio = cpu["syncnet-python"] / cpu[name]
        rows[name] = {"seconds": value, "ratio": peer / value, "lse_d_difference": difference}
        rows[name] |= {"cpu_seconds": cpu[name], "cpu_ratio": cpu_ratio}
        print(
            f"{name:16s} {value:7.3f} s {peer / value:5.2f} x  processor {cpu_ratio:5.2f} x  LSE-D {difference:.1e} off"
        )
    write_result(args.out, {"windows": WINDOWS, "runs": args.runs, "candidates": rows})


if __name__ == "__main__":
    main()
