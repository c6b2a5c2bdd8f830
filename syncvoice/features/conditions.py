"""What a model sees through: each condition's feature with the identity of its extractor, kept in the model's metadata.

Training takes it from the headers of the shards that it read; whoever loads the model (generation, `dub`) takes the
same extractor, or refuses.
"""

from collections.abc import Mapping
from typing import Any

from syncvoice.errors import UserError
from syncvoice.features.base import FeatureExtractor, Key, key_of, make_extractor
from syncvoice.features.cache import FeatureStore
from syncvoice.section import Section, validated

COMPARED = ("extractor", "version", "settings", "weights_sha256", "dim")


class Seen(Section):
    """One condition of a model.

    Attributes:
        feature: name of the feature in the study that trained the model.
        extractor, version, settings, weights_sha256: what made it (see `features.base.FeatureExtractor`).
        dim: values per video frame.
    """

    feature: str
    extractor: str
    version: str
    settings: dict[str, Any]
    weights_sha256: str | None
    dim: int

    @classmethod
    def of_key(cls, feature: str, key: Key) -> "Seen":
        """Return the condition that a feature of this cache key is."""
        return cls.model_validate({"feature": feature, **{name: key.get(name) for name in COMPARED}})

    def differences(self, key: Key) -> list[str]:
        """Return what in a cache key differs from what the model learned with, in words."""
        return [
            f"{name} {key.get(name)!r} instead of {getattr(self, name)!r}"
            for name in COMPARED
            if key.get(name) != getattr(self, name)
        ]


def seen_by(metadata: Mapping[str, Any], visual_dims: Mapping[str, int], source: str) -> dict[str, Seen]:
    """Return the conditions of a model from its metadata, by name.

    Args:
        metadata: of the model.
        visual_dims: its conditions and their widths, as its sizes say.
        source: the metadata file, for messages.

    Raises:
        UserError: the metadata say not of every condition where it comes from.
    """
    found = {name: validated(Seen, values, f"{source}: conditions.{name}")
             for name, values in metadata.get("conditions", {}).items()}  # fmt: skip
    for name, dim in visual_dims.items():
        if name not in found:
            raise UserError(
                f"{source} says not which extractor its {name} features came from; train the model again, or, if you "
                f"know, write it there with 'syncvoice describe-model FILE --condition {name}=EXTRACTOR'"
            )
        if found[name].dim != dim:
            raise UserError(
                f"{source}: condition {name} has {found[name].dim} values, the model {dim}; restore the file"
            )
    return {name: found[name] for name in visual_dims}


def check_store(condition: str, seen: Seen, store: FeatureStore) -> None:
    """Refuse cached features that a model did not learn with.

    Raises:
        UserError: names what differs.
    """
    for path, key in store.keys_by_path.items():
        if differences := seen.differences(key):
            raise UserError(
                f"condition {condition}: {path} holds {', '.join(differences)}, which the model learned with; make the "
                "feature as it was, or train the model again"
            )


def extractor_of(condition: str, seen: Seen) -> FeatureExtractor:
    """Return the extractor that a model was trained with.

    Raises:
        UserError: it is unknown here, its weights are missing, or it is another version or has other weights.
    """
    try:
        extractor = make_extractor(seen.extractor, seen.settings)
    except UserError as error:
        raise UserError(
            f"condition {condition} of the model cannot be computed here: {error}; or set its scale to 0"
        ) from error
    if differences := seen.differences(key_of(extractor)):
        raise UserError(
            f"condition {condition}: the extractor here has {', '.join(differences)}, which the model learned with; "
            f"take a model trained with it, or set the scale of {condition} to 0"
        )
    return extractor
