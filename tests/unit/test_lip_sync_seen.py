"""Lips that are embedded once for all rows give the scores that looking at the video gives."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from syncvoice.errors import ChangedFile, UserError
from syncvoice.metrics.lip_sync.distances import Lips
from syncvoice.metrics.lip_sync.seen import write_lips
from syncvoice.metrics.lip_sync.syncnet_v2 import TrackedScorer, WholeFrameScorer
from syncvoice.metrics.scorer import ScoreError, Sources
from syncvoice.records.clips import Clip
from tests.unit.clip_files import RATE, face_frames, write_video
from tests.unit.spoken import noise, utterance
from tests.unit.test_lip_sync_v2 import FixedBoxes, PictureNetwork, boxes_of


def clip_of(name: str, video: Path | None, track: str = "t") -> Clip:
    return Clip(
        id=name, split="test", dataset="d", speaker="s", sex="", voice_seen="", language="en", source="", text="a b",
        video=video, audio=Path("none.wav"), n_frames=20, track_sha256=track,
    )  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("film")
    video = write_video(folder / "a.mkv", face_frames(20), noise(0.8, sample_rate=RATE))
    (folder / "b.mkv").write_bytes(b"no video")
    return {"u1": clip_of("u1", video), "u2": clip_of("u2", folder / "b.mkv"), "u3": clip_of("u3", None)}


def tracked(clips: dict[str, Clip], version: str = "1") -> TrackedScorer:
    boxes = FixedBoxes(boxes_of(range(3, 20)))
    boxes.version = version
    return TrackedScorer(PictureNetwork(), Sources(Path("weights"), clips), "abc", detector=boxes)


@pytest.fixture(scope="module")
def shard(clips: dict[str, Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lips") / "shard-0.h5"
    write_lips(path, tracked(clips), clips.values())
    return path


def test_scores_are_those_of_the_video_and_no_video_is_looked_at(clips: dict[str, Clip], shard: Path) -> None:
    sound, looking, reading = utterance(noise(0.8)), tracked(clips), tracked(clips)
    reading.take_seen(Sources(Path("weights"), seen=[shard]))
    assert reading.score(sound) == looking.score(sound)
    assert reading.first_frame(sound) == looking.first_frame(sound) == 3
    assert len(looking.network.frames) == 1 and not reading.network.frames


def test_a_clip_that_cannot_be_scored_keeps_its_reason(clips: dict[str, Clip], shard: Path) -> None:
    reading = tracked(clips)
    reading.take_seen(Sources(Path("weights"), seen=[shard]))
    told = []
    for scorer in (reading, tracked(clips)):
        with pytest.raises(ScoreError) as caught:
            scorer.lips("u2")
        told.append(str(caught.value))
    assert told[0] == told[1] and told[0]


@pytest.mark.parametrize("changed", ["version", "picture", "clip", "protocol"])
def test_lips_of_something_else_are_refused(clips: dict[str, Clip], shard: Path, changed: str) -> None:
    asked, scorer = dict(clips), tracked(clips, "2" if changed == "version" else "1")
    if changed == "picture":
        asked["u1"] = clip_of("u1", clips["u1"].video, "another")
    if changed == "clip":
        asked["u4"] = clip_of("u4", clips["u1"].video)
    sources = Sources(Path("weights"), asked, seen=[shard])
    if changed == "protocol":
        scorer = WholeFrameScorer(PictureNetwork(), sources, "abc")
    elif changed != "version":
        scorer = TrackedScorer(PictureNetwork(), sources, "abc", detector=FixedBoxes(boxes_of(range(3, 20))))
    with pytest.raises(UserError, match="stale|is in none"):
        scorer.take_seen(sources)


def test_flipped_values_stop_the_job(clips: dict[str, Clip], shard: Path, tmp_path: Path) -> None:
    with h5py.File(shard) as file:
        offset = file["u1"].id.get_chunk_info(0).byte_offset
    data = bytearray(shard.read_bytes())
    data[offset + 8] ^= 1
    (tmp_path / "shard-0.h5").write_bytes(bytes(data))
    reading = tracked(clips)
    reading.take_seen(Sources(Path("weights"), seen=[tmp_path / "shard-0.h5"]))
    with pytest.raises(ChangedFile):
        reading.score(utterance(noise(0.8)))


def test_rows_before_the_track_are_no_windows(tmp_path: Path, clips: dict[str, Clip]) -> None:
    scorer = tracked(clips)
    scorer._lips = lambda name: Lips(np.ones((4, 3), np.float32), 7)
    write_lips(tmp_path / "shard-0.h5", scorer, [clips["u1"]])
    reading = tracked({"u1": clips["u1"]})
    reading.take_seen(Sources(Path("weights"), seen=[tmp_path / "shard-0.h5"]))
    lips = reading.lips("u1")
    assert lips.start == 7 and lips.embeddings.shape == (4, 3) and np.isfinite(lips.embeddings).all()
