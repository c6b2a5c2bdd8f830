"""One training step of the paper's model: ours against eager peers, in the same process, in turns, on the same batch.

    python -m benchmarks.training --threads 2 --out training.json

Random weights in the base configuration, four clips of three seconds, bfloat16 autocast. `public` runs the operations
of the public implementation with its ScaledAdam (benchmarks/public.py), `textbook` the same model from textbook
operations (benchmarks/plain.py) with PyTorch's default AdamW. Ours: with ScaledAdam, as the recipes of the full studies
train, and with AdamW, as the small ones do. Beside: the arithmetic of the step, and how long it takes at the rate that
this machine reaches on one large bfloat16 product: no step can be faster.
"""

import argparse
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import CLOCKS, add_arguments, median_of, medians_of, synchronise, write_result
from benchmarks.plain import plain_operations
from benchmarks.public import StackedScaledAdam, public_operations
from syncvoice import clocks
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.training.objective import Batch, predict
from syncvoice.training.scaled_adam import ScaledAdam

TOKENS_PER_SECOND = 12  # about the rate of English phones
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RATE, BETAS = 1e-6, (0.9, 0.98)
MATRIX = (1124, 512, 1536)  # rows, inputs, outputs of the largest products of this batch
PEERS = {"ours_scaled_adam": "public", "ours_adamw": "textbook"}


def make_batch(clips: int, seconds: float) -> Batch:
    """Clips of noise without context."""
    frames, tokens = round(seconds * clocks.MEL_FPS), round(seconds * TOKENS_PER_SECOND)
    script = Script([list(range(1, 1 + tokens))] * clips, [((0, 0), (tokens, frames))] * clips, {})
    features = 0.3 * torch.randn(clips, frames, 100, device=DEVICE) - 0.4  # about the spread of speech features
    return Batch([f"clip{i}" for i in range(clips)], script, features, torch.ones(clips, device=DEVICE))


class Step:
    """One training step as a function; keeps what its parts took.

    Args:
        operations: context in which the model runs.
        optimiser: updates the model's parameters; ScaledAdam clips by itself.
        precision: "bf16" or "fp32".
        clock: of the parts' times.
    """

    def __init__(self, model: SyncVoice, batch: Batch, operations: Callable[[], AbstractContextManager[None]],
                 optimiser: torch.optim.Optimizer, precision: str, clock: Callable[[], float]) -> None:  # fmt: skip
        self.model, self.batch, self.operations, self.optimiser = model, batch, operations, optimiser
        self.precision, self.clock = precision, clock
        self.parts: dict[str, list[float]] = {"forward": [], "backward": [], "update": []}

    def __call__(self) -> None:
        """Forward, backward, clipping and update."""
        self.optimiser.zero_grad()
        with self.operations():
            loss = self._timed("forward", self.loss)
            self._timed("backward", loss.backward)
        self._timed("update", self.update)

    def _timed(self, part: str, fn: Callable[[], Any]) -> Any:
        synchronise()
        began = self.clock()
        result = fn()
        synchronise()
        self.parts[part].append(self.clock() - began)
        return result

    def loss(self) -> torch.Tensor:
        """Loss of the batch."""
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.precision == "bf16"):
            return predict(self.model, self.batch, {"text": 0.2, "lip": 0.2, "face": 0.2}).loss()

    def update(self) -> None:
        """Clip and update."""
        if not isinstance(self.optimiser, ScaledAdam):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()


def steps_of(model: SyncVoice, batch: Batch, precisions: list[str], clock: Callable[[], float]) -> dict[str, Step]:
    """All candidates by name; those that share an optimiser share its state."""
    adamw = {fused: torch.optim.AdamW(model.parameters(), RATE, BETAS, fused=fused) for fused in (False, True)}
    scaled = {kind: kind(model.parameters(), RATE, BETAS) for kind in (ScaledAdam, StackedScaledAdam)}
    ways = {
        "public": (public_operations, scaled[StackedScaledAdam]),
        "ours_scaled_adam": (nullcontext, scaled[ScaledAdam]),
        "textbook": (plain_operations, adamw[False]),
        "ours_adamw": (nullcontext, adamw[True]),
    }
    return {
        f"{name}_{precision}": Step(model, batch, operations, optimiser, precision, clock)
        for precision in precisions for name, (operations, optimiser) in ways.items()
    }  # fmt: skip


def arithmetic(step: Step, runs: int, threads: int) -> dict[str, float]:
    """Operations of one step, the rate of one large product, and the least time that follows; wall clock."""
    with FlopCounterMode(display=False) as counter:
        step.loss().backward()
    rows, inputs, outputs = MATRIX
    a = torch.randn(rows, inputs, device=DEVICE, dtype=torch.bfloat16)
    b = torch.randn(inputs, outputs, device=DEVICE, dtype=torch.bfloat16)
    rate = 2 * rows * inputs * outputs / median_of(lambda: a @ b, 20 * runs, warm_up=5)
    return {"flop": counter.get_total_flops(), "matrix_rate_flops": rate, "threads": threads,
            "least_seconds": counter.get_total_flops() / rate}  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=3)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0, help="of speech per clip")
    parser.add_argument("--fp32", action="store_true", help="measure all in float32 too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model, batch = SyncVoice(SyncVoiceConfig()).to(DEVICE), make_batch(args.clips, args.seconds)
    clock, precisions = CLOCKS[args.clock], ["bf16", *(["fp32"] if args.fp32 else [])]
    steps = steps_of(model, batch, precisions, clock)
    medians = medians_of(steps, args.runs, clock=clock)
    parts = {
        name: {part: statistics.median(taken[-args.runs :]) for part, taken in step.parts.items()}
        for name, step in steps.items()
    }
    ratios = {f"{peer}/{ours}_{p}": medians[f"{peer}_{p}"] / medians[f"{ours}_{p}"]
              for p in precisions for ours, peer in PEERS.items()}  # fmt: skip
    least = arithmetic(steps["ours_adamw_bf16"], args.runs, args.threads)
    for name, value in medians.items():
        print(f"{name:24s} {value:7.2f} s  ({', '.join(f'{k} {v:.2f}' for k, v in parts[name].items())})")
    for name, value in ratios.items():
        print(f"{name:40s} {value:7.2f}")
    print(f"{least['flop'] / 1e9:.0f} GFLOP at {least['matrix_rate_flops'] / 1e9:.0f} GFLOP/s: no step can take less "
          f"than {least['least_seconds']:.2f} s of wall clock")  # fmt: skip
    parameters = sum(p.numel() for p in model.parameters())
    facts = {"clips": args.clips, "seconds_per_clip": args.seconds, "parameters": parameters, "clock": args.clock}
    write_result(args.out, {"benchmark": "training", "runs": args.runs, **facts, "median_s": medians, "parts_s": parts,
                            "ratios": ratios, "arithmetic": least})  # fmt: skip


if __name__ == "__main__":
    main()
