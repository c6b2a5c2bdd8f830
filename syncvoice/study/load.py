"""Reading a study: overlay, validation, and messages that name the file, the key and the nearest valid name."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.places import find_weights
from syncvoice.section import nearest, validated
from syncvoice.study.checks import (
    check_choices,
    check_names,
    check_networks,
    check_perturbed,
    check_speakers,
    check_spread,
)
from syncvoice.study.parts import with_typed_parts
from syncvoice.study.seeds import add_trainings, take_seeds
from syncvoice.study.study import Study, adapted_file

# Maps whose entries belong to one study: a later file replaces the whole map instead of merging into it.
REPLACED = (
    "datasets", "adapt", "treated_references", "tasks", "recipes", "experiments", "tables", "plots", "gallery", "probe",
    "alignment_report", "listening_test", "cost",
)  # fmt: skip
TEMPLATES = {"recipes": "recipe_defaults", "experiments": "experiment_defaults"}


def read_study(path: Path | str, config_dir: Path | str | None = None) -> Study:
    """Read and resolve one study file; `config_dir` holds defaults.yaml and what `extends` names.

    Raises:
        UserError: the file is missing or its content is wrong (see `load_study`).
    """
    path = Path(path)
    return load_study(_read_yaml(path), config_dir or path.parent, source=str(path))


def load_study(values: Mapping[str, Any], config_dir: Path | str, source: str) -> Study:
    """Resolve a study: `defaults.yaml` <- files named in `extends` <- `values`.

    Plain sections merge key by key; the maps in `REPLACED` replace, so that nothing leaks from one study into another.
    A recipe that says `like: NAME` is recipe NAME but for its own keys. Every recipe lies over `recipe_defaults`, every
    experiment over `experiment_defaults` and over the row of its name in rows.yaml. A recipe with `seeds` is trained
    with each (see study/seeds.py). What stands under `ablations.NAME` is added to the study first: entries to maps,
    items to lists.

    Args:
        values: content of the study file.
        config_dir: folder of defaults.yaml and of the files in `extends`.
        source: name of the study file, for messages.

    Raises:
        UserError: unknown key, wrong value, unknown name, or a network that both conditions and scores.
    """
    config_dir = Path(config_dir)
    layers = {str(config_dir / "defaults.yaml"): _read_yaml(config_dir / "defaults.yaml")}
    for file, sections in (values.get("extends") or {}).items():
        taken = _take(_read_yaml(config_dir / file), sections, f"{source}: extends.{file}")
        layers[str(config_dir / file)] = taken
    layers[source] = {key: value for key, value in values.items() if key != "extends"}
    shared = {"experiments": _read_yaml(config_dir / "rows.yaml")["rows"]}
    try:
        study = _resolved(layers, shared, source)
        check_adaptations(study, config_dir, source)
    except UserError as error:
        files = {str(config_dir / "rows.yaml"): shared, **layers}
        raise UserError(_naming_the_file(str(error), files, source)) from error
    return study


def _resolved(layers: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Mapping[str, Any]], source: str) -> Study:
    """Return the study of all layers, the later over the earlier; messages name `source` for each.

    Args:
        layers: contents by file.
        shared: entries that lie under those of the same section and name.
        source: the study file.
    """
    resolved: dict[str, Any] = {}
    for layer in layers.values():
        resolved = _overlay(resolved, layer)
    for name, additions in (resolved.pop("ablations", None) or {}).items():
        resolved = _added(resolved, additions, f"{source}: ablations.{name}")
    _set_roots(resolved)
    seeds = take_seeds(resolved.get("recipes") or {}, source)
    _set_likes(resolved.get("recipes") or {}, source)
    resolved["recipe_defaults"] = _start_weights(resolved) | resolved.get("recipe_defaults", {})
    for section, template in TEMPLATES.items():
        base = resolved.pop(template, {})
        entries = resolved.get(section) or {}
        resolved[section] = {
            name: _overlay(_overlay(base, shared.get(section, {}).get(name, {})), entry or {})
            for name, entry in entries.items()
        }
    _drop_rows_without_files(resolved)
    add_trainings(resolved, seeds, source)
    _set_speaker_weights(resolved)
    study = validated(Study, with_typed_parts(resolved, source), source)
    check_names(study, source)
    check_perturbed(study, source)
    check_networks(study, source)
    check_choices(study, source)
    check_speakers(study, source)
    check_spread(study, source)
    return study


def _naming_the_file(message: str, layers: Mapping[str, Mapping[str, Any]], source: str) -> str:
    """Put the file that holds the key in place of the study's in a message `source: key.path ...`."""
    found = re.match(rf"{re.escape(source)}: (?:unknown key )?([\w.-]+)", message)
    path = found.group(1).rstrip(".").split(".") if found else []
    depths = {file: _depth(layer, path) for file, layer in layers.items()}
    deepest = max(depths.values(), default=0)
    if not deepest or depths.get(source) == deepest:
        return message
    holder = [file for file, depth in depths.items() if depth == deepest][-1]
    return f"{holder}{message.removeprefix(source)} (study {source})"


