"""Cached speaker embeddings: one vector per recording, by the CAM++ weights that the feature `speaker` names."""

from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore
from syncvoice.files import sha256_of

FEATURE = "speaker"


def check_speakers(store: FeatureStore, weights: Path | str) -> None:
    """Refuse embeddings of other weights.

    Args:
        store: of the feature.
        weights: file that the model conditions on.

    Raises:
        UserError: a shard comes from other weights.
    """
    digest = sha256_of(weights)
    for path, key in store.keys_by_path.items():
        if key.get("weights_sha256") != digest:
            raise UserError(
                f"{path} holds speaker embeddings of other weights than {weights}; name that file as"
                f" features.{FEATURE}.settings.weights and compute the feature again"
            )
