"""Sampling and training on a GPU against eager float32 in the same run; needs torch alone.

    python -m benchmarks.gpu --out gpu.json

The paper's model with random weights, `--audio-seconds` of speech per batch (clips of `--clip-seconds`). Eager: the
textbook operations of benchmarks/plain.py in float32. Ours: the packed bfloat16 estimator for sampling, bfloat16
autocast for training. Shares are of the rate that a large bfloat16 matrix product reaches on the same device.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import add_arguments, machine_facts, median_of, medians_of, write_result
from benchmarks.plain import plain_operations
from syncvoice.fast.precision import prepare_for_sampling
from syncvoice.model.guidance import Scales
from syncvoice.model.solver import Conditions, euler
from syncvoice.model.zipformer import AttentionWeights, ConvolutionModule, NonlinAttention, SelfAttention, TTSZipformer
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig

FRAME_RATE = 93.75  # mel frames per second
MATRIX_SIZE = 8192
BRANCHES = 2  # of plain guidance


def matrix_rate(device: torch.device, runs: int) -> float:
    """Measured rate of a square bfloat16 matrix product in FLOP/s."""
    a, b = (torch.randn(MATRIX_SIZE, MATRIX_SIZE, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * MATRIX_SIZE**3 / median_of(lambda: a @ b, runs, warm_up=3)


def estimator_flop(estimator: TTSZipformer, batch: int, frames: int) -> float:
    """Floating-point operations of one estimator pass, counted from the shapes of its matrix products."""
    total = 0.0
    for encoder in estimator.encoders:
        factor = getattr(encoder, "factor", 1)
        n = -(-frames // factor)
        for module in encoder.modules():
            if isinstance(module, torch.nn.Linear) and module.in_features != estimator.time_embed_dim:
                total += 2.0 * n * module.weight.numel()
            elif isinstance(module, AttentionWeights):
                total += 2.0 * n * n * module.num_heads * (module.query_head_dim + 2 * module.pos_head_dim)
            elif isinstance(module, SelfAttention):
                total += 2.0 * n * n * module.in_proj.out_features
            elif isinstance(module, NonlinAttention):
                total += 2.0 * n * n * module.out_proj.in_features
            elif isinstance(module, ConvolutionModule):
                total += 2.0 * n * module.depthwise_conv.weight.numel()
    total += 2.0 * frames * (estimator.in_proj.weight.numel() + estimator.out_proj.weight.numel())
    return total * batch


def batch_of(clips: int, frames: int, device: torch.device) -> tuple[Tensor, Conditions]:
    """Noise (B, T, 100) and conditions of a batch of clips whose first half is context."""
    text = torch.randn(clips, frames, 100, device=device)
    speech = torch.randn(clips, frames, 100, device=device)
    speech[:, frames // 2 :] = 0
    fused = {(): torch.zeros_like(text), ("text",): text}
    return torch.randn(clips, frames, 100, device=device), Conditions(fused, speech)


@torch.inference_mode()
def sampled(model: ZipVoice, x_0: Tensor, conditions: Conditions, steps: int) -> Tensor:
    """Features x_1 (B, T, 100)."""
    return euler(model, x_0, conditions, Scales(), steps, 0.5)


def training_step(model: ZipVoice, x: Tensor, conditions: Conditions, autocast: bool) -> None:
    """Forward and backward pass of a flow-matching loss; gradients are dropped."""
    with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        time_emb = model.fm_decoder.embed_time(torch.rand(len(x), device=x.device))
        v = model.velocity(x, conditions.fused[("text",)], conditions.speech, time_emb)
    v.float().square().mean().backward()
    model.zero_grad(set_to_none=True)


def plainly(fn: Callable[[], Any]) -> Any:
    """Call `fn` with textbook operations."""
    with plain_operations():
        return fn()


def compare(candidates: dict[str, Callable[[], Any]], flop: float, speech: float, rate: float, runs: int
            ) -> dict[str, Any]:  # fmt: skip
    """Medians of "eager" and "ours", their ratio, share of the matrix rate, seconds of speech per second."""
    seconds = medians_of(candidates, runs)
    return {
        "seconds": seconds,
        "ratio": seconds["eager"] / seconds["ours"],
        "share_of_matrix_rate": flop / seconds["ours"] / rate,
        "speech_seconds_per_second": speech / seconds["ours"],
    }


def measure(args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """All rows of the result."""
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # eager float32 is float32
    model = ZipVoice(ZipVoiceConfig()).eval().to(device)
    frames = round(args.clip_seconds * FRAME_RATE)
    clips = max(1, round(args.audio_seconds / args.clip_seconds))
    x_0, conditions = batch_of(clips, frames, device)
    flop, rate = estimator_flop(model.fm_decoder, clips, frames), matrix_rate(device, 10)
    packed = copy.copy(model)
    packed._modules = dict(model._modules)
    prepare_for_sampling(packed, "bf16")
    sampling = compare(
        {"eager": partial(plainly, partial(sampled, model, x_0, conditions, args.steps)),
         "ours": partial(sampled, packed, x_0, conditions, args.steps)},
        flop * BRANCHES * args.steps, clips * args.clip_seconds, rate, args.runs,
    )  # fmt: skip
    error = sampled(packed, x_0, conditions, args.steps) - plainly(partial(sampled, model, x_0, conditions, args.steps))
    sampling.update(mel_difference_mean=error.abs().mean().item(), mel_difference_max=error.abs().max().item())
    del packed, error
    torch.cuda.empty_cache()
    training = compare(
        {"eager": partial(plainly, partial(training_step, model.train(), x_0, conditions, False)),
         "ours": partial(training_step, model.train(), x_0, conditions, True)},
        3 * flop, clips * args.clip_seconds, rate, args.runs,
    )  # fmt: skip
    return {"clips": clips, "clip_seconds": args.clip_seconds, "steps": args.steps, "matrix_rate_flops": rate,
            "peak_gpu_bytes": torch.cuda.max_memory_allocated(device), "sampling": sampling,
            "training": training}  # fmt: skip


def main() -> None:
    """Run and print; without a GPU say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=3)
    parser.add_argument("--audio-seconds", type=float, default=500.0, help="speech per batch")
    parser.add_argument("--clip-seconds", type=float, default=10.0, help="length of a clip, its context included")
    parser.add_argument("--steps", type=int, default=16, help="Euler steps")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU was found by torch; run this on a machine with CUDA, or benchmarks.sampling for the CPU")
    result = measure(args, torch.device("cuda"))
    print(f"bfloat16 matrix product: {result['matrix_rate_flops'] / 1e12:.0f} TFLOP/s")
    for name in ("sampling", "training"):
        row = result[name]
        print(f"{name}: eager float32 {row['seconds']['eager']:.3f} s, ours {row['seconds']['ours']:.3f} s, "
              f"{row['ratio']:.2f} x; {row['share_of_matrix_rate']:.0%} of the matrix rate, "
              f"{row['speech_seconds_per_second']:.0f} s of speech per second")  # fmt: skip
    print(f"mel difference mean {result['sampling']['mel_difference_mean']:.2g}, "
          f"max {result['sampling']['mel_difference_max']:.2g}")  # fmt: skip
    print(machine_facts())
    write_result(args.out, result)


if __name__ == "__main__":
    main()
