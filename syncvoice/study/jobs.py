"""The part of a study that each job sees: one small JSON-ready value per section.

Jobs read files written from these values, never the whole study, so that a change reruns only what uses it. Captions
and paper rows reach tables and plots but no job that computes speech or scores.
"""

from collections.abc import Mapping
from typing import Any

from syncvoice.features.base import FeatureJob
from syncvoice.metrics import METRIC_FILES, METRICS
from syncvoice.study.study import AdaptedNetwork, Study

Settings = dict[str, Any]
NETWORK_TITLES = {"syncnet": "mini SyncNet", "recogniser": "mini CTC recogniser"}


def job_settings(study: Study, paper: Settings, training: Mapping[str, Settings] | None = None) -> dict[str, Settings]:
    """Return the settings of every job by section path, e.g. "features/lip" or "experiments/M3".

    Args:
        study: the resolved study.
        paper: content of config/paper_values.yaml.
        training: content of config/pretrain/NETWORK.yaml by network; {} where the study trains none on.
    """
    return {
        **_corpus_settings(study),
        **{
            f"adapt/{network}": _adapt_settings(study, network, (training or {}).get(network, {}))
            for network in study.adapt
        },
        "prepare": study.prepare,
        **_selection_settings(study),
        **{f"features/{name}": _feature_settings(study, name) for name in study.features},
        **{f"tasks/{name}": _task_settings(study, name) for name in study.tasks},
        **{f"experiments/{name}": _experiment_settings(study, name) for name in study.experiments},
        **{f"tables/{name}": _table_settings(study, name, paper) for name in study.tables},
        **{f"plots/{name}": _plot_settings(study, name) for name in study.plots},
        **({"gallery": _gallery_settings(study)} if study.gallery else {}),
        **({"listening_test": _listening_test_settings(study)} if study.listening_test else {}),
    }


def recipe_settings(study: Study, recipe: str) -> Settings:
    """Return the resolved recipe, as it goes into results/{study}/recipes/{recipe}.json."""
    return {"recipe": recipe, **study.recipes[recipe].model_dump()}


def _corpus_settings(study: Study) -> dict[str, Settings]:
    """Return the settings of making each split of the embedded corpus, and of all splits for its data card."""
    settings = {}
    for name, dataset in study.datasets.items():
        if dataset.kind != "minidub":
            continue
        shared = {"dataset": name, **dataset.settings}
        splits = {split: {"shards": entry.shards, **entry.settings} for split, entry in dataset.splits.items()}
        settings[f"corpus/{name}"] = {**shared, "splits": splits}
        for split, entry in splits.items():
            settings[f"corpus/{name}/{split}"] = {**shared, "splits": {split: entry}}
    return settings


def _selection_settings(study: Study) -> dict[str, Settings]:
    """Return the settings of preparing each split of a local folder: limits, and which clips belong to the split."""
    return {
        f"prepare/{name}/{split}": {**study.prepare, **entry.settings}
        for name, dataset in study.datasets.items()
        if dataset.kind != "minidub"
        for split, entry in dataset.splits.items()
    }


def _adapt_settings(study: Study, network: AdaptedNetwork, training: Settings) -> Settings:
    """Return the settings of training a shipped network further; its clips take the place of the synthetic ones."""
    adaptation = study.adapt[network]
    synthetic = {"pool", "pool_size", "pool_seed", "work", "corpus", "check_per_voice"}
    kept = {key: value for key, value in training.items() if key not in synthetic}
    if "vocoder" in kept:
        kept["vocoder"] = study.network_file("vocoder")
    manifest = f"results/{study.name}/manifests/{adaptation.dataset}/{adaptation.split}.cuts.jsonl.gz"
    return {**kept, **adaptation.settings, "manifests": {"train": [manifest]}}


