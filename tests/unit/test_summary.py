"""What a finished study says in a terminal, and in which order notebooks show its rows."""

from pathlib import Path

import pytest
from fake_study import build_study, columns

from syncvoice.cli import main
from syncvoice.files import write_json
from syncvoice.reporting.study import Study

METRICS = ["lse_d.syncnet_mini", "wer.ctc_mini"]
ROWS = ["noise", "M3", "M1"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = build_study(tmp_path_factory.mktemp("study"), n=8, media=0, videos=False)
    for name, rows, resamples in (("en_en", ROWS, 30), ("sweep", ["guidance_sweep"], 300)):
        baseline = "M1" if "M1" in rows else None
        job = {"name": name, "title": f"Title of {name}", "task": "en_en", "rows": rows, "columns": columns(METRICS),
               "baseline": baseline, "bootstrap": {"resamples": resamples}}  # fmt: skip
        path = root / "settings" / "tables" / f"{name}.json"
        write_json(path, job)
        arguments = ["--settings", path, "--tasks-root", root / "tasks", "--metrics-root", root / "metrics"]
        assert main(["tabulate", *map(str, arguments), "--out-dir", str(root / "tables")]) == 0
    (root / "benchmarks" / "score").mkdir(parents=True)
    (root / "benchmarks" / "score" / "a.tsv").write_text("s\tcpu_time\tmax_rss\n2.0\t1.5\t512\n")
    return root


def test_summary_says_what_to_open_and_shows_short_tables(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--study", str(study)]) == 0
    text = capsys.readouterr().out
    assert "Title of en_en" in text and "LSE-D mini ↓" in text
    lines = [line.split()[0] for line in text.splitlines() if line.split()[:1] and line.split()[0] in ROWS]
    assert lines == ROWS
    assert "Title of sweep" not in text  # sixteen points: a plot shows them better
    assert text.rstrip().splitlines()[-1].startswith(f"  {study / 'cost.md'}")
    assert "index.html" not in text  # what is not there is not named
    assert (study / "cost.md").read_text(encoding="utf-8").splitlines()[2] == "| score | 1 | 2 | 2 | 0.50 |"


def test_summary_warns_where_no_mark_can_appear(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["summary", "--study", str(study)])
    text = capsys.readouterr().out
    assert "Table en_en, group all: with 30 resamples no p-value of 4 comparisons falls below 0.129" in text
    assert "Table sweep" not in text
    assert main(["summary", "--study", str(study / "nowhere")]) == 2
    assert "run the study first" in capsys.readouterr().err


def test_notebooks_show_rows_in_the_order_of_the_tables(study: Path) -> None:
    opened = Study(study)
    rows = opened.experiments("en_en")
    assert rows[:3] == ROWS and set(rows) > set(ROWS)
    assert opened.scores("en_en")["experiment"].drop_duplicates().tolist() == rows
    shown = [line for line in opened.markdown("en_en").splitlines() if line.startswith("| M3")]
    assert "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}" in shown[0] and " to " not in shown[0]


def test_a_study_knows_its_questions_and_what_it_could_have_found(study: Path) -> None:
    opened = Study(study)
    assert opened.questions["all"].tables == opened.tables
    asked = {
        "lips": {
            "question": "Can they help?",
            "tables": ["en_en"],
            "plots": [],
            "measures_cost": False,
            "counts_faces_lost": False,
        }
    }
    write_json(study / "settings" / "questions.json", asked)
    assert {name: entry.model_dump() for name, entry in opened.questions.items()} == asked
    power = opened.power("en_en").set_index(["experiment", "metric"])
    assert set(power.index) == {(row, metric) for row in ("noise", "M3") for metric in METRICS}
    line = power.loc["M3", "lse_d.syncnet_mini"]
    difference = opened.compare("en_en", "lse_d.syncnet_mini", "M3", "M1").difference
    assert line["diff_vs_baseline"] == pytest.approx(difference.value, abs=1e-6)
    assert line["detectable"] == pytest.approx(2.80 * difference.deviation / difference.n**0.5, rel=0.01)  # 1.96 + 0.84
    assert line["found"] == (line["diff_low"] > 0 or line["diff_high"] < 0)
