"""Fine-tuning of a recipe with Lightning: resumable, bit-equal after a kill on CPU."""

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from syncvoice.errors import UserError
from syncvoice.features.conditions import Seen
from syncvoice.model.syncvoice import SyncVoice
from syncvoice.seeding import seed_of
from syncvoice.training import lora
from syncvoice.training.averaging import RunningAverage
from syncvoice.training.objective import Batch, predict
from syncvoice.training.optimisers import optimiser_of, rate_factor
from syncvoice.training.recipe import NamedRecipe

log = logging.getLogger(__name__)

CURVE = ("step", "loss", "learning_rate")  # columns of a fine-tuning's loss curve
SMALLEST_SCALE = 1e-5  # of float16 losses; below it gradients were infinite for very many steps


@dataclass(frozen=True)
class Loss:
    """The loss () of one batch, on its device: its step, clips, the batches of the step, and the learning rate."""

    step: int
    value: Tensor
    clip_ids: list[str]
    parts: int
    rate: float


class FineTuning(lightning.LightningModule):
    """One recipe: optimiser, schedule, weight averaging, loss.

    Random numbers of a step are seeded by (seed, step), so a resumed run continues as if it had never stopped.

    Args:
        model: from the start weights; with `lora` in the recipe its estimator is adapted here.
        recipe: resolved recipe.
        conditions: what the model sees through, for its metadata.
        new: parts of the model, by name prefix, that the start weights lack.
        epoch_of: passes over the data that are complete before a step (only the Eden schedule asks).
    """

    def __init__(self, model: SyncVoice, recipe: NamedRecipe, conditions: Mapping[str, Seen],
                 new: Sequence[str] = ("fusion.",),
                 epoch_of: Callable[[int], int] = lambda step: 0) -> None:  # fmt: skip
        super().__init__()
        if recipe.lora:
            lora.adapt(model, recipe.lora.rank, recipe.lora.alpha)
        self.model, self.recipe, self.conditions = model, recipe, dict(conditions)
        self.new, self.epoch_of = tuple(new), epoch_of
        self.masks = recipe.masks()
        self.first_averaged = recipe.average_from * recipe.steps
        averages, period = recipe.average_from < 1.0, recipe.average_period
        # Equal average over the last steps; frozen, because processes exchange the gradients of all that learns.
        self.average = AveragedModel(model).requires_grad_(False) if averages and period is None else None
        self.running = RunningAverage(period) if averages and period is not None else None
        self.running_at_start: RunningAverage | None = None  # the running average where the span to average begins
        self.rows: list[dict[str, str]] = []
        self._unread: list[Loss] = []  # on the device
        self._losses: list[float] = []  # of the batches of this step so far

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Masked flow-matching loss of one batch.

        Nothing here waits for a graphics card: losses are read from it every `log_every` steps.

        Raises:
            UserError: a loss since they were last read is not finite; names the clips.
        """
        torch.manual_seed(seed_of(self.recipe.seed, *batch.seed_keys(self.global_step)))
        loss = predict(self.model, batch, self.masks).loss(self.recipe.time_weight)
        if batch.parts > 1:
            loss = loss * batch.share
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.clip_ids))
        rate = self.optimizers().param_groups[0]["lr"]
        self._unread.append(Loss(self.global_step, loss.detach(), batch.clip_ids, batch.parts, rate))
        # On a CPU nothing waits, and a loss that is not finite stops the run before it reaches the weights.
        if loss.device.type == "cpu" or (self.global_step + 1) % self.recipe.log_every == 0:
            self.read_losses()
        return loss

    def read_losses(self) -> None:
        """Read the losses that are still on the device: check them, and add whole steps to the curve.

        Raises:
            UserError: one is not finite; names the step and the clips.
        """
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        values = torch.stack([loss.value for loss in unread]).tolist()
        self._check_finite(values, unread)
        whole, means = [], []
        for loss, value in zip(unread, values, strict=True):
            self._losses.append(value)
            if len(self._losses) * self.trainer.world_size >= loss.parts:
                whole.append(loss)
                means.append(sum(self._losses) / len(self._losses))
                self._losses = []
        if self.trainer.world_size > 1 and means:
            own = torch.tensor(means, device=unread[0].value.device)
            means = self.trainer.strategy.reduce(own, reduce_op="mean").tolist()
        for loss, mean in zip(whole, means, strict=True):
            row = {"step": str(loss.step + 1), "loss": f"{mean:.6f}", "learning_rate": f"{loss.rate:.4g}"}
            self.rows.append(row)

    def _check_finite(self, values: Sequence[float], unread: "Sequence[Loss]") -> None:
        """Stop, in every process alike, when a loss is not finite."""
        bad = [(value, loss) for value, loss in zip(values, unread, strict=True) if not math.isfinite(value)]
        own = (bad[0][0], bad[0][1].step, bad[0][1].clip_ids) if bad else None
        of_processes = [own]
        if self.trainer.world_size > 1:  # a process that stopped alone would leave the others waiting
            of_processes = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(of_processes, own)
        for value, step, clips in filter(None, of_processes):
            raise UserError(
                f"recipe {self.recipe.recipe}: loss {value} at step {step} on clips "
                f"{', '.join(clips)}; look at these or lower learning_rate ({self.recipe.learning_rate})"
            )

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Update the weights and their average; here, because checkpoints are saved before the module's later hooks."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        step = self.global_step + 1  # Lightning counts it after this
        keep_scale_up(getattr(self.trainer.precision_plugin, "scaler", None), step)
        if self.average is not None and step > self.first_averaged:
            self.average.update_parameters(self.model)
        if self.running is not None:
            self.running.update(self.model.state_dict(), step)
            if step == self.running.span_start(self.first_averaged, self.recipe.steps):
                self.running_at_start = RunningAverage.of(self.running.content())

    def configure_gradient_clipping(self, optimizer: Any, gradient_clip_val: float | None = None,
                                    gradient_clip_algorithm: str | None = None) -> None:  # fmt: skip
        """Clip by the norm; here, because Lightning refuses to before a fused optimiser."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the recipe."""
        optimiser = optimiser_of(self.recipe, self.model, self.new)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate_factor(self.recipe, self.epoch_of))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_fit_start(self) -> None:
        """Compute with the recipe's threads; starting other processes may have changed their number."""
        torch.set_num_threads(self.recipe.threads)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what belongs to the weights: curve, averages, recipe, conditions and sizes (see export)."""
        self.read_losses()  # weights that a loss has spoilt are not kept
        checkpoint["curve"] = self.rows
        checkpoint["recipe"], checkpoint["config"] = self.recipe.as_json(), self.model.config.as_dict()
        checkpoint["conditions"] = {name: seen.model_dump() for name, seen in self.conditions.items()}
        for name, average in (("running_average", self.running), ("running_average_at_start", self.running_at_start)):
            checkpoint[name] = average.content() if average else None

    def on_train_end(self) -> None:
        """Complete the curve."""
        self.read_losses()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the curve and the averages."""
        self.rows = list(checkpoint["curve"])
        if checkpoint["running_average"]:
            self.running = RunningAverage.of(checkpoint["running_average"])
        if checkpoint["running_average_at_start"]:
            self.running_at_start = RunningAverage.of(checkpoint["running_average_at_start"])

    def final_model(self, since: RunningAverage | None = None) -> SyncVoice:
        """The averaged weights, or the last ones when nothing was averaged; plain layout, low-rank parts merged.

        Args:
            since: running average of an earlier checkpoint, in place of the recipe's `average_from`.

        Raises:
            UserError: nothing was averaged after `since`.
        """
        if self.running is not None and self.running.step:
            model = copy.deepcopy(self.model)
            model.load_state_dict(self.running.since(since or self.running_at_start))
        elif self.average is not None and int(self.average.n_averaged) > 0:
            model = self.average.module
        else:
            model = self.model
        if self.recipe.lora:
            model = copy.deepcopy(model)
            lora.merge(model)
        return model


def keep_scale_up(scaler: "torch.amp.GradScaler | None", step: int) -> None:
    """Double a small loss scale of float16 training from time to time, as the public ZipVoice training does.

    Raises:
        UserError: the scale fell so far that gradients must have been infinite for many steps.
    """
    if scaler is None or step % 100:
        return
    scale = scaler.get_scale()
    if scale < SMALLEST_SCALE:
        raise UserError(
            f"step {step}: the scale of float16 losses fell to {scale:g}; train with precision bf16 or fp32"
        )
    if scale < 1024.0 or (scale < 4096.0 and step % 400 == 0):
        scaler.update(scale * 2.0)
