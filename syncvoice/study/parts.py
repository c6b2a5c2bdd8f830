"""Sections whose keys depend on their kind: plots, features and data sets are checked by the class of their kind.

Kinds are found by name (a plot of kind `metrics` is the module `reporting/plots/metrics.py`); no list has to be kept.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, get_args

from syncvoice.datasets.base import Selection
from syncvoice.datasets.settings import Dataset, with_typed_splits
from syncvoice.errors import UserError
from syncvoice.features.base import extractor_names, extractor_settings
from syncvoice.minidub.settings import CorpusSettings, SplitSettings
from syncvoice.reporting.plots.job import Plot, settings_of
from syncvoice.section import nearest, validated

HELPERS = {"job", "panels", "plane"}  # modules of reporting/plots that are no kind


def names_in(package: str, besides: set[str]) -> list[str]:
    """Return the names of a package's modules, without importing them."""
    folder = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder) if module.name not in besides)


def typed_plot(values: Mapping[str, Any], source: str) -> Plot:
    """Return a plot checked by its kind.

    Raises:
        UserError: the kind is unknown, or a key is.
    """
    kinds = names_in("syncvoice.reporting.plots", HELPERS)
    kind = values.get("kind")
    if kind not in kinds:
        raise UserError(f"{source}: unknown kind {kind!r}; {nearest(str(kind), kinds)}")
    return settings_of(dict(values), source)


def typed_feature(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a feature whose settings are checked by its extractor.

    Raises:
        UserError: the extractor is unknown, or a setting is.
    """
    extractor, names = values.get("extractor"), extractor_names()
    if extractor not in names:
        raise UserError(f"{source}.extractor: unknown extractor {extractor!r}; {nearest(str(extractor), names)}")
    settings = extractor_settings(str(extractor), values.get("settings") or {}, f"{source}.settings")
    return {**values, "settings": settings}


def typed_dataset(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a data set whose own settings and those of its splits are checked by its kind.

    Raises:
        UserError: a key is unknown, or a value is wrong.
    """
    kinds, kind = get_args(Dataset.model_fields["kind"].annotation), values.get("kind")
    if kind not in kinds:
        raise UserError(f"{source}.kind: unknown kind {kind!r}; {nearest(str(kind), kinds)}")
    embedded = kind == "minidub"
    typed = with_typed_splits(values, SplitSettings if embedded else Selection, source)
    if embedded:
        typed["settings"] = validated(CorpusSettings, values.get("settings") or {}, f"{source}.settings")
    elif values.get("settings"):
        raise UserError(f"{source}: a data set of kind {values.get('kind')} takes no settings; its splits do")
    return typed


def with_typed_parts(resolved: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a study's plain values with plots, features and data sets checked by their kinds.

    Raises:
        UserError: see `typed_plot`, `typed_feature` and `typed_dataset`.
    """
    check = {"plots": typed_plot, "features": typed_feature, "datasets": typed_dataset}
    for section, typed in check.items():
        entries = resolved.get(section) or {}
        if not isinstance(entries, Mapping):
            continue  # the study itself says what is wrong
        resolved[section] = {
            name: typed(entry, f"{source}: {section}.{name}") if isinstance(entry, Mapping) else entry
            for name, entry in entries.items()
        }
    return resolved
