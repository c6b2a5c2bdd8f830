"""Checks between sections of a study: every name must exist, and no network may score what it conditions."""

import itertools
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath

from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES, METRICS
from syncvoice.section import nearest
from syncvoice.study.study import Study

Use = tuple[str, str, str, Iterable[str]]  # key path, kind of thing, name used, valid names


def check_names(study: Study, source: str) -> None:
    """Check every name that one section uses from another.

    Raises:
        UserError: a name is unknown; the message gives the nearest valid one.
    """
    for where, kind, name, valid in chain(_uses_of_data(study), _uses_of_rows(study)):
        if name not in (names := list(valid)):
            raise UserError(f"{source}: {where}: unknown {kind} {name!r}; {nearest(name, names)}")


def check_networks(study: Study, source: str) -> None:
    """Check that no network both conditions a model and scores it: its score would measure itself.

    Raises:
        UserError: a metric's network or weights also stand behind a feature, vocoder or speaker encoder.
    """
    conditioning = study.conditioning_networks()
    conditioning |= {PurePath(file).stem for file in conditioning if not file.startswith("weights/")}  # assets by name
    for where, metric in _scored(study):
        file = METRIC_FILES[metric]
        for network in (file.id.split(".")[1], *file.assets, *weights_of_metric(metric)):
            if network in conditioning:
                raise UserError(
                    f"{source}: {where}.metrics: {metric} scores with {network}, which also conditions a "
                    "model (feature, vocoder or speaker encoder); its score would measure itself, choose another"
                )


def check_choices(study: Study, source: str) -> None:
    """Check rows that choose from candidates: there are enough, and no network that chooses scores the row as well.

    Raises:
        UserError: the row that is chosen from is no such row, or speaks another task; or a network would score its own
            choice.
    """
    for name, experiment in study.experiments.items():
        if (best_of := experiment.best_of) is None:
            continue
        where, spoken = f"{source}: experiments.{name}.best_of", study.experiments[best_of.row]
        if spoken.candidates < max(best_of.counts):
            raise UserError(
                f"{where}.counts: {max(best_of.counts)} candidates are asked for, row {best_of.row} speaks"
                f" {spoken.candidates} (kind: candidates)"
            )
        if missing := [task for task in experiment.tasks if task not in spoken.tasks]:
            raise UserError(f"{where}.row: {best_of.row} has no candidates on task {missing[0]}; name it in its tasks")
        judges = _names_of(study.weights_read_by(name))
        for metric in dict.fromkeys(metric for task in experiment.tasks for metric in study.metrics_of(name, task)):
            if scores := judges & _networks_of_metric(metric):
                raise UserError(
                    f"{source}: experiments.{name}: {metric} scores with {min(scores)}, which also chooses the row's"
                    " candidates; its score would measure its own choice, leave the metric out"
                )


def _names_of(files: Iterable[str]) -> set[str]:
    """Return weight files by path and by name: `weights/recogniser.safetensors` and `recogniser`, wherever they lie."""
    return {name for file in files for name in (file, PurePath(file).stem)}


def _networks_of_metric(metric: str) -> set[str]:
    """Return the networks that a scoring job reads, by name and weight file."""
    file = METRIC_FILES[metric]
    return {file.id.split(".")[1], *file.assets, *file.weights, *weights_of_metric(metric)}


def check_speakers(study: Study, source: str) -> None:
    """Check that every recipe conditions on the weights behind the cached speaker embeddings.

    Raises:
        UserError: a recipe names other weights.
    """
    entry = study.features.get("speaker")
    weights = getattr(entry.settings, "weights", None) if entry is not None else None
    for name, recipe in study.recipes.items():
        if weights is not None and recipe.speaker_branches and recipe.speaker_encoder != weights:
            raise UserError(
                f"{source}: recipes.{name}.speaker_encoder is {recipe.speaker_encoder}, but the feature `speaker` comes"
                f" from {weights}; a study has one speaker encoder, name the same file in both"
            )


def check_spread(study: Study, source: str) -> None:
    """Check that every table that shows the spread between trainings has a row that is trained several times.

    Raises:
        UserError: none of its rows is.
    """
    for name, table in study.tables.items():
        if table.spread and not any(study.trainings_of(row) for row in table.rows):
            raise UserError(
                f"{source}: tables.{name}.spread: no row of the table has a recipe with several seeds; say for example "
                "`seeds: [1, 2, 3]` in one"
            )


