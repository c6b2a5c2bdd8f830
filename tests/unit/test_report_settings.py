"""Every table, plot and gallery that a study's config asks for can be read by the code that makes it."""

from pathlib import Path

import pytest
import yaml

from syncvoice.files import write_json
from syncvoice.metrics.registry import METRICS
from syncvoice.reporting.settings import read_gallery_settings, read_plot_settings, read_table_settings
from syncvoice.study import read_study
from syncvoice.study.jobs import job_settings

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(path for path in CONFIG.glob("*.yaml") if "\nname:" in "\n" + path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_settings_of_a_study_are_understood(path: Path, tmp_path: Path) -> None:
    paper = yaml.safe_load((CONFIG / "paper_values.yaml").read_text(encoding="utf-8"))
    readers = {"tables": read_table_settings, "plots": read_plot_settings, "gallery": read_gallery_settings}
    tables = {}
    for section, values in job_settings(read_study(path), paper).items():
        kind, _, name = section.partition("/")
        if kind in readers:
            write_json(tmp_path / "settings.json", values)
            settings = readers[kind](tmp_path / "settings.json")
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
