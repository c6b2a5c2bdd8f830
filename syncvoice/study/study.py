"""A study: data sets, features, tasks, recipes, experiments, metrics, tables and plots under one name."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, SerializeAsAny

from syncvoice.cost.settings import Cost
from syncvoice.datasets.settings import Dataset
from syncvoice.datasets.tasks import TaskSettings
from syncvoice.datasets.treated_references import ReferenceTreatment
from syncvoice.device import DeviceName
from syncvoice.features.base import ExtractorSettings, extractor_module
from syncvoice.generation.work import kind_module
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.minidub.settings import Language
from syncvoice.reporting.plots.job import Plot
from syncvoice.reporting.settings import AlignmentReport, Bootstrap, Gallery, ListeningTest, Probe, Question, Table
from syncvoice.section import Name, Section
from syncvoice.study.row import Experiment
from syncvoice.training.recipe import Recipe
from syncvoice.video.prepare import PrepareSettings


class Feature(Section):
    """A cached feature: an extractor (a module of `features/extractors/`) and what it takes."""

    extractor: str
    settings: SerializeAsAny[ExtractorSettings]  # the class is the extractor's own (see study/parts.py)

    def is_visual(self) -> bool:
        """Whether it is computed from the tracked video; otherwise from sound or text."""
        return "track_sha256" in extractor_module(self.extractor).Extractor.source_fields


class Task(TaskSettings):
    """A list of utterances to dub: clips of a split, each with a reference recording of the wanted voice.

    Attributes:
        metrics: scoring jobs (metric files).
        parts: jobs that share the speaking of a row.
    """

    dataset: Name
    split: Name
    reference_split: Name
    metrics: list[str]
    parts: int = Field(default=1, ge=1)


class Weights(Section):
    """Weights that a study starts from; a recipe may name others."""

    backbone: str
    vocoder: str
    speaker_encoder: str
    lip_timing: str
    tts: str  # an asset, fetched when a row wants it


AdaptedNetwork = Literal["vocoder", "syncnet", "recogniser"]


class Adaptation(Section):
    """A shipped network that learns on, on the clips of one split of the study: nothing else is given to it.

    `settings` lie over config/pretrain/NETWORK.yaml. The weights go to results/{study}/networks/NETWORK.safetensors and
    take the place of the shipped ones in the whole study.
    """

    dataset: Name
    split: Name
    settings: dict[str, Any] = {}


class Threads(Section):
    """Threads that each kind of job computes with; results depend on these numbers, never on --cores."""

    corpus: int = Field(ge=1)
    prepare: int = Field(ge=1)
    features: int = Field(ge=1)
    train: int = Field(ge=1)
    generate: int = Field(ge=1)
    score: int = Field(ge=1)
    report: int = Field(ge=1)
    pretrain: int = Field(ge=1)


def adapted_file(study: str, network: str) -> str:
    """Return where a study keeps a network that learned on its clips."""
    return f"results/{study}/networks/{network}.safetensors"


class Study(Section):
    """Everything under results/{name}/."""

    name: Name
    seed: int = Field(ge=0)
    threads: Threads
    device: DeviceName  # where networks compute, see syncvoice/device.py
    weights: Weights
    adapt: dict[AdaptedNetwork, Adaptation]
    pretrain_from: str | None
    pretrain_minutes: float | None = Field(gt=0)
    pretrain_languages: dict[Language, float]
    pretrain_hours: float = Field(gt=0)
    pretrain_arithmetic: Literal["int8", "bf16"]
    prepare: PrepareSettings
    bootstrap: Bootstrap
    datasets: dict[Name, Dataset]
    features: dict[Name, Feature]
    treated_references: dict[Name, ReferenceTreatment]
    tasks: dict[Name, Task]
    recipes: dict[Name, Recipe]
    experiments: dict[Name, Experiment]
    tables: dict[Name, Table]
    plots: dict[Name, SerializeAsAny[Plot]]
    questions: dict[Name, Question]
    gallery: Gallery | None
    probe: Probe | None
    alignment_report: AlignmentReport | None
    listening_test: ListeningTest | None
    cost: Cost | None

    def perturbed_splits(self) -> list[tuple[str, str]]:
        """Return data set and split of everything that the study perturbs."""
        return [
            (name, split)
            for name, dataset in self.datasets.items()
            for split, entry in dataset.splits.items()
            if entry.perturbed is not None
        ]

    def metrics_of(self, experiment: str, task: str) -> list[str]:
        """Return the scoring jobs of a row: the task's metrics, cut to the experiment's own list if it has one."""
        chosen = self.experiments[experiment].metrics
        return [metric for metric in self.tasks[task].metrics if chosen is None or metric in chosen]

    def models_used(self) -> list[str]:
        """Return the recipes that experiments ask for, in the order of `recipes`."""
        asked = {experiment.recipe for experiment in self.experiments.values()}
        return [recipe for recipe in self.recipes if recipe in asked]

    def trainings_of(self, row: str) -> dict[int, str]:
        """Return the rows of the same settings by the seed of their recipe's training, the row itself first.

        Empty for a row whose recipe is trained once, or that has none.
        """
        again = [name for name, experiment in self.experiments.items() if experiment.repeats == row]
        recipes = {name: self.experiments[name].recipe for name in [row, *again]}
        return {self.recipes[recipe].seed: name for name, recipe in recipes.items() if recipe} if again else {}

    def rows_of_table(self, table: str) -> list[str]:
        """Return the rows whose scores a table reads: those it shows, and those of further trainings."""
        shown = self.tables[table]
        again = [name for row in shown.rows for name in self.trainings_of(row).values()] if shown.spread else []
        return list(dict.fromkeys([*shown.rows, *again]))

    def guided_by(self, experiment: str) -> list[str]:
        """Return the features of the video that guide a row anywhere in its scales or its sweep."""
        row = self.experiments[experiment]
        if row.recipe is None:
            return []
        asked, seen = row.asked_for(), self.recipes[row.recipe].features()
        return list(dict.fromkeys(feature for name, feature in seen.items() if asked.get(name, 0.0) > 0))

    def rows(self) -> Iterable[tuple[str, str]]:
        """Yield every (experiment, task) pair of the study."""
        for name, experiment in self.experiments.items():
            for task in experiment.tasks:
                yield name, task

    def shipped_file(self, network: str) -> str:
        """Return the file of a network as the study finds it."""
        return str(self.weights.model_dump().get(network, f"weights/{network}.safetensors"))

    def network_file(self, network: str) -> str:
        """Return the file of a network as the study uses it: trained on the study's own clips, or as it was found."""
        return adapted_file(self.name, network) if network in self.adapt else self.shipped_file(network)

    def weights_of(self, experiment: str) -> dict[str, str]:
        """Return the weights that a row's speech depends on: its recipe's, or the study's."""
        files = {network: self.network_file(network) for network in (*self.weights.model_dump(), "recogniser")}
        recipe = self.recipes.get(self.experiments[experiment].recipe or "")
        if recipe is None:
            return files
        own = {"backbone": recipe.start, "vocoder": recipe.vocoder, "speaker_encoder": recipe.speaker_encoder}
        return files | own

    def weights_read_by(self, experiment: str) -> list[str]:
        """Return those of `weights_of` that the row's kind has a setting for."""
        fields = kind_module(self.experiments[experiment].kind).Settings.model_fields
        return [file for network, file in self.weights_of(experiment).items() if network in fields]

    def cards_of_row(self, experiment: str) -> int:
        """Return the graphics cards that a row's generate job asks for."""
        return self._cards(kind_module(self.experiments[experiment].kind).USES_CARD)

    def cards_of_feature(self, feature: str) -> int:
        """Return the graphics cards that a feature job asks for: a network of others runs on one."""
        return self._cards(self.features[feature].settings.uses_card)

    def cards_of_scorer(self, metric: str) -> int:
        """Return the graphics cards that a score job asks for."""
        return self._cards(METRIC_FILES[metric].uses_card)

    def cards_of_recipe(self, recipe: str) -> int:
        """Return the graphics cards that a training asks for."""
        return self._cards(True) * self.recipes[recipe].devices

    def _cards(self, uses: bool) -> int:
        """Return 1 for a job that can use a card, in a study that may; else 0."""
        return int(uses and self.device != "cpu")

    def conditioning_networks(self) -> set[str]:
        """Return the networks that a model hears or sees through, by name or weight file."""
        networks = {feature.settings.reads_through() for feature in self.features.values()} | set(
            self.weights.model_dump().values()
        )
        for recipe in self.recipes.values():
            networks |= set(recipe.weights())
        return networks - {""}
