"""DNSMOS: the whole network on every window against ours, which convolves every frame of a sound once.

    python -m benchmarks.dnsmos --out dnsmos.json

Both use onnxruntime on one thread and take turns, sound by sound; the values must agree to 1e-4.
"""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import CLOCKS, add_arguments, medians_of, write_result
from syncvoice.metrics.naturalness.dnsmos import BACKGROUND, MODEL, OVERALL, SIGNAL, Dnsmos, DnsmosScorer, windows

RATE_HZ = 16_000
SECONDS = (2.4, 3.0, 6.0, 9.5, 20.0)
TOLERANCE = 1e-4


class WholeNetwork:
    """The network as the package speechmos runs it, one window after another."""

    def __init__(self, model: Path) -> None:
        """Load the ONNX model on one thread."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def predict(self, audio: np.ndarray) -> Dnsmos:
        """Predict from the windows that our scorer uses."""
        raw = np.concatenate([self._session.run(None, {"input_1": part[None]})[0] for part in windows(audio)])
        values = (np.polyval(poly, raw[:, i]).mean() for i, poly in enumerate((SIGNAL, BACKGROUND, OVERALL)))
        return Dnsmos(*map(float, values))


def sound(seconds: float) -> np.ndarray:
    """A buzz that comes and goes, with noise: (samples,) float32; what it says does not change the time."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20)) * (1 + np.sin(2 * np.pi * 3 * t))
    return (0.05 * buzz + 0.003 * np.random.default_rng(0).standard_normal(len(t))).astype(np.float32)


def main() -> None:
    """Measure and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, runs=5)
    args = parser.parse_args()
    model = Path(importlib.util.find_spec("speechmos").submodule_search_locations[0]) / MODEL
    ours, whole = DnsmosScorer(model), WholeNetwork(model)
    rows: list[dict[str, Any]] = []
    for seconds in SECONDS:
        audio = sound(seconds)
        one, other = ours.predict(audio), whole.predict(audio)
        difference = max(abs(getattr(one, name) - getattr(other, name)) for name in ("signal", "background", "overall"))
        if difference > TOLERANCE:
            raise SystemExit(f"values differ by {difference} for {seconds} s, allowed {TOLERANCE}")
        jobs = {"whole": lambda audio=audio: whole.predict(audio), "ours": lambda audio=audio: ours.predict(audio)}
        medians = medians_of(jobs, args.runs, clock=CLOCKS[args.clock])
        ratio = medians["whole"] / medians["ours"]
        print(f"{seconds:5.1f} s  whole {medians['whole']:.3f} s  ours {medians['ours']:.3f} s  ratio {ratio:.2f}")
        rows.append({"seconds": seconds, **medians, "ratio": ratio, "largest_difference": difference})
    write_result(args.out, {"benchmark": "dnsmos", "clock": args.clock, "runs": args.runs, "sounds": rows})


if __name__ == "__main__":
    main()
