"""The spread between trainings: values by hand, and what tables say of differences that are smaller."""

import math
from pathlib import Path

import pandas as pd
import pytest
from fake_study import TASK_COLUMNS, columns, score_row, task_rows, write_csv, write_scores

from syncvoice.reporting import latex, render, tables
from syncvoice.reporting.settings import TableJob
from syncvoice.reporting.spread import SPREAD_COLUMNS, deviation_factors
from syncvoice.section import validated

LSE, WER = "lse_d.syncnet_mini", "wer.ctc_mini"
OFFSETS = [-1.0, -0.5, 0.5, 1.0]  # of the clips; their mean is 0
MEANS = {
    "ground_truth": 4.0,
    **{"M1": 6.0, "M1_seed2": 7.0, "M1_seed3": 8.0},
    **{"M3": 5.5, "M3_seed2": 6.75, "M3_seed3": 7.0},  # minus M1: -0.5, -0.25, -1
    **{"M5": 6.1, "M5_seed2": 6.5, "M5_seed3": 8.6},  # minus M1: 0.1, -0.5, 0.6
}
ERRORS = {"M1": [1, 0, 0, 0], "M1_seed2": [1, 3, 0, 0]}  # of 2, 6, 4 and 4 words: 1/16 and 4/16


def trainings(row: str, seeds: int = 3) -> list[dict]:
    return [{"seed": n, "experiment": row if n == 1 else f"{row}_seed{n}"} for n in range(1, seeds + 1)]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    rows = task_rows("en_en", 4)
    write_csv(tmp_path / "tasks" / "en_en.csv", TASK_COLUMNS, rows)
    names = [row["utterance"] for row in rows]
    for row, mean in MEANS.items():
        lines = [score_row(name, LSE, mean + offset) for name, offset in zip(names, OFFSETS, strict=True)]
        for name, errors, words in zip(names, ERRORS.get(row, []), [2, 6, 4, 4], strict=False):
            lines.append(score_row(name, WER, errors / words, errors=errors, words=words))
        write_scores(tmp_path, row, "en_en", lines)
    return tmp_path


def build(study: Path, rows: list[str], known: dict[str, list[dict]], **changes) -> tuple[TableJob, pd.DataFrame]:
    values = {"name": "t", "task": "en_en", "rows": rows, "baseline": "M1", "groups": ["all"], "trainings": known}
    values |= {"bootstrap": {"resamples": 200}, "columns": columns(changes.pop("metrics", [LSE])), **changes}
    settings = validated(TableJob, values, "t")
    return settings, tables.build_table(settings, study / "tasks", study / "metrics")[0]


def line(table: pd.DataFrame, row: str) -> pd.Series:
    return table[table["experiment"] == row].iloc[0]


def test_spread_of_means_and_of_paired_differences_by_hand(study: Path) -> None:
    known = {row: trainings(row) for row in ("M1", "M3", "M5")}
    _, table = build(study, ["ground_truth", "M1", "M3", "M5"], known)
    assert list(table["experiment"]) == ["ground_truth", "M1", "M3", "M5"]  # further trainings are no rows
    m1, m3, m5 = (line(table, row) for row in ("M1", "M3", "M5"))
    assert (m1["mean"], m1["spread"], m1["n_trainings"]) == (6.0, 1.0, 3)
    assert (m1["trainings_low"], m1["trainings_high"]) == (6.0, 8.0)
    assert m3["spread"] == pytest.approx(math.sqrt((0.9167**2 + 0.3333**2 + 0.5833**2) / 2), abs=1e-4)
    assert m3["difference_spread"] == pytest.approx(math.sqrt((0.0833**2 + 0.3333**2 + 0.4167**2) / 2), abs=1e-4)
    assert m5["difference_spread"] == pytest.approx(math.sqrt((0.0333**2 + 0.5667**2 + 0.5333**2) / 2), abs=1e-4)
    assert math.isnan(m1["difference_spread"])  # it is the baseline
    truth = line(table, "ground_truth")  # trained never: its difference spreads as the baseline does
    assert truth["n_trainings"] == 0 and math.isnan(truth["spread"]) and truth["difference_spread"] == 1.0


def test_seeds_that_are_not_shared_spread_independently(study: Path) -> None:
    others = [{"seed": 7, "experiment": "M3"}, {"seed": 8, "experiment": "M3_seed2"}]
    _, table = build(study, ["M1", "M3"], {"M1": trainings("M1"), "M3": others})
    assert line(table, "M3")["difference_spread"] == pytest.approx(math.hypot(1.0, 1.25 / math.sqrt(2)))


def test_spread_of_error_rates_is_that_of_corpus_rates(study: Path) -> None:
    _, table = build(study, ["M1"], {"M1": trainings("M1", 2)}, metrics=[WER])
    assert line(table, "M1")["spread"] == pytest.approx((4 - 1) / 16 / math.sqrt(2))


def test_a_point_of_a_sweep_spreads_over_the_same_point(study: Path) -> None:
    names = [row["utterance"] for row in task_rows("en_en", 4)]
    for row, shift in (("sweep", 0.0), ("sweep_seed2", 1.0)):
        points = [("lip1.0", 5.0 + shift), ("lip2.0", 6.0 + 3 * shift)]
        lines = [score_row(name, LSE, value, point=point) for name in names for point, value in points]
        write_scores(study, row, "en_en", lines)
    _, table = build(study, ["M1", "sweep"], {"sweep": trainings("sweep", 2)})
    assert line(table, "sweep/lip1.0")["spread"] == pytest.approx(1 / math.sqrt(2))
    assert line(table, "sweep/lip2.0")["spread"] == pytest.approx(3 / math.sqrt(2))


def test_table_shows_the_spread_beside_each_value_and_marks_smaller_differences(study: Path) -> None:
    known = {row: trainings(row) for row in ("M1", "M3", "M5")}
    settings, table = build(study, ["M1", "M3", "M5"], known)
    parts = render.blocks(settings, table, pd.DataFrame())
    values, differences = parts[0], parts[1]
    assert values.head == ["Row", "What it is", "LSE-D mini ↓", "± LSE-D mini"]
    assert values.lines[0][3] == "1.00 (6.00 to 8.00)"
    marks = {cells[0]: cells[1].endswith("‡") for cells in differences.lines}
    assert marks == {"M3": False, "M5": True}  # 0.5 against 0.38; 0.1 against 0.55
    text = render.markdown(settings, parts)
    assert "M1, M3, M5: seeds 1, 2, 3" in text and "Here: 1 of 2 differences" in text
    assert "between 0.52 and 6.3 times" in text
    assert r"\ddag{}" in latex.latex(settings, parts)


def test_a_table_without_further_trainings_has_no_such_column(study: Path) -> None:
    settings, table = build(study, ["M1", "M3"], {})
    assert not set(SPREAD_COLUMNS) & set(table.columns)
    assert "±" not in render.markdown(settings, render.blocks(settings, table, pd.DataFrame()))


def test_uncertainty_of_a_deviation_of_three_values_in_closed_form() -> None:
    low, high = deviation_factors(3, 0.95)  # chi-square of two degrees of freedom is exponential
    assert low == pytest.approx(math.sqrt(1 / -math.log(0.025)))
    assert high == pytest.approx(math.sqrt(1 / -math.log(0.975)))
