"""Threads, memory, graphics cards and environment of jobs; no rule stands here."""

from syncvoice.study.scheduling import look_only_when_a_job_ends


def threads_of(kind):
    """Threads that a kind of job computes with (config, never --cores)."""
    return getattr(STUDY.threads, kind)


def thread_environment(kind, device="cpu"):
    """Environment that fixes threads of numerical libraries, whatever --cores grants, and the device of networks."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return " ".join([*(f"{name}={threads_of(kind)}" for name in names), f"SYNCVOICE_DEVICE={device}"])


def memory(megabytes):
    """Memory of a job, doubled at every attempt."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def memory_of_feature(wildcards, attempt):
    """Memory of a feature job: more where a published network runs."""
    return memory(6000 if weights_of_feature(wildcards) else 2000)(wildcards, attempt)


def memory_of_recipe(wildcards, attempt):
    """Memory of a training: each of its processes holds the model, its optimiser and a batch."""
    return memory(6000 * STUDY.recipes[wildcards.recipe].devices)(wildcards, attempt)


def attempt_number(wildcards, attempt):
    """Which attempt it is, from 1; reaches a job beside its log, see `syncvoice.cli.marker_of_job`."""
    return attempt


def cards_of_experiment(wildcards):
    """Graphics cards of a generate job."""
    return STUDY.cards_of_row(wildcards.experiment)


def cards_of_feature(wildcards):
    """Graphics cards of a feature job."""
    return STUDY.cards_of_feature(wildcards.feature)


def cards_of_scorer(wildcards):
    """Graphics cards of a score job."""
    return STUDY.cards_of_scorer(wildcards.metric)


def cards_of_recipe(wildcards):
    """Graphics cards of a training."""
    return STUDY.cards_of_recipe(wildcards.recipe)


def environment(kind, cards):
    """Environment of a job that may be given cards; one that asks for none computes on the CPU."""
    return lambda wildcards: thread_environment(kind, STUDY.device if cards(wildcards) else "cpu")