def _task_settings(study: Study, name: str) -> Settings:
    """Return what decides the list of utterances of a task."""
    task = study.tasks[name]
    usual = {"voice_of"} if task.voice_of == "same_speaker" else set()
    return {"task": name, "seed": study.seed, **task.model_dump(exclude={"metrics", *usual})}


def _feature_settings(study: Study, name: str) -> Settings:
    """Return what a feature job reads."""
    feature = study.features[name]
    return FeatureJob(feature=name, extractor=feature.extractor, settings=feature.typed().model_dump()).model_dump()


def _experiment_settings(study: Study, name: str) -> Settings:
    """Return what decides the speech of a row."""
    return study.experiments[name].job(name, study.weights_of(name))


def _table_settings(study: Study, name: str, paper: Settings) -> Settings:
    """Return a table with the paper's values and directions for its rows (format: syncvoice/reporting/settings.py)."""
    table = study.tables[name]
    values = [
        {key: entry[key] for key in ("metric", "dataset", "value", "source", "verified")} | {"experiment": row}
        for row in table.rows
        for entry in paper.get("values", [])
        if entry["row"] == study.experiments[row].paper
    ]
    comparisons = [
        {key: entry[key] for key in ("id", "ascending", "statement", "source", "verified")} | {"metric": metric}
        for entry in paper.get("directions", [])
        for metric in table.metrics
        if metric.startswith(tuple(entry["measures"])) and set(entry["ascending"]) <= set(table.rows)
    ]
    fields = table.model_dump(include={"task", "metrics", "baseline"})
    fields["notes"] = [*table.notes, *_adaptation_notes(study, table.metrics)]
    shared = _page(study, name, table.caption) | {"bootstrap": study.bootstrap.model_dump()}
    rows = [_row(study, row) for row in table.rows]
    return {**shared, **fields, "rows": rows, "paper_values": values, "comparisons": comparisons}


def _adaptation_notes(study: Study, metrics: list[str]) -> list[str]:
    """Return what a reader must know of scorers that learned from clips of the study."""
    files = {METRICS[metric].file for metric in metrics}
    scorers = {network for file in files for network in METRIC_FILES[file].weights}
    return [
        f"The {NETWORK_TITLES[network]} is not the shipped one: it learned on, on the split"
        f" '{study.adapt[network].split}' of {study.adapt[network].dataset}; no clip of this table was among its clips."
        for network in study.adapt
        if network in scorers
    ]


def _plot_settings(study: Study, name: str) -> Settings:
    """Return a plot; keys that its kind does not take are left out."""
    plot = study.plots[name]
    settings = _page(study, name, plot.caption) | plot.model_dump(exclude={"caption"}, exclude_none=True)
    if plot.rows is not None:
        settings["rows"] = [_row(study, row) for row in plot.rows]
    return settings


def _gallery_settings(study: Study) -> Settings:
    """Return the gallery page."""
    assert study.gallery is not None
    tasks = [
        {"task": task, "title": shown.caption, "clips": shown.clips, "metrics": shown.metrics}
        | {"rows": [_row(study, row) for row in shown.rows]}
        for task, shown in study.gallery.tasks.items()
    ]
    page = _page(study, "gallery", study.gallery.caption)
    return page | {"max_megabytes": study.gallery.max_megabytes, "tasks": tasks}


def _listening_test_settings(study: Study) -> Settings:
    """Return the page of the listening test; where its answers lie does not change the page."""
    assert study.listening_test is not None
    test = study.listening_test
    page = _page(study, "listening_test", test.caption) | {"rows": [_row(study, row) for row in test.rows]}
    return page | test.model_dump(exclude={"caption", "rows", "answers"}) | {"seed": study.seed}


def _page(study: Study, name: str, title: str) -> Settings:
    """Return what every table, plot and page carries."""
    return {"name": name, "title": title, "study": study.name}


def _row(study: Study, name: str) -> Settings:
    """Return what a reader is told about a row."""
    experiment = study.experiments[name]
    return {"experiment": name, "caption": experiment.caption, "group": experiment.group}
