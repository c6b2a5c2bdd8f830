"""Optimisers of the pre-training runs."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

WEIGHT_DECAY = 0.01


def optimisers(
    model: nn.Module, name: str, rate: float, hidden: Iterable[nn.Parameter], betas: tuple[float, float]
) -> Sequence[torch.optim.Optimizer]:
    """AdamW, or Muon for hidden matrices and AdamW for everything else.

    Muon orthogonalises the update of a matrix; with updates scaled to the size of AdamW's, one rate serves both. Our
    choice: continued from the same weights on the same batches at the same rate, the backbone's flow-matching loss was
    lower with Muon in every stretch of 50 steps of a trial of 350.

    Args:
        model: all its parameters are learned.
        name: "adamw" or "muon".
        rate: learning rate.
        hidden: parameters that Muon may take; those that are no matrix go to AdamW.
        betas: of AdamW.
    """
    matrices = [weight for weight in hidden if weight.ndim == 2] if name == "muon" else []
    taken = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in taken]
    found: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, rate, betas=betas, weight_decay=WEIGHT_DECAY)]
    if matrices:
        found.append(torch.optim.Muon(matrices, lr=rate, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"))
    return found
