"""What tables, plots and the gallery read; no rule stands here."""


def scores_of(experiments, task):
    """Score files of rows on one task."""
    return [
        f"{RESULTS}/metrics/{experiment}/{task}/{metric}.csv"
        for experiment in experiments
        for metric in STUDY.metrics_of(experiment, task)
    ]


def scores_of_table(wildcards):
    """Score files that a table aggregates."""
    return scores_of(STUDY.rows_of_table(wildcards.table), STUDY.tables[wildcards.table].task)


def check_of_table(wildcards):
    """Proof that the small SyncNet may score, for a table that shows its scores."""
    scored = any(metric.endswith(".syncnet_mini") for metric in STUDY.tables[wildcards.table].metrics)
    return [f"{RESULTS}/metrics/syncnet_check.json"] if scored else []


def task_of_table(wildcards):
    """Utterances that a table counts."""
    return f"{RESULTS}/tasks/{STUDY.tables[wildcards.table].task}.csv"


def inputs_of_plot(wildcards):
    """What a plot shows: a table, scores of rows on a task, speech (spectrograms) or training curves."""
    shown = STUDY.plots[wildcards.plot].shows()
    files = [f"{RESULTS}/tables/{shown.table}.csv"] if shown.table else []
    if shown.task:
        files.append(f"{RESULTS}/tasks/{shown.task}.csv")
        files += scores_of(shown.rows, shown.task)
    if shown.speech:
        files += [f"{RESULTS}/speech/{row}/{shown.task}" for row in shown.rows]
    return files + [f"{RESULTS}/models/{recipe}/curve.csv" for recipe in shown.recipes]


def code_of_plot(wildcards):
    """Digest of what draws one kind of plot; another kind does not count."""
    return code_digest("syncvoice.commands.plot", f"syncvoice.reporting.plots.{STUDY.plots[wildcards.plot].kind}")


def references_of_gallery(wildcards):
    """Recordings whose voices the gallery's rows should have."""
    tasks = [STUDY.tasks[task] for task in STUDY.gallery.tasks]
    return list(dict.fromkeys(manifest(task.dataset, task.reference_split) for task in tasks))


def inputs_of_gallery(wildcards):
    """What the gallery plays (dubbed videos) and shows under them (scores)."""
    return [
        path
        for task, shown in STUDY.gallery.tasks.items()
        for path in (
            f"{RESULTS}/tasks/{task}.csv",
            *(f"{RESULTS}/videos/{row}/{task}" for row in shown.rows),
            *scores_of(shown.rows, task),
        )
    ]
