"""Helpers of the rule files; no rule stands here."""

import hashlib
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(workflow.basedir).resolve().parent
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from syncvoice.files import atomic_path
from syncvoice.assets import read_registry
from syncvoice.study import load_study
from syncvoice.section import nearest
from syncvoice.study.jobs import job_settings, recipe_settings
from syncvoice.study.run_record import record_run, start_of_run
from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.features import base as extractors
from syncvoice.generation import work as kinds
from syncvoice.minidub import engine
from syncvoice.minidub.settings import recording_path
from syncvoice.provenance import code_digest
from syncvoice.study.weights import fetchable_weights, missing_weights

try:
    STUDY = load_study(
        config,
        REPOSITORY / "config",
        source=", ".join(map(str, workflow.overwrite_configfiles or workflow.configfiles)) or "config",
    )
except UserError as error:
    raise WorkflowError(str(error))

SETTINGS = job_settings(
    STUDY,
    load_configfile(REPOSITORY / "config" / "paper_values.yaml"),
    {network: load_configfile(REPOSITORY / "config" / "pretrain" / f"{network}.yaml") for network in STUDY.adapt},
)
RESULTS = f"results/{STUDY.name}"


ASSETS = read_registry(REPOSITORY / "config" / "assets.yaml")
ASSET_FOLDER = "resources/assets"
NETWORKS = ("backbone", "vocoder", "speaker_encoder", "syncnet", "recogniser")


def one_of(names):
    """Regular expression of a wildcard that takes only these names."""
    return "|".join(map(re.escape, names)) or "NONE"


def prepared_splits():
    """Splits that clips are prepared for; the others are treated copies of them."""
    return sorted({split for dataset in STUDY.datasets.values() for split in dataset.splits})


wildcard_constraints:
    study=STUDY.name,
    section=one_of(SETTINGS),
    dataset=one_of(STUDY.datasets),
    split=one_of([*prepared_splits(), *STUDY.treated_references]),
    shard=r"\d+",
    feature=one_of(STUDY.features),
    task=one_of(STUDY.tasks),
    recipe=one_of(STUDY.recipes),
    experiment=one_of(STUDY.experiments),
    metric=one_of(METRIC_FILES),
    table=one_of(STUDY.tables),
    plot=one_of(STUDY.plots),


def ablation_files():
    """Rule files that users dropped into rules/ablations/."""
    return sorted((REPOSITORY / "workflow" / "rules" / "ablations").glob("*.smk"))


def as_json(value):
    """Settings as the text of a file; the same settings always give the same text."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def stored(value):
    """Name of a file that holds settings and is called by their digest: what a plan says is short, whatever changed."""
    text = as_json(value) + "\n"
    path = Path(".snakemake") / "settings" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return str(path)


def stored_settings(wildcards):
    """One section's settings."""
    return stored(SETTINGS[wildcards.section])


def stored_recipe(wildcards):
    """One resolved recipe."""
    return stored(recipe_settings(STUDY, wildcards.recipe))


def recipes_made_by(rule):
    """Recipes that a rule makes."""
    return [name for name, recipe in STUDY.recipes.items() if recipe.made_by == rule]


def check_recipes_have_rules():
    """Stop if no rule makes a recipe, as Snakemake would silently take results that an earlier study left behind."""
    for name, recipe in STUDY.recipes.items():
        if not workflow.is_rule(recipe.made_by):
            makers = [rule.name for rule in workflow.rules if rule.name.startswith("train")]
            hint = nearest(recipe.made_by, makers)
            raise WorkflowError(f"recipes.{name}.made_by: no rule {recipe.made_by!r}; {hint}")


def is_embedded(dataset):
    """Whether the workflow makes this data set itself."""
    return STUDY.datasets[dataset].is_embedded


def is_perturbed(dataset, split):
    """Whether a split holds clips of another one, made worse on purpose."""
    return STUDY.datasets[dataset].splits[split].perturbed is not None


def is_made(dataset, split):
    """Whether rules of the workflow make a split's clips, as shards of a corpus."""
    return is_embedded(dataset) or is_perturbed(dataset, split)


def splits_made_by(rule):
    """Names of the splits whose clips one of the rules make_corpus and perturb_clips makes."""
    return sorted(
        {
            split
            for name, dataset in STUDY.datasets.items()
            for split in dataset.splits
            if is_perturbed(name, split) == (rule == "perturb_clips")
        }
    )


def manifest_of_perturbed(wildcards):
    """Clips that a perturbed split takes."""
    source = STUDY.datasets[wildcards.dataset].splits[wildcards.split].perturbed
    return manifest(wildcards.dataset, source.of)


def prepared_of_perturbed(wildcards):
    """Tracked faces and sound of the clips that a perturbed split takes."""
    source = STUDY.datasets[wildcards.dataset].splits[wildcards.split].perturbed
    pattern = "results/{study}/prepared/{dataset}/{split}/shard-{shard}/{kind}"
    return over_shards(pattern, wildcards.dataset, source.of, kind=["tracks.h5", "audio"])


