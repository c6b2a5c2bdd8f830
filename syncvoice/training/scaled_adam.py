"""ScaledAdam and the Eden schedule, as the public ZipVoice training uses them (reference: k2-fsa/ZipVoice 2f7326f).

ScaledAdam is Adam whose steps are proportional to each tensor's own size, with a second, slower update of the size
itself and with clipping at a multiple of the median gradient norm. Facts and golden trajectory: tests/golden.

Symbols: p a parameter tensor, g its gradient, rms(p) = sqrt(mean(p²)), k the step (from 0), β₁ and β₂ the betas.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

SIZE_PERIOD = 4  # steps between two updates of the size
CLIP_WINDOW = 100  # steps whose gradient norms give the median
EARLY_ESTIMATES = (10, 20, 40)  # steps of the first window that estimate the median already, with a margin of two
SIZE_STEP_LIMIT = 0.1  # largest relative change of a size in one update

PIECE = 2**17  # numbers of a tensor that a CPU updates at once

State = dict[str, Any]
Piece = tuple[Sequence[Tensor], ...]


class ScaledAdam(torch.optim.Optimizer):
    """ScaledAdam.

    Tensors of one shape are updated as one stack; a tensor with one element is a scalar, which has no size. The state
    of a stack belongs to its first parameter, that of clipping to the first parameter of the group. A parameter
    without gradient counts as one whose gradient is zero.

    Args:
        params: parameters, or groups with options of their own.
        lr: relative step.
        betas: decay of the momentum, above zero, and of the squared gradient.
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
            stacks = [self._stack(parameters) for parameters in same_shapes(group["params"])]
            clip = self._clip(stacks, group)
            for stack in stacks:
                factor = stack.clip_gradients(clip)
                (update_scalars if stack.is_scalar else update_tensors)(stack, factor, group)
                stack.state["step"] += 1
        return loss

    def _stack(self, parameters: list[Tensor]) -> "Stack":
        """Parameters of one shape with their common state, which is created on first sight."""
        state = self.state[parameters[0]]
        stack = Stack(parameters, state)
        if not state:
            state["step"] = 0
            size = (len(parameters), *parameters[0].shape)
            state["momentum"], state["variance"] = (parameters[0].new_zeros(size) for _ in range(2))
            if not stack.is_scalar:
                state["rms"] = stack.rms()
                state["size_variance"] = torch.zeros_like(state["rms"])
                state["size_gradients"] = torch.zeros(SIZE_PERIOD, *state["rms"].shape, device=state["rms"].device)
        return stack

    def _clip(self, stacks: "list[Stack]", group: Mapping[str, Any]) -> float | Tensor:
        """Factor by which this step's gradients are multiplied, at most 1; 0 if their norm is not finite.

        On a graphics card it stays there, as (), so that the training need not wait for the card at every step.

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
        if not has_cache(norm):
            found = (state["threshold"] / (norm + 1e-20)).clamp(max=1.0)
            return found.where(found.isfinite() & norm.isfinite(), 0.0)
        factor = state["threshold"] / (float(norm) + 1e-20)
        return min(1.0, factor) if math.isfinite(factor) else 0.0


class Stack:
    """Parameters of one shape, updated in place, and their common state, whose first axis counts the parameters."""

    def __init__(self, parameters: list[Tensor], state: State) -> None:
        """Collect values and gradients; nothing is copied."""
        self.state = state
        self.values = [p.detach() for p in parameters]
        self.gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        self.is_scalar = parameters[0].numel() == 1

    def clip_gradients(self, factor: float | Tensor) -> float:
        """Return the factor that an update multiplies the gradients by; on a card they are multiplied here instead.

        At 0 they become zero, whatever they were, because zero times infinity is no number: the step goes on with the
        momentum alone, as the public code does.
        """
        if isinstance(factor, Tensor):
            for gradient in self.gradients:
                gradient.masked_fill_(factor == 0, 0.0)
            torch._foreach_mul_(self.gradients, factor)
            return 1.0
        if factor == 0.0:
            for gradient in self.gradients:
                gradient.zero_()
        return factor

    def rms(self) -> Tensor:
        """Size of every tensor, (n, 1, ..., 1)."""
        return self.per_tensor(torch._foreach_norm(self.values)) / math.sqrt(self.values[0].numel())

    def gradients_by_size(self) -> Tensor:
        """Derivative by every tensor's size, Σ p·g, (n, 1, ..., 1)."""
        pairs = zip(self.values, self.gradients, strict=True)
        return self.per_tensor([torch.dot(p.flatten(), g.flatten()) for p, g in pairs])

    def per_tensor(self, numbers: Sequence[Tensor]) -> Tensor:
        """One number per tensor, each () -> (n, 1, ..., 1)."""
        return torch.stack(list(numbers)).view(-1, *[1] * self.values[0].ndim)

    def squared_norm(self, scalar_scale: float) -> Tensor:
        """Squared norm of the gradients, each relative to its tensor's size."""
        norms = self.per_tensor(torch._foreach_norm(self.gradients))
        return (norms * (scalar_scale if self.is_scalar else self.state["rms"])).square().sum()

    def pieces(self, scales: Tensor) -> Iterator[Piece]:
        """Values, gradients, momentum, variance and scale in pieces on which all operations of an update run in turn.

        On a GPU the whole stack is one piece, so that few kernels start. On a CPU a piece stays in the core's cache,
        and memory is passed once (122.7 M parameters on one core: 0.4 s; stacked and unstacked, 2.7 s).
        """
        momentum, variance = self.state["momentum"].unbind(), self.state["variance"].unbind()
        whole = (self.values, self.gradients, momentum, variance)
        if not has_cache(self.values[0]):
            yield (*whole, scales.unbind())
            return
        for value, gradient, *states, scale in zip(*whole, scales.flatten().unbind(), strict=True):
            flat = (value.view(-1), gradient.reshape(-1), *(state.view(-1) for state in states))
            for parts in zip(*(tensor.split(PIECE) for tensor in flat), strict=True):
                yield (*([part] for part in parts), [scale])


