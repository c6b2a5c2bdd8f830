"""Train one recipe from start weights to an exported model."""

import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from syncvoice.files import read_json, write_json
from syncvoice.manifest import clips_of
from syncvoice.model.precision import resolve_precision
from syncvoice.training.data import BatchMaker, BatchPlan, StepStream, embed_speakers, open_features
from syncvoice.training.module import FineTuning, write_curve
from syncvoice.training.start import model_from_start, save_model

log = logging.getLogger(__name__)

PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed"}


def train(recipe: Mapping[str, Any], manifest: Path, features_root: Path, folder: Path) -> None:
    """Fine-tune a recipe and write model.safetensors, metadata.json and curve.csv into `folder`.

    `folder`/state holds checkpoints; a run that was killed continues from the last one when the recipe is the same, and
    starts anew when it is not.

    Raises:
        UserError: features, weights or clips are missing, or the loss is not finite.
    """
    torch.set_num_threads(int(recipe["threads"]))
    torch.use_deterministic_algorithms(True)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its advice is not about this run
    clips = clips_of(manifest)
    branches = tuple(recipe["speaker_branches"])
    stores = open_features(features_root, ["mel", "text", *recipe["visual"], *(["speaker"] if branches else [])])
    plan = BatchPlan(clips, recipe)
    for store in stores.values():
        store.check(plan.clips)
    embeddings = embed_speakers(stores["speaker"], plan.clips, Path(recipe["speaker_encoder"])) if branches else {}
    visual_dims = {m: int(stores[m].dim or 0) for m in recipe["visual"]}
    torch.manual_seed(int(recipe["seed"]))
    model = model_from_start(Path(recipe["start"]), visual_dims, recipe["adapter_dim"], branches, recipe["padding"])
    module = FineTuning(model, recipe)
    state = prepare_state(folder / "state", recipe)
    checkpoint = state / "last.ckpt"
    first = first_step(checkpoint)
    stream = StepStream(plan, BatchMaker(stores, recipe["visual"], embeddings), first, int(recipe["steps"]))
    if first < int(recipe["steps"]):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # advice about workers and loaders, not about results
            trainer_of(recipe, state).fit(
                module, DataLoader(stream, batch_size=None), ckpt_path=str(checkpoint) if first else None
            )
    elif first:
        restore(module, checkpoint)
    write_curve(folder / "curve.csv", module.rows)
    metadata = {"recipe": dict(recipe), "steps": int(recipe["steps"]), "clips": len(plan.clips),
                "visual_dims": visual_dims, "precision": resolve_precision(recipe["precision"])}  # fmt: skip
    save_model(folder, module.final_model(), metadata)
    shutil.rmtree(state)  # finished: the exported model is all that is needed


def trainer_of(recipe: Mapping[str, Any], state: Path) -> lightning.Trainer:
    """Lightning trainer that checkpoints into `state`."""
    saver = ModelCheckpoint(
        dirpath=state, filename="last", every_n_train_steps=int(recipe["checkpoint_every"]), save_top_k=1,
        enable_version_counter=False, save_on_train_epoch_end=False,
    )  # fmt: skip
    return lightning.Trainer(
        max_steps=int(recipe["steps"]), accelerator="auto", devices=1,
        precision=PRECISION[resolve_precision(recipe["precision"])],
        gradient_clip_val=float(recipe["gradient_clip"]), logger=False, callbacks=[saver], enable_model_summary=False,
        log_every_n_steps=int(recipe["log_every"]), num_sanity_val_steps=0, deterministic=True, max_epochs=-1,
    )  # fmt: skip


def prepare_state(state: Path, recipe: Mapping[str, Any]) -> Path:
    """Return the checkpoint folder, emptied when it belongs to another version of the recipe."""
    digest = {"recipe": dict(recipe), "start": read_json(Path(recipe["start"]).with_suffix(".json"))["weights_sha256"]}
    marker = state / "recipe.json"
    if marker.exists() and read_json(marker) != digest:
        log.warning("%s belongs to other settings of recipe %s: training starts anew", state, recipe["recipe"])
        shutil.rmtree(state)
    if not marker.exists():
        shutil.rmtree(state, ignore_errors=True)
        write_json(marker, digest)
    return state


def first_step(checkpoint: Path) -> int:
    """Step to continue from: 0 without checkpoint; a checkpoint that was cut off while written is ignored."""
    if not checkpoint.exists():
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except (RuntimeError, EOFError, KeyError, OSError, ValueError) as error:
        log.warning("checkpoint %s cannot be read (%s): training starts anew", checkpoint, error)
        checkpoint.unlink()
        return 0


def restore(module: FineTuning, checkpoint: Path) -> None:
    """Load a finished run's checkpoint (killed between the last step and the export)."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    module.load_state_dict(content["state_dict"])
    module.on_load_checkpoint(content)
