"""Models from weight files: fresh ones from start weights, and trained ones saved and loaded."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from syncvoice.errors import UserError
from syncvoice.files import sha256_of, write_json
from syncvoice.model.public_layout import DISTILLED_KEY, TOKENS_FILE, read_sizes
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.records.weights import (
    load_strict,
    metadata_path,
    open_weights,
    read_metadata,
    read_state_dict,
    save_weights,
)
from syncvoice.text.vocabulary import PAD, read_vocabulary

log = logging.getLogger(__name__)

PREFIX = "model."  # of the model inside the shipped backbone file, beside what only pre-training uses
PARTS = ("backbone.", "speaker.")  # of a model that start weights may bring


def is_public(weights: Path) -> bool:
    """Whether start weights have the layout of public ZipVoice, a backbone alone (sizes in `model.json` beside them).

    Raises:
        UserError: the file has no metadata beside it.
    """
    return "config" not in read_metadata(weights)


def start_config(weights: Path) -> SyncVoiceConfig:
    """Sizes of the model in a start weight file, without its visual branch (hints of pre-training).

    Raises:
        UserError: the file has no metadata beside it.
    """
    if is_public(weights):
        sizes = read_sizes(metadata_path(weights))
        size = len(read_state_dict(weights)["embed.weight"])
        vocabulary = read_vocabulary(weights.with_name(TOKENS_FILE))
        if len(vocabulary) != size:
            raise UserError(f"{weights} knows {size} symbols, its {TOKENS_FILE} lists {len(vocabulary)}; they differ")
        return SyncVoiceConfig.of({"backbone": {**sizes, "vocab_size": size, "pad_id": vocabulary[PAD]}})
    values = dict(read_metadata(weights)["config"])
    return SyncVoiceConfig.of({**values, "visual_dims": {}})


def start_state(weights: Path) -> dict[str, Tensor]:
    """Backbone and speaker-encoder entries of a start weight file.

    Raises:
        UserError: the file is unreadable, or holds a distilled model, which cannot be trained further this way.
    """
    state = read_state_dict(weights)
    if is_public(weights):
        if DISTILLED_KEY in state:
            raise UserError(f"{weights} is a distilled model; fine-tuning needs the one it was distilled from")
        return {f"{PARTS[0]}{k}": v for k, v in state.items()}
    kept = {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}
    return {k: v for k, v in kept.items() if k.startswith(PARTS)}


def new_parts(weights: Path) -> tuple[str, ...]:
    """Parts of a model, by name prefix, that start weights never bring and that begin at zero."""
    return ("fusion.", "speaker.") if is_public(weights) else ("fusion.",)


def start_digest(weights: Path) -> str:
    """SHA-256 of start weights: as their metadata say, else of the file."""
    return read_metadata(weights).get("weights_sha256") or sha256_of(weights)


def model_from_start(weights: Path, visual_dims: Mapping[str, int], adapter_dim: int, branches: tuple[str, ...],
                     padding: str = "invariant", speaker_width: int | None = None, expansion: str = "segments",
                     learnable_width: int | None = None) -> SyncVoice:  # fmt: skip
    """A model for fine-tuning: backbone and speaker encoder from the start weights, a new zero-initialised fusion.

    Public ZipVoice weights bring no speaker encoder; theirs is new, and zero-initialised too.

    Args:
        weights: start weights with metadata.
        visual_dims: features per condition of this recipe.
        adapter_dim: bottleneck of the adapters.
        branches: speaker branches of this recipe; weights of other branches are left out.
        padding: padding mode of the backbone.
        speaker_width: width of the pretrained speaker embedding, for a new speaker encoder.
        expansion: how the model spreads tokens over frames, see `SyncVoiceConfig`.
        learnable_width: width of the learnable speaker encoder; None takes that of the start weights, or the usual one.

    Raises:
        UserError: the file does not fit, naming missing and mis-shaped keys.
    """
    values = start_config(weights).as_dict()
    values |= {"visual_dims": dict(visual_dims), "adapter_dim": adapter_dim, "speaker_branches": list(branches)}
    values["text_expansion"] = expansion
    if learnable_width is not None and "learnable" in branches:
        if not is_public(weights) and learnable_width != values["speaker_dim"]:
            raise UserError(
                f"the speaker encoder of {weights} is {values['speaker_dim']} wide, the recipe asks for "
                f"{learnable_width}; set its speaker_width to null"
            )
        values["speaker_dim"] = learnable_width
    if speaker_width is not None and is_public(weights):
        values["pretrained_speaker_dim"] = speaker_width
    values["backbone"] |= {"padding_mode": padding}
    model = SyncVoice(SyncVoiceConfig.of(values))
    state = start_state(weights)
    unused = {"pretrained": "speaker.projection.", "learnable": "speaker.learnable."}
    dropped = tuple(prefix for branch, prefix in unused.items() if branch not in branches)
    state = {k: v for k, v in state.items() if not (dropped and k.startswith(dropped))}
    fresh = {k: v for k, v in model.state_dict().items() if k.startswith(new_parts(weights))}
    load_strict(model, state | fresh, weights)
    return model


def save_model(folder: Path, model: SyncVoice, metadata: Mapping[str, Any]) -> None:
    """Write model.safetensors (float16) and metadata.json."""
    save_weights(folder / "model.safetensors", model.state_dict())
    parameters = sum(p.numel() for p in model.parameters())
    digest = sha256_of(folder / "model.safetensors")
    write_json(
        folder / "metadata.json",
        {**metadata, "config": model.config.as_dict(), "parameters": parameters, "weights_sha256": digest},
    )


def load_model(folder: Path) -> SyncVoice:
    """Load what `save_model` wrote, in evaluation mode.

    Raises:
        UserError: files are missing or do not fit together.
    """
    path = folder / "model.safetensors"
    if not path.exists():
        raise UserError(f"model {path} does not exist; run the train step first")
    weights = open_weights(path)
    return weights.into(SyncVoice(SyncVoiceConfig.of(weights.config)))
