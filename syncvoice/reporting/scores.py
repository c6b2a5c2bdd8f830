"""What counts as scored, failed or not applicable: the one place that knows it for tables, plots and comparisons.

Policy
------
- `ok`: the value counts.
- `failed` (or no row at all): for an error rate the clip counts as all wrong (errors = words, WER 1), and one whose
  words nobody knows (no text) is left out; a metric whose
  registry entry names a `failed_value` (share of clips in sync: 0) counts that value; for every other metric the clip
  has no value, so it is left out of means and of paired sets, and the counts show it.
- `not_applicable`: the metric does not exist for this clip; it is left out and not expected.
- A sweep may run on a part of the task: for its points the clips that no point has are not expected either.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.errors import UserError
from syncvoice.records.scores import read_score_files, score_files
from syncvoice.records.tasks import read_rows
from syncvoice.reporting.columns import Column
from syncvoice.reporting.settings import Row
from syncvoice.text.language import LANGUAGES

if TYPE_CHECKING:
    import pandas as pd

NUMBER = re.compile(r"\d+(?:\.\d+)?$")  # the scale at the end of a part of a point's name
PARTS = re.compile(r"(?<=\d)_")  # a point is conditions with their scales, joined by "_", which names may hold too


@dataclass(frozen=True)
class Scores:
    """Scores of one row and metric; arrays are (utterances,) in the order of the task.

    `value` is what counts: NaN where nothing does. `errors` and `words` are counts, NaN unless `is_rate`: then the
    corpus value is sum(errors) / sum(words).
    """

    value: np.ndarray
    status: np.ndarray  # of str: ok, failed, not_applicable
    is_rate: bool
    errors: np.ndarray
    words: np.ndarray
    scorer: str
    scorer_version: str
    weights_sha256: str


def read_task(path: Path | str) -> "pd.DataFrame":
    """Read a task file; all columns are text. Raises UserError when it is missing or lists an utterance twice."""
    import pandas as pd

    needed = ["utterance", "text", "language", "voice_seen"]
    rows = read_rows(path, needed)
    return pd.DataFrame(rows, columns=list(rows[0]) if rows else needed)


DELIVERY = {  # thirds of the clips, in ascending order of a metric of `metrics.timing.phone_classes`
    "speaking_rate.ctc_aligned": ("slow", "medium", "fast"),
    "level.ctc_aligned": ("quiet", "moderate", "loud"),
}


def in_third(values: np.ndarray, third: int) -> np.ndarray:
    """Return (utterances,) bool: whose value lies in a third of the known ones, 0 the lowest; NaN is in none.

    Thirds differ by one clip at most; equal values stand in the order of the task.
    """
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    members = np.zeros(len(values), dtype=bool)
    members[np.array_split(order, 3)[third]] = True
    return members


def delivery_of(group: str) -> str | None:
    """Return the metric that decides a group of clips by how they are spoken, None for other groups."""
    return next((metric for metric, thirds in DELIVERY.items() if group in thirds), None)


def in_group(task: "pd.DataFrame", group: str) -> np.ndarray:
    """Return (utterances,) bool: which utterances of a task belong to a group (`settings.Group`)."""
    if group == "all":
        return np.ones(len(task), dtype=bool)
    if group in ("grid", "open"):
        if "source" not in task.columns:  # a list that somebody else wrote
            return np.zeros(len(task), dtype=bool)
        return ((task["source"] == "grid") == (group == "grid")).to_numpy()
    return (task["voice_seen"] == ("yes" if group == "seen" else "no")).to_numpy()


def read_scores(
    metrics_root: Path | str, experiment: str, task: str, utterances: frozenset[str] | None = None
) -> "pd.DataFrame":
    """Read all score files of an experiment on a task into one tidy frame, of some utterances or (None) of all.

    Raises:
        UserError: there is no score file, or one of them lacks a column.
    """
    folder = Path(metrics_root) / experiment / task
    files = score_files(folder)
    if not files:
        raise UserError(f"{folder}: no score files; run `syncvoice score` for experiment {experiment} and task {task}")
    scores = read_score_files(files)
    return scores if utterances is None else scores[scores["utterance"].isin(utterances)]


def select(scores: "pd.DataFrame", task: "pd.DataFrame", row: Row, column: Column) -> Scores:
    """Pick one row and metric out of the scores of an experiment, aligned with the utterances of the task.

    A metric that the row was not scored with applies to none of its clips.

    Raises:
        UserError: an utterance is unknown to the task, or it was scored twice.
    """
    chosen = scores[(scores["metric"] == column.id) & (scores["point"] == row.point)]
    where = f"experiment {row.key}, metric {column.id}"
    if chosen.empty:
        return _not_applicable(task, column)
    unknown = sorted(set(chosen["utterance"]) - set(task["utterance"]))
    if unknown:
        raise UserError(f"{where}: utterance {unknown[0]} is not in the task; the scores are stale, score again")
    if chosen["utterance"].duplicated().any():
        twice = chosen["utterance"][chosen["utterance"].duplicated()].iloc[0]
        raise UserError(f"{where}: utterance {twice} was scored twice; remove stale files from its metrics folder")
    aligned = chosen.set_index("utterance").reindex(task["utterance"])
    status = aligned["status"].fillna("failed").to_numpy(dtype=object)
    if row.point:
        status[~task["utterance"].isin(scores["utterance"]).to_numpy()] = "not_applicable"
    value = aligned["value"].to_numpy(dtype=np.float64, copy=True)
    status[(status == "ok") & ~np.isfinite(value)] = "failed"
    value[status != "ok"] = np.nan
    if column.failed_value is not None:
        value[status == "failed"] = column.failed_value
    errors = words = np.full(len(task), np.nan)
    if column.errors_over_words:
        errors, words = _counts(aligned, status, task, where)
    return Scores(
        value,
        status,
        column.errors_over_words,
        errors,
        words,
        _one(chosen, "scorer"),
        _one(chosen, "scorer_version"),
        _one(chosen, "weights_sha256"),
    )


def counted(scores: Scores, members: np.ndarray) -> np.ndarray:
    """Return (utterances,) bool: which clips of a group count in the mean or rate of a row.

    Args:
        scores: of the row.
        members: (utterances,) bool, the group.
    """
    if scores.is_rate:
        return members & (scores.status != "not_applicable") & np.isfinite(scores.words)
    return members & np.isfinite(scores.value)


def value_of(scores: Scores, used: np.ndarray) -> float:
    """Return the mean, or the corpus rate, of a row over some clips; NaN over none.

    Args:
        scores: of the row.
        used: (utterances,) bool, clips that count.
    """
    if not used.any():
        return float("nan")
    if scores.is_rate:
        return float(scores.errors[used].sum() / scores.words[used].sum())
    return float(scores.value[used].mean())


def _not_applicable(task: "pd.DataFrame", column: Column) -> Scores:
    nothing = np.full(len(task), np.nan)
    status = np.full(len(task), "not_applicable", dtype=object)
    return Scores(nothing, status, column.errors_over_words, nothing, nothing, "", "", "")


def _counts(
    aligned: "pd.DataFrame", status: np.ndarray, task: "pd.DataFrame", where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and words, both (utterances,); a failed clip is all wrong, one that does not apply has no words.

    A clip without a text of its own has no number of words: NaN.
    """
    if not {"errors", "words"} <= set(aligned.columns):
        raise UserError(f"{where}: no columns errors and words, so no corpus rate can be made; score again")
    errors = aligned["errors"].to_numpy(dtype=np.float64, copy=True)
    words = aligned["words"].to_numpy(dtype=np.float64, copy=True)
    unknown = np.flatnonzero((status != "not_applicable") & ~(words > 0))
    for index in unknown:  # a clip without a score row has no count of its own
        text = task["text"].iloc[index]
        words[index] = word_count(text, task["language"].iloc[index]) if text.strip() else np.nan
    failed = status == "failed"
    errors[failed] = words[failed]
    return errors, words


