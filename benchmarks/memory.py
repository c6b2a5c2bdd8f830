"""Peak memory of sampling a minute of speech with the paper's model at full size.

    python -m benchmarks.memory --seconds 60 --out memory.json

A fresh process builds the model (random weights, base configuration), packs it as `prepare_for_sampling` does and
samples; its highest resident set size is the result. The peak is that of a single step, so few steps suffice.
"""

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

from benchmarks.common import add_arguments, machine_facts, write_result

SCALES = {"plain": {"text": 2.0}, "four branches": {"text": 2.0, "face": 1.5, "lip": 2.0}}


def sample(seconds: float, steps: int, precision: str, guidance: str, threads: int) -> dict[str, Any]:
    """Sample in this process and return its peak of resident memory in bytes."""
    import torch

    from benchmarks.sampling import base_model, conditions_of, sampled
    from syncvoice.fast.precision import prepare_for_sampling
    from syncvoice.model.guidance import Scales

    torch.set_num_threads(threads)
    scales = Scales(**SCALES[guidance])
    model = prepare_for_sampling(base_model(), precision)
    ready = resident_peak()
    x_0, conditions = conditions_of(model, seconds, tuple(scales.subsets()))
    frames = sampled(model, x_0, conditions, scales, steps).shape[1]
    return {"frames": frames, "model_ready_bytes": ready, "peak_bytes": resident_peak()}


def resident_peak() -> int:
    """Highest resident set size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Measure in a subprocess and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the speech, after a prompt of 3 s")
    parser.add_argument("--steps", type=int, default=1, help="Euler steps")
    parser.add_argument("--precision", nargs="+", default=["auto"], choices=("auto", "fp32", "bf16"))
    parser.add_argument("--guidance", nargs="+", default=["plain"], choices=SCALES)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(sample(args.seconds, args.steps, args.precision[0], args.guidance[0], args.threads)))
        return
    rows = []
    for precision in args.precision:
        for guidance in args.guidance:
            command = [sys.executable, "-m", "benchmarks.memory", "--child", "--seconds", str(args.seconds), "--steps",
                       str(args.steps), "--precision", precision, "--guidance", guidance, "--threads",
                       str(args.threads)]  # fmt: skip
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows.append(row := {"precision": precision, "guidance": guidance, **json.loads(output)})
            print(f"{args.seconds:g} s of speech, {precision}, {guidance} guidance: peak {row['peak_bytes'] / 1e9:.2f} "
                  f"GB ({row['model_ready_bytes'] / 1e9:.2f} GB when the model is ready)")  # fmt: skip
    print(machine_facts())
    write_result(args.out, {"seconds": args.seconds, "steps": args.steps, "memory": rows})


if __name__ == "__main__":
    main()
