"""The part of a study that each job sees: one small JSON-ready value per section.

Jobs read files written from these values, never the whole study, so that a change reruns only what uses it. Captions
and paper rows reach tables and plots but no job that computes speech or scores.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from syncvoice.cost.settings import Cost, CostJob, RowOfModel
from syncvoice.datasets.perturbed import PerturbJob
from syncvoice.datasets.settings import PrepareJob
from syncvoice.datasets.tasks import TaskJob, TaskSettings
from syncvoice.datasets.treated_references import ReferenceTreatmentJob
from syncvoice.features.base import FeatureJob
from syncvoice.generation.work import kind_module
from syncvoice.metrics.registry import METRIC_FILES, METRICS
from syncvoice.minidub.settings import CorpusJob, SplitSettings
from syncvoice.reporting.columns import Column
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.settings import (
    Comparison,
    ExternalValue,
    FacesLostJob,
    Gallery,
    GalleryJob,
    GallerySection,
    ListeningTest,
    ListeningTestJob,
    PaperValue,
    Row,
    Table,
    TableJob,
    Training,
)
from syncvoice.section import Section
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
    plain = {
        **{
            f"adapt/{network}": _adapt_settings(study, network, (training or {}).get(network, {}))
            for network in study.adapt
        },
        **{f"experiments/{name}": _experiment_settings(study, name) for name in study.experiments},
        "questions": {name: question.model_dump() for name, question in study.questions.items()},
    }
    typed = {
        **_corpus_jobs(study),
        **_prepare_jobs(study),
        **_perturb_jobs(study),
        **{f"features/{name}": _feature_job(study, name) for name in study.features},
        **{f"treated_references/{name}": _treatment_job(study, name) for name in study.treated_references},
        **{f"tasks/{name}": _task_job(study, name) for name in study.tasks},
        **{f"tables/{name}": _table_job(study, name, paper) for name in study.tables},
        **{f"plots/{name}": _plot_job(study, name) for name in study.plots},
        **({"gallery": _gallery_job(study, study.gallery)} if study.gallery else {}),
        **({"cost": _cost_job(study, study.cost)} if study.cost else {}),
        **({"faces_lost": _faces_lost_job(study)} if study.perturbed_splits() else {}),
        **({"listening_test": _listening_test_job(study, study.listening_test)} if study.listening_test else {}),
    }
    return plain | {name: job.model_dump(mode="json") for name, job in typed.items()}


def recipe_settings(study: Study, recipe: str) -> Settings:
    """Return the resolved recipe, as it goes into results/{study}/recipes/{recipe}.json."""
    return {"recipe": recipe, **study.recipes[recipe].model_dump()}


def _corpus_jobs(study: Study) -> dict[str, Section]:
    """Return the jobs that make each split of the embedded corpus, and all splits together for its data card."""
    jobs: dict[str, Section] = {}
    for name, dataset in study.datasets.items():
        if not dataset.is_embedded or dataset.settings is None:
            continue
        shared = {**dataset.settings.model_dump(), "dataset": name}
        contents = {key: split.settings for key, split in dataset.splits.items()}
        splits = {key: held for key, held in contents.items() if isinstance(held, SplitSettings)}
        shards = {key: dataset.splits[key].shards for key in splits}
        jobs[f"corpus/{name}"] = CorpusJob(**shared, splits=splits, shards=shards)
        for key, settings in splits.items():
            needed = {key: settings} | ({settings.of: splits[settings.of]} if settings.of else {})
            jobs[f"corpus/{name}/{key}"] = CorpusJob(**shared, splits=needed, shards={key: shards[key]})
    return jobs


def _prepare_jobs(study: Study) -> dict[str, Section]:
    """Return the limits of preparing, and for each split of a local folder also which clips belong to it."""
    jobs: dict[str, Section] = {"prepare": PrepareJob(limits=study.prepare)}
    for name, dataset in study.datasets.items():
        for split, entry in dataset.splits.items():
            if not dataset.is_embedded and entry.perturbed is None:
                jobs[f"prepare/{name}/{split}"] = PrepareJob(limits=study.prepare, selection=entry.selection)
    return jobs


def _perturb_jobs(study: Study) -> dict[str, Section]:
    """Return the jobs that make clips of other splits worse."""
    jobs: dict[str, Section] = {}
    for name, split in study.perturbed_splits():
        entry = study.datasets[name].splits[split]
        if entry.perturbed is not None:
            jobs[f"perturbed/{name}/{split}"] = PerturbJob(
                content=entry.perturbed, split=split, shards=entry.shards, seed=study.seed
            )
    return jobs


def _faces_lost_job(study: Study) -> FacesLostJob:
    """Return which splits are compared with those that they were made from."""
    return FacesLostJob(splits=tuple(study.perturbed_splits()), bootstrap=study.bootstrap)


def _adapt_settings(study: Study, network: AdaptedNetwork, training: Settings) -> Settings:
    """Return the settings of training a shipped network further; its clips take the place of the synthetic ones."""
    adaptation = study.adapt[network]
    synthetic = {
        "pool",
        "pool_hours",
        "espeak_pool",
        "recordings",
        "pool_size",
        "pool_seed",
        "work",
        "corpus",
        "check_per_voice",
    }
    kept = {key: value for key, value in training.items() if key not in synthetic}
    if "vocoder" in kept:
        kept["vocoder"] = study.network_file("vocoder")
    manifest = f"results/{study.name}/manifests/{adaptation.dataset}/{adaptation.split}.cuts.jsonl.gz"
    return {**kept, **adaptation.settings, "manifests": {"train": [manifest]}}


def _task_job(study: Study, name: str) -> TaskJob:
    """Return what decides the list of utterances of a task."""
    task = study.tasks[name]
    chosen = {field: getattr(task, field) for field in TaskSettings.model_fields}
    return TaskJob(**chosen, seed=study.seed)


def _treatment_job(study: Study, name: str) -> ReferenceTreatmentJob:
    """Return what is done to the recordings of a treated split."""
    return ReferenceTreatmentJob(**study.treated_references[name].model_dump(), name=name, seed=study.seed)


def _feature_job(study: Study, name: str) -> FeatureJob:
    """Return what a feature job reads."""
    feature = study.features[name]
    return FeatureJob(feature=name, extractor=feature.extractor, settings=feature.settings.model_dump())


def _experiment_settings(study: Study, name: str) -> Settings:
    """Return what decides the speech of a row."""
    return study.experiments[name].job(name, study.weights_of(name))


def _table_job(study: Study, name: str, paper: Settings) -> TableJob:
    """Return a table with the paper's values and directions for its rows."""
    table = study.tables[name]
    values = [
        PaperValue(experiment=row, **_sourced(entry, "metric", "dataset", "value"))
        for row in table.rows
        for entry in paper.get("values", [])
        if (entry["row"], entry["task"]) == (study.experiments[row].paper, table.task)
    ]
    external = [
        ExternalValue(**_sourced(entry, "system", "metric", "dataset", "value"))
        for entry in paper.get("external", [])
        if (entry["dataset"], entry["task"]) == (study.tasks[table.task].dataset, table.task)
        and entry["metric"] in table.metrics
    ]
    comparisons = [
        Comparison(metric=metric, **_sourced(entry, "id", "ascending", "statement"))
        for entry in paper.get("directions", [])
        for metric in table.metrics
        if metric.startswith(tuple(entry["measures"])) and set(entry["ascending"]) <= set(table.rows)
    ]
    return TableJob(
        **_page(study, name, table.caption, table.metrics),
        task=table.task,
        rows=_rows(study, table.rows),
        baseline=table.baseline,
        groups=tuple(table.groups),
        bootstrap=study.bootstrap,
        comparisons=tuple(comparisons),
        paper_values=tuple(values),
        external=tuple(external),
        notes=(*table.notes, *_adaptation_notes(study, table.metrics)),
        trainings=_trainings(study, table),
    )


