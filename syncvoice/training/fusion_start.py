"""Fine-tuning that goes on from the fusion of another model instead of a new one (our choice; the paper's is new)."""

from collections.abc import Mapping
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.features.conditions import COMPARED, Seen, seen_by
from syncvoice.model.syncvoice import SyncVoice
from syncvoice.records.weights import load_strict, read_metadata, read_state_dict

PREFIX = "fusion."


def take_fusion(model: SyncVoice, source: Path, conditions: Mapping[str, Seen]) -> None:
    """Load the text-visual fusion of another model, which has learned with the same conditions.

    Args:
        model: receives the fusion; everything else in it stays.
        source: weight file of a trained model, or of its difference from start weights, with its metadata.
        conditions: what `model` sees through.

    Raises:
        UserError: the file is missing or no such model, or its fusion has learned with other features or in another
            size.
    """
    metadata = read_metadata(source)
    config = metadata.get("config", {})
    theirs = seen_by(metadata, config.get("visual_dims", {}), str(source))
    differences = [f"it sees {' and '.join(theirs) or 'nothing'}"] if set(theirs) != set(conditions) else []
    for name in sorted(set(theirs) & set(conditions)):
        other, own = theirs[name].model_dump(), conditions[name].model_dump()
        differences += [
            f"{name} has {key} {other[key]!r} instead of {own[key]!r}" for key in COMPARED if other[key] != own[key]
        ]
    if config.get("adapter_dim") != model.config.adapter_dim:
        differences.append(f"adapter_dim is {config.get('adapter_dim')} instead of {model.config.adapter_dim}")
    if differences:
        raise UserError(
            f"fusion {source} does not fit a recipe that sees {' and '.join(conditions)}: {'; '.join(differences)}; "
            "set the recipe's fusion to null, or to a model that has learned with the same features"
        )
    fusion = {name: value for name, value in read_state_dict(source).items() if name.startswith(PREFIX)}
    others = {name: value for name, value in model.state_dict().items() if not name.startswith(PREFIX)}
    load_strict(model, others | fusion, source)
