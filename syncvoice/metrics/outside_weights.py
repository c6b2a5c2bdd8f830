"""Weights made by others that a scorer needs: where the file is, or one sentence on what to do."""

from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.metrics.scorer import Sources


def find_weights(sources: Sources, asset: str, metric: str, what: str) -> Path:
    """Path of an asset of `config/assets.yaml`.

    Args:
        sources: where to look.
        asset: its name in the registry.
        metric: id of the metric that needs it.
        what: the file and its licence, for the message.

    Raises:
        UserError: it is not there.
    """
    found = sources.find_asset(asset)
    if found is None:
        raise UserError(
            f"{metric} needs the weights {asset}: put {what} at {sources.assets / asset}, or into the folder"
            " SYNCVOICE_ASSETS under that name (config/assets.yaml says where it comes from)"
        )
    return found
