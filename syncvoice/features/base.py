"""What every feature extractor offers, and how one is found: by the name of its module in `features/extractors/`."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol

import numpy as np

from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.section import Name, Section, nearest, validated

Key = dict[str, Any]
FOLDER = Path(__file__).parent / "extractors"
PACKAGE = "syncvoice.features.extractors"


class ExtractorSettings(Section):
    """Base of the settings of an extractor.

    Attributes:
        network: what the numbers come from, by the name of the asset or package model; "" without a network. No metric
            may score with it (`study/`).
        asset: entry of config/assets.yaml whose file is read; "" for none.
        uses_card: whether a graphics card speeds it up.
    """

    network: ClassVar[str] = ""
    asset: ClassVar[str] = ""
    uses_card: ClassVar[bool] = False

    def reads_through(self) -> str:
        """Return the network behind the numbers, "" for none."""
        return self.network


class FeatureJob(Section):
    """Settings file of a feature job: the study's name of the feature, its extractor and what that takes."""

    feature: Name
    extractor: str
    settings: dict[str, Any] = {}  # of the extractor; its own `Settings` is the schema


class FeatureExtractor(Protocol):
    """A feature of a clip; the class `Extractor` of a module in `features/extractors/`, made from its `Settings`.

    Attributes:
        name, version: identity; a change of the numbers must change the version.
        settings: what the numbers depend on besides the clip.
        fps: rows per second, None if rows are no time axis.
        dim: values per row, None for a row of single numbers.
        weights_sha256: digest of the network's weights, None without a network.
        source_fields: fields of `Clip` that the feature is computed from.
    """

    name: str
    version: str
    settings: dict[str, Any]
    fps: float | None
    dim: int | None
    weights_sha256: str | None
    source_fields: tuple[str, ...]

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of one clip, (rows, dim) float32 or (rows,) int32."""
        ...


def extractor_names() -> list[str]:
    """Return the names of all extractors: the modules of the folder."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def module_name(extractor: str) -> str:
    """Return the dotted name of an extractor's module."""
    return f"{PACKAGE}.{extractor}"


def extractor_module(name: str) -> ModuleType:
    """Import the module of one extractor, and no other's.

    Raises:
        UserError: there is none of that name; gives the nearest one.
    """
    names = extractor_names()
    if name not in names:
        raise UserError(f"extractor '{name}' is unknown; {nearest(name, names)}")
    return importlib.import_module(module_name(name))


def extractor_settings(name: str, values: Mapping[str, Any], source: str) -> ExtractorSettings:
    """Return the typed settings of an extractor; `source` names the place that they come from.

    Raises:
        UserError: unknown extractor, unknown key (with the nearest valid one) or wrong value.
    """
    settings: ExtractorSettings = validated(extractor_module(name).Settings, values, source)
    return settings


def make_extractor(name: str, settings: Mapping[str, Any] | None = None) -> FeatureExtractor:
    """Return an extractor by name.

    Args:
        name: of the extractor, e.g. "mesh_lip".
        settings: what its `Settings` take; None takes their defaults.

    Raises:
        UserError: unknown name or settings, or weights that are not there.

    >>> lip = make_extractor("mesh_lip")
    >>> lip.fps, lip.dim
    (25.0, 30)
    """
    typed = extractor_settings(name, settings or {}, f"settings of extractor '{name}'")
    extractor: FeatureExtractor = extractor_module(name).Extractor(typed)
    return extractor


def key_of(extractor: FeatureExtractor) -> Key:
    """Return the part of the cache key that is the same for every clip."""
    return {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": extractor.settings,
        "weights_sha256": extractor.weights_sha256,
        "fps": extractor.fps,
        "dim": extractor.dim,
        "source_fields": list(extractor.source_fields),
    }
