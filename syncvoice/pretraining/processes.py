"""Several processes that make one weight file together: each learns from its own batches, gradients are averaged.

    syncvoice pretrain backbone --processes 2 --settings ... --out ...

Two threads of one process are hardly faster than one on networks this small; two processes have twice the batch.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


class Processes:
    """This process among those that torchrun started; alone without torchrun."""

    def __init__(self) -> None:
        """Read the place among the processes, and meet the others if there are any."""
        started = "TORCHELASTIC_RUN_ID" in os.environ  # a cluster may set RANK for reasons of its own
        self.rank, self.count = (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if started else (0, 1)
        if self.count > 1:
            import torch.distributed

            torch.distributed.init_process_group("gloo")

    def agreed(self, value: float) -> float:
        """Return the first process's value: what depends on the clock must not differ between processes."""
        if self.count == 1:
            return value
        import torch

        shared = torch.tensor([value], dtype=torch.float64)
        torch.distributed.broadcast(shared, 0)
        return float(shared)

    def average(self, parameters: Sequence["nn.Parameter"], loss: "Tensor") -> "Tensor":
        """Replace gradients by their mean over all processes; of a parameter that one did not use, its own is zero.

        Args:
            parameters: in the same order in every process.
            loss: of this process, a scalar.

        Returns:
            The mean loss: finite only if that of every process is.
        """
        if self.count == 1:
            return loss.detach()
        import torch

        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in gradients] + [loss.detach().reshape(1).to(gradients[0])])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        *means, mean_loss = flat.split([p.numel() for p in parameters] + [1])
        for parameter, mean in zip(parameters, means, strict=True):
            parameter.grad = mean.view_as(parameter)
        return mean_loss[0]
