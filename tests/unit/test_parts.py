"""The parts of a row that several jobs speak are, joined, the row that one job speaks."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import read_wav
from syncvoice.commands import generate, join_parts
from syncvoice.errors import UserError
from syncvoice.files import read_json, write_json
from syncvoice.records.speech import read_speech
from tests.unit.test_resume import job as job_of_a_model

job = job_of_a_model  # the fixture


def spoken(job: argparse.Namespace, out: Path, part: str, swap: str) -> Path:
    settings = read_json(job.experiment_settings) | {"swap": swap}
    write_json(out.parent / f"{swap}.json", settings)
    changes = {"out": out, "part": part, "experiment_settings": out.parent / f"{swap}.json"}
    generate.run(argparse.Namespace(**vars(job) | changes))
    return out


def joined(parts: Sequence[Path], out: Path) -> list[dict[str, str]]:
    join_parts.run(argparse.Namespace(parts=list(parts), out=out))
    return read_speech(out)


@pytest.mark.parametrize("swap", ["none", "video"])
def test_joined_parts_are_the_row(job: argparse.Namespace, tmp_path: Path, swap: str) -> None:
    whole = spoken(job, tmp_path / "whole", "0/1", swap)
    parts = [spoken(job, tmp_path / f"{k}", f"{k}/5", swap) for k in range(5)]
    assert [len(read_speech(part)) for part in parts] == [2, 2, 2, 2, 0]  # four utterances at two points
    rows = joined(parts, tmp_path / "joined")
    expected = read_speech(whole)
    kept = ("utterance", "point", "wav", "status")
    assert [[row[name] for name in kept] for row in rows] == [[row[name] for name in kept] for row in expected]
    for row in rows:  # batches differ, so the last bits may
        a, b = (read_wav(folder / row["wav"], 24_000)[0] for folder in (tmp_path / "joined", whole))
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_parts_that_overlap_are_refused(job: argparse.Namespace, tmp_path: Path) -> None:
    part = spoken(job, tmp_path / "part", "0/2", "none")
    with pytest.raises(UserError, match="another part speaks too"):
        joined([part, part], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("part", ["2/2", "1", "0/0", "-1/2"])
def test_wrong_parts(part: str) -> None:
    with pytest.raises(UserError, match="expected K/N"):
        generate.part_of([1, 2, 3], part)


def test_parts_share_the_utterances_out() -> None:
    parts = [generate.part_of(list(range(7)), f"{k}/3") for k in range(3)]
    assert sorted(sum(parts, [])) == list(range(7)) and max(map(len, parts)) == 3
