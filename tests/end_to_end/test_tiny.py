"""The whole study `tiny` from an empty folder through `make results`: every stage is real, sizes are small.

One run has one core and is left alone. The other has two and is killed (kill -9 of the whole process group) at random
moments and started again with the same command. Both must end with the same tables, byte for byte.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = 5

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


def project(folder: Path) -> Path:
    """A folder like a fresh clone, with this environment in place of .venv."""
    for name in ("workflow", "config"):
        shutil.copytree(REPOSITORY / name, folder / name)
    for name in ("Makefile", "requirements.lock", "requirements-nodeps.lock", "environment.yml"):
        shutil.copy2(REPOSITORY / name, folder / name)
    (folder / "weights").symlink_to(REPOSITORY / "weights")
    environment = folder / ".venv"
    environment.mkdir()
    (environment / "bin").symlink_to(Path(sys.executable).parent)
    (environment / ".installed").touch()
    return folder


def start(folder: Path, cores: int = 2) -> "subprocess.Popen[str]":
    """`make results` in a process group of its own; output goes to a file, which survives a kill."""
    with open(folder / "output.txt", "a") as output:
        return subprocess.Popen(
            ["make", "results", "STUDY=tiny", f"SNAKEFLAGS=--cores {cores}"],
            cwd=folder, stdout=output, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"},
        )  # fmt: skip


def finish(folder: Path, cores: int = 2) -> str:
    """Run to the end; returns what was printed by this run."""
    before = (folder / "output.txt").stat().st_size if (folder / "output.txt").exists() else 0
    code = start(folder, cores).wait(timeout=900)
    printed = (folder / "output.txt").read_text()[before:]
    assert code == 0, printed[-5000:]
    return printed


def tables(folder: Path) -> dict[str, bytes]:
    """Bytes of all tables."""
    return {path.name: path.read_bytes() for path in sorted((folder / "results/tiny/tables").glob("*.csv"))}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on one core."""
    folder = project(tmp_path_factory.mktemp("unbroken"))
    finish(folder, cores=1)
    return folder


def test_everything_a_reader_opens_is_there(unbroken: Path) -> None:
    results = unbroken / "results/tiny"
    scores = pd.read_csv(results / "tables/en_en.csv")
    assert {"ground_truth", "M1", "M3"} <= set(scores["experiment"])
    assert scores.loc[scores["experiment"] == "M3", "n_scored"].max() > 0
    assert (results / "report.zip").stat().st_size > 10_000
    assert list((results / "plots").glob("*.svg")) and list((results / "plots").glob("*.png"))
    assert len(list((results / "plots/contact_sheet/minidub").glob("*.jpg"))) == 3  # splits with video
    page = (results / "gallery/index.html").read_text()
    assert "<video" in page and "synthetic" in page.lower()
    wavs = list((results / "speech/M3/en_en").glob("*.wav"))
    assert len(wavs) == len(pd.read_csv(results / "tasks/en_en.csv"))


def test_a_second_run_has_nothing_to_do(unbroken: Path) -> None:
    assert "Nothing to be done" in finish(unbroken)


def test_killed_runs_end_with_the_same_tables(unbroken: Path, tmp_path: Path) -> None:
    folder = project(tmp_path)
    moments = random.Random(5)
    for _ in range(KILLS):
        run = start(folder)
        time.sleep(moments.uniform(4, 25))
        if run.poll() is not None:
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    finish(folder)
    printed = (folder / "output.txt").read_text()
    assert "Traceback" not in re.sub(r"KeyboardInterrupt[\s\S]*?\n\n", "", printed)
    assert tables(folder) == tables(unbroken)
