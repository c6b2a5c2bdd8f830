"""Best of N: of several candidates of the same speech, keep the one that a judge likes best.

Who judges is a kind of row (`kinds/best_by_*.py`). No network that judges may score the row; the study checks it.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.generation.settings import BestOf, best_of_point, candidate_point
from syncvoice.generation.work import Row, Work, failed
from syncvoice.records.speech import read_speech, sound_of
from syncvoice.records.tasks import Utterance
from syncvoice.section import Name, Section

Judge = Callable[[Utterance, np.ndarray], float]
"""Likes a sound (samples,) at 16 kHz of an utterance the more, the higher; -inf or NaN: of no use."""


class ChoiceSettings(Section):
    """What rows that choose have in common."""

    experiment: Name
    best_of: BestOf


def choose_all(settings: ChoiceSettings, work: Work, judge: Judge) -> list[Row]:
    """Keep the best candidate of every utterance and count of candidates, by the same judgements for all counts.

    Args:
        settings: how many candidates each point chooses from.
        work: utterances, and the folder of their candidates.
        judge: of sounds.

    Returns:
        all rows, by point and utterance; an utterance without a usable candidate has failed.

    Raises:
        UserError: the row that is chosen from has fewer candidates than are asked for.
    """
    assert work.candidates is not None
    spoken = {(row["utterance"], row["point"]): row for row in read_speech(work.candidates)}
    most = max(settings.best_of.counts)
    names = [candidate_point(k) for k in range(most)]
    if missing := sorted(set(names) - {point for _, point in spoken}, key=names.index):
        raise UserError(
            f"experiment {settings.experiment}: {work.candidates} has no {missing[0]}; best_of.counts asks for"
            f" {most} candidates, so row {settings.best_of.row} must speak as many"
        )
    rows: list[Row] = []
    for utterance in work.utterances:
        found = [spoken.get((utterance.utterance, name)) for name in names]
        likings = [_liking(judge, utterance, work.candidates, row) for row in found]
        for count in settings.best_of.counts:
            best = best_of(likings[:count])
            rows.append(_kept(work, utterance.utterance, count, None if best is None else found[best]))
    return sorted(rows, key=lambda row: (str(row["point"]), str(row["utterance"])))


def best_of(likings: list[float]) -> int | None:
    """Return the index of the highest liking, the first of equal ones; None where nothing is liked.

    >>> best_of([0.1, 0.3, float("nan"), 0.3])
    1
    """
    usable = [k for k, liking in enumerate(likings) if liking > -math.inf]  # NaN is not
    return max(usable, key=lambda k: likings[k], default=None)


def _liking(judge: Judge, utterance: Utterance, folder: Path, row: Mapping[str, str] | None) -> float:
    """Judge one candidate; one that was not spoken is of no use."""
    if row is None or row["status"] != "ok":
        return -math.inf
    return judge(utterance, sound_of(folder, row, SCORER_SAMPLE_RATE))


def _kept(work: Work, name: str, count: int, row: Mapping[str, str] | None) -> Row:
    """Copy a candidate to the point of a count; the message says which one it is."""
    point = best_of_point(count)
    if row is None:
        return failed(name, point, f"none of {count} candidates could be judged")
    assert work.candidates is not None
    wav = Path(point) / f"{name}.wav"
    (work.out / wav).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work.candidates / row["wav"], work.out / wav)
    return {"utterance": name, "point": point, "wav": wav.as_posix(), "status": "ok", "message": row["point"],
            "sha256": sha256_of(work.out / wav)}  # fmt: skip