def data_cards():
    """Descriptions of the data sets that the workflow makes."""
    embedded = [name for name in STUDY.datasets if is_embedded(name)]
    return expand("results/{study}/corpus/{dataset}/DATA_CARD.md", study=STUDY.name, dataset=embedded)


def corpus_shard(wildcards):
    """What prepare reads: a shard of the embedded corpus, or downloaded clips, or nothing that a rule makes."""
    if not is_made(wildcards.dataset, wildcards.split):
        folder = fetched_folder(wildcards.dataset)
        return {"fetched": f"{folder}.json"} if folder else {}
    folder = f"{RESULTS}/corpus/{wildcards.dataset}/{wildcards.split}/shard-{wildcards.shard}"
    return {"clips": f"{folder}/clips.csv", "phones": f"{folder}/phones.jsonl", "media": f"{folder}/clips"}


def corpus_folder(wildcards):
    """Folder that prepare reads."""
    if not is_made(wildcards.dataset, wildcards.split):
        return STUDY.datasets[wildcards.dataset].path
    return f"{RESULTS}/corpus/{wildcards.dataset}/{wildcards.split}/shard-{wildcards.shard}"


def prepare_settings(wildcards):
    """Limits of preparing; for a local folder also which clips belong to the split."""
    if is_made(wildcards.dataset, wildcards.split):
        return f"{RESULTS}/settings/prepare.json"
    return f"{RESULTS}/settings/prepare/{wildcards.dataset}/{wildcards.split}.json"


def say_missing_weights():
    """List weights of others that are not there; they are fetched, or a sentence stops what needs them."""
    missing = missing_weights(STUDY, ASSETS)
    if missing and workflow.is_main_process:
        logger.warning("\n".join([f"{len(missing)} weight files of others are missing:", *missing]))


def fetched_folder(dataset):
    """Folder that rule fetch_grid fills, None for data that are made or lie elsewhere."""
    folder = f"resources/datasets/{dataset}"
    return folder if STUDY.datasets[dataset].fetch and STUDY.datasets[dataset].path == folder else None


def check_folders():
    """Stop with a sentence if a local folder of recordings is absent."""
    for name, dataset in STUDY.datasets.items():
        if not (is_embedded(name) or fetched_folder(name) or Path(dataset.path).is_dir()):
            raise WorkflowError(
                f"folder {dataset.path} of data set '{name}' does not exist; say where it lies with '--config "
                f"{name}_root=FOLDER' (its card in config/datasets says how to get it)"
            )


def shard_options(wildcards):
    """Which part of a local folder belongs to a shard; a shard that the workflow makes is a folder of its own."""
    if is_made(wildcards.dataset, wildcards.split):
        return "--layout minidub"
    dataset = STUDY.datasets[wildcards.dataset]
    return f"--layout {dataset.kind} --shard {wildcards.shard} --shards {dataset.splits[wildcards.split].shards}"


def over_shards(pattern, dataset, split, **names):
    """Files of every shard of a split; a treated one has a single shard."""
    shards = 1 if split in STUDY.treated_references else STUDY.datasets[dataset].splits[split].shards
    return expand(pattern, study=STUDY.name, dataset=dataset, split=split, shard=range(shards), **names)


def manifests_of_split(wildcards):
    """Manifests of the shards of a split."""
    pattern = "results/{study}/manifests/{dataset}/{split}/shard-{shard}.cuts.jsonl.gz"
    return over_shards(pattern, wildcards.dataset, wildcards.split)


def excluded_of_split(wildcards):
    """Exclusion tables of the shards of a split."""
    pattern = "results/{study}/manifests/{dataset}/{split}/shard-{shard}.excluded.csv"
    return over_shards(pattern, wildcards.dataset, wildcards.split)


def prepared_of_split(wildcards):
    """Tracked faces and sound of the shards of a split."""
    pattern = "results/{study}/prepared/{dataset}/{split}/shard-{shard}/{kind}"
    return over_shards(pattern, wildcards.dataset, wildcards.split, kind=["tracks.h5", "audio"])


def source_of_treatment(wildcards):
    """Manifest of the recordings that are treated."""
    return manifest(wildcards.dataset, STUDY.treated_references[wildcards.split].split)


def prepared_source_of_treatment(wildcards):
    """Sound of the recordings that are treated."""
    pattern = "results/{study}/prepared/{dataset}/{split}/shard-{shard}/audio"
    return over_shards(pattern, wildcards.dataset, STUDY.treated_references[wildcards.split].split)


def manifest(dataset, split):
    """Merged manifest of a split."""
    return f"{RESULTS}/manifests/{dataset}/{split}.cuts.jsonl.gz"


def feature_shards(dataset, split, features):
    """Feature files of a split."""
    pattern = "results/{study}/features/{dataset}/{split}/{feature}/shard-{shard}.h5"
    return over_shards(pattern, dataset, split, feature=list(features))


def features_of_recipe(wildcards):
    """Features that a recipe trains on: sound, text and voice always, and what its fusion sees."""
    recipe = STUDY.recipes[wildcards.recipe]
    seen = dict.fromkeys(recipe.features().values())
    return feature_shards(recipe.dataset, recipe.split, ["mel", "text", "speaker", *seen])


