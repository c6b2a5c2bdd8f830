"""What the speech of a row depends on; no rule stands here."""


def model_of_experiment(wildcards):
    """Model of a row, nothing for a row without a recipe."""
    recipe = STUDY.experiments[wildcards.experiment].recipe
    return [f"{RESULTS}/models/{recipe}/model.safetensors"] if recipe else []


def kind_of_experiment(wildcards):
    """Options of `syncvoice generate` that say who speaks."""
    experiment = STUDY.experiments[wildcards.experiment]
    model = f" --model {RESULTS}/models/{experiment.recipe}" if experiment.recipe else ""
    candidates = "".join(f" --candidates {folder}" for folder in candidates_of_experiment(wildcards))
    references = " ".join(["", "--references", *treated_references_of_experiment(wildcards)])
    return f"--kind {experiment.kind}{model}{candidates}{references if experiment.references else ''}"


def treated_references_of_experiment(wildcards):
    """Manifests of the treated references that give a row its voices; nothing for a row that takes the task's."""
    dataset = STUDY.tasks[wildcards.task].dataset
    return [manifest(dataset, split) for split in STUDY.experiments[wildcards.experiment].references or []]


def candidates_of_experiment(wildcards):
    """Speech that a row chooses from; nothing for a row that speaks itself."""
    chosen = STUDY.experiments[wildcards.experiment].best_of
    return [f"{RESULTS}/speech/{chosen.row}/{wildcards.task}"] if chosen else []


def tasks_in_parts(several):
    """Tasks whose rows are spoken by several jobs each, or by one."""
    return [name for name, task in STUDY.tasks.items() if (task.parts > 1) == several]


def part_of_task(wildcards):
    """Option of `syncvoice generate` that says which part of the task a job speaks; nothing for the whole."""
    part = wildcards.get("part")
    return "" if part is None else f"--part {part}/{STUDY.tasks[wildcards.task].parts}"


def parts_of_task(wildcards):
    """Speech of all parts of a row."""
    parts = range(STUDY.tasks[wildcards.task].parts)
    return [f"{RESULTS}/parts/{wildcards.experiment}/{wildcards.task}/{part}" for part in parts]


def code_of_experiment(wildcards):
    """Digest of what one kind of row runs; another kind's code does not count."""
    kind = STUDY.experiments[wildcards.experiment].kind
    return code_digest("syncvoice.commands.generate", kinds.module_name(kind))


def features_of_experiment(wildcards):
    """Features that a row's speech depends on: of the clip, and of the reference recording."""
    task, row = STUDY.tasks[wildcards.task], STUDY.experiments[wildcards.experiment]
    kind = kinds.kind_module(row.kind)
    guides = STUDY.guided_by(wildcards.experiment)
    films, voices = row.films or [task.split], row.references or [task.reference_split]
    return [
        *feature_shards(task.dataset, task.split, kind.CLIP_FEATURES),
        *(path for split in films for path in feature_shards(task.dataset, split, guides)),
        *(path for split in voices for path in feature_shards(task.dataset, split, kind.REFERENCE_FEATURES)),
    ]


def weights_of_experiment(wildcards):
    """Weights that a row's speech depends on."""
    return with_metadata(STUDY.weights_read_by(wildcards.experiment))
