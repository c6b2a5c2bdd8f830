"""The calls of Snakemake in the Makefile mean what they say.

`--configfile` takes every word up to the next option: a target behind it would be read as a config file.
"""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).resolve().parents[2]
FETCHED = {f"resources/assets/{name}" for name in ("kokoro_int8", "whisper_base", "distillmos")}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("target", "wanted"), [("results", set()), ("report", set()), ("natural", FETCHED), ("pretrain", {"pretrain"})]
)
def test_targets_and_config_files_are_told_apart(target: str, wanted: set[str]) -> None:
    dry = ["make", "--dry-run", "--always-make", "--no-print-directory", target, "STUDY=tiny"]
    lines = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    calls = [get_argument_parser().parse_args(shlex.split(line)[1:]) for line in lines if line.startswith("snakemake ")]
    assert calls
    assert all(call.configfile == [Path("config/tiny.yaml")] for call in calls)
    assert {name for call in calls for name in call.targets} == wanted
