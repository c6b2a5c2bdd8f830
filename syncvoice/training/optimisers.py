"""Optimiser and learning-rate schedule of a recipe."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from syncvoice.device import resolve_precision
from syncvoice.model.zipformer import ZipformerLayer
from syncvoice.training.recipe import Recipe
from syncvoice.training.scaled_adam import ScaledAdam, eden

FINAL_RATE = 0.02  # of the highest rate, where the linear schedule ends


def optimiser_of(recipe: Recipe, model: nn.Module, new: Sequence[str]) -> torch.optim.Optimizer:
    """Optimiser over the parameters that learn; layers that the start weights lack learn at a multiple of the rate.

    Args:
        recipe: resolved recipe.
        model: a model in which fixed parameters ask for no gradient.
        new: parts of the model, by name prefix, that the start weights lack.
    """
    settings, rate = recipe.optimiser, recipe.learning_rate
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    fresh = [p for name, p in learning if name.startswith(tuple(new))]
    groups: list[dict[str, Any]] = [{"params": [p for name, p in learning if not name.startswith(tuple(new))]}]
    if fresh:
        groups.append({"params": fresh, "lr": rate * settings.new_layers_rate})
    if settings.name == "scaled_adam":
        # A size near zero would keep zero-initialised layers from ever leaving it.
        for group in groups[1:]:
            group["param_min_rms"] = settings.new_layers_min_rms
        groups = [group for group in groups if group["params"]]
        return ScaledAdam(groups, rate, settings.betas, settings.clipping_scale)
    # One pass over the memory. With float16 a fused optimiser would undo the loss scale itself, after the clipping.
    fused = resolve_precision(recipe.precision) != "fp16"
    matrices: list[nn.Parameter] = []
    if settings.name == "muon":
        matrices = [p for p in hidden_matrices(model) if p.requires_grad]
        taken = set(map(id, matrices))
        groups = [group | {"params": [p for p in group["params"] if id(p) not in taken]} for group in groups]
    adamw = torch.optim.AdamW(groups, rate, settings.betas, weight_decay=settings.weight_decay, fused=fused)
    if not matrices:
        return adamw
    # Updates scaled to the size of AdamW's, so that one rate serves both.
    muon = torch.optim.Muon(matrices, rate, settings.weight_decay, adjust_lr_fn="match_rms_adamw")
    return Together([adamw, muon])


def hidden_matrices(model: nn.Module) -> Iterable[nn.Parameter]:
    """Yield the matrices of all Zipformer layers, whose updates Muon makes orthogonal."""
    for layer in model.modules():
        if isinstance(layer, ZipformerLayer):
            yield from (weight for weight in layer.parameters() if weight.ndim == 2)


class Together(torch.optim.Optimizer):
    """Several optimisers as one, each of its own parameters; groups and state are theirs."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        """Join optimisers that have not stepped yet."""
        self.parts = list(parts)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Step all; the loss of the closure."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for part in self.parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Load what `state_dict` gave."""
        super().load_state_dict(dict(state_dict))
        self._share()

    def _share(self) -> None:
        """Let the parts see the groups and the state of the whole."""
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state


def rate_factor(recipe: Recipe, epoch_of: Callable[[int], int]) -> Callable[[int], float]:
    """Return the share of the highest rate as a function of the step (from 0).

    Args:
        recipe: resolved recipe.
        epoch_of: passes over the data that are complete before a step; asked by Eden without `lr_hours`.
    """
    schedule, steps, warm = recipe.schedule, recipe.steps, recipe.warmup_steps

    def linear(step: int) -> float:
        """Linear rise, linear fall."""
        return min((step + 1) / max(warm, 1), max(FINAL_RATE, (steps - step) / max(steps - warm, 1)))

    def constant(step: int) -> float:
        """Linear rise, then the same."""
        return min(1.0, (step + 1) / max(warm, 1))

    def by_eden(step: int) -> float:
        """Eden in steps and in hours of audio, or in passes over the data."""
        if schedule.lr_hours is None:
            return eden(step + 1, epoch_of(step), schedule.lr_batches, schedule.lr_epochs, warm)
        hours = (step + 1) * recipe.batch_seconds / 3600
        return eden(step + 1, hours, schedule.lr_batches, schedule.lr_hours, warm)

    return {"linear": linear, "constant": constant, "eden": by_eden}[schedule.name]