def _scored(study: Study) -> Iterator[tuple[str, str]]:
    """Yield every scoring job with the key path that asks for it."""
    yield from ((f"tasks.{name}", metric) for name, task in study.tasks.items() for metric in task.metrics)
    for name, experiment in study.experiments.items():
        yield from ((f"experiments.{name}", metric) for metric in experiment.metrics or [])


def weights_of_metric(metric: str) -> list[str]:
    """Return the weight files that a scoring job reads."""
    return [f"weights/{name}.safetensors" for name in METRIC_FILES[metric].weights]


def check_perturbed(study: Study, source: str) -> None:
    """Check that a row which sees through another split sees there the clips that its tasks dub.

    Raises:
        UserError: the split holds other clips, or fewer.
    """
    for name, experiment in study.experiments.items():
        for task_name, film in itertools.product(experiment.tasks, experiment.films):
            task = study.tasks[task_name]
            held = study.datasets[task.dataset].splits[film]
            most = held.perturbed.clips if held.perturbed is not None else None
            if held.settings.taken_from != task.split or (most or 10**9) < (task.clips or 10**9):
                raise UserError(
                    f"{source}: experiments.{name}.video_split: {film} does not hold the clips of task {task_name} "
                    f"(split {task.split}, clips: {task.clips or 'all'}); name a split that perturbs these or films "
                    "them once more, with as many clips or more"
                )


def _uses_of_data(study: Study) -> Iterator[Use]:
    """Yield the names that adaptations, tasks, recipes and experiments use."""
    yield from _uses_of_splits(study)
    for network, adaptation in study.adapt.items():
        yield f"adapt.{network}.dataset", "dataset", adaptation.dataset, study.datasets
        yield f"adapt.{network}.split", "split", adaptation.split, study.datasets[adaptation.dataset].splits
    yield from _uses_of_checks(study)
    for name, treated in study.treated_references.items():
        yield f"treated_references.{name}.dataset", "dataset", treated.dataset, study.datasets
        yield f"treated_references.{name}.split", "split", treated.split, study.datasets[treated.dataset].splits
    for name, task in study.tasks.items():
        yield f"tasks.{name}.dataset", "dataset", task.dataset, study.datasets
        for key in ("split", "reference_split"):
            yield f"tasks.{name}.{key}", "split", getattr(task, key), study.datasets[task.dataset].splits
        yield from ((f"tasks.{name}.metrics", "metric", metric, METRIC_FILES) for metric in task.metrics)
    for name, recipe in study.recipes.items():
        yield f"recipes.{name}.dataset", "dataset", recipe.dataset, study.datasets
        yield f"recipes.{name}.split", "split", recipe.split, study.datasets[recipe.dataset].splits
        visual = [feature for feature, entry in study.features.items() if entry.is_visual()]
        for condition, feature in recipe.features().items():
            yield f"recipes.{name}.sees.{condition}.feature", "visual feature", feature, visual
        yield from (("features", "feature", needed, study.features) for needed in ("mel", "text", "speaker"))
    yield from _uses_of_experiments(study)


def _uses_of_splits(study: Study) -> Iterator[Use]:
    """Yield the splits whose clips others perturb or film once more."""
    for name, dataset in study.datasets.items():
        recorded = [key for key, split in dataset.splits.items() if split.settings.taken_from is None]
        for key, split in dataset.splits.items():
            if split.settings.taken_from is not None:
                yield f"datasets.{name}.splits.{key}.settings.of", "split", split.settings.taken_from, recorded


def _uses_of_experiments(study: Study) -> Iterator[Use]:
    """Yield the names that experiments use."""
    for name, experiment in study.experiments.items():
        where = f"experiments.{name}"
        if experiment.recipe is not None:
            yield f"{where}.recipe", "recipe", experiment.recipe, study.recipes
        if experiment.best_of is not None:
            yield f"{where}.best_of.row", "row", experiment.best_of.row, study.experiments
        yield from _uses_of_references(study, name)
        sees = study.recipes[experiment.recipe].sees if experiment.recipe is not None else {}
        for condition, scale in experiment.asked_for().items():
            if scale > 0:
                section = "sweep" if condition in (experiment.sweep or {}) else "scales"
                yield f"{where}.{section}", "condition", condition, ["text", *sees]
        yield from ((f"{where}.tasks", "task", task, study.tasks) for task in experiment.tasks)
        for task, film in itertools.product(experiment.tasks, experiment.films):
            splits = study.datasets[study.tasks[task].dataset].splits
            yield f"{where}.video_split", "split", film, splits
        yield from ((f"{where}.metrics", "metric", metric, METRIC_FILES) for metric in experiment.metrics or [])


