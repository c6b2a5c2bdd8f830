"""Running average of the weights, and the average between two checkpoints, as in the public ZipVoice training.

Every `period` steps the current weights enter an equal average over all samples since the start. The difference of two
such averages, each times its step, is the average over the span between them, so any two checkpoints give one.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from syncvoice.errors import UserError

State = Mapping[str, Tensor]


class RunningAverage:
    """Equal average of the weights after steps period, 2 period, 3 period, ...

    Kept in float64 on the CPU, so that a resumed run continues to the same bits.
    """

    def __init__(self, period: int) -> None:
        """Start empty; `period` in steps."""
        self.period, self.step = period, 0
        self.values: dict[str, Tensor] = {}

    def update(self, weights: State, step: int) -> None:
        """Let the weights after `step` steps enter, when a period is full."""
        if step % self.period:
            return
        share = self.period / step
        for name, value in weights.items():
            new = value.detach().double().cpu()
            self.values[name] = new * share + self.values[name] * (1 - share) if name in self.values else new * share
        self.step = step

    def span_start(self, first: float, last: int) -> int:
        """Step at which the span to average begins: `first` in whole periods, at least one period before `last`."""
        return min(int(first // self.period), last // self.period - 1) * self.period

    def content(self) -> dict[str, Any]:
        """Plain content for a checkpoint: the average after `step` steps."""
        return {"period": self.period, "step": self.step, "values": dict(self.values)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "RunningAverage":
        """Continue from the content of a checkpoint."""
        average = cls(int(content["period"]))
        average.step, average.values = int(content["step"]), dict(content["values"])
        return average

    def since(self, earlier: "RunningAverage | None") -> dict[str, Tensor]:
        """Average over the steps after `earlier` up to this one: w a_e + (1 − w) a_s with w = e / (e − s).

        Args:
            earlier: average of the same run after fewer steps; None or empty averages from the start.

        Returns:
            names to float32 tensors.

        Raises:
            UserError: no step lies between the two.
        """
        if earlier is None or earlier.step == 0:
            return {name: value.float() for name, value in self.values.items()}
        if earlier.step >= self.step:
            raise UserError(
                f"weights were averaged up to step {self.step} and, in the earlier checkpoint, up to step "
                f"{earlier.step}: nothing lies between; give an earlier checkpoint"
            )
        share = self.step / (self.step - earlier.step)
        return {k: torch.lerp(earlier.values[k], v, share).float() for k, v in self.values.items()}
