"""Every table, plot and gallery that a study's config asks for can be read by the code that makes it."""

from pathlib import Path

import pytest
import yaml

from syncvoice.files import write_json
from syncvoice.metrics.registry import METRICS
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.settings import GalleryJob, TableJob
from syncvoice.section import read_settings
from syncvoice.study import read_study
from syncvoice.study.jobs import job_settings

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(path for path in CONFIG.glob("*.yaml") if "\nname:" in "\n" + path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_settings_of_a_study_are_understood(path: Path, tmp_path: Path) -> None:
    paper = yaml.safe_load((CONFIG / "paper_values.yaml").read_text(encoding="utf-8"))
    kinds = {"tables": TableJob, "plots": PlotJob, "gallery": GalleryJob}
    tables = {}
    for section, values in job_settings(read_study(path), paper).items():
        kind, _, name = section.partition("/")
        if kind in kinds:
            write_json(tmp_path / "settings.json", values)
            settings = read_settings(tmp_path / "settings.json", kinds[kind])
            if kind == "tables":
                tables[name] = settings
    assert tables
    for name, table in tables.items():
        rows = {row.key for row in table.rows}
        assert table.name == name
        assert all(set(comparison.ascending) <= rows for comparison in table.comparisons)


def test_mini_knows_all_its_metrics() -> None:
    study = read_study(CONFIG / "mini.yaml")
    unknown = {metric for table in study.tables.values() for metric in table.metrics} - set(METRICS)
    assert not unknown
