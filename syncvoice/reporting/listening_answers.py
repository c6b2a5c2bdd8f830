"""Answers of a listening test, read back into tables with intervals.

Conventions
-----------
One JSON file per participant, as the page exports it. A participant counts if all items are answered (or could not be
played) and every check is right; everybody else is a line of the table of participants with the reason. Means carry
intervals over participants and clips (`statistics.crossed_estimate`). Differences are tested over participants: every
participant's mean difference is one value, its sign is flipped at random; Holm's correction runs over the comparisons
of one kind. In a preference, "no difference" counts half for each side. All of this is our choice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.reporting import statistics
from syncvoice.reporting.listening_test import FORMAT

if TYPE_CHECKING:
    import pandas as pd

PARTICIPANT_COLUMNS = (
    "participant", "file", "status", "reason", "n_answers", "n_items", "checks_right", "checks",
)  # fmt: skip
RATING_COLUMNS = (
    "measure", "row", "mean", "ci_low", "ci_high", "n_ratings", "n_participants", "n_clips", "diff_vs_baseline",
    "diff_low", "diff_high", "p_value", "p_holm", "detectable_difference", "baseline", "caption",
)  # fmt: skip
PREFERENCE_COLUMNS = (
    "row", "other", "share", "ci_low", "ci_high", "preferred", "no_difference", "other_preferred", "n_participants",
    "n_clips", "p_value", "p_holm",
)  # fmt: skip
MEASURES = {"naturalness": "MOS-N", "similarity": "MOS-S"}
PREFERENCE_VALUES = {"first": 1.0, "none": 0.5, "second": 0.0}


@dataclass(frozen=True)
class Result:
    """Tables by name: participants, mos and preference; one line per participant, rating row and pair."""

    frames: dict[str, "pd.DataFrame"]


@dataclass(frozen=True)
class _Participant:
    """What one file says: a line of the table of participants, and the answers by item if the participant counts."""

    line: dict[str, object]
    answers: dict[str, float]


def answer_files(paths: Sequence[Path]) -> list[Path]:
    """List answer files: the files named, and every JSON file of the folders named.

    Raises:
        UserError: there is none.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise UserError(f"no answers (*.json) in {', '.join(map(str, paths))}; put the participants' files there")
    return files


def evaluate(plan: Mapping[str, Any], files: Sequence[Path]) -> Result:
    """Read answers into tables.

    Args:
        plan: of the page, as `listening_test.make_test` made it.
        files: one JSON file per participant.

    Raises:
        UserError: the plan is of another kind.
    """
    import pandas as pd

    if plan.get("format") != FORMAT:
        raise UserError(f"the plan has format {plan.get('format')!r}, expected {FORMAT!r}; make the page again")
    participants: list[_Participant] = []
    for file in files:
        taken = {str(other.line["participant"]) for other in participants if other.line["status"] == "used"}
        participants.append(_participant(plan, file, taken))
    used = [participant.answers for participant in participants if participant.line["status"] == "used"]
    frames = {
        "participants": pd.DataFrame([entry.line for entry in participants], columns=list(PARTICIPANT_COLUMNS)),
        "mos": pd.DataFrame(_rating_lines(plan, used), columns=list(RATING_COLUMNS)),
        "preference": pd.DataFrame(_preference_lines(plan, used), columns=list(PREFERENCE_COLUMNS)),
    }
    return Result(frames)