def features_root_of_recipe(wildcards):
    """Folder of the features that a recipe trains on."""
    recipe = STUDY.recipes[wildcards.recipe]
    return f"{RESULTS}/features/{recipe.dataset}/{recipe.split}"


def manifest_of_recipe(wildcards):
    """Training clips of a recipe."""
    recipe = STUDY.recipes[wildcards.recipe]
    return manifest(recipe.dataset, recipe.split)


def with_metadata(weights):
    """Weight files with what belongs to each: the JSON file beside our own, sizes and symbols of a public ZipVoice."""
    return [path for file in weights for path in (file, *beside(file))]


def beside(file):
    """Files that a weight file cannot be read without."""
    folder = Path(file).parent
    published = folder.is_relative_to(ASSET_FOLDER)
    if published:  # a folder of its own holds a release, whose files the registry names
        return [] if folder == Path(ASSET_FOLDER) else [str(folder / name) for name in ("model.json", "tokens.txt")]
    return [str(Path(file).with_suffix(".json"))]


def weights_of_feature(wildcards):
    """Published weights that a feature's network reads; none for what comes inside a package or was computed before."""
    settings = STUDY.features[wildcards.feature].settings
    weights = getattr(settings, "weights", None) or (f"{ASSET_FOLDER}/{settings.asset}" if settings.asset else None)
    if weights is None:
        return []
    return [weights] if Path(weights).is_relative_to(ASSET_FOLDER) else with_metadata([weights])


def engine_of_corpus(wildcards):
    """Name of the engine that speaks an embedded data set."""
    return STUDY.datasets[wildcards.dataset].settings.engine


def speech_of_corpus(wildcards):
    """What speaks a split of an embedded data set: its recording, else the networks of the engine (none for espeak)."""
    dataset = STUDY.datasets[wildcards.dataset]
    if recordings := dataset.settings.recordings:
        return [str(recording_path(recordings, dataset.splits[wildcards.split].settings.taken_from or wildcards.split))]
    return [f"{ASSET_FOLDER}/{asset}" for asset in engine.ASSETS[engine_of_corpus(wildcards)]]


def code_of_corpus(wildcards):
    """Digest of what makes an embedded data set; the code of another engine does not count."""
    return code_digest("syncvoice.commands.corpus", engine.ENGINES[engine_of_corpus(wildcards)])


def code_of_feature(wildcards):
    """Digest of what one feature runs; another extractor's code does not count."""
    extractor = STUDY.features[wildcards.feature].extractor
    return code_digest("syncvoice.commands.features", extractors.module_name(extractor))


def manifest_of_task(wildcards):
    """Clips of a task."""
    task = STUDY.tasks[wildcards.task]
    return manifest(task.dataset, task.split)


def references_of_task(wildcards):
    """Reference recordings of a task."""
    task = STUDY.tasks[wildcards.task]
    return manifest(task.dataset, task.reference_split)


def features_root_of_task(wildcards):
    """Folder of the features of a task's data set, all splits."""
    return f"{RESULTS}/features/{STUDY.tasks[wildcards.task].dataset}"


def weights_of_scorer(wildcards):
    """Weights that a metric scores with."""
    published = [f"{ASSET_FOLDER}/{name}" for name in METRIC_FILES[wildcards.metric].assets]
    return with_metadata([*map(STUDY.network_file, METRIC_FILES[wildcards.metric].weights), *published])


def adapted_scorers(wildcards):
    """Options that give a scorer the networks that the study trained further."""
    adapted = [network for network in METRIC_FILES[wildcards.metric].weights if network in STUDY.adapt]
    return " ".join(f"--network {network}={STUDY.network_file(network)}" for network in adapted)


def seen_by_scorer(wildcards):
    """What the scorer saw of the task's clips, once for all rows; nothing for a scorer that looks at no video."""
    if not METRIC_FILES[wildcards.metric].sees_once:
        return []
    task = STUDY.tasks[wildcards.task]
    pattern = "results/{study}/lips/{dataset}/{split}/{metric}/shard-{shard}.h5"
    return over_shards(pattern, task.dataset, task.split, metric=wildcards.metric)


def scorer_of_metric(wildcards):
    """Module and class that score a metric."""
    return METRIC_FILES[wildcards.metric].scorer


def code_of_scorer(wildcards):
    """Digest of what one metric runs; another metric's code does not count."""
    source = scorer_of_metric(wildcards).split(":")[0]
    return code_digest("syncvoice.commands.score_task", f"syncvoice.metrics.{source}")


def code_of_lips(wildcards):
    """Digest of what looks at the lips of clips."""
    source = scorer_of_metric(wildcards).split(":")[0]
    return code_digest("syncvoice.commands.embed_lips", f"syncvoice.metrics.{source}")


def ground_truth_manifests(wildcards):
    """Clips of every task: what a lip-sync scorer is checked on."""
    return list(dict.fromkeys(manifest(task.dataset, task.split) for task in STUDY.tasks.values()))
