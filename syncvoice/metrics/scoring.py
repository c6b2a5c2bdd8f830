"""From a scorer and utterances to score rows: whatever happens to an utterance, it yields a row for every metric.

Rows are written as they come and utterances are loaded one batch at a time, so memory does not grow with their number.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncvoice.errors import ChangedFile, UserError, raise_if_passing
from syncvoice.metrics.scorer import NotApplicable, Problem, Score, ScoreError, Scorer, Utterance, unforeseen


@dataclass(frozen=True)
class Work:
    """One utterance to score.

    Attributes:
        row: its row of the task.
        point: point of a sweep, empty otherwise.
        load: reads its sound; raises NotApplicable, ScoreError or UserError.
    """

    row: Mapping[str, str]
    point: str
    load: Callable[[], Utterance]


def scored(scorer: Scorer, work: Iterable[Work]) -> Iterator[dict[str, str]]:
    """Score utterances, as many at once as the scorer likes best."""
    part: list[Work] = []
    for item in work:
        part.append(item)
        if len(part) == scorer.BATCH:
            yield from _scored_part(scorer, part)
            part = []
    if part:
        yield from _scored_part(scorer, part)


def _scored_part(scorer: Scorer, work: Sequence[Work]) -> Iterator[dict[str, str]]:
    """Rows of a few utterances, in their order."""
    loaded = [_loaded(scorer, item) for item in work]
    utterances = [item for item in loaded if isinstance(item, Utterance)]
    results = iter(_scored_all(scorer, utterances))
    for item, found in zip(work, loaded, strict=True):
        if isinstance(found, Utterance):
            yield from _rows(scorer, item, next(results), found.note)
        else:
            yield from _rows(scorer, item, found, "")


def _loaded(scorer: Scorer, work: Work) -> Utterance | Problem:
    """Load an utterance, or return what is wrong with it."""
    try:
        scorer.check(work.row)  # whether a metric exists for a row does not depend on its speech
        return work.load()
    except (NotApplicable, ScoreError, UserError) as problem:
        return problem
    except ChangedFile:  # the whole job is not to be trusted
        raise
    except Exception as error:  # whatever it is, it concerns this utterance only
        raise_if_passing(error)
        return unforeseen(error)


def _scored_all(scorer: Scorer, utterances: Sequence[Utterance]) -> Sequence[list[Score] | Problem]:
    """Score utterances together; where that fails as a whole, one by one, so that one costs no other its score."""
    if not utterances:
        return []
    try:
        return scorer.score_many(utterances)
    except ChangedFile:  # the whole job is not to be trusted
        raise
    except Exception as error:
        raise_if_passing(error)
        if len(utterances) == 1:
            return [unforeseen(error)]
        return [result for utterance in utterances for result in _scored_all(scorer, [utterance])]


def _rows(scorer: Scorer, work: Work, result: list[Score] | Problem, note: str) -> Iterator[dict[str, str]]:
    """Rows of one utterance: one per metric of the file."""
    base = {
        "utterance": work.row["utterance"],
        "point": work.point,
        "scorer": scorer.NAME,
        "scorer_version": scorer.VERSION,
        "weights_sha256": scorer.weights_sha256,
    }
    metrics = scorer.metrics_for(work.row)
    if isinstance(result, list):
        scores = {score.metric: score for score in result}
        for metric in metrics:
            score = scores.get(metric)
            absent = {"status": "not_applicable", "message": "" if score else scorer.why_absent(metric)}
            yield {**base, "metric": metric, **(_result(score, note) if score else absent)}
        return
    status = "not_applicable" if isinstance(result, NotApplicable) else "failed"
    counts = _failed_counts(scorer, work.row) if status == "failed" else {}
    for metric in metrics:
        yield {**base, "metric": metric, "status": status, "message": str(result), **counts}


def _failed_counts(scorer: Scorer, row: Mapping[str, str]) -> dict[str, str]:
    """Word counts of a failed utterance as text."""
    try:
        return {name: str(count) for name, count in scorer.counts_if_failed(row).items()}
    except ScoreError:  # an empty script has no words to miss
        return {}
    except ChangedFile:  # the whole job is not to be trusted
        raise
    except Exception as error:
        raise_if_passing(error)
        unforeseen(error)
        return {}


def _result(score: Score, note: str) -> dict[str, str]:
    """Value, status and counts of a score; a value that is not finite is a failure."""
    if not math.isfinite(score.value):
        return {"status": "failed", "message": f"the scorer returned {score.value}"}
    counts = {name: str(count) for name, count in score.counts.items()}
    return {"value": f"{score.value:.6f}", "status": "ok", "message": note, **counts}