def _depth(values: Any, path: list[str]) -> int:
    """Return how many parts of a key path lead somewhere."""
    for depth, part in enumerate(path):
        if not isinstance(values, Mapping) or part not in values:
            return depth
        values = values[part]
    return len(path)


def check_adaptations(study: Study, config_dir: Path, source: str) -> None:
    """Check the settings of networks that learn on against those that their training reads.

    Raises:
        UserError: a key is unknown; gives the nearest one.
    """
    for network, adaptation in study.adapt.items():
        known = _read_yaml(config_dir / "pretrain" / f"{network}.yaml")
        for key in adaptation.settings:
            if key not in known:
                raise UserError(f"{source}: unknown key adapt.{network}.settings.{key}; {nearest(key, known)}")


def _start_weights(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights that recipes take unless they name others."""
    weights = resolved.get("weights", {})
    adapted = resolved.get("adapt") or {}
    vocoder = adapted_file(str(resolved.get("name")), "vocoder") if "vocoder" in adapted else weights.get("vocoder")
    return {"start": weights.get("backbone"), "vocoder": vocoder, "speaker_encoder": weights.get("speaker_encoder")}


def _set_speaker_weights(resolved: dict[str, Any]) -> None:
    """Let the feature of speaker embeddings come from the weights that the recipes condition on, unless it says."""
    feature = (resolved.get("features") or {}).get("speaker")
    if not isinstance(feature, dict) or feature.get("extractor") != "campplus":
        return
    named = [
        recipe.get("speaker_encoder")
        for recipe in (resolved.get("recipes") or {}).values()
        if isinstance(recipe, Mapping)
    ]
    weights = next((file for file in named if file), (resolved.get("weights") or {}).get("speaker_encoder"))
    feature["settings"] = {"weights": weights} | (feature.get("settings") or {})


def _set_roots(resolved: dict[str, Any]) -> None:
    """Let `--config NAME_root=FOLDER` replace the path of data set NAME; other keys stay, to be refused as unknown."""
    datasets = resolved.get("datasets")
    for key in [key for key in resolved if key.endswith("_root")]:
        dataset = datasets.get(key.removesuffix("_root")) if isinstance(datasets, dict) else None
        if isinstance(dataset, dict):
            dataset["path"] = str(resolved.pop(key))


def _set_likes(recipes: dict[str, Any], source: str) -> None:
    """Replace `{like: NAME, ...}` by recipe NAME with the keys given, as `<<` of YAML does inside a file.

    Raises:
        UserError: there is no such recipe, or it is itself like another.
    """
    likes = {name: entry for name, entry in recipes.items() if isinstance(entry, Mapping) and "like" in entry}
    for name, entry in likes.items():
        model, where = entry["like"], f"{source}: recipes.{name}.like"
        if model not in recipes:
            raise UserError(f"{where}: unknown recipe {model!r}; {nearest(str(model), recipes)}")
        if model in likes:
            raise UserError(f"{where}: {model} is like another recipe itself; name {likes[model]['like']} instead")
        own = {key: value for key, value in entry.items() if key != "like"}
        recipes[name] = copy.deepcopy(dict(recipes[model] or {}) | own)


def _drop_rows_without_files(resolved: dict[str, Any]) -> None:
    """Leave out the experiments whose `only_with` asset is not on this machine, and their names in tables."""
    rows = resolved["experiments"]
    absent = {name for name, row in rows.items() if (asset := row.get("only_with")) and not find_weights(str(asset))}
    resolved["experiments"] = {name: row for name, row in rows.items() if name not in absent}
    for table in (resolved.get("tables") or {}).values():
        if isinstance(table, dict) and isinstance(table.get("rows"), list):
            table["rows"] = [row for row in table["rows"] if row not in absent]


def _read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        hint = nearest(path.name, (file.name for file in sorted(path.parent.glob("*.yaml"))))
        raise UserError(f"{path} does not exist; {hint}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}, expected a mapping of keys to values")
    return content


def _take(content: Mapping[str, Any], sections: list[str], where: str) -> dict[str, Any]:
    """Return the named sections of another file."""
    for section in sections:
        if section not in content:
            raise UserError(f"{where}: no section {section!r} there; {nearest(section, content)}")
    return {section: content[section] for section in sections}


def _overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `top` over `base`, key by key; maps in `REPLACED` replace."""
    result = copy.deepcopy(dict(base))
    for key, value in top.items():
        merges = isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and key not in REPLACED
        result[key] = _overlay(result[key], value) if merges else copy.deepcopy(value)
    return result


def _added(base: Mapping[str, Any], additions: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return `base` with new entries in its maps and new items in its lists; what two ablations add counts once.

    Raises:
        UserError: an entry exists already; an ablation changes nothing that others use.
    """
    result = dict(base)
    for key, value in additions.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = _added(known, value, f"{where}.{key}")
        elif isinstance(known, list) and isinstance(value, list):
            result[key] = [*known, *(item for item in value if item not in known)]
        elif known is None:
            result[key] = copy.deepcopy(value)
        elif known != value:
            raise UserError(f"{where}.{key}: the study has it already; an ablation adds entries and changes none")
    return result
