"""Weights of others that a study reads: which files, what for, and which are not there."""

from collections.abc import Mapping
from pathlib import Path

from syncvoice.assets import Asset
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.study.study import Study

FOLDER = Path("resources/assets")
RELEASE = ("model.json", "tokens.txt")  # what a public ZipVoice cannot be read without


def weights_wanted(study: Study) -> dict[str, str]:
    """Return every weight file that a study reads and does not make itself, with what reads it."""
    made = {study.network_file(network) for network in study.adapt}
    made |= {f"results/{study.name}/models/{name}/model.safetensors" for name in study.recipes}
    wanted = {study.shipped_file(network): f"start of adapt.{network}" for network in study.adapt}
    for name in study.models_used():
        recipe = study.recipes[name]
        unused = set() if recipe.speaker_branches else {recipe.speaker_encoder}
        for path in recipe.weights():
            if path not in made | unused:
                wanted.setdefault(path, f"recipe {name}")
    for name, feature in study.features.items():
        if asset := feature.settings.asset:
            path = getattr(feature.settings, "weights", None) or str(FOLDER / asset)
            wanted.setdefault(path, f"feature {name}")
    for task in study.tasks.values():
        for metric in task.metrics:
            for asset in METRIC_FILES[metric].assets:
                wanted.setdefault(str(FOLDER / asset), f"metric {metric}")
    for path, use in list(wanted.items()):
        if Path(path).parent.parent == FOLDER:
            wanted |= {str(Path(path).with_name(name)): use for name in RELEASE if Path(path).suffix != ".txt"}
    return wanted


def missing_weights(study: Study, registry: Mapping[str, Asset]) -> list[str]:
    """Return a sentence for every weight file that is not there: what for, how it is had, under which licence."""
    return [_sentence(path, use, registry) for path, use in weights_wanted(study).items() if not Path(path).exists()]


def fetchable_weights(study: Study, registry: Mapping[str, Asset]) -> list[str]:
    """Return the weight files of a study that have a source, whether they are there or not."""
    with_source = {asset.put_by_hand for asset in registry.values() if asset.sources}
    return [path for path in weights_wanted(study) if path in with_source]


def _sentence(path: str, use: str, registry: Mapping[str, Asset]) -> str:
    """Say how one file is had."""
    entry = next((asset for asset in registry.values() if asset.put_by_hand == path), None)
    if entry is None:
        return f"weights {path} are not there ({use}); config/assets.yaml and config/recipes say where they come from"
    way = f"'snakemake {path}' fetches them" if entry.sources else "no address is known: put the file there by hand"
    licences = f"licence of the weights: {entry.weights_licence}, of their training data: {entry.data_licence}"
    return f"weights {path} are not there ({use}): {way}; {licences} ({entry.cite})"