def _trainings(study: Study, table: Table) -> dict[str, tuple[Training, ...]]:
    """Return the trainings behind each row of a table that shows their spread."""
    known = {row: study.trainings_of(row) for row in table.rows} if table.spread else {}
    return {
        row: tuple(Training(seed=seed, experiment=name) for seed, name in trainings.items())
        for row, trainings in known.items()
        if trainings
    }


def _sourced(entry: Settings, *keys: str) -> dict[str, Any]:
    """Return some keys of an entry of config/paper_values.yaml, with its source and whether somebody checked it."""
    kept = {key: entry[key] for key in keys}
    return {**kept, "source": entry["source"], "verified": entry["verified"] in (True, "yes")}


def _adaptation_notes(study: Study, metrics: list[str]) -> list[str]:
    """Return what a reader must know of scorers that learned from clips of the study."""
    files = {METRICS[metric].file for metric in metrics}
    scorers = {network for file in files for network in METRIC_FILES[file].weights}
    return [
        f"The {NETWORK_TITLES[network]} is not the shipped one: it learned on, on the split"
        f" '{study.adapt[network].split}' of {study.adapt[network].dataset}, which holds no clip of this table."
        for network in study.adapt
        if network in scorers
    ]


def _plot_job(study: Study, name: str) -> PlotJob:
    """Return a plot with its rows and columns."""
    plot = study.plots[name]
    shown = plot.shows()
    metrics = shown.metrics or (study.tables[shown.table].metrics if shown.table else ())
    return PlotJob(
        **_page(study, name, plot.caption, metrics),
        plot=plot.model_dump(exclude={"caption"}),
        rows=_rows(study, shown.rows or (study.tables[shown.table].rows if shown.table else ())),
        bootstrap=study.bootstrap,
    )