def _participant(plan: Mapping[str, Any], file: Path, taken: set[str]) -> _Participant:
    """Judge one file; a file that cannot count says why."""
    items = {item["id"]: item for item in plan["items"]}
    checks = {name: item["expected"] for name, item in items.items() if item["kind"] == "check"}
    line: dict[str, object] = {
        **{"participant": "", "file": file.name, "status": "excluded", "reason": "", "n_answers": 0},
        **{"n_items": len(items), "checks_right": 0, "checks": len(checks)},
    }
    content, problem = _content(plan, file)
    if content is None:
        return _Participant({**line, "reason": problem}, {})
    line["participant"] = str(content.get("participant", ""))
    raw = {entry["item"]: entry["value"] for entry in content["answers"] if entry["item"] in items}
    right = sum(raw.get(name) == expected for name, expected in checks.items())
    line.update(n_answers=len(raw), checks_right=right)
    try:
        answers = {name: _value(items[name], value) for name, value in raw.items() if items[name]["kind"] != "check"}
    except ValueError as error:
        return _Participant({**line, "reason": str(error)}, {})
    reason = ""
    if len(raw) < len(items):
        reason = f"not finished: {len(raw)} of {len(items)} items"
    elif right < len(checks):
        reason = f"failed {len(checks) - right} of {len(checks)} attention checks"
    elif line["participant"] in taken:
        reason = f"code {line['participant']} was used before"
    return _Participant({**line, "status": "excluded" if reason else "used", "reason": reason}, answers)


def _content(plan: Mapping[str, Any], file: Path) -> tuple[dict[str, Any] | None, str]:
    """Read an answer file; None and the reason if it is none of this test."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{file} does not exist; name answer files or their folder") from error
    except ValueError:
        return None, "no valid JSON"
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None, "no answers of a listening test"
    if content.get("test") != plan["test"]:
        return None, f"answers of another page ({content.get('test')})"
    answers = content.get("answers")
    if not isinstance(answers, list) or not all(
        isinstance(entry, dict) and {"item", "value"} <= set(entry) for entry in answers
    ):
        return None, "answers without item and value"
    return content, ""


def _value(item: Mapping[str, Any], value: object) -> float:
    """Return an answer as a number; NaN for a sound that could not be played.

    Raises:
        ValueError: the answer is none that the page offers.
    """
    if value is None:
        return float("nan")
    if item["kind"] == "preference" and isinstance(value, str) and value in PREFERENCE_VALUES:
        return PREFERENCE_VALUES[value]
    if item["kind"] in MEASURES and isinstance(value, int) and 1 <= value <= 5:
        return float(value)
    raise ValueError(f"answer {value!r} to item {item['id']} is none that the page offers")


def _matrix(
    plan: Mapping[str, Any], used: Sequence[Mapping[str, float]], kind: str, row: str, other: str = ""
) -> np.ndarray:
    """Return (participants, clips) values of one kind of item."""
    names = [i["id"] for i in plan["items"] if (i["kind"], i["row"], i["other"]) == (kind, row, other)]
    return np.array([[answers[name] for name in names] for answers in used]).reshape(len(used), len(names))


def _over_participants(values: np.ndarray, *keys: object) -> statistics.Difference:
    """Test whether the mean of (participants, clips) differs from 0, participants as the unit."""
    per_participant = [float(np.nanmean(line)) for line in values if np.isfinite(line).any()]
    return statistics.mean_difference(per_participant, np.zeros(len(per_participant)), *keys, resamples=10_000)


def _rating_lines(plan: Mapping[str, Any], used: Sequence[Mapping[str, float]]) -> list[dict[str, object]]:
    """One line per measure and row."""
    lines: list[dict[str, object]] = []
    for kind, measure in MEASURES.items():
        base = plan["baseline"]
        part = []
        for row, caption in plan["rows"].items():
            ratings = _matrix(plan, used, kind, row)
            estimate = statistics.crossed_estimate(ratings, kind, row)
            line = {
                **{"measure": measure, "row": row, "mean": estimate.value, "ci_low": estimate.low},
                **{"ci_high": estimate.high, "n_ratings": estimate.n, "n_participants": len(used)},
                **{"n_clips": ratings.shape[1], "baseline": base or "", "caption": caption, "p_value": np.nan},
            }
            if base and row != base:
                difference = ratings - _matrix(plan, used, kind, base)
                interval = statistics.crossed_estimate(difference, kind, row, base)
                tested = _over_participants(difference, kind, row, base)
                line.update(diff_vs_baseline=interval.value, diff_low=interval.low, diff_high=interval.high)
                line.update(p_value=tested.p_value)
                line.update(detectable_difference=statistics.minimum_detectable_difference(tested.deviation, tested.n))
            part.append(line)
        _correct(part)
        lines += part
    return lines


def _preference_lines(plan: Mapping[str, Any], used: Sequence[Mapping[str, float]]) -> list[dict[str, object]]:
    """One line per pair; `share` is the share of answers for the first row, "no difference" counting half."""
    pairs = dict.fromkeys((item["row"], item["other"]) for item in plan["items"] if item["kind"] == "preference")
    lines: list[dict[str, object]] = []
    for row, other in pairs:
        values = _matrix(plan, used, "preference", row, other)
        estimate = statistics.crossed_estimate(values, "preference", row, other)
        tested = _over_participants(values - 0.5, "preference", row, other)
        lines.append(
            {
                **{"row": row, "other": other, "share": estimate.value},
                **{"ci_low": estimate.low, "ci_high": estimate.high, "preferred": int((values == 1).sum())},
                **{"no_difference": int((values == 0.5).sum()), "other_preferred": int((values == 0).sum())},
                **{"n_participants": len(used), "n_clips": values.shape[1], "p_value": tested.p_value},
            }
        )
    _correct(lines)
    return lines


def _correct(lines: Sequence[dict[str, object]]) -> None:
    """Add Holm's p-values over the lines."""
    p_values = np.array([line["p_value"] for line in lines], dtype=np.float64)
    for line, p_holm in zip(lines, statistics.holm(p_values), strict=True):
        line["p_holm"] = p_holm


