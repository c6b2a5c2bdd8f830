"""What a person reads of a plan and of an error: short lines, and the file that holds the key."""

import shutil
from pathlib import Path

import pytest
import yaml

from syncvoice.errors import UserError
from syncvoice.study import read_study
from tests.workflow.conftest import Project

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_a_changed_setting_is_a_line_not_kilobytes(project: Project) -> None:
    config = project.study("tiny", lambda values: values.setdefault("prepare", {}).update(min_face_share=0.7), "short")
    result = project.snakemake("--dry-run", "--configfile", config)
    assert result.returncode == 0, result.stdout
    changed = [line for line in result.stdout.splitlines() if "settings/prepare.json" in line]
    assert changed and "Params have changed" in result.stdout
    assert max(map(len, result.stdout.splitlines())) < 1000


def test_settings_files_hold_what_was_asked_for(project: Project) -> None:
    written = yaml.safe_load((project.folder / "results/tiny/settings/prepare.json").read_text(encoding="utf-8"))
    asked = read_study(project.folder / "config/tiny.yaml").prepare.model_dump(mode="json")
    assert {key: written["limits"][key] for key in asked} == asked


def test_a_plot_that_failed_is_planned_again(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(project.folder, folder, symlinks=True)
    copy = Project(folder)
    plot = folder / "results/tiny/plots/en_en.svg"
    assert plot.exists()
    stub, works = folder / "bin/syncvoice", folder / "bin/works"
    stub.rename(works)
    stub.write_text(f'#!/bin/sh\n[ "$1" = plot ] && exit 1\nexec "{works}" "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    result = copy.snakemake(
        "--configfile", "config/tiny.yaml", "--forcerun", "plot", "--", str(plot.relative_to(folder))
    )
    assert result.returncode != 0
    works.replace(stub)
    assert copy.plan().get("plot") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "holder", "key"),
    [
        ("rows.yaml", "    group: speaker embedding", "    gruop: speaker embedding", "rows.yaml", "gruop"),
        ("recipes/small.yaml", "dataset:", "datset:", "recipes/small.yaml", "datset"),
        ("datasets/minidub.yaml", "shards:", "shrads:", "datasets/minidub.yaml", "shrads"),
        ("defaults.yaml", "  resamples:", "  resample:", "defaults.yaml", "resample"),
        ("mini.yaml", "    baseline: M1", "    basline: M1", "mini.yaml", "basline"),
        ("rows.yaml", "recipe: no_visual", "recipe: no_visuals", "rows.yaml", "no_visuals"),
        ("experiments.yaml", "    tasks:", "    taskss:", "experiments.yaml", "taskss"),
    ],
)
def test_an_error_names_the_file_that_holds_the_key(
    tmp_path: Path, file: str, old: str, new: str, holder: str, key: str
) -> None:
    shutil.copytree(CONFIG, tmp_path / "config")
    path = tmp_path / "config" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=key) as error:
        read_study(tmp_path / "config/mini.yaml")
    assert str(error.value).startswith(f"{tmp_path / 'config' / holder}: ")
