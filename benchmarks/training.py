"""One training step of the paper's model: ours against the same model run eagerly, in the same process.

    python -m benchmarks.training --threads 2 --out training.json

Random weights in the base configuration, four clips of three seconds. The peer is the same model built from textbook
operations (benchmarks/plain.py) under the same bfloat16 autocast; both run forward, backward, clipping and the same
AdamW, in turns, on the same batch. Printed beside: what one update costs with each optimiser that recipes may name.
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from benchmarks.common import CLOCKS, add_arguments, medians_of, write_result
from benchmarks.plain import plain_operations
from syncvoice import clocks
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.training.objective import Batch, Masking, predict
from syncvoice.training.scaled_adam import ScaledAdam

TOKENS_PER_SECOND = 12  # about the rate of English phones
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def make_batch(clips: int, seconds: float) -> Batch:
    """Clips of noise without context."""
    frames, tokens = round(seconds * clocks.MEL_FPS), round(seconds * TOKENS_PER_SECOND)
    script = Script([list(range(1, 1 + tokens))] * clips, [((0, 0), (tokens, frames))] * clips, {})
    features = 0.3 * torch.randn(clips, frames, 100, device=DEVICE) - 0.4  # about the spread of speech features
    return Batch([f"clip{i}" for i in range(clips)], script, features, torch.ones(clips, device=DEVICE))


def step_of(model: SyncVoice, batch: Batch, optimiser: torch.optim.Optimizer, precision: str,
            operations: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:  # fmt: skip
    """A function that does one training step."""

    def step() -> None:
        """Forward, backward, clipping, update."""
        optimiser.zero_grad()
        with operations():
            with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bf16"):
                loss = predict(model, batch, Masking()).loss()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return step


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=3)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0, help="of speech per clip")
    parser.add_argument("--fp32", action="store_true", help="measure both in float32 too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model, batch = SyncVoice(SyncVoiceConfig()).to(DEVICE), make_batch(args.clips, args.seconds)
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.98))
    ways = {
        f"{name}_{precision}": step_of(model, batch, adamw, precision, operations)
        for precision in ("bf16", *(["fp32"] if args.fp32 else []))
        for name, operations in (("eager", plain_operations), ("ours", nullcontext))
    }
    updates = {"update_adamw": adamw.step, "update_scaled_adam": ScaledAdam(model.parameters(), lr=1e-6).step}
    clock = CLOCKS[args.clock]
    medians = medians_of(ways, args.runs, clock=clock) | medians_of(updates, args.runs, clock=clock)
    ratios = {f"eager_{p}/ours_{p}": medians[f"eager_{p}"] / medians[f"ours_{p}"] for p in ("bf16", "fp32")
              if f"ours_{p}" in medians}  # fmt: skip
    for name, value in {**medians, **ratios}.items():
        print(f"{name:22s} {value:7.2f} {'' if name in ratios else 's'}")
    parameters = sum(p.numel() for p in model.parameters())
    facts = {"clips": args.clips, "seconds_per_clip": args.seconds, "parameters": parameters, "clock": args.clock}
    write_result(args.out, {"benchmark": "training", "runs": args.runs, **facts, "median_s": medians, "ratios": ratios})


if __name__ == "__main__":
    main()
