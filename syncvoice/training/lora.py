"""Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): W + (alpha / rank) B A, with the start weights W fixed.

The linear layers of the vector-field estimator are adapted; backbone weights do not learn. B starts at zero, so at step
0 nothing is changed. `merge` adds the product to W: an exported model has the plain layout.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from syncvoice.model.fusion import own_stream
from syncvoice.model.syncvoice import SyncVoice


class LowRank(nn.Module):
    """Adds a low-rank product to a weight (out, in)."""

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rank = min(rank, *weight.shape)
        self.scale = alpha / rank
        self.a = nn.Parameter(torch.empty(rank, weight.shape[1]))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)  # as nn.Linear (our choice)

    def forward(self, weight: Tensor) -> Tensor:
        """W -> W + scale B A."""
        return weight + self.scale * (self.b @ self.a)


def adapted_layers(model: SyncVoice) -> Iterator[nn.Linear]:
    """Yield the linear layers inside the estimator's Zipformer stacks."""
    for layer in model.backbone.fm_decoder.encoders.modules():
        if isinstance(layer, nn.Linear):
            yield layer


def adapt(model: SyncVoice, rank: int, alpha: float) -> None:
    """Fix the backbone and give its estimator low-rank corrections; fusion and speaker encoder keep learning.

    Rank 0: the speaker encoder is fixed as well, the fusion learns alone.
    """
    model.backbone.requires_grad_(False)
    if rank == 0:
        if model.speaker is not None:
            model.speaker.requires_grad_(False)
        return
    with own_stream("lora"):  # models with and without video begin with the same
        for layer in list(adapted_layers(model)):
            parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, alpha))


def merge(model: SyncVoice) -> None:
    """Add the corrections to the weights for good; the state dict has the plain layout again."""
    for layer in list(adapted_layers(model)):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
