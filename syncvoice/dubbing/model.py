"""Which model speaks: the one asked for, else the newest study's, else the shipped one.

Two layouts are read. An exported recipe is a folder with model.safetensors and metadata.json (`syncvoice train`). A
difference is one file with a .json beside it that holds only the tensors in which a model differs from its start
weights; the JSON names the start weights by path (relative to the file) and digest.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.errors import UserError
from syncvoice.features.base import key_of, make_extractor
from syncvoice.features.conditions import Seen, seen_by
from syncvoice.files import sha256_of, write_json
from syncvoice.places import find_path
from syncvoice.section import nearest

if TYPE_CHECKING:
    from torch import Tensor

    from syncvoice.model.syncvoice import SyncVoice
    from syncvoice.model.text_path import TextPath

# Where a model is looked for, best first. A study's model of the recipe `full` hears lips and face.
KNOWN_PLACES = ("results/mini/models/full/model.safetensors", "weights/dubbing.safetensors")
DEFAULT_WEIGHTS = {"vocoder": "weights/vocoder.safetensors", "speaker_encoder": "weights/speaker_encoder.safetensors"}
SMALL_PARAMETERS = 20e6  # models below it are taken for the small ones of this project
SMALL_TEMPERATURE = 0.5  # as in config/mini.yaml
SMALL_GUIDED_UNTIL = 0.5  # flow time, as in config/experiments.yaml


@dataclass(frozen=True)
class DubbingModel:
    """A model ready to speak.

    Attributes:
        model: in evaluation mode, float32.
        name: what people are told: recipe, file and digest.
        weights: files of vocoder and speaker_encoder that belong to it.
        seen: what it was trained to see, by condition.
        text: how it reads texts.
    """

    model: "SyncVoice"
    name: str
    weights: Mapping[str, Path]
    seen: Mapping[str, Seen]
    text: "TextPath"

    @property
    def temperature(self) -> float:
        """Of the noise that speech starts from: below 1 for a small model, whose words are clearer then."""
        return SMALL_TEMPERATURE if self._small() else 1.0

    @property
    def guided_until(self) -> float:
        """Flow time until which guidance amplifies in English; a small model sounds more natural when it ends early."""
        return SMALL_GUIDED_UNTIL if self._small() else 1.0

    def _small(self) -> bool:
        return sum(p.numel() for p in self.model.parameters()) < SMALL_PARAMETERS


def default_model() -> Path:
    """Return the first of `KNOWN_PLACES` that exists.

    Raises:
        UserError: there is none; says what to run.
    """
    for place in map(find_path, KNOWN_PLACES):
        if place.is_file():
            return place
    raise UserError(
        f"no model found at {' or '.join(KNOWN_PLACES)}; run 'make results' (the default study trains one) or name an "
        "exported model with --model"
    )


def load_dubbing_model(path: Path | None = None) -> DubbingModel:
    """Load a model to dub with.

    Args:
        path: weight file, or folder with model.safetensors; None takes the default.

    Raises:
        UserError: files are missing or do not fit together.
    """
    from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
    from syncvoice.model.text_path import text_of_record
    from syncvoice.records.weights import load_strict

    path = default_model() if path is None else path
    path = path / "model.safetensors" if path.is_dir() else path
    state, metadata, source = _read(path)
    model = SyncVoice(SyncVoiceConfig.of(metadata["config"]))
    if "base" in metadata:  # the base also holds what this model has no place for
        state = {k: v for k, v in _base_state(path, metadata).items() if k in model.state_dict()} | state
    load_strict(model, state, path)
    recipe = metadata.get("recipe") or {}
    name = f"{recipe.get('recipe') or path.stem} ({path.name}, sha256 {sha256_of(path)[:12]})"
    weights = {kind: find_path(recipe.get(kind) or default) for kind, default in DEFAULT_WEIGHTS.items()}
    seen = seen_by(metadata, model.config.visual_dims, str(source))
    return DubbingModel(model.eval(), name, weights, seen, text_of_record(metadata.get("text")))


def save_difference(model: Path, base: Path, out: Path) -> None:
    """Write the tensors in which an exported model differs from its start weights, and the JSON that names both.

    A model whose backbone was frozen in fine-tuning shrinks to its fusion this way.

    Args:
        model: weight file or folder of an exported recipe.
        base: the start weights it was trained from.
        out: .safetensors to write.

    Raises:
        UserError: a file cannot be read.
    """
    from syncvoice.model.start import start_state
    from syncvoice.records.weights import save_weights, write_metadata

    model = model / "model.safetensors" if model.is_dir() else model
    (state, metadata, _), kept = _read(model), start_state(base)
    changed = {k: v for k, v in state.items() if k not in kept or not v.equal(kept[k])}
    save_weights(out, changed)
    origin = {"base": os.path.relpath(base, out.parent), "base_sha256": sha256_of(base), "tensors": len(changed)}
    write_metadata(out, {**metadata, **origin, "weights_sha256": sha256_of(out)})


def describe(path: Path, extractors: Mapping[str, str]) -> Path:
    """Write into a model's metadata which extractors its features came from, for models that say it not.

    Args:
        path: weight file or folder of a model.
        extractors: name of the extractor by condition, with its default settings.

    Returns:
        the metadata file.

    Raises:
        UserError: the model has no such condition, or the extractor makes features of another width.
    """
    path = path / "model.safetensors" if path.is_dir() else path
    _, metadata, source = _read(path)
    dims = metadata["config"]["visual_dims"]
    for condition, extractor in extractors.items():
        if condition not in dims:
            raise UserError(f"{path} has no condition {condition!r}; {nearest(condition, dims)}")
        key = key_of(make_extractor(extractor))
        metadata["conditions"] = {**metadata.get("conditions", {}), condition: Seen.of_key(condition, key).model_dump()}
    seen_by(metadata, dims, str(source))
    write_json(source, metadata)
    return source


def _read(path: Path) -> tuple[dict[str, "Tensor"], dict[str, Any], Path]:
    """Return state dict and metadata of a model file, and the file of the metadata.

    Raises:
        UserError: there is no file, no metadata, or the file holds start weights.
    """
    from syncvoice.model.start import PREFIX
    from syncvoice.records.weights import metadata_path, open_weights

    weights = open_weights(path)
    if any(name.startswith(PREFIX) for name in weights.state):
        raise UserError(
            f"{path} holds start weights, which never saw a face; fine-tune a recipe ('make results') and give its "
            "model.safetensors"
        )
    found = metadata_path(path)
    if not weights.metadata:
        raise UserError(f"{path} has neither {found.name} nor metadata.json beside it; copy the model with it")
    if "config" not in weights.metadata:
        raise UserError(f"{found} has no entry 'config' with the model's sizes; copy the file that belongs to {path}")
    return weights.state, weights.metadata, found


def _base_state(path: Path, metadata: Mapping[str, Any]) -> dict[str, "Tensor"]:
    """Return the start weights that a difference was taken from.

    Raises:
        UserError: they are missing or others.
    """
    from syncvoice.model.start import start_state

    base = path.parent / metadata["base"]
    if not base.is_file():
        raise UserError(f"{path} is a difference from {base}, which does not exist; put it there")
    found = sha256_of(base)
    if found != metadata["base_sha256"]:
        raise UserError(
            f"{path} is a difference from other weights than {base}: sha256 {found[:12]}, expected "
            f"{metadata['base_sha256'][:12]}; make the difference again or restore the weights"
        )
    return start_state(base)
