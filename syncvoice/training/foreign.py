"""A recipe that somebody else trained: its checkpoint becomes a model folder like those of our own training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.features.base import FeatureJob, key_of, make_extractor
from syncvoice.features.conditions import Seen
from syncvoice.files import sha256_of
from syncvoice.model.key_map import KeyMap, model_of, read_key_map
from syncvoice.model.map_proposal import FRONT_ENDS, propose
from syncvoice.model.public_layout import TOKENS_FILE
from syncvoice.model.start import save_model
from syncvoice.model.text_path import text_of_tokens
from syncvoice.records.weights import read_checkpoint, state_of
from syncvoice.training.recipe import NamedRecipe


def import_checkpoint(recipe: NamedRecipe, features: Sequence[FeatureJob], out: Path) -> None:
    """Write model.safetensors and metadata.json of a foreign checkpoint.

    Args:
        recipe: `start` is the checkpoint (model.json and tokens.txt beside it), `key_map` the map of its names, null
            takes what `propose` says if that leaves nothing over; `sees` says through which features it looks.
        features: settings of the features in `sees`.
        out: folder.

    Raises:
        UserError: names are left over, or a feature has another width than the checkpoint asks for.
    """
    source = Path(recipe.start)
    content = read_checkpoint(source)
    key_map = read_key_map(recipe.key_map) if recipe.key_map else None
    state = state_of(content, source, key_map.entry if key_map else None)
    key_map = key_map or _proposed(state, source)
    model = model_of(state, key_map, source)
    conditions = _conditions(recipe, {job.feature: job for job in features}, model.config.visual_dims)
    facts = {
        "recipe": recipe.as_json(),
        "steps": int(content.get("batch_idx_train", 0)) if isinstance(content, Mapping) else 0,
        "conditions": {name: seen.model_dump() for name, seen in conditions.items()},
        "text": text_of_tokens(source.with_name(TOKENS_FILE)).model_dump(mode="json"),
        "imported": {"file": source.name, "sha256": sha256_of(source), "key_map": key_map.model_dump()},
    }
    save_model(out, model, facts)


def _proposed(state: Mapping, source: Path) -> KeyMap:
    """Return the proposed map.

    Raises:
        UserError: it leaves names over.
    """
    found = propose(state)
    if found.left:
        names = ", ".join(f"{name} {shape}" for name, shape in list(found.left.items())[:8])
        raise UserError(
            f"{source}: no place is known for {len(found.left)} tensors ({names}); begin a key map with 'syncvoice "
            f"inspect-checkpoint {source} --propose FILE.yaml', finish it, and name it as the recipe's key_map"
        )
    return found.key_map()


def _conditions(recipe: NamedRecipe, jobs: Mapping[str, FeatureJob], dims: Mapping[str, int]) -> dict[str, Seen]:
    """Return what the model sees through: the study's features, whose widths must be those of the checkpoint.

    Raises:
        UserError: they are not.
    """
    if set(recipe.sees) != set(dims):
        raise UserError(
            f"recipe {recipe.recipe} sees {', '.join(recipe.sees) or 'nothing'}, its checkpoint "
            f"{', '.join(dims) or 'nothing'}; correct 'sees' or the key map"
        )
    found = {}
    for name, dim in dims.items():
        job = jobs[recipe.sees[name].feature]
        seen = Seen.of_key(job.feature, key_of(make_extractor(job.extractor, job.settings)))
        if seen.dim != dim:
            fits = f"; {FRONT_ENDS[dim]} gives that many" if dim in FRONT_ENDS else ""
            raise UserError(
                f"recipe {recipe.recipe}: its checkpoint takes {dim} values per frame as {name}, feature {job.feature} "
                f"({job.extractor}) gives {seen.dim}{fits}; let 'sees' name a feature of that width"
            )
        found[name] = seen
    return found
