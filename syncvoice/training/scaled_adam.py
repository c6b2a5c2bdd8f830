"""ScaledAdam and the Eden schedule, as the public ZipVoice training uses them (reference: k2-fsa/ZipVoice 2f7326f).

ScaledAdam is Adam whose steps are proportional to each tensor's own size, with a second, slower update of the size
itself and with clipping at a multiple of the median gradient norm. Facts and golden trajectory: tests/golden.

Symbols: p a parameter tensor, g its gradient, rms(p) = sqrt(mean(p²)), k the step (from 0), β₁ and β₂ the betas.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

SIZE_PERIOD = 4  # steps between two updates of the size
CLIP_WINDOW = 100  # steps whose gradient norms give the median
EARLY_ESTIMATES = (10, 20, 40)  # steps of the first window that estimate the median already, with a margin of two
SIZE_STEP_LIMIT = 0.1  # largest relative change of a size in one update

State = dict[str, Any]


class ScaledAdam(torch.optim.Optimizer):
    """ScaledAdam.

    Tensors of one shape are updated as one stack; a tensor with one element is a scalar, which has no size. The state
    of a stack belongs to its first parameter, that of clipping to the first parameter of the group. A parameter
    without gradient counts as one whose gradient is zero.

    Args:
        params: parameters, or groups with options of their own.
        lr: relative step.
        betas: decay of the momentum and of the squared gradient.
        clipping_scale: multiple of the median gradient norm at which gradients are clipped; None never clips.
        scalar_lr_scale: factor of `lr` for scalars and for sizes.
        param_min_rms, param_max_rms: bounds within which a size counts and grows.
        scalar_max: largest absolute value of a scalar.
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.02, betas: tuple[float, float] = (0.9, 0.98),
                 clipping_scale: float | None = 2.0, scalar_lr_scale: float = 0.1, eps: float = 1e-8,
                 param_min_rms: float = 1e-5, param_max_rms: float = 3.0, scalar_max: float = 10) -> None:  # fmt: skip
        super().__init__(params, {
            "lr": lr, "betas": betas, "clipping_scale": clipping_scale, "scalar_lr_scale": scalar_lr_scale, "eps": eps,
            "param_min_rms": param_min_rms, "param_max_rms": param_max_rms, "scalar_max": scalar_max,
        })  # fmt: skip

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters; returns the loss of the closure, when there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            stacks = [self._stack(parameters, group) for parameters in same_shapes(group["params"])]
            clip = self._clip(stacks, group)
            for stack in stacks:
                (update_scalars if stack.is_scalar else update_tensors)(stack, clip, group)
                stack.write_back()
        return loss

    def _stack(self, parameters: list[Tensor], group: Mapping[str, Any]) -> "Stack":
        """Values, gradients and state of parameters of one shape."""
        values = torch.stack([p.detach() for p in parameters])
        gradients = torch.stack([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
        state = self.state[parameters[0]]
        stack = Stack(parameters, values, gradients, state)
        if not state:
            state["step"] = 0
            state["momentum"], state["variance"] = torch.zeros_like(values), torch.zeros_like(values)
            if not stack.is_scalar:
                state["rms"] = stack.rms()
                state["size_variance"] = torch.zeros_like(state["rms"])
                state["size_gradients"] = torch.zeros(SIZE_PERIOD, *state["rms"].shape, device=values.device)
        return stack

    def _clip(self, stacks: "list[Stack]", group: Mapping[str, Any]) -> float:
        """Factor by which this step's gradients are multiplied, at most 1.

        Raises:
            FloatingPointError: half of the recent gradients were not finite.
        """
        step, state = stacks[0].state["step"], stacks[0].state
        if group["clipping_scale"] is None or step == 0:
            return 1.0
        norm = torch.stack([stack.squared_norm(group["scalar_lr_scale"]) for stack in stacks]).sum().sqrt()
        state.setdefault("norms", torch.zeros(CLIP_WINDOW, device=norm.device))[step % CLIP_WINDOW] = norm
        early = step in EARLY_ESTIMATES
        if early or step % CLIP_WINDOW == 0:
            norms = state["norms"].sort().values[-step:] if early else state["norms"].sort().values
            median = float(norms[min(len(norms) // 4 * 2, len(norms) - 1)])
            if not math.isfinite(median):
                raise FloatingPointError("the median of the recent gradient norms is not finite")
            state["threshold"] = group["clipping_scale"] * median * (2.0 if early else 1.0)
        if "threshold" not in state:
            return 1.0
        factor = state["threshold"] / (float(norm) + 1e-20)
        return min(1.0, factor) if math.isfinite(factor) else 0.0


class Stack:
    """Parameters of one shape: values and gradients (n, *shape), and their common state."""

    def __init__(self, parameters: list[Tensor], values: Tensor, gradients: Tensor, state: State) -> None:
        """Keep the stacked tensors."""
        self.parameters, self.values, self.gradients, self.state = parameters, values, gradients, state
        self.is_scalar = values.numel() == len(values)
        self.dims = tuple(range(1, values.ndim))

    def rms(self) -> Tensor:
        """Size of every tensor, (n, 1, ..., 1)."""
        return self.values.square().mean(dim=self.dims, keepdim=True).sqrt()

    def squared_norm(self, scalar_scale: float) -> Tensor:
        """Squared norm of the gradients, each relative to its tensor's size."""
        return (self.gradients * (scalar_scale if self.is_scalar else self.state["rms"])).square().sum()

    def write_back(self) -> None:
        """Copy the new values into the parameters."""
        for parameter, value in zip(self.parameters, self.values, strict=True):
            parameter.copy_(value)
        self.state["step"] += 1


def same_shapes(parameters: Iterable[Tensor]) -> list[list[Tensor]]:
    """Group parameters by type and shape, in the order of their first occurrence."""
    groups: dict[tuple[torch.dtype, torch.Size], list[Tensor]] = {}
    for parameter in parameters:
        groups.setdefault((parameter.dtype, parameter.shape), []).append(parameter)
    return list(groups.values())


def adam_direction(stack: Stack, gradients: Tensor, group: Mapping[str, Any]) -> Tensor:
    """Update the squared gradient v and return g / (sqrt(v) + ε); v is corrected for its start at zero early on."""
    beta2, variance = group["betas"][1], stack.state["variance"]
    variance.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
    correction = 1 - beta2 ** (stack.state["step"] + 1)
    corrected = variance / correction if correction < 0.99 else variance
    return gradients / corrected.sqrt().add_(group["eps"])


def update_scalars(stack: Stack, clip: float, group: Mapping[str, Any]) -> None:
    """Adam with momentum at a smaller rate; values stay within ± scalar_max."""
    beta1, rate = group["betas"][0], group["lr"] * group["scalar_lr_scale"]
    direction = adam_direction(stack, stack.gradients * clip, group)
    momentum = stack.state["momentum"].mul_(beta1).add_(direction, alpha=-rate * (1 - beta1))
    stack.values.add_(momentum).clamp_(-group["scalar_max"], group["scalar_max"])


def update_tensors(stack: Stack, clip: float, group: Mapping[str, Any]) -> None:
    """Step in proportion to each tensor's size and, every fourth step, change of the size."""
    beta1, state = group["betas"][0], stack.state
    gradients = stack.gradients * clip
    momentum = state["momentum"].mul_(beta1)
    phase = state["step"] % SIZE_PERIOD
    state["size_gradients"][phase] = (stack.values * gradients).sum(dim=stack.dims, keepdim=True)
    if phase == SIZE_PERIOD - 1:
        state["rms"].copy_(stack.rms())
        momentum.add_(stack.values * size_step(stack, group), alpha=1 - beta1)
    scale = state["rms"].clamp(min=group["param_min_rms"]) * (-group["lr"] * (1 - beta1))
    momentum.add_(adam_direction(stack, gradients, group) * scale)
    stack.values.add_(momentum)


def size_step(stack: Stack, group: Mapping[str, Any]) -> Tensor:
    """Relative change s of each tensor's size, (n, 1, ..., 1): Adam on the derivative by the size, Σ p·g."""
    state, beta = stack.state, group["betas"][1] ** SIZE_PERIOD
    gradients, rms = state["size_gradients"], state["rms"]
    variance = state["size_variance"].mul_(beta).add_(gradients.square().mean(dim=0), alpha=1 - beta)
    correction = 1 - beta ** ((state["step"] + 1) // SIZE_PERIOD)
    rate = group["lr"] * group["scalar_lr_scale"] * math.sqrt(correction)
    step = -rate * gradients.sum(dim=0) / (variance.sqrt() + group["eps"])
    step = step.masked_fill(rms < group["param_min_rms"], 0.0).clamp(-SIZE_STEP_LIMIT, SIZE_STEP_LIMIT)
    return step.minimum((group["param_max_rms"] - rms) / rms.clamp(min=group["param_min_rms"]))


def eden(batch: int, progress: float, lr_batches: float, lr_progress: float, warmup_batches: float = 500.0) -> float:
    """Share of the base rate by the Eden schedule.

    Falls with the number of batches and with the progress through the data; starts at one half and rises linearly to
    one over `warmup_batches`.

    Args:
        batch: batches done, this one included.
        progress: passes over the data completed, or hours of audio seen (the unit of `lr_progress`).
        lr_batches, lr_progress: where the two factors begin to fall.
        warmup_batches: length of the warm-up; 0 = none.

    Returns:
        a factor in (0, 1].
    """
    falls = ((batch / lr_batches) ** 2 + 1) ** -0.25 * ((progress / lr_progress) ** 2 + 1) ** -0.25
    return falls * (0.5 + 0.5 * batch / warmup_batches if batch < warmup_batches else 1.0)
