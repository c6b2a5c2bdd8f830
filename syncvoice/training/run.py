"""Train one recipe from start weights to an exported model."""

import logging
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.plugins import MixedPrecision

from syncvoice.device import device_kind, resolve_device, resolve_precision
from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore, open_features
from syncvoice.features.conditions import Seen
from syncvoice.features.speaker import FEATURE, check_speakers
from syncvoice.files import read_json, sha256_of, write_json
from syncvoice.model.start import model_from_start, new_parts, start_digest
from syncvoice.model.text_path import TextPath, check_same, text_of_record
from syncvoice.provenance import code_digest
from syncvoice.records.clips import clips_of
from syncvoice.records.loss_curve import write_loss_curve
from syncvoice.records.weights import read_checkpoint
from syncvoice.training.data import BatchMaker, BatchPlan, StepStream, accumulation, loader_of
from syncvoice.training.export import export_model
from syncvoice.training.fusion_start import take_fusion
from syncvoice.training.module import CURVE, FineTuning
from syncvoice.training.recipe import NamedRecipe
from syncvoice.training.share import hours_of

log = logging.getLogger(__name__)

PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed"}


def train(recipe: NamedRecipe, manifest: Path, features_root: Path, folder: Path, devices: int = 1) -> None:
    """Fine-tune a recipe and write model.safetensors, metadata.json and curve.csv into `folder`.

    `folder`/state holds checkpoints; a run that was killed continues from the last one when the recipe is the same, and
    starts anew when it is not.

    Args:
        recipe: resolved recipe.
        manifest: training clips.
        features_root: folder that holds FEATURE/shard-*.h5.
        folder: receives the model.
        devices: processes, each with its own GPU where there are GPUs; more than one start this command again.

    Raises:
        UserError: features, weights, clips or devices are missing, or the loss is not finite.
    """
    kind = device_kind()
    cards = {"cuda": torch.cuda.device_count(), "mps": 1}
    if devices < 1 or devices > cards.get(kind, devices):
        raise UserError(f"--devices {devices}: expected 1 or more, no more than the GPUs of a machine that has some")
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=kind != "cpu")  # to the bit on CPU only
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads memory that it did not write
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its advice is not about this run
    steps = recipe.steps
    accumulate = accumulation(recipe.batch_seconds, recipe.device_seconds, devices)
    plan = BatchPlan(clips_of(manifest), recipe, parts=devices * accumulate)
    module, maker = prepare(recipe, plan, features_root)
    read = digests_of(manifest, maker, recipe)
    text = text_of_record(next(iter(maker.stores["text"].keys_by_path.values()))["settings"])
    check_same(Path(recipe.start), text, "text")
    state = prepare_state(folder / "state", module, {"devices": devices, "accumulate": accumulate, "read": read})
    checkpoint, first = last_checkpoint(state)
    if first < steps:
        trainer = trainer_of(recipe, state, devices, accumulate)
        if trainer.world_size != devices:  # the batches are cut for `devices`: the model would be another one
            raise UserError(
                f"training runs in {trainer.world_size} processes, expected {devices}; start it as one task"
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # advice about workers and loaders, not about results
            stream = StepStream(plan, maker, first, steps)
            loader = loader_of(stream, kind, recipe.threads)
            trainer.fit(module, loader, ckpt_path=str(checkpoint) if checkpoint else None)
        if not trainer.is_global_zero:
            return
    elif checkpoint:  # killed between the last step and the export
        content = read_checkpoint(checkpoint)
        module.load_state_dict(content["state_dict"])
        module.on_load_checkpoint(content)
    write_loss_curve(folder / "curve.csv", module.rows, CURVE)
    facts: dict[str, Any] = {
        "clips": len(plan.clips), "hours": hours_of(plan.clips), "manifest_sha256": sha256_of(manifest),
        "start_sha256": start_digest(Path(recipe.start)),
    }  # fmt: skip
    if text != TextPath():
        facts["text"] = text.model_dump(mode="json")
    export_model(folder, module, steps, facts)
    if not recipe.keep_checkpoints:
        shutil.rmtree(state)  # finished: the exported model is all that is needed


def prepare(recipe: NamedRecipe, plan: BatchPlan, features_root: Path) -> tuple[FineTuning, BatchMaker]:
    """Open the features and build the model from the start weights."""
    branches = tuple(recipe.speaker_branches)
    stores = open_features(features_root, ["mel", "text", *([FEATURE] if branches else [])])
    visual = {name: open_features(features_root, [feature])[feature] for name, feature in recipe.features().items()}
    for store in (*stores.values(), *visual.values()):
        store.check(plan.clips)
    conditions = {name: seen_in(recipe.sees[name].feature, store) for name, store in visual.items()}
    embeddings = {}
    if branches:
        check_speakers(stores[FEATURE], recipe.speaker_encoder)
        embeddings = {clip.id: torch.from_numpy(stores[FEATURE][clip.id])[0] for clip in plan.clips}
    dims = {name: seen.dim for name, seen in conditions.items()}
    torch.manual_seed(recipe.seed)
    start = Path(recipe.start)
    width = len(next(iter(embeddings.values()))) if embeddings else None
    model = model_from_start(start, dims, recipe.adapter_dim, branches, recipe.padding, width, recipe.expansion,
                             recipe.speaker_width)  # fmt: skip
    new = new_parts(start)
    if recipe.brought_fusion:
        anew = [name for name, condition in recipe.sees.items() if condition.anew]
        parts = take_fusion(model, Path(recipe.brought_fusion), conditions, anew)
        new = (*(part for part in new if part != "fusion."), *parts)
    module = FineTuning(model, recipe, conditions, new, plan.epoch_of)
    of_lips = recipe.cross_language.conditions if recipe.cross_language else ()
    return module, BatchMaker(stores, visual, embeddings, of_lips)


def seen_in(feature: str, store: FeatureStore) -> Seen:
    """Return what a model sees through a feature, from the header of its shards."""
    return Seen.of_key(feature, next(iter(store.keys_by_path.values())))


def trainer_of(recipe: NamedRecipe, state: Path, devices: int, accumulate: int) -> lightning.Trainer:
    """Lightning trainer that checkpoints into `state`."""
    saver = ModelCheckpoint(
        dirpath=state, filename="{step}", every_n_train_steps=recipe.checkpoint_every,
        monitor="step", mode="max", save_top_k=max(1, recipe.keep_checkpoints),  # the last ones
        enable_version_counter=False, save_on_train_epoch_end=False,
    )  # fmt: skip
    kind = device_kind()
    own = [resolve_device().index] if kind == "cuda" and devices == 1 else devices
    precision, plugins = precision_of(recipe)
    # A batch system must not decide the number of processes: this command starts them itself.
    plugins.append(LightningEnvironment())
    return lightning.Trainer(
        max_steps=recipe.steps, accelerator=kind, devices=own, strategy="ddp" if devices > 1 else "auto",
        accumulate_grad_batches=accumulate, gradient_clip_val=recipe.gradient_clip,
        logger=False, callbacks=[saver, TQDMProgressBar(recipe.log_every)], enable_model_summary=False, max_epochs=-1,
        deterministic=True if kind == "cpu" else "warn", precision=precision, plugins=plugins,
        log_every_n_steps=recipe.log_every, num_sanity_val_steps=0,
    )  # fmt: skip


def precision_of(recipe: NamedRecipe) -> tuple[Any, list[Any]]:
    """Trainer's `precision` and plugins for it; float16 scales the loss so that small gradients do not vanish."""
    precision = resolve_precision(recipe.precision)
    if precision == "fp16":
        kind = device_kind()
        return None, [MixedPrecision("16-mixed", kind, torch.amp.GradScaler(kind))]
    return PRECISION[precision], []


def digests_of(manifest: Path, maker: BatchMaker, recipe: NamedRecipe) -> dict[str, Any]:
    """Return digests of all that training reads beside the start weights, and of the code that trains.

    The headers of feature shards name their extractor, its weights and a digest of every source.
    """
    stores = {**maker.stores, **maker.visual}
    shards = {f"{name}/{path.name}": key for name, store in stores.items() for path, key in store.keys_by_path.items()}
    encoder = sha256_of(recipe.speaker_encoder) if recipe.speaker_branches else ""
    fusion = sha256_of(recipe.brought_fusion) if recipe.brought_fusion else ""
    code = code_digest("syncvoice.commands.train")
    return {"manifest": sha256_of(manifest), "features": shards, "speaker_encoder": encoder, "fusion": fusion,
            "code": code}  # fmt: skip


def prepare_state(state: Path, module: FineTuning, division: Mapping[str, Any]) -> Path:
    """Return the checkpoint folder, emptied when it belongs to another recipe, division, data or code.

    Args:
        state: the folder.
        module: the recipe and what the model sees through.
        division: of a step's batches between devices, and digests of what is read.
    """
    recipe, conditions = module.recipe, {name: seen.model_dump() for name, seen in module.conditions.items()}
    start = start_digest(Path(recipe.start))
    digest = {"recipe": recipe.as_json(), "conditions": conditions, "start": start, **division}
    marker = state / "recipe.json"
    if marker.exists() and read_json(marker) != digest:
        log.warning(
            "%s belongs to other settings, data or code of recipe %s: training starts anew", state, recipe.recipe
        )
        shutil.rmtree(state)
    if not marker.exists():
        shutil.rmtree(state, ignore_errors=True)
        write_json(marker, digest)
    return state


def check_whole(path: Path) -> None:
    """Compare every part of a checkpoint with the checksum that torch stored beside it; reading it would not.

    Raises:
        UserError: a part was changed on the disk, or the file is cut off.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is no whole checkpoint ({error})") from error
    if broken is not None:
        raise UserError(f"{path}: {broken} was changed on the disk")


def last_checkpoint(state: Path) -> tuple[Path | None, int]:
    """Last readable checkpoint and its step; (None, 0) without. One that was cut off while written is removed."""
    found = {int(path.stem.removeprefix("step=")): path for path in state.glob("step=*.ckpt")}
    for step, path in sorted(found.items(), reverse=True):
        try:
            check_whole(path)
            return path, int(read_checkpoint(path)["global_step"])
        except (UserError, KeyError, TypeError, OSError) as error:
            log.warning("checkpoint %s (step %d) cannot be read and is removed: %s", path, step, error)
            path.unlink()
    return None, 0