def _uses_of_references(study: Study, name: str) -> Iterator[Use]:
    """Yield the treated references of a row; they must come from the reference split of each of its tasks."""
    for task in study.experiments[name].tasks:
        wanted = (study.tasks[task].dataset, study.tasks[task].reference_split) if task in study.tasks else None
        fitting = [key for key, entry in study.treated_references.items() if (entry.dataset, entry.split) == wanted]
        for reference in study.experiments[name].references or []:
            yield f"experiments.{name}.references (task {task})", "treated reference", reference, fitting


def _uses_of_checks(study: Study) -> Iterator[Use]:
    """Yield the names that the checks of the data use: the probe, the report on alignment."""
    if (probe := study.probe) is not None:
        yield "probe.dataset", "dataset", probe.dataset, study.datasets
        splits = study.datasets[probe.dataset].splits
        yield from (("probe.tests", "split", split, splits) for split in probe.tests)
        yield "probe.train", "split", probe.train, splits
        yield from (("probe.features", "feature", feature, study.features) for feature in ("mel", *probe.features))
    if (report := study.alignment_report) is not None:
        yield "alignment_report.dataset", "dataset", report.dataset, study.datasets
        yield "alignment_report.split", "split", report.split, study.datasets[report.dataset].splits


def _rows_of_one_point(study: Study) -> list[str]:
    """Return the rows that are spoken once: a page plays these, and not the points of a sweep."""
    return [name for name, row in study.experiments.items() if not (row.sweep or row.best_of or row.references)]


def _uses_of_rows(study: Study) -> Iterator[Use]:
    """Yield the names that tables, plots and the gallery use."""
    for name, table in study.tables.items():
        yield from _rows_of_task(study, f"tables.{name}", table.task, table.rows)
        yield from ((f"tables.{name}.metrics", "metric", metric, METRICS) for metric in table.metrics)
        if table.baseline is not None:
            yield f"tables.{name}.baseline", "row", table.baseline, table.rows
    for name, plot in study.plots.items():
        shown = plot.shows()
        if shown.table is not None:
            yield f"plots.{name}.table", "table", shown.table, study.tables
        if shown.task is not None:
            yield from _rows_of_task(study, f"plots.{name}", shown.task, shown.rows)
        yield from ((f"plots.{name}.recipes", "recipe", recipe, study.recipes) for recipe in shown.recipes)
        known = study.tables[shown.table].metrics if shown.table in study.tables else METRICS
        yield from ((f"plots.{name}", "metric", metric, known) for metric in shown.metrics)
    for name, question in study.questions.items():
        yield from ((f"questions.{name}.tables", "table", table, study.tables) for table in question.tables)
        yield from ((f"questions.{name}.plots", "plot", plot, study.plots) for plot in question.plots)
        if question.measures_cost:
            yield f"questions.{name}.measures_cost", "section", "cost", ["cost"] if study.cost else []
        if question.counts_faces_lost:
            made = ["perturb"] if study.perturbed_splits() else []
            yield f"questions.{name}.counts_faces_lost", "setting of a split", "perturb", made
    for task, played in (study.gallery.tasks if study.gallery else {}).items():
        yield from _rows_of_task(study, f"gallery.tasks.{task}", task, played.rows)
        yield from ((f"gallery.tasks.{task}.metrics", "metric", metric, METRICS) for metric in played.metrics)
        yield from (
            (f"gallery.tasks.{task}.rows", "row of a single point", row, _rows_of_one_point(study))
            for row in played.rows
        )
    if (cost := study.cost) is not None:
        yield from _rows_of_task(study, "cost", cost.task, [cost.row, *cost.rows])
        models = [name for name, row in study.experiments.items() if row.kind == "model" and not row.sweep]
        yield from (("cost.rows", "row that a model speaks without a sweep", row, models) for row in cost.rows)
        yield "cost.row", "row that a model speaks without a sweep", cost.row, models
    if (test := study.listening_test) is not None:
        yield from _rows_of_task(study, "listening_test", test.task, test.rows)
        compared = [*([test.baseline] if test.baseline else []), *(row for pair in test.pairs for row in pair)]
        yield from (("listening_test", "row", row, test.rows) for row in compared)


def _rows_of_task(study: Study, where: str, task: str, rows: Iterable[str]) -> Iterator[Use]:
    """Yield the task and the rows that it must have."""
    yield f"{where}.task", "task", task, study.tasks
    for row in rows:
        yield f"{where}.rows", "experiment", row, study.experiments
        yield f"{where}.rows: experiments.{row}.tasks", "task", task, study.experiments[row].tasks
