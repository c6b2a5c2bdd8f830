"""Export: the weights that inference needs, without optimiser state, from a run or from one of its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncvoice.device import resolve_precision
from syncvoice.errors import UserError
from syncvoice.features.conditions import seen_by
from syncvoice.model.start import save_model
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.records.loss_curve import write_loss_curve
from syncvoice.records.weights import read_checkpoint
from syncvoice.section import validated
from syncvoice.training.averaging import RunningAverage
from syncvoice.training.module import CURVE, FineTuning
from syncvoice.training.recipe import NamedRecipe

NEEDED = (
    "state_dict",
    "global_step",
    "recipe",
    "config",
    "conditions",
    "curve",
    "running_average",
    "running_average_at_start",
)


def export_model(folder: Path, module: FineTuning, step: int, facts: Mapping[str, Any],
                 since: RunningAverage | None = None) -> None:  # fmt: skip
    """Write model.safetensors and metadata.json of a module after `step` steps; `facts` go into the metadata."""
    model, recipe = module.final_model(since), module.recipe
    conditions = {name: seen.model_dump() for name, seen in module.conditions.items()}
    metadata = {"recipe": recipe.as_json(), "steps": step, "conditions": conditions,
                "precision": resolve_precision(recipe.precision), **facts}  # fmt: skip
    save_model(folder, model, metadata)


def export_checkpoint(checkpoint: Path, folder: Path, average_from: Path | None = None) -> None:
    """Write model.safetensors, metadata.json and curve.csv from a training checkpoint.

    Args:
        checkpoint: written by the training of a recipe.
        folder: receives the files.
        average_from: earlier checkpoint of the same run; the weights are averaged over the steps between the two.
            None takes what the recipe says: its average so far, or the weights as they are.

    Raises:
        UserError: a file is no training checkpoint, or the two have no running averages to take the difference of.
    """
    content = read_training(checkpoint)
    config = SyncVoiceConfig.of(content["config"])
    recipe = validated(NamedRecipe, content["recipe"], f"{checkpoint}: recipe")
    module = FineTuning(SyncVoice(config), recipe, seen_by(content, config.visual_dims, str(checkpoint)))
    module.load_state_dict(content["state_dict"])
    module.on_load_checkpoint(content)
    since = _average_of(average_from, content) if average_from else None
    facts = {"average_from": since.step} if since else {}
    export_model(folder, module, int(content["global_step"]), facts, since)
    write_loss_curve(folder / "curve.csv", module.rows, CURVE)


def read_training(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint of our own training.

    Raises:
        UserError: it is something else; says which entries are missing.
    """
    content = read_checkpoint(checkpoint)
    missing = [key for key in NEEDED if key not in content]
    if missing:
        raise UserError(
            f"{checkpoint} is no checkpoint of `syncvoice train` (it lacks {', '.join(missing)}); "
            "look into foreign files with `syncvoice inspect-checkpoint`"
        )
    return content


def _average_of(path: Path, later: Mapping[str, Any]) -> RunningAverage:
    """Running average of the earlier checkpoint of the same run."""
    earlier = read_training(path)
    if earlier["recipe"] != later["recipe"]:
        raise UserError(f"{path} belongs to another recipe than the later checkpoint; average within one run")
    if not earlier["running_average"] or not later["running_average"]:
        raise UserError(
            f"{path}: averaging between checkpoints needs a recipe with average_period and average_from < 1"
        )
    return RunningAverage.of(earlier["running_average"])