def expand_points(scores: "pd.DataFrame", row: Row) -> list[Row]:
    """Return the row itself, or one row per point (in order of the scales) if it names a sweep without a point."""
    points = sorted(set(scores["point"]), key=_scales_of)
    if row.point or "" in points:
        return [row]
    captions = {point: f"{row.what}: {point_caption(point)}" for point in points}
    return [row.model_copy(update={"point": point, "caption": caption}) for point, caption in captions.items()]


def point_caption(point: str) -> str:
    """Return the scales of a point for people: `face1.0_head_pose2.0` becomes `face 1, head pose 2`."""
    scales = scales_of_point(point)
    named = [f"{name.replace('_', ' ')} {scale:g}".strip() for name, scale in scales.items()]
    return ", ".join(named) if named else point.replace("_", " ")


def scales_of_point(point: str) -> dict[str, float]:
    """Return the scales of a point by condition: `face1.0_head_pose2.0` gives face 1, head_pose 2."""
    scales = {}
    for part in PARTS.split(point):
        number = NUMBER.search(part)
        if number:
            name = part[: number.start()].rstrip("-=")
            scales[{"f": "face", "l": "lip", "t": "text"}.get(name, name)] = float(number.group())
    return scales


def _scales_of(point: str) -> list[float]:
    """Return the scales in a point's name, in its order."""
    return [float(number.group()) for part in PARTS.split(point) if (number := NUMBER.search(part))]


def word_count(text: str, language: str) -> int:
    """Return the number of words of a text, or of letters and digits in a language without spaces; at least 1."""
    if language in LANGUAGES and not LANGUAGES[language].spaced:
        return max(1, sum(character.isalnum() for character in text))
    return max(1, len(text.split()))


def _one(frame: "pd.DataFrame", column: str) -> str:
    """Return the distinct values of a column as one text: a row scored by two versions shows both."""
    if column not in frame.columns:
        return ""
    return "; ".join(sorted({str(value) for value in frame[column].dropna() if str(value)}))
