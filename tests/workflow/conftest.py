"""A copy of the workflow in which `syncvoice` is a stub, so that whole studies can be run in seconds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncvoice.study import read_study

REPOSITORY = Path(__file__).resolve().parents[2]
Change = Callable[[dict[str, Any]], None]


@dataclass
class Project:
    """A folder with workflow, config and empty weight files, and a stub instead of `syncvoice`."""

    folder: Path

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake here; output and errors together."""
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def study(self, base: str, change: Change, name: str = "changed") -> str:
        """Write a changed study file; returns its path for --configfile."""
        values = yaml.safe_load((self.folder / "config" / f"{base}.yaml").read_text())
        change(values)
        (self.folder / "config" / f"{name}.yaml").write_text(yaml.safe_dump(values))
        return f"config/{name}.yaml"

    def shards(self, study: str, split: str) -> range:
        """Shards of a split of MiniDub."""
        return range(read_study(self.folder / "config" / f"{study}.yaml").datasets["minidub"].splits[split].shards)

    def plan(self, config: str = "config/tiny.yaml", *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run plans."""
        result = self.snakemake("--dry-run", "--configfile", config, *arguments)
        assert result.returncode == 0, result.stdout
        if "Nothing to be done" in result.stdout:
            return {}
        table = result.stdout.rpartition("Job stats:")[2].partition("total")[0]
        return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}

    def plan_of(self, change: Change, *arguments: str) -> dict[str, int]:
        """Return the plan of the study `tiny` with a change."""
        return self.plan(self.study("tiny", change), *arguments)


def make_project(folder: Path) -> Project:
    """Copy what a plan depends on."""
    shutil.copytree(REPOSITORY / "workflow", folder / "workflow")
    shutil.copytree(REPOSITORY / "config", folder / "config")
    shutil.copy(REPOSITORY / "environment.yml", folder)
    shutil.copytree(REPOSITORY / "syncvoice", folder / "syncvoice", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "bin").mkdir()
    shutil.copy(Path(__file__).parent / "stub_syncvoice", folder / "bin" / "syncvoice")
    (folder / "recordings").symlink_to(REPOSITORY / "recordings")
    (folder / "weights").mkdir()
    for shipped in (REPOSITORY / "weights").glob("*.safetensors"):
        for suffix in (".safetensors", ".json"):
            (folder / "weights" / shipped.name).with_suffix(suffix).touch()
    return Project(folder)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which the study `tiny` is finished."""
    project = make_project(tmp_path_factory.mktemp("project"))
    result = project.snakemake("--configfile", "config/tiny.yaml", "--quiet")
    assert result.returncode == 0, result.stdout
    assert read_study(project.folder / "config" / "tiny.yaml").name == "tiny"
    yield project
