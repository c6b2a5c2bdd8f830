"""The registry of weights made by others (config/assets.yaml): what they are, their terms, and how to get a file.

Only the rule `fetch_asset` calls `fetch`; nothing else but the rule `fetch_grid` touches the network.
"""

import logging
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, TypeAdapter

from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of
from syncvoice.places import find_path, find_weights
from syncvoice.section import Section

UNVERIFIED = "unverified"
REGISTRY = Path("config/assets.yaml")
logger = logging.getLogger(__name__)


class Asset(Section):
    """One file made by others; the three licences are separate, because they often differ."""

    url: str | None
    sha256: str = Field(pattern=r"^([0-9a-f]{64}|unverified)$")
    bytes: int | None
    code_licence: str = Field(min_length=1)
    weights_licence: str = Field(min_length=1)
    data_licence: str = Field(min_length=1)
    terms: Literal["permissive", "attribution", "research-only", "non-commercial", "unknown"]
    cite: str = Field(min_length=1)
    put_by_hand: str
    used_by: str
    ignored_keys: list[str]


def read_registry(path: Path | str) -> dict[str, Asset]:
    """Read config/assets.yaml.

    Raises:
        UserError: an entry lacks a field or has an unknown one.
    """
    import yaml
    from pydantic import ValidationError

    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    try:
        return TypeAdapter(dict[str, Asset]).validate_python(content["assets"])
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise UserError(f"{path}: assets.{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


def read_asset(name: str) -> Asset:
    """Return one entry of the registry.

    Raises:
        UserError: there is no registry, or it has no such entry.
    """
    path = find_path(REGISTRY)
    if not path.is_file():
        raise UserError(f"the registry {REGISTRY} does not exist; run in the folder of the project")
    registry = read_registry(path)
    if name not in registry:
        raise UserError(f"asset '{name}' is not in {path}; known are {', '.join(registry)}")
    return registry[name]


class LocalAsset(NamedTuple):
    """An asset that is on this machine: its entry, its file and the file's digest."""

    asset: Asset
    path: Path
    sha256: str


def local_asset(name: str, path: Path | str | None = None) -> LocalAsset:
    """Find an asset on this machine; never fetches.

    Args:
        name: of the asset.
        path: the file, if it lies elsewhere than the registry says; its digest is checked all the same.

    Raises:
        UserError: the file is absent (one sentence: which, where to put it, its licence), or its digest differs.
    """
    asset = read_asset(name)
    found = find_weights(name) if path is None else Path(path)
    if found is None or not found.is_file():
        place = path or asset.put_by_hand
        way = f"run 'snakemake {asset.put_by_hand}' or put" if asset.url and not path else "put"
        raise UserError(
            f"weights {name} ({asset.used_by}; {asset.cite}) are not there: {way} the published file at {place}; "
            f"licence of the weights: {asset.weights_licence}, of their training data: {asset.data_licence}"
        )
    return LocalAsset(asset, found, verify(name, asset, found))


def verify(name: str, asset: Asset, path: Path) -> str:
    """Return the digest of a file after checking it against the registry.

    Raises:
        UserError: the digest differs.
    """
    found = sha256_of(path)
    if asset.sha256 not in (UNVERIFIED, found):
        raise UserError(
            f"asset {name}: {path} has sha256 {found}, expected {asset.sha256}; delete it and fetch it again"
        )
    if asset.sha256 == UNVERIFIED:
        logger.warning("asset %s has no verified digest; found sha256 %s", name, found)
    return found


def fetch(name: str, asset: Asset, out: Path) -> None:
    """Get an asset: from the folder SYNCVOICE_ASSETS if it holds a file of this name, otherwise from its url.

    Raises:
        UserError: it can be had from neither, or its digest is wrong; says where to put the file by hand.
    """
    folder = os.environ.get("SYNCVOICE_ASSETS")
    local = Path(folder) / name if folder else None
    with atomic_path(out) as temporary:
        if local is not None and local.is_file():
            shutil.copyfile(local, temporary)
        elif asset.url is None:
            raise UserError(f"asset {name} has no public url; put the file at {asset.put_by_hand} ({asset.used_by})")
        else:
            try:
                urllib.request.urlretrieve(asset.url, temporary)
            except (urllib.error.URLError, OSError) as error:
                hint = f"put the file at {asset.put_by_hand} or into the folder SYNCVOICE_ASSETS as {name}"
                raise UserError(f"asset {name} cannot be fetched from {asset.url} ({error}); {hint}") from error
        verify(name, asset, temporary)
