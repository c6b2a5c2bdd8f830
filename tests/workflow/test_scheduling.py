"""Snakemake looks for jobs when one ends, and does not poll between."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import REPOSITORY

SNAKEFILE = """
from syncvoice.study.scheduling import look_only_when_a_job_ends

onstart:
    taken = look_only_when_a_job_ends(workflow.scheduler)
    print("taken away:", taken, "left:", workflow.scheduler.job_rate_limiter is not None)

rule all:
    input: expand("{n}.txt", n=range(4))

rule one:
    output: "{n}.txt"
    shell: "touch {output}"
"""


@pytest.mark.parametrize(
    ("asked_for", "said"),
    [([], "taken away: True left: False"), (["--max-jobs-per-timespan", "50/1s"], "taken away: False left: True")],
)
def test_the_default_limit_of_job_starts_goes_and_a_wished_one_stays(
    asked_for: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "Snakefile").write_text(f"import sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n{SNAKEFILE}")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile", "none", *asked_for]
    found = subprocess.run(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert found.returncode == 0, found.stdout
    assert said in found.stdout
    assert len(list(tmp_path.glob("*.txt"))) == 4


def test_the_workflow_asks_for_it() -> None:
    assert "look_only_when_a_job_ends(workflow.scheduler)" in (REPOSITORY / "workflow" / "Snakefile").read_text()
