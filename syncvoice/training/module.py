"""Fine-tuning of a recipe with Lightning: resumable, bit-equal after a kill on CPU."""

import csv
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.model.syncvoice import SyncVoice
from syncvoice.seeding import seed_of
from syncvoice.training.objective import Batch, Masking, predict

log = logging.getLogger(__name__)

FUSION_RATE = 3.0  # new layers learn faster than the start weights (our choice)


class FineTuning(lightning.LightningModule):
    """One recipe: optimiser, schedule, weight averaging, loss.

    Random numbers of a step are seeded by (seed, step), so a resumed run continues as if it had never stopped.
    """

    def __init__(self, model: SyncVoice, recipe: Mapping[str, Any]) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.masking = Masking(**recipe["masking"])
        self.average = AveragedModel(model)  # equal average over the last steps
        self.rows: list[dict[str, str]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Masked flow-matching loss of one batch.

        Raises:
            UserError: the loss is not finite; names the clips.
        """
        torch.manual_seed(seed_of(self.recipe["seed"], "step", self.global_step))
        loss = predict(self.model, batch, self.masking).loss()
        if not torch.isfinite(loss):
            raise UserError(
                f"recipe {self.recipe['recipe']}: loss {loss.item()} at step {self.global_step} on clips "
                f"{', '.join(batch.clip_ids)}; look at these or lower learning_rate ({self.recipe['learning_rate']})"
            )
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.clip_ids))
        rate = self.optimizers().param_groups[0]["lr"]
        self.rows.append(
            {"step": str(self.global_step + 1), "loss": f"{loss.item():.6f}", "learning_rate": f"{rate:.4g}"}
        )
        return loss

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        """Update the weights and their average; here, because checkpoints are saved before the module's later hooks."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        if self.global_step + 1 > self.recipe["average_from"] * self.recipe["steps"]:
            self.average.update_parameters(self.model)

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and linear decay; the new fusion layers learn at a multiple of the rate."""
        rate, steps, warm = self.recipe["learning_rate"], self.recipe["steps"], self.recipe["warmup_steps"]
        fusion = list(self.model.fusion.parameters()) if self.model.fusion else []
        new = {id(p) for p in fusion}
        groups = [{"params": [p for p in self.model.parameters() if id(p) not in new], "lr": rate}]
        if fusion:
            groups.append({"params": fusion, "lr": rate * FUSION_RATE})
        optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)

        def factor(step: int) -> float:
            """Share of the highest rate at a step."""
            return min((step + 1) / max(warm, 1), max(0.02, (steps - step) / max(steps - warm, 1)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curve with the weights it belongs to."""
        checkpoint["curve"] = self.rows

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the curve."""
        self.rows = list(checkpoint["curve"])

    def final_model(self) -> SyncVoice:
        """The averaged weights, or the last ones when nothing was averaged."""
        averaged = int(self.average.n_averaged) > 0
        return self.average.module if averaged else self.model


def write_curve(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write step, loss and learning rate as CSV, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["step", "loss", "learning_rate"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
