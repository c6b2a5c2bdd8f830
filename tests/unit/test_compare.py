"""`syncvoice compare`: known answers, correction, and what it says to people."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from syncvoice.cli import main
from syncvoice.commands.columns import all_columns
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.reporting import comparison, statistics
from syncvoice.reporting.settings import Bootstrap
from tests.unit import fake_study

METRIC = "dnsmos_ovrl.p835"
FEW = Bootstrap(resamples=500)


def score_file(path: Path, values: dict[str, float | None], metric: str = METRIC, point: str = "") -> Path:
    """A score file; None is a failed clip."""
    rows = [
        fake_study.score_row(name, metric, value, "failed" if value is None else "ok", point=point)
        for name, value in values.items()
    ]
    fake_study.write_csv(path, fake_study.SCORE_COLUMNS, rows)
    return path


def clips(values: np.ndarray) -> dict[str, float | None]:
    return {f"c{index:02d}": float(value) for index, value in enumerate(values)}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three rows: the second is better by 0.5 for every clip, the third differs by noise alone."""
    random = np.random.default_rng(0)
    base = random.normal(3, 1, size=30)
    rows = {"M1": base, "M3": base + 0.5 + random.normal(0, 0.1, 30), "M5": base + random.normal(0, 0.1, 30)}
    return [score_file(tmp_path / name / "en_en" / "dnsmos.p835.csv", clips(values)) for name, values in rows.items()]


def test_known_answer_of_two_rows(tmp_path: Path) -> None:
    one = score_file(tmp_path / "a.csv", clips(np.array([1.0, 2.0, 3.0])))
    two = score_file(tmp_path / "b.csv", clips(np.array([2.0, 3.0, 5.0])))
    (line,) = comparison.compare(comparison.read_scored([one, two]), all_columns(), bootstrap=FEW).to_dict("records")
    assert (line["row"], line["baseline"], line["n_paired"], line["n_left_out"]) == ("b", "a", 3, 0)
    assert line["mean"] == pytest.approx(10 / 3) and line["baseline_mean"] == pytest.approx(2)
    assert line["difference"] == pytest.approx(4 / 3)
    assert line["p_value"] == line["p_holm"] == pytest.approx(0.25, abs=0.06)  # 2 of 8 sign patterns
    deviation = np.std([1, 1, 2], ddof=1)
    assert line["detectable"] == pytest.approx((1.959964 + 0.841621) * deviation / np.sqrt(3), rel=1e-5)


def test_survivors_after_correction_and_who_is_better(files: list[Path]) -> None:
    frame = comparison.compare(comparison.read_scored(files), all_columns(), bootstrap=FEW).set_index("row")
    assert list(frame.index) == ["M3", "M5"]  # the shortest names that tell the files apart
    assert (frame.loc["M3", "survives"], frame.loc["M3", "better"]) == ("yes", "M3")
    assert (frame.loc["M5", "survives"], frame.loc["M5", "better"]) == ("no", "")
    assert list(frame["p_holm"]) == pytest.approx(list(statistics.holm(frame["p_value"])))
    deviation = frame.loc["M5", "detectable"] / statistics.minimum_detectable_difference(1.0, 30, alpha=0.025)
    assert 0.05 < deviation < 0.15  # the noise of 0.1, at the level that two comparisons leave


def test_all_pairs_and_another_baseline(files: list[Path]) -> None:
    rows = comparison.read_scored(files)
    pairs = comparison.compare(rows, all_columns(), all_pairs=True, bootstrap=FEW)
    assert list(zip(pairs["baseline"], pairs["row"], strict=True)) == [("M1", "M3"), ("M1", "M5"), ("M3", "M5")]
    assert list(pairs["better"]) == ["M3", "", "M3"]
    assert set(comparison.compare(rows, all_columns(), baseline="M5", bootstrap=FEW)["baseline"]) == {"M5"}
    with pytest.raises(UserError, match="M9 is no row; the rows are M1, M3, M5"):
        comparison.compare(rows, all_columns(), baseline="M9")


def test_error_rates_are_compared_as_corpus_rates(tmp_path: Path) -> None:
    def words(path: Path, errors: list[int]) -> Path:
        rows = [
            fake_study.score_row(f"c{i}", "wer.ctc_mini", e / n, errors=e, words=n)
            for i, (e, n) in enumerate(zip(errors, (2, 8, 10), strict=True))
        ]
        fake_study.write_csv(path, fake_study.SCORE_COLUMNS, rows)
        return path

    paths = [words(tmp_path / "a.csv", [2, 0, 0]), words(tmp_path / "b.csv", [0, 4, 5])]
    (line,) = comparison.compare(comparison.read_scored(paths), all_columns(), bootstrap=FEW).to_dict("records")
    assert (line["baseline_mean"], line["mean"]) == (pytest.approx(2 / 20), pytest.approx(9 / 20))


def test_clips_without_a_partner_are_counted(tmp_path: Path) -> None:
    one = score_file(tmp_path / "a.csv", {"x": 1.0, "y": 2.0, "z": 3.0, "only": 9.0})
    two = score_file(tmp_path / "b.csv", {"x": 2.0, "y": None, "z": 4.0})
    frame = comparison.compare(comparison.read_scored([one, two]), all_columns(), bootstrap=FEW)
    assert (frame.loc[0, "n_paired"], frame.loc[0, "n_left_out"]) == (2, 2)
    assert frame.loc[0, "difference"] == 1
    text = comparison.text(frame, all_columns(), 500)
    assert "2 (−2)" in text and "are in no pair" in text


