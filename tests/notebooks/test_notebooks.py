"""Every notebook runs on a small results folder, and is kept without outputs."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
sys.path.insert(0, str(REPOSITORY / "tests" / "unit"))

from fake_study import build_study, columns  # noqa: E402

from syncvoice import cli  # noqa: E402
from syncvoice.errors import UserError  # noqa: E402
from syncvoice.files import write_json  # noqa: E402
from syncvoice.reporting.study import Study, paired_figure, spectrograms  # noqa: E402
from syncvoice.reporting.tables import read_csv  # noqa: E402

METRICS = ["lse_d.syncnet_mini", "wer.ctc_mini"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = build_study(tmp_path_factory.mktemp("results") / "small", n=8, media=1)
    table = {"name": "en_en", "title": "Rows", "task": "en_en", "rows": ["ground_truth", "M1", "M3"], "baseline": "M1"}
    settings = root / "settings" / "tables" / "en_en.json"
    write_json(settings, {**table, "columns": columns(METRICS)})
    arguments = ["--settings", settings, "--tasks-root", root / "tasks", "--metrics-root", root / "metrics"]
    assert cli.main(["tabulate", *map(str, arguments), "--out-dir", str(root / "tables")]) == 0
    plot = {"kind": "metrics", "table": "en_en"}
    write_json(root / "plot.json", {"name": "en_en", "plot": plot, "columns": columns(METRICS)})
    arguments = ["--settings", root / "plot.json", "--study-root", root, "--out-dir", root / "plots"]
    assert cli.main(["plot", *map(str, arguments)]) == 0
    return root


def output_text(notebook) -> str:
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", ""))
            parts += [str(value) for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join(parts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_on_a_small_study(path: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCVOICE_STUDY", str(study))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    before = sorted(file for file in study.rglob("*"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": study.parent}}
    ).execute()
    text = output_text(notebook)
    assert "**Study** `small`" in text
    expected = {
        "01_metrics": "Difference from M1",
        "02_listen_and_watch": "<video",
        "03_compare_ablations": "M3 minus M1",
        "04_open_questions": "detectable",
    }
    assert expected[path.stem] in text
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 1
    assert sorted(file for file in study.rglob("*")) == before, "a notebook must not write results"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs_and_without_long_code(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert len(cell.source.splitlines()) <= 10, "move longer code to syncvoice.reporting"


def test_all_notebooks_are_here() -> None:
    expected = ["01_metrics", "02_listen_and_watch", "03_compare_ablations", "04_open_questions"]
    assert [path.stem for path in NOTEBOOKS] == expected


def test_study_compares_with_the_numbers_of_the_table(study: Path) -> None:
    opened = Study(study)
    assert opened.tables == ["en_en"] and "M3" in opened.experiments("en_en")
    table = read_csv(study / "tables" / "en_en.csv").set_index(["experiment", "group", "metric"])
    for metric in METRICS:
        line = table.loc[("M3", "seen", metric)]
        found = opened.compare("en_en", metric, "M3", "M1", "seen").difference
        assert found.value == pytest.approx(line.diff_vs_baseline, abs=1e-6)
        assert (found.low, found.high) == pytest.approx((line.diff_low, line.diff_high), abs=1e-6)
    assert opened.troubles("en_en").empty
    assert opened.clips_to_watch("en_en") == ["en_en_000"]


def test_study_figures(study: Path) -> None:
    opened = Study(study)
    comparison = opened.compare("en_en", METRICS[1], "M3", "M1")
    axis = paired_figure(comparison, "M3", "M1").axes[0]
    assert sum(len(line.get_xdata()) for line in axis.lines[:2]) == 8
    assert len(spectrograms(opened, "en_en", "en_en_000", ["M1", "M3"]).axes) == 4


def test_a_missing_study_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCVOICE_STUDY", str(tmp_path))
    with pytest.raises(UserError, match="SYNCVOICE_STUDY"):
        Study.from_environment()
