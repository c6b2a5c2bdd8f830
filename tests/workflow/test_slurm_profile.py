"""The profile for Slurm loads, asks for more at every attempt, and repeats nothing that only the user can mend."""

import re
from pathlib import Path

import pytest
import yaml

from syncvoice import cli
from syncvoice.errors import UserError
from tests.workflow.conftest import REPOSITORY, Project, make_project

PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm" / "profile.yaml"
STUB = """#!/usr/bin/env bash
echo "$1 $SYNCVOICE_TRY" >> tries.txt
if [[ $1 == train && $SYNCVOICE_TRY != 3:* ]]; then exit 137; fi  # out of memory, twice
exec "$(dirname "$0")/plain_stub" "$@"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """`tiny` with the profile, its executor replaced by the local one; what Snakemake said."""
    project = make_project(tmp_path_factory.mktemp("slurm"))
    profile = project.folder / "workflow" / "profiles" / "slurm" / "profile.yaml"
    values = yaml.safe_load(profile.read_text()) | {"executor": "local", "latency-wait": 3}
    profile.write_text(yaml.safe_dump(values))
    (project.folder / "bin" / "syncvoice").rename(project.folder / "bin" / "plain_stub")
    stub = project.folder / "bin" / "syncvoice"
    stub.write_text(STUB)
    stub.chmod(0o755)
    result = project.snakemake(
        "--configfile", "config/tiny.yaml", "--workflow-profile", "workflow/profiles/slurm", "--until", "train"
    )
    return project, result.stdout


def test_profile_loads_and_failed_jobs_are_tried_again(run: tuple[Project, str]) -> None:
    project, said = run
    assert len(list((project.folder / "results" / "tiny" / "models").iterdir())) == 2, said
    tries = (project.folder / "tries.txt").read_text().split("\n")
    assert (
        sorted(line[:7] for line in tries if line.startswith("train"))
        == ["train 1"] * 2 + ["train 2"] * 2 + ["train 3"] * 2
    )


def test_memory_and_time_grow_with_the_attempt(run: tuple[Project, str]) -> None:
    asked = re.findall(r"rule train:.*?resources: ([^\n]*)", run[1], re.DOTALL)
    memory = sorted(int(re.search(r"mem_mb=(\d+)", line).group(1)) for line in asked)
    times = sorted(int(re.search(r"runtime=(\d+)", line).group(1)) for line in asked)
    assert memory == [6000, 6000, 12000, 12000, 24000, 24000]
    assert times == [1440, 1440, 2880, 2880, 4320, 4320]


def test_triggers_are_those_of_the_default_profile() -> None:
    default = yaml.safe_load((PROFILE.parents[1] / "default" / "profile.yaml").read_text())
    slurm = yaml.safe_load(PROFILE.read_text())
    assert slurm["rerun-triggers"] == default["rerun-triggers"]
    assert not [rule for rule, asked in slurm["set-resources"].items() if "gpu" in asked], "rules say who uses a card"


def test_user_errors_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def run(args: object) -> None:
        calls.append(1)
        raise UserError("the folder is absent")

    monkeypatch.setattr("syncvoice.commands.tasks.run", run)
    arguments = ["tasks", "--settings", "s", "--manifest", "m", "--references", "r", "--out", "o"]
    log = tmp_path / "tasks.log"
    for attempt in (1, 2, 3):
        monkeypatch.setenv("SYNCVOICE_TRY", f"{attempt}:{log}")
        assert cli.main(arguments) == 2
        assert "the folder is absent" in capsys.readouterr().err
    assert len(calls) == 1
    monkeypatch.setenv("SYNCVOICE_TRY", f"1:{log}")  # the command is started again: the user may have mended it
    cli.main(arguments)
    assert len(calls) == 2
