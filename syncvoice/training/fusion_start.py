"""Fine-tuning that goes on from the fusion of another model instead of a new one (our choice; the paper's is new)."""

from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from syncvoice.errors import UserError
from syncvoice.features.conditions import COMPARED, Seen, seen_by
from syncvoice.model.fusion import in_fusion_order
from syncvoice.model.syncvoice import SyncVoice
from syncvoice.records.weights import load_strict, read_metadata, read_state_dict

PREFIX = "fusion."
LINEAR = f"{PREFIX}linear.weight"  # (text_dim, text_dim * (1 + conditions)): z_t, then the conditions in their order


def take_fusion(
    model: SyncVoice, source: Path, conditions: Mapping[str, Seen], anew: Collection[str] = ()
) -> tuple[str, ...]:
    """Load the text-visual fusion of another model, which has learned with some or all of the same conditions.

    A condition that it has not learned with, and one that learns anew, begins as in a new fusion: without effect.

    Args:
        model: receives the fusion; everything else in it stays.
        source: weight file of a trained model, or of its difference from start weights, with its metadata.
        conditions: what `model` sees through.
        anew: conditions of which nothing is taken, for example because their feature is another now.

    Returns:
        the parts of `model`, by name prefix, that are new.

    Raises:
        UserError: the file is missing or no such model, or its fusion has learned with other features or in another
            size.
    """
    theirs = _conditions_of(source, model.config.adapter_dim, conditions, anew)
    taken = {name: value for name, value in read_state_dict(source).items() if name.startswith(PREFIX)}
    new = [name for name in conditions if name not in theirs or name in anew]
    state = model.state_dict()
    if new:
        own = {key: state[key] for key in state for name in new if key.startswith((_adapter(name), _null(name)))}
        taken |= own | {LINEAR: _arranged(taken[LINEAR], list(theirs), list(conditions), new)}
    others = {name: value for name, value in state.items() if not name.startswith(PREFIX)}
    load_strict(model, others | taken, source)
    return tuple(part for name in new for part in (_adapter(name), _null(name)))


def _conditions_of(
    source: Path, adapter_dim: int, conditions: Mapping[str, Seen], anew: Collection[str]
) -> dict[str, Seen]:
    """Return what the fusion of a model has learned with; refuse one that does not fit."""
    metadata = read_metadata(source)
    config = metadata.get("config", {})
    theirs = seen_by(metadata, config.get("visual_dims", {}), str(source))
    differences = []
    if not theirs or not set(theirs) <= set(conditions):
        differences.append(f"it sees {' and '.join(theirs) or 'nothing'}")
    for name in sorted((set(theirs) & set(conditions)) - set(anew)):
        other, own = theirs[name].model_dump(), conditions[name].model_dump()
        differences += [
            f"{name} has {key} {other[key]!r} instead of {own[key]!r}" for key in COMPARED if other[key] != own[key]
        ]
    if config.get("adapter_dim") != adapter_dim:
        differences.append(f"adapter_dim is {config.get('adapter_dim')} instead of {adapter_dim}")
    if differences:
        raise UserError(
            f"fusion {source} does not fit a recipe that sees {' and '.join(conditions)}: {'; '.join(differences)}; "
            "set the recipe's fusion to null, or to a model that has learned with the same features, or let the "
            "condition learn anew (sees: {NAME: {..., anew: true}})"
        )
    return theirs


def _arranged(weight: Tensor, theirs: list[str], conditions: list[str], new: Collection[str]) -> Tensor:
    """Arrange the fusion layer, (out, out * (1 + theirs)) -> (out, out * (1 + conditions)); the new weigh zero."""
    width = weight.shape[0]
    blocks = dict(zip(["z_t", *in_fusion_order(theirs)], weight.split(width, dim=1), strict=True))
    wide = weight.new_zeros(width, width * (1 + len(conditions)))
    for place, name in enumerate(["z_t", *in_fusion_order(conditions)]):
        if name in blocks and name not in new:
            wide[:, place * width : (place + 1) * width] = blocks[name]
    return wide


def _adapter(name: str) -> str:
    return f"{PREFIX}adapters.{name}."


def _null(name: str) -> str:
    return f"{PREFIX}null.{name}"
