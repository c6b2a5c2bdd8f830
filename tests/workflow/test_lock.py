"""The lock of a run that has ended is lifted, that of a run on another machine is not."""

import platform
import subprocess
from pathlib import Path

from tests.workflow.conftest import REPOSITORY, Project

HELPER = REPOSITORY / "workflow" / "scripts" / "snakemake_runs_here"


def test_a_lock_of_another_machine_counts_as_live(tmp_path: Path) -> None:
    (tmp_path / ".snakemake").mkdir()
    assert subprocess.run([HELPER], cwd=tmp_path, check=False).returncode == 1
    (tmp_path / ".snakemake" / "host").write_text(platform.node())
    assert subprocess.run([HELPER], cwd=tmp_path, check=False).returncode == 1
    (tmp_path / ".snakemake" / "host").write_text("login2")
    other = subprocess.run([HELPER], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert other.returncode == 0 and "last locked on login2" in other.stderr


def test_a_run_says_where_it_works(project: Project) -> None:
    assert (project.folder / ".snakemake" / "host").read_text() == platform.node()
