"""Manifests: what goes in comes out, Lhotse reads them, same clips same bytes."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from syncvoice.errors import UserError
from syncvoice.records.clips import (
    Clip,
    Excluded,
    clips_of,
    merge_manifests,
    read_excluded,
    write_excluded,
    write_manifest,
)

CLIP = Clip(
    id="train_en0001",
    split="train",
    dataset="minidub",
    speaker="f2",
    sex="female",
    voice_seen="yes",
    language="en",
    source="grid",
    text='set "white" at ü 你好',
    video=Path("results/mini/corpus/clips/train en'0001.mp4"),
    audio=Path("results/mini/prepared/audio/train_en0001.wav"),
    n_frames=75,
    phones=(("_", 0.0, 0.1), ("s", 0.1, 0.25), ("ɛ", 0.25, 3.0)),
    words=(("set", 0.1, 0.35),),
    translation_text="",
    track=Path("results/mini/prepared/tracks.h5"),
    audio_sha256="a" * 64,
    track_sha256="b" * 64,
)
SOUND_ONLY = replace(CLIP, id="reference_1", video=None, track=None, phones=(), words=(), track_sha256="")


def test_round_trip(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.cuts.jsonl.gz", [CLIP, SOUND_ONLY])
    assert clips_of(tmp_path / "a.cuts.jsonl.gz") == [SOUND_ONLY, CLIP], "sorted by id, nothing lost"


def test_same_clips_same_bytes_in_any_order(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.gz", [CLIP, SOUND_ONLY])
    write_manifest(tmp_path / "other name.gz", [SOUND_ONLY, CLIP])
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "other name.gz").read_bytes()


def test_lhotse_reads_it(tmp_path: Path) -> None:
    from lhotse import CutSet

    write_manifest(tmp_path / "a.jsonl.gz", [CLIP])
    (cut,) = CutSet.from_file(tmp_path / "a.jsonl.gz")
    assert cut.id == CLIP.id and cut.duration == 3.0 and cut.num_samples == 72_000 and cut.sampling_rate == 24_000
    (supervision,) = cut.supervisions
    assert (supervision.text, supervision.language, supervision.speaker) == (CLIP.text, "en", "f2")
    assert supervision.gender == "F"
    assert [item.symbol for item in supervision.alignment["phone"]] == ["_", "s", "ɛ"]
    assert supervision.alignment["phone"][1].end == pytest.approx(0.25)
    assert cut.custom["n_frames"] == 75 and cut.custom["track"] == CLIP.track.as_posix()


def test_merging_joins_and_refuses_double_ids(tmp_path: Path) -> None:
    write_manifest(tmp_path / "0.gz", [CLIP])
    write_manifest(tmp_path / "1.gz", [SOUND_ONLY])
    merge_manifests([tmp_path / "0.gz", tmp_path / "1.gz"], tmp_path / "all.gz")
    assert len(clips_of(tmp_path / "all.gz")) == 2
    with pytest.raises(UserError, match="twice"):
        merge_manifests([tmp_path / "0.gz", tmp_path / "0.gz"], tmp_path / "bad.gz")
    assert not (tmp_path / "bad.gz").exists()


def test_lhotse_would_write_the_same_lines(tmp_path: Path) -> None:
    from lhotse import CutSet

    variants = [CLIP, SOUND_ONLY, replace(CLIP, id="bare", sex="", speaker="", language="", text="", words=())]
    write_manifest(tmp_path / "a.jsonl.gz", variants)
    lines = gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).decode().splitlines()
    cuts = CutSet.from_file(tmp_path / "a.jsonl.gz")
    assert lines == [json.dumps(cut.to_dict(), ensure_ascii=False) for cut in cuts] and len(lines) == 3


def test_jobs_do_not_pay_for_the_import_of_lhotse(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.gz", [CLIP])
    code = "import sys; from syncvoice.records.clips import *; write_manifest('b.gz', clips_of('a.gz'))"
    command = [sys.executable, "-c", f"{code}; print('lhotse' in sys.modules, 'torch' in sys.modules)"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert (tmp_path / "b.gz").read_bytes() == (tmp_path / "a.gz").read_bytes()


def test_empty_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path / "a.gz", [])
    assert clips_of(tmp_path / "a.gz") == []


def test_unreadable_manifests_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        clips_of(tmp_path / "none.gz")
    (tmp_path / "text.gz").write_text("no gzip")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b'{"id": "x"}\n'))
    whole = gzip.compress(b"{}\n" * 1000)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    for name in ("text.gz", "other.gz", "cut.gz"):
        with pytest.raises(UserError, match=name):
            clips_of(tmp_path / name)


def test_digest_depends_on_the_named_fields_only() -> None:
    assert CLIP.digest("audio_sha256") == replace(CLIP, text="other").digest("audio_sha256")
    assert CLIP.digest("text") != replace(CLIP, text="other").digest("text")
    assert CLIP.digest("text") != replace(CLIP, n_frames=74).digest("text")


def test_excluded_round_trip(tmp_path: Path) -> None:
    rows = [Excluded("b", "clips/b, 2.mp4", "no_face", 'says "why"'), Excluded("a", "a.mp4", "no_audio", "x\ny")]
    write_excluded(tmp_path / "e.csv", rows)
    assert read_excluded(tmp_path / "e.csv") == rows[::-1]
    write_excluded(tmp_path / "none.csv", [])
    assert read_excluded(tmp_path / "none.csv") == []
    (tmp_path / "bad.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="columns"):
        read_excluded(tmp_path / "bad.csv")
