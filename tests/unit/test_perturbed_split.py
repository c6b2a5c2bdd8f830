"""Splits of perturbed clips: which clips they hold, and that preparing reads them as recordings."""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.datasets.base import read_dataset
from syncvoice.datasets.perturbed import PerturbJob, make_perturbed
from syncvoice.datasets.tasks import TaskJob, make_task
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.records.clips import Clip
from syncvoice.video.decode import FrameSource, decode_sound
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import Track
from tests.unit.clip_files import blank_frames, clicks, write_video

N = 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("prepared")
    points = np.random.default_rng(0).uniform(10, 50, (N, 478, 3)).astype(np.float32)
    box = np.tile(np.array([0, 0, 64, 64], np.float32), (N, 1))
    made = []
    with TrackWriter(folder / "tracks.h5") as writer:
        for name in ("a", "b", "c", "d", "e"):
            sound = clicks(960 * N, (960 * 2,))
            write_video(folder / f"{name}.mp4", blank_frames(N), sound)
            write_wav(folder / f"{name}.wav", sound, 24_000)
            writer.add(name, Track(points, np.ones(N, bool), box), [], [])
            made.append(
                Clip(
                    id=name, split="test", dataset="minidub", speaker="s1", sex="female", voice_seen="no",
                    language="en", source="grid", text=f"bin blue {name}", video=folder / f"{name}.mp4",
                    audio=folder / f"{name}.wav", n_frames=N, phones=(("b", 0.1, 0.2),), words=(("bin", 0.1, 0.2),),
                    track=folder / "tracks.h5", audio_sha256=sha256_of(folder / f"{name}.wav"),
                )
            )  # fmt: skip
    return made


def job(**content: object) -> PerturbJob:
    values = {"of": "test", "perturb": {"kind": "none"}, **content}
    return PerturbJob(content=values, split="test_worse", shards=2, seed=1)


def test_the_clips_are_those_that_a_task_keeps(clips: list[Clip], tmp_path: Path) -> None:
    kept = [row.clip for row in make_task(clips, clips, TaskJob(language="en", text="own", clips=3, seed=1))]
    assert sum(make_perturbed(clips, job(clips=3), shard, tmp_path / str(shard)) for shard in (0, 1)) == 3
    found = [clip for shard in "01" for clip in read_dataset("minidub", tmp_path / shard, "test_worse", "minidub")]
    assert sorted(clip.id for clip in found) == kept
    first = found[0]
    assert (first.split, first.speaker, first.voice_seen, first.has_video) == ("test_worse", "s1", "no", True)
    assert first.phones == (("b", 0.1, 0.2),)
    assert first.words == (("bin", 0.1, 0.2),)


def test_pictures_and_sound_are_those_of_the_clip_made_worse(clips: list[Clip], tmp_path: Path) -> None:
    make_perturbed(clips[:1], job(perturb={"kind": "frame_drops", "amount": 1.0}), 0, tmp_path)
    make_perturbed(clips[:1], job(perturb={"kind": "frame_drops", "amount": 1.0}), 1, tmp_path / "other")
    (path,) = tmp_path.rglob("a.mkv")
    levels = [frame.mean() for frame in FrameSource(path)]
    assert len(levels) == N
    assert np.ptp(levels) < 1
    assert np.ptp([frame.mean() for frame in FrameSource(clips[0].video)]) > 25
    late = job(perturb={"kind": "sound_late", "amount": 40})
    for shard in (0, 1):
        make_perturbed(clips[:1], late, shard, tmp_path / f"late{shard}")
    (path,) = tmp_path.glob("late*/clips/a.mkv")
    sound = decode_sound(path)[0]
    assert int(np.argmax(sound > 0.5)) == 960 * 3  # one frame later than 960 * 2


def test_a_clip_without_video_is_refused(clips: list[Clip], tmp_path: Path) -> None:
    from dataclasses import replace

    silent = replace(clips[0], video=None)
    with pytest.raises(UserError, match="'a' has no video"):
        [make_perturbed([silent], job(), shard, tmp_path) for shard in (0, 1)]
