"""A study: data sets, features, tasks, recipes, experiments, metrics, tables and plots under one name."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from syncvoice.features.base import ExtractorSettings, extractor_module, extractor_settings
from syncvoice.section import Name, Section
from syncvoice.study.row import Experiment
from syncvoice.training.recipe import Recipe


class Split(Section):
    """A split of a data set; `settings` belong to the command that makes or reads the data set.

    For local folders they say which clips belong to the split (syncvoice/datasets/base.py, `Selection`).
    """

    shards: int = Field(ge=1)
    settings: dict[str, Any] = {}


class Dataset(Section):
    """Where clips come from: `minidub` is made by the workflow, other layouts are read from `path`.

    `--config NAME_root=FOLDER` on the command line sets the path of data set NAME. With `fetch`, the workflow downloads
    what is not there to resources/datasets/NAME, unless the path is another one.
    """

    kind: Literal["minidub", "folder", "grid", "lrs3"]
    path: str | None = None
    fetch: bool = False
    settings: dict[str, Any] = {}
    splits: dict[Name, Split]

    @model_validator(mode="after")
    def _path_fits_kind(self) -> "Dataset":
        """A corpus that is made has no path, one that is read needs it."""
        if (self.kind == "minidub") != (self.path is None):
            raise ValueError("kind minidub takes no path, other kinds need one")
        return self


class Feature(Section):
    """A cached feature: an extractor (a module of `features/extractors/`) and what it takes."""

    extractor: str
    settings: dict[str, Any] = {}  # their schema is the extractor's own

    def typed(self, source: str = "settings") -> ExtractorSettings:
        """Return the extractor's settings.

        Raises:
            UserError: unknown extractor or setting; `source` is where they stand.
        """
        return extractor_settings(self.extractor, self.settings, source)

    def is_visual(self) -> bool:
        """Whether it is computed from the tracked video; otherwise from sound or text."""
        return "track_sha256" in extractor_module(self.extractor).Extractor.source_fields


class Task(Section):
    """A list of utterances to dub: clips of a split, each with a reference recording of the wanted voice."""

    dataset: Name
    split: Name
    reference_split: Name
    language: Literal["en", "zh"]  # of the speech to generate
    text: Literal["own", "translation"]
    clips: int | None = None  # None = all
    voice_of: Literal["same_speaker", "target", "other_speaker"] = "same_speaker"  # GRID: Dub 2.0, Dub 1.0, Dub 3.0
    metrics: list[str]  # scoring jobs (metric files)


class Table(Section):
    """A table: rows (experiments) of one task; the baseline of the paired differences is one of the rows."""

    task: Name
    rows: list[Name] = Field(min_length=1)
    metrics: list[str] = Field(min_length=1)  # metric ids, in the order of the columns
    baseline: Name | None = None
    caption: str
    notes: list[str] = []


class Plot(Section):
    """A plot; which of the optional keys a kind takes stands in syncvoice/reporting/settings.py."""

    kind: Literal["metrics", "differences", "guidance_pareto", "temporal_ablation", "spectrogram", "training_curves"]
    caption: str
    table: Name | None = None
    task: Name | None = None
    rows: list[Name] | None = None
    recipes: list[Name] | None = None
    metrics: list[str] | None = None
    x: list[str] | None = None
    y: str | None = None
    group: str | None = None
    utterance: str | None = None


class GalleryTask(Section):
    """Clips of one task, all rows side by side."""

    caption: str
    rows: list[Name] = Field(min_length=1)
    metrics: list[str] = []  # metric ids under each video
    clips: int = Field(ge=1)


class Gallery(Section):
    """The page that plays rows side by side."""

    caption: str
    max_megabytes: float = Field(gt=0)
    tasks: dict[Name, GalleryTask]


class ListeningTest(Section):
    """The page of a listening test; files of answers are read back when `answers` names their folder."""

    caption: str
    task: Name
    rows: list[Name] = Field(min_length=1)
    baseline: Name | None = None
    clips: int = Field(ge=1)
    pairs: list[tuple[Name, Name]] = []  # rows that are compared directly
    checks: int = Field(ge=0)
    max_megabytes: float = Field(gt=0)
    answers: str | None = None


class Bootstrap(Section):
    """Intervals of the tables: bootstrap over clips."""

    resamples: int = Field(ge=1)
    confidence: float = Field(gt=0.5, lt=1.0)
    seed: int = Field(ge=0)


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


class Probe(Section):
    """Linear probe of the visual features: fitted on one split, scored on others (see reporting/probe.py)."""

    dataset: Name
    train: Name
    tests: list[Name] = Field(min_length=1)


class AlignmentReport(Section):
    """Error of forced alignment on a split with known word times, for the shipped recogniser and the study's own."""

    dataset: Name
    split: Name


def adapted_file(study: str, network: str) -> str:
    """Return where a study keeps a network that learned on its clips."""
    return f"results/{study}/networks/{network}.safetensors"


class Study(Section):
    """Everything under results/{name}/."""

    name: Name
    seed: int = Field(ge=0)
    threads: dict[str, int]  # per rule; results depend on these numbers, never on --cores
    weights: Weights
    adapt: dict[AdaptedNetwork, Adaptation]
    pretrain_from: str | None
    pretrain_minutes: float | None = Field(gt=0)
    prepare: dict[str, Any]
    bootstrap: Bootstrap
    datasets: dict[Name, Dataset]
    features: dict[Name, Feature]
    tasks: dict[Name, Task]
    recipes: dict[Name, Recipe]
    experiments: dict[Name, Experiment]
    tables: dict[Name, Table]
    plots: dict[Name, Plot]
    gallery: Gallery | None
    probe: Probe | None
    alignment_report: AlignmentReport | None
    listening_test: ListeningTest | None

    def metrics_of(self, experiment: str, task: str) -> list[str]:
        """Return the scoring jobs of a row: the task's metrics, cut to the experiment's own list if it has one."""
        chosen = self.experiments[experiment].metrics
        return [metric for metric in self.tasks[task].metrics if chosen is None or metric in chosen]

    def models_used(self) -> list[str]:
        """Return the recipes that experiments ask for, in the order of `recipes`."""
        asked = {experiment.recipe for experiment in self.experiments.values()}
        return [recipe for recipe in self.recipes if recipe in asked]

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
        recipe = self.recipes.get(self.experiments[experiment].recipe or "")
        if recipe is None:
            return {network: self.network_file(network) for network in self.weights.model_dump()}
        return {"backbone": recipe.start, "vocoder": recipe.vocoder, "speaker_encoder": recipe.speaker_encoder}

    def conditioning_networks(self) -> set[str]:
        """Return the networks that a model hears or sees through, by name or weight file."""
        networks = {feature.typed().reads_through() for feature in self.features.values()} | set(
            self.weights.model_dump().values()
        )
        for recipe in self.recipes.values():
            networks |= {recipe.start, recipe.vocoder, recipe.speaker_encoder}
        return networks - {""}