def _gallery_job(study: Study, gallery: Gallery) -> GalleryJob:
    """Return the gallery page."""
    sections = [
        GallerySection(
            task=task,
            title=shown.caption,
            clips=shown.clips,
            metrics=tuple(shown.metrics),
            flags=shown.flags,
            rows=_rows(study, shown.rows),
        )
        for task, shown in gallery.tasks.items()
    ]
    metrics = dict.fromkeys(metric for shown in gallery.tasks.values() for metric in shown.metrics)
    page = _page(study, "gallery", gallery.caption, metrics)
    synthetic = tuple(name for name, dataset in study.datasets.items() if dataset.is_embedded)
    limit = gallery.max_megabytes
    return GalleryJob(**page, max_megabytes=limit, tasks=tuple(sections), synthetic_datasets=synthetic)


def _listening_test_job(study: Study, test: ListeningTest) -> ListeningTestJob:
    """Return the page of the listening test; where its answers lie does not change the page."""
    page = _page(study, "listening_test", test.caption, ())
    kept = test.model_dump(exclude={"caption", "rows", "answers"})
    return ListeningTestJob(**page, rows=_rows(study, test.rows), seed=study.seed, **kept)


def _cost_job(study: Study, cost: Cost) -> CostJob:
    """Return what is timed: the settings of the rows as their generate jobs read them."""
    rows = {
        name: RowOfModel.model_validate(
            {"recipe": study.experiments[name].recipe, "row": _experiment_settings(study, name)}
        )
        for name in dict.fromkeys([cost.row, *cost.rows])
    }
    return CostJob(
        row=cost.row,
        rows=rows,
        timed=tuple(cost.rows),
        clips=cost.clips,
        runs=cost.runs,
    )


def _page(study: Study, name: str, title: str, metrics: Iterable[str]) -> dict[str, Any]:
    """Return what every table, plot and page carries."""
    return {"name": name, "title": title, "study": study.name, "columns": [Column.of(METRICS[m]) for m in metrics]}


def _rows(study: Study, names: Iterable[str]) -> tuple[Row, ...]:
    """Return what a reader is told about rows."""
    return tuple(
        Row(
            experiment=name,
            caption=row.caption,
            group=row.group,
            colour=row.colour,
            original=getattr(kind_module(row.kind), "ORIGINAL", False),
        )
        for name, row in ((name, study.experiments[name]) for name in names)
    )
