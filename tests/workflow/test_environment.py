"""The ways to install agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
STUDY_LOCKS = ("requirements.lock", "requirements-nodeps.lock")
LOCKS = (*STUDY_LOCKS, "requirements-test.lock")


def requirements() -> list[str]:
    """Run-time and development requirements of pyproject.toml."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return project["dependencies"] + project["optional-dependencies"]["dev"]


def peers() -> list[str]:
    """Requirements of the cross-checks."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]["peers"]


def name_of(requirement: str) -> str:
    """Normalised name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[; ]", requirement)[0]).lower()


def locked(locks: tuple[str, ...] = LOCKS) -> list[str]:
    """Lines of lock files."""
    return [line for lock in locks for line in (REPOSITORY / lock).read_text().splitlines()]


def test_conda_environment_has_the_same_requirements() -> None:
    content = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    assert sorted(pip) == sorted(requirements())


def test_locks_hold_names_and_versions_only() -> None:
    assert [line for line in locked() if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+", line)] == []


def test_locks_hold_every_requirement_once() -> None:
    names = [line.partition("==")[0] for line in locked()]
    assert len(names) == len(set(names))
    study = {line.partition("==")[0] for line in locked(STUDY_LOCKS)}
    assert {name_of(requirement) for requirement in requirements()} <= study
    assert {name_of(requirement) for requirement in peers()} <= set(names)


def test_torch_is_pinned_without_local_version() -> None:
    assert "torch==2.13.0" in locked()


def test_named_scorers_are_locked_without_their_heavy_dependencies() -> None:
    names = {line.partition("==")[0] for line in locked(STUDY_LOCKS)}
    assert {"openai-whisper", "syncnet-python"} <= names
    assert not names & {"triton", "torchvision"}
    plain = {line.partition("==")[0] for line in locked(("requirements.lock",))}
    assert not plain & {"openai-whisper", "syncnet-python"}, "their dependencies would be installed"


def test_named_scorers_can_be_imported_without_them() -> None:
    code = "import sys; sys.modules.update(triton=None, torchvision=None); import whisper, syncnet_python"
    subprocess.run([sys.executable, "-c", code], check=True)
