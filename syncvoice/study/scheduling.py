"""When Snakemake looks for jobs that can start."""

from typing import Any

DEFAULT_LIMIT = (100, 1)  # job starts, seconds: what Snakemake assumes when nobody says anything


def look_only_when_a_job_ends(scheduler: Any) -> bool:
    """Take Snakemake's default limit of job starts away from its scheduler, before the first job.

    With a limit Snakemake 9.27 looks for jobs again after each span of it, and begins another such round with every job
    that ends: after a few hundred jobs it does nothing else, on a third of a core. A limit that somebody asked for
    (`--max-jobs-per-timespan`) stays.

    Args:
        scheduler: `workflow.scheduler`; one that has no such limit, as of other versions, is left alone.

    Returns:
        whether a limit was taken away.
    """
    limiter = getattr(scheduler, "job_rate_limiter", None)
    if limiter is None or (limiter.max_jobs, limiter.timespan) != DEFAULT_LIMIT:
        return False
    scheduler.job_rate_limiter = None
    return True
