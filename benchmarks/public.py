"""A second peer: training with the sequence of operations that the public implementation runs on a CPU.

Facts about k2-fsa/ZipVoice 2f7326f where the package k2 is not installed, as here; written anew. What costs:
activations in float32, one operation per term, all kept by autograd; bypasses whose float32 scales turn the residual
stream to float32; norms whose gradient recomputes them; gates as two halves; ScaledAdam on stacked copies. Left out on
both sides: its regularisers (Balancer, Whiten, dropout, skips) and its axis order (time first).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks import plain
from syncvoice.model import zipformer
from syncvoice.training.scaled_adam import SIZE_PERIOD, ScaledAdam, Stack, same_shapes, size_step, update_scalars


def swoosh(x: Tensor, shift: float, offset: float) -> Tensor:
    """log(1 + exp(x - shift)) - 0.08 x - offset in float32; x - shift where the exponential overflows."""
    x = x.float()
    shifted = x - shift
    log_sum = (1.0 + shifted.exp()).log()
    return torch.where(log_sum == math.inf, shifted, log_sum) - 0.08 * x - offset


def swoosh_l(x: Tensor) -> Tensor:
    """SwooshL."""
    return swoosh(x, 4.0, 0.035)


def swoosh_r(x: Tensor) -> Tensor:
    """SwooshR."""
    return swoosh(x, 1.0, 0.313261687)


def glu(x: Tensor, dim: int) -> Tensor:
    """Gated linear unit from its two halves."""
    value, gate = x.chunk(2, dim=dim)
    return value * gate.sigmoid()


class _BiasNorm(torch.autograd.Function):
    """Norm that keeps its input and recomputes itself for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
        ctx.save_for_backward(x, bias, log_scale)
        return normalised(x, bias, log_scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        inputs = [t.detach().requires_grad_() for t in ctx.saved_tensors]
        with torch.enable_grad():
            out = normalised(*inputs)
        return torch.autograd.grad(out, inputs, grad)


def normalised(x: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
    """Return x over its root mean square about the bias, times exp(log_scale)."""
    return x * (torch.mean((x - bias) ** 2, dim=-1, keepdim=True) ** -0.5 * log_scale.exp())


def bias_norm(self: zipformer.BiasNorm, x: Tensor) -> Tensor:
    """In place of `BiasNorm.forward`."""
    return _BiasNorm.apply(x, self.bias, self.log_scale)


def bypass(self: zipformer.Bypass, original: Tensor, x: Tensor) -> Tensor:
    """In place of `Bypass.forward`; float32, because the scale is."""
    return original + (x - original) * self.bypass_scale


def downsample(self: zipformer.Downsample, x: Tensor) -> Tensor:
    """In place of `Downsample.forward`."""
    factor = self.bias.numel()
    missing = -x.shape[1] % factor
    x = torch.cat([x, x[:, -1:].expand(-1, missing, -1)], dim=1).unflatten(1, (-1, factor))
    return (x * self.bias.softmax(dim=0)[:, None]).sum(dim=2)


@contextmanager
def public_operations() -> Iterator[None]:
    """Run `TTSZipformer` with the operations of this module."""
    functions = {"swoosh_l": swoosh_l, "swoosh_r": swoosh_r, "depthwise_conv": plain.depthwise_conv}
    methods = {"BiasNorm": bias_norm, "Bypass": bypass, "Downsample": downsample}
    with ExitStack() as stack:
        stack.enter_context(mock.patch.multiple(zipformer, **functions))
        stack.enter_context(mock.patch.object(zipformer.F, "glu", glu))
        for name, method in methods.items():
            stack.enter_context(mock.patch.object(getattr(zipformer, name), "forward", method))
        yield


class StackedScaledAdam(ScaledAdam):
    """ScaledAdam whose tensors of one shape are copied to a stack, updated there as a whole and copied back."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update all parameters."""
        for group in self.param_groups:
            stacks = [self._stack(parameters) for parameters in same_shapes(group["params"])]
            clip = self._clip(stacks, group)
            for stack in stacks:
                (update_scalars if stack.is_scalar else update_stacked)(stack, clip, group)
                stack.state["step"] += 1


def update_stacked(stack: Stack, clip: float, group: Mapping[str, Any]) -> None:
    """In place of `update_tensors`."""
    (beta1, beta2), state = group["betas"], stack.state
    values, gradients = torch.stack(stack.values), torch.stack(stack.gradients) * clip
    dims, phase = tuple(range(1, values.ndim)), state["step"] % SIZE_PERIOD
    momentum, variance = state["momentum"].mul_(beta1), state["variance"].mul_(beta2)
    state["size_gradients"][phase] = (values * gradients).sum(dim=dims, keepdim=True)
    if phase == SIZE_PERIOD - 1:
        state["rms"].copy_(values.square().mean(dim=dims, keepdim=True).sqrt())
        momentum.add_(values * size_step(stack, group), alpha=1 - beta1)
    variance.addcmul_(gradients, gradients, value=1 - beta2)
    correction = 1 - beta2 ** (state["step"] + 1)
    divisor = (variance / correction if correction < 0.99 else variance).sqrt().add_(group["eps"])
    scale = state["rms"].clamp(min=group["param_min_rms"]) * (-group["lr"] * (1 - beta1))
    momentum.add_(gradients / divisor * scale)
    for parameter, value in zip(stack.values, values.add_(momentum), strict=True):
        parameter.copy_(value)
