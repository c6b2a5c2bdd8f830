"""The ways to install agree with each other."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from syncvoice import places

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


def test_conda_users_are_told_how_to_install_the_project() -> None:
    line = "conda env create -f environment.yml && conda activate syncvoice && pip install --no-deps -e ."
    assert line in (REPOSITORY / "environment.yml").read_text()
    assert line in (REPOSITORY / "docs/installation.md").read_text()


def test_an_installed_tool_brings_its_weights(tmp_path: Path) -> None:
    """The wheel holds what `syncvoice.places` looks for under share/syncvoice."""
    source = tmp_path / "source"
    shutil.copytree(REPOSITORY / "syncvoice", source / "syncvoice", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("weights", "config"):
        shutil.copytree(REPOSITORY / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(REPOSITORY / name, source)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    for path in (REPOSITORY / "weights").glob("*.safetensors"):
        assert {f"share/syncvoice/weights/{path.name}", f"share/syncvoice/weights/{path.stem}.json"} <= inside
    assert "share/syncvoice/config/assets.yaml" in inside
    assert any(name.endswith("syncvoice/reporting/assets/gallery.css") for name in names)


def test_weights_are_found_where_pip_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(places, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.setattr(places, "INSTALLED", tmp_path / "share")
    (tmp_path / "share/weights").mkdir(parents=True)
    (tmp_path / "share/weights/vocoder.safetensors").touch()
    assert places.find_weights("vocoder") == tmp_path / "share/weights/vocoder.safetensors"
    assert places.find_path("weights/vocoder.safetensors") == tmp_path / "share/weights/vocoder.safetensors"
    assert places.find_path("weights/none") == Path("weights/none")


def test_locks_hold_names_and_versions_only() -> None:
    lines = locked((*LOCKS, "requirements-docs.lock", "requirements-app.lock", "requirements-pool.lock"))
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.]+", line)] == []


def test_the_site_is_locked_beside_the_study_and_changes_nothing_of_it() -> None:
    site = {line.partition("==")[0] for line in locked(("requirements-docs.lock",))}
    assert "mkdocs-material" in site and not site & {line.partition("==")[0] for line in locked(STUDY_LOCKS)}


def test_the_page_is_locked_beside_the_study_and_agrees_with_the_tests() -> None:
    page = dict(line.split("==") for line in locked(("requirements-app.lock",)))
    assert "gradio" in page and not set(page) & {line.partition("==")[0] for line in locked(STUDY_LOCKS)}
    tests = dict(line.split("==") for line in locked(("requirements-test.lock",)))
    assert {name: page[name] for name in set(page) & set(tests)} == {
        name: tests[name] for name in set(page) & set(tests)
    }
    extra = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]["app"]
    assert {name_of(requirement) for requirement in extra} <= set(page)


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


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process runs all tests")
def test_tests_that_share_what_is_costly_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups by the names of tests, which it could not change in every version of pytest."""
    assert request.node.nodeid.endswith("@workflow")