def counted(result: Result) -> str:
    """Say how many participants count and why others do not."""
    table = result.frames["participants"]
    excluded = table[table["status"] != "used"]
    text = f"{len(table) - len(excluded)} of {len(table)} participants count"
    reasons = [f"{line.participant or line.file}: {line.reason}" for line in excluded.itertuples()]
    return text + (f"; excluded: {'; '.join(reasons)}" if reasons else "")


def markdown(result: Result) -> str:
    """Return the tables for people."""
    from syncvoice.reporting.render import escape_markdown

    def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        lines = ["| " + " | ".join(map(escape_markdown, cells)) + " |" for cells in (head, *rows)]
        return [lines[0], "|" + " --- |" * len(head), *lines[1:], ""]

    mos, preference = result.frames["mos"], result.frames["preference"]
    lines = ["# Listening test", "", escape_markdown(counted(result)) + ".", ""]
    for measure, part in mos.groupby("measure", sort=False):
        rows = [
            [line.row, line.caption, _interval(line.mean, line.ci_low, line.ci_high), str(line.n_ratings)]
            + [_interval(line.diff_vs_baseline, line.diff_low, line.diff_high, "+"), _p(line.p_holm)]
            for line in part.itertuples()
        ]
        against = f"against {part['baseline'].iloc[0] or 'none'}"
        head = ["Row", "What it is", f"{measure} (1 to 5)", "ratings", against, "p (Holm)"]
        lines += [f"## {measure}", "", *grid(head, rows)]
    if len(preference):
        rows = [
            [f"{line.row} over {line.other}", _interval(100 * line.share, 100 * line.ci_low, 100 * line.ci_high)]
            + [f"{line.preferred} / {line.no_difference} / {line.other_preferred}", _p(line.p_holm)]
            for line in preference.itertuples()
        ]
        head = ["Pair", "preferred (%)", "first / no difference / second", "p (Holm)"]
        lines += ["## Preference", "", *grid(head, rows)]
    lines.append(
        "In brackets: 95 % bootstrap intervals over participants and clips. p: sign flips over participants, after"
        " Holm's correction."
    )
    return "\n".join(lines) + "\n"


def _interval(value: float, low: float, high: float, sign: str = "") -> str:
    return "–" if np.isnan(value) else f"{value:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def _p(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"