def has_cache(tensor: Tensor) -> bool:
    """Whether the device gains from working on pieces: a CPU, which is never waited for either."""
    return tensor.device.type == "cpu"


def same_shapes(parameters: Iterable[Tensor]) -> list[list[Tensor]]:
    """Group parameters by type and shape, in the order of their first occurrence."""
    groups: dict[tuple[torch.dtype, torch.Size], list[Tensor]] = {}
    for parameter in parameters:
        groups.setdefault((parameter.dtype, parameter.shape), []).append(parameter)
    return list(groups.values())


def adam_step(stack: Stack, scales: Tensor, clip: float, group: Mapping[str, Any]) -> None:
    """Update the squared gradient v, the momentum m and the values: m ← β₁ m + scale g / (sqrt(v) + ε), p ← p + m.

    Early on v is corrected for its start at zero. `scales` (n, 1, ..., 1) multiplies each tensor's direction.
    """
    beta1, beta2 = group["betas"]
    correction = 1 - beta2 ** (stack.state["step"] + 1)
    root = math.sqrt(correction) if correction < 0.99 else 1.0  # sqrt(v / c) + ε = (sqrt(v) + ε sqrt(c)) / sqrt(c)
    for values, gradients, momentum, variance, scale in stack.pieces(scales * root):
        torch._foreach_mul_(variance, beta2)
        torch._foreach_addcmul_(variance, gradients, gradients, value=(1 - beta2) * clip**2)
        divisor = torch._foreach_sqrt(variance)
        torch._foreach_add_(divisor, group["eps"] * root)
        torch._foreach_div_(divisor, scale)
        torch._foreach_mul_(momentum, beta1)
        torch._foreach_addcdiv_(momentum, gradients, divisor, value=clip)
        torch._foreach_add_(values, momentum)


def update_scalars(stack: Stack, clip: float, group: Mapping[str, Any]) -> None:
    """Adam with momentum at a smaller rate; values stay within ± scalar_max."""
    rate = group["lr"] * group["scalar_lr_scale"] * (1 - group["betas"][0])
    adam_step(stack, stack.per_tensor([torch.tensor(-rate)] * len(stack.values)).to(stack.values[0]), clip, group)
    for value in stack.values:
        value.clamp_(-group["scalar_max"], group["scalar_max"])


def update_tensors(stack: Stack, clip: float, group: Mapping[str, Any]) -> None:
    """Step in proportion to each tensor's size and, every fourth step, change of the size."""
    beta1, state = group["betas"][0], stack.state
    phase = state["step"] % SIZE_PERIOD
    state["size_gradients"][phase] = stack.gradients_by_size() * clip
    if phase == SIZE_PERIOD - 1:
        state["rms"].copy_(stack.rms())
        change = size_step(stack, group) * ((1 - beta1) / beta1)  # the momentum decays by beta1 after this
        for momentum, value, share in zip(state["momentum"], stack.values, change, strict=True):
            momentum.addcmul_(value, share)
    scales = state["rms"].clamp(min=group["param_min_rms"]) * (-group["lr"] * (1 - beta1))
    adam_step(stack, scales, clip, group)


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
