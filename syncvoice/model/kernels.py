"""Elementary functions of the Zipformer, written so that a CPU runs them fast in both directions.

Same mathematics as the textbook forms (`benchmarks/plain.py` keeps those, and `tests/unit/test_precision.py` compares).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

SWOOSH_SLOPE = 0.08
SWOOSH_L = (4.0, 0.035)  # shift of the argument, offset of the result
SWOOSH_R = (1.0, 0.313261687)
PIECE = 2**17  # numbers whose Swoosh is computed at once
HIGHEST = 80.0  # the exponential of more float32 does not hold


class _Swoosh(torch.autograd.Function):
    """log(1 + exp(x - shift)) - 0.08 x - offset; keeps only x for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: float, offset: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.shift = shift
        if x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.numel() and bool(x.amax() < HIGHEST):
            return _swoosh_bf16(x, shift, offset)
        y = x - shift
        return torch._C._nn.softplus(y, out=y).add_(x, alpha=-SWOOSH_SLOPE).sub_(offset)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return (x - ctx.shift).sigmoid_().sub_(SWOOSH_SLOPE).mul_(grad), None, None


def _swoosh_bf16(x: Tensor, shift: float, offset: float) -> Tensor:
    """Swoosh of bfloat16 numbers below `HIGHEST`, computed in float32 and rounded once.

    The softplus of ATen takes the slow, exact log1p, of which bfloat16 shows nothing: log(1 + e) is 6e-8 off at most.
    Pieces stay in a core's cache.
    """
    flat, out = x.reshape(-1), torch.empty(x.numel(), dtype=x.dtype)
    inputs, results = torch.empty(2, min(PIECE, x.numel()))
    for piece, rounded in zip(flat.split(PIECE), out.split(PIECE), strict=True):
        wide, y = inputs[: len(piece)].copy_(piece), results[: len(piece)]
        torch.sub(wide, shift, out=y).exp_().add_(1.0).log_()
        rounded.copy_(y.sub_(wide, alpha=SWOOSH_SLOPE).sub_(offset))
    return out.view(x.shape)


def swoosh_l(x: Tensor) -> Tensor:
    """SwooshL: log(1 + exp(x - 4)) - 0.08 x - 0.035."""
    return _Swoosh.apply(x, *SWOOSH_L)


def swoosh_r(x: Tensor) -> Tensor:
    """SwooshR: log(1 + exp(x - 1)) - 0.08 x - 0.313261687."""
    return _Swoosh.apply(x, *SWOOSH_R)


class _DepthwiseConv(torch.autograd.Function):
    """Depthwise convolution over time of (B, T, D), without moving channels before time.

    The weight's gradient is summed tap by tap: oneDNN's own is several times slower in bfloat16 (measured).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        weight, bias = weight.to(x.dtype), bias.to(x.dtype)  # float32 weights under autocast
        ctx.save_for_backward(x, weight)
        return channels_last_conv(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        frames, taps = x.shape[1], weight.shape[-1]
        grad_x = grad_weight = grad_bias = None
        if needs_x:
            grad_x = channels_last_conv(grad, weight.flip(-1), None)
        if needs_weight:
            padded = F.pad(x, (0, 0, taps // 2, taps // 2))
            per_tap = [(padded[:, k : k + frames] * grad).sum(dim=(0, 1)) for k in range(taps)]
            grad_weight = torch.stack(per_tap, dim=-1)[:, None]
        if needs_bias:
            grad_bias = grad.sum(dim=(0, 1))
        return grad_x, grad_weight, grad_bias


def channels_last_conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Depthwise convolution of x (B, T, D) with weight (D, 1, K), K odd, zeros beyond the ends -> (B, T, D)."""
    image = x.contiguous().transpose(1, 2)[:, :, None]  # (B, D, 1, T), in memory an image whose channels come last
    pad = weight.shape[-1] // 2
    return F.conv2d(image, weight[:, :, None], bias, padding=(0, pad), groups=len(weight))[:, :, 0].transpose(1, 2)


def depthwise_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Depthwise convolution over time: x (B, T, D), weight (D, 1, K) with K odd, bias (D,) -> (B, T, D)."""
    if x.device.type == "cpu":
        if torch.is_autocast_enabled("cpu"):  # both directions shall see the same dtype
            x = x.to(torch.get_autocast_dtype("cpu"))
        return _DepthwiseConv.apply(x, weight, bias)
    padding = weight.shape[-1] // 2
    return F.conv1d(x.transpose(1, 2), weight, bias, padding=padding, groups=len(weight)).transpose(1, 2)
