"""Sampling on the CPU: the paper's model at full size, packed for sampling, against the eager float32 run.

    python -m benchmarks.sampling --threads 2 --out sampling.json

Random weights in the base configuration, 16 steps, plain guidance. The peer is the same model built from textbook
operations (benchmarks/plain.py), in the same process, in turns. Printed: medians, ratios, difference of the features
on target frames (0.1 log-mel units), and what four guidance branches cost against bare estimator passes.
"""

import argparse
import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import CLOCKS, add_arguments, machine_facts, medians_of, write_result
from benchmarks.plain import plain_operations
from syncvoice.device import resolve_precision
from syncvoice.fast.precision import prepare_for_sampling
from syncvoice.model.guidance import Scales
from syncvoice.model.solver import Conditions, euler
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig, expand_text, token_index_average

FRAME_RATE = 93.75  # mel frames per second
PROMPT_SECONDS = 3
TOKENS_PER_SECOND = 12  # about the rate of English phones
ALL = ("text", "face", "lip")


def base_model(seed: int = 0) -> ZipVoice:
    """The base configuration with random weights (122.7 million parameters)."""
    torch.manual_seed(seed)
    return ZipVoice(ZipVoiceConfig()).eval()


def packed_copy(model: ZipVoice, precision: str = "auto") -> ZipVoice:
    """A model with the same weights, prepared for sampling."""
    other = copy.copy(model)
    other._modules = dict(model._modules)  # share the text encoder, replace the estimator
    return prepare_for_sampling(other, precision)


@torch.inference_mode()
def conditions_of(model: ZipVoice, target_seconds: float, subsets: tuple[tuple[str, ...], ...]
                  ) -> tuple[Tensor, Conditions]:  # fmt: skip
    """Noise x_0 (1, T, 100) and conditions of one clip: a prompt, then a target of the given length."""
    prompt = round(PROMPT_SECONDS * FRAME_RATE)
    frames = prompt + round(target_seconds * FRAME_RATE)
    tokens = torch.randint(1, 360, (round((PROMPT_SECONDS + target_seconds) * TOKENS_PER_SECOND),)).tolist()
    text = expand_text(model.encode_text([tokens]), token_index_average([len(tokens)], [frames]))
    speech = torch.randn(1, frames, 100) * 0.3 - 0.4  # about the spread of speech features
    speech[:, prompt:] = 0
    fused = {s: text + 0.1 * torch.randn_like(text) * (len(s) - 1) if s else torch.zeros_like(text) for s in subsets}
    return torch.randn(1, frames, 100), Conditions(fused, speech)


def sampled(model: ZipVoice, x_0: Tensor, conditions: Conditions, scales: Scales, steps: int) -> Tensor:
    """Features x_1 (1, T, 100)."""
    with torch.inference_mode():
        return euler(model, x_0, conditions, scales, steps, 0.5)


def plainly(fn: Callable[[], Tensor]) -> Tensor:
    """Call `fn` with textbook operations."""
    with plain_operations():
        return fn()


def against_eager(model: ZipVoice, ours: dict[str, ZipVoice], target: float, args: argparse.Namespace
                  ) -> dict[str, Any]:  # fmt: skip
    """Time and compare one length of target; keys of the result are quantities with units."""
    x_0, conditions = conditions_of(model, target, ((), ("text",)))
    candidates: dict[str, Callable[[], Tensor]] = {
        "eager float32": partial(plainly, partial(sampled, model, x_0, conditions, Scales(), args.steps)),
        **{name: partial(sampled, m, x_0, conditions, Scales(), args.steps) for name, m in ours.items()},
    }
    features = {name: fn() for name, fn in candidates.items()}  # also the warm-up
    seconds = medians_of(candidates, args.runs, warm_up=0, clock=CLOCKS[args.clock])
    peer = features["eager float32"][:, round(PROMPT_SECONDS * FRAME_RATE) :]
    factors = {name: taken / target for name, taken in seconds.items()}  # seconds of computing per second of speech
    result: dict[str, Any] = {"target_s": target, "mel_spread": peer.std().item(), "seconds": seconds,
                              "real_time_factor": factors}  # fmt: skip
    for name in ours:
        error = (features[name][:, -peer.shape[1] :] - peer).abs()
        result[name] = {
            "ratio": seconds["eager float32"] / seconds[name],
            "mel_difference_mean": error.mean().item(),
            "mel_difference_max": error.max().item(),
        }
    return result


def branches(model: ZipVoice, args: argparse.Namespace) -> dict[str, float]:
    """Cost of guidance with text, face, lip and the empty condition against bare estimator passes at batch 4."""
    subsets = tuple(ALL[:k] for k in range(4))
    x_0, conditions = conditions_of(model, args.targets[0], subsets)
    batch = torch.cat(list(conditions.fused.values()))
    speech, x_t = conditions.speech.repeat(4, 1, 1), x_0.repeat(4, 1, 1)
    time_emb = model.fm_decoder.embed_time(torch.full((4,), 0.3)).detach()

    @torch.inference_mode()
    def passes() -> None:
        """Estimator passes alone."""
        for _ in range(args.steps):
            model.velocity(x_t, batch, speech, time_emb)

    guided = partial(sampled, model, x_0, conditions, Scales(2.0, face=1.5, lip=2.0), args.steps)
    seconds = medians_of({"guided": guided, "passes": passes}, args.runs, clock=CLOCKS[args.clock])
    return {**seconds, "ratio": seconds["guided"] / seconds["passes"]}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=3)
    parser.add_argument("--steps", type=int, default=16, help="Euler steps")
    parser.add_argument("--targets", type=float, nargs="+", default=[3.0, 10.0], help="seconds of the targets")
    parser.add_argument("--precision", nargs="+", default=["auto"], choices=("auto", "fp32", "bf16"))
    parser.add_argument("--compile", action="store_true", help="also time torch.compile of the eager estimator (bf16)")
    parser.add_argument("--no-branches", action="store_true", help="leave out the four guidance branches")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = base_model()
    ours = {f"packed {resolve_precision(p)}": packed_copy(model, p) for p in args.precision}
    if args.compile:
        compiled = copy.deepcopy(model)
        compiled.fm_decoder = compiled.fm_decoder.bfloat16()
        compiled.fm_decoder.compile(dynamic=False)
        ours["compiled bf16"] = compiled
    rows = []
    for target in args.targets:
        rows.append(row := against_eager(model, ours, target, args))
        for name, taken in row["seconds"].items():
            print(f"{PROMPT_SECONDS} s + {target:g} s, {args.steps} steps: {name:14s} {taken:7.2f} s ({args.clock}), "
                  f"{taken / target:.2f} s per second of speech")  # fmt: skip
        for name in ours:
            print(f"  {name}: {row[name]['ratio']:.2f} x as fast as eager float32; mel difference mean "
                  f"{row[name]['mel_difference_mean']:.2g}, max {row[name]['mel_difference_max']:.2g} "
                  f"(spread {row['mel_spread']:.2g})")  # fmt: skip
    result: dict[str, Any] = {"steps": args.steps, "clock": args.clock, "sampling": rows}
    if not args.no_branches:
        cost = result["four_branches"] = branches(next(iter(ours.values())), args)
        print(f"four guidance branches: {cost['ratio']:.3f} x {args.steps} estimator passes at batch 4")
    print(machine_facts())
    write_result(args.out, result)


if __name__ == "__main__":
    main()