def test_points_of_a_sweep_are_rows(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    rows = [
        fake_study.score_row(f"c{clip}", METRIC, lip + 0.1 * clip, point=f"lip{lip}.0")
        for lip in (0, 1)
        for clip in range(4)
    ]
    fake_study.write_csv(path, fake_study.SCORE_COLUMNS, rows)
    frame = comparison.compare(comparison.read_scored([path]), all_columns(), bootstrap=FEW)
    assert (frame.loc[0, "baseline"], frame.loc[0, "row"]) == ("sweep/lip0.0", "sweep/lip1.0")


def test_nothing_differs_rarely_survives(tmp_path: Path) -> None:
    """The whole command on rows that differ by noise alone: at most about 5 % of the comparisons say otherwise."""
    random = np.random.default_rng(3)
    alarms = 0
    for trial in range(40):
        base = random.normal(size=12)
        rows = [
            comparison.Scored(
                str(number),
                pd.DataFrame(
                    {
                        "utterance": [f"c{i}" for i in range(12)],
                        "metric": METRIC,
                        "value": base + random.normal(size=12),
                        "scorer": "x",
                        "status": "ok",
                        "point": "",
                    }
                ),
            )
            for number in range(4)
        ]
        frame = comparison.compare(rows, all_columns(), bootstrap=Bootstrap(resamples=200, seed=trial))
        alarms += (frame["survives"] == "yes").any()
    assert alarms <= 5  # 40 trials at 5 %: 2 expected, more than 5 in 1.4 % of the seeds


def test_text_says_what_survives_and_what_could_be_found(files: list[Path], capsys, tmp_path: Path) -> None:
    out = tmp_path / "out" / "compare.csv"
    assert main(["compare", *map(str, files), "--resamples", "500", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "1 of 2 differences survive Holm's correction at 0.05." in text
    assert "M3 against M1: M3 is better, +0.5" in text
    assert "not evidence of no effect" in text
    frame = pd.read_csv(out)
    assert list(frame.columns) == list(comparison.COLUMNS) and list(frame["survives"]) == ["yes", "no"]
    again = out.read_bytes()
    assert main(["compare", *map(str, files), "--resamples", "500", "--out", str(out)]) == 0
    assert out.read_bytes() == again


def test_too_few_resamples_are_told(files: list[Path]) -> None:
    frame = comparison.compare(comparison.read_scored(files), all_columns(), bootstrap=Bootstrap(resamples=30))
    assert "ask for at least 40 (--resamples)" in comparison.text(frame, all_columns(), 30)


def test_folders_and_tables_of_a_study(tmp_path: Path, capsys, caplog) -> None:
    root = fake_study.build_study(tmp_path / "mini", n=12, media=0, videos=False)
    folders = [str(root / "metrics" / row / "en_en") for row in ("M1", "M3")]
    assert main(["compare", *folders, "--metric", "lse_d.syncnet_mini", "--resamples", "300"]) == 0
    assert "M3 against M1: M3 is better" in capsys.readouterr().out
    settings = tmp_path / "settings.json"
    table = {"name": "main", "task": "en_en", "rows": ["M1", "M3", "noise"], "baseline": "M1"}
    shown = fake_study.columns(["lse_d.syncnet_mini", METRIC])
    write_json(settings, {**table, "columns": shown, "bootstrap": {"resamples": 300}})
    roots = ["--tasks-root", str(root / "tasks"), "--metrics-root", str(root / "metrics")]
    assert main(["tabulate", "--settings", str(settings), *roots, "--out-dir", str(root / "tables")]) == 0
    assert "after correction" not in caplog.text
    coarse = tmp_path / "coarse.json"
    coarse.write_text(settings.read_text().replace("300", "60"))
    assert main(["tabulate", "--settings", str(coarse), *roots, "--out-dir", str(tmp_path / "coarse")]) == 0
    assert "with 60 resamples no p-value of 4 comparisons falls below 0.066 after correction" in caplog.text
    table = pd.read_csv(root / "tables" / "main.csv")
    frame = comparison.read_tables(root / "tables", all_columns())
    expected = table[(table["group"] == "all") & table["p_holm"].notna()]
    assert list(frame["p_holm"]) == list(expected["p_holm"]) and len(frame) == 4
    assert list(frame["detectable"]) == list(expected["detectable_difference"])
    assert main(["compare", str(root / "tables"), "--group", "seen"]) == 0
    assert "over all rows and metrics of the table" in capsys.readouterr().out
    assert main(["compare", str(root / "tables"), folders[0]]) == 2
    assert "finished table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv"], "at least two rows"),
        (["a.csv", "a.csv"], "named twice"),
        (["a.csv", "text.csv"], "no column utterance"),
        (["a.csv", "missing.csv"], "cannot be read"),
        (["a.csv", "other.csv"], "no two rows share"),
        (["a.csv", "empty"], "holds no score file"),
    ],
)
def test_bad_input_is_a_sentence(names: list[str], message: str, tmp_path: Path, capsys) -> None:
    score_file(tmp_path / "a.csv", {"x": 1.0})
    score_file(tmp_path / "other.csv", {"y": 1.0})
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    assert main(["compare", *(str(tmp_path / name) for name in names)]) == 2
    assert message in capsys.readouterr().err
