"""Real clips of eleven speakers through the prepare step: faces, exclusions, and lengths against the clocks."""

from pathlib import Path

import pytest

from benchmarks import prepare as benchmark
from syncvoice.files import read_json
from tests.unit.clip_files import blank_frames, clicks, face_frames, real_data, write_video

GRID = real_data("grid")
REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "benchmarks" / "prepare_grid.json"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All clips of the ten other speakers and every 20th of s1, as links."""
    if not GRID.is_dir():
        pytest.skip("no real clips here")
    folder = tmp_path_factory.mktemp("grid")
    of_s1 = sorted((GRID / "s1").glob("*.mpg"))[::20]
    for media in [*of_s1, *(path for path in GRID.glob("s*/*.mpg") if path.parent.name != "s1")]:
        target = folder / media.parent.name / media.name
        target.parent.mkdir(exist_ok=True)
        target.symlink_to(media)
    return folder


def test_real_clips_have_a_face_and_the_lengths_of_the_clocks(chosen: Path, tmp_path: Path) -> None:
    clips = benchmark.Clips(chosen, "grid", None)
    accepted, excluded = benchmark.prepare_all(clips, tmp_path)
    assert len(accepted) == 23 and not excluded and len({clip.speaker for clip in accepted}) == 11
    rows = benchmark.lengths_of(accepted, tmp_path)
    assert sum(row["found"] for row in rows) >= 0.999 * sum(row["frames"] for row in rows)
    for row in rows:
        n = row["video"]  # frames that the file holds
        assert n == 75 and row["frames"] == row["track"] == row["mouth"] == row["pictures"] == n, row
        assert row["lip"] == row["face"] == n and row["mel"] == (15 * n + 2) // 4 == 281, row
        assert row["samples"] == 960 * n, row
        assert benchmark.disagreements(row) == []


def test_all_251_clips_were_checked_once() -> None:
    found = read_json(REFERENCE)["check"]
    assert found["passed"] and found["clips"] == 251 and found["speakers"] == 11
    assert found["share_with_face"] >= 0.999 and found["wrong_lengths"] == []
    assert found["accepted"] + sum(found["excluded"].values()) == found["clips"]


def test_check_counts_excluded_clips_and_wrong_lengths(tmp_path: Path) -> None:
    (tmp_path / "s1").mkdir()
    sound = clicks(30 * 960, at=(9600,))
    write_video(tmp_path / "s1" / "bbaf3s.mkv", face_frames(30), sound)
    write_video(tmp_path / "s1" / "bbaf4s.mkv", blank_frames(30), sound)
    found = benchmark.check(benchmark.Clips(tmp_path, "grid", None), tmp_path / "out")
    assert (found["clips"], found["accepted"], found["excluded"]) == (2, 1, {"no_face": 1})
    assert (found["frames"], found["frames_with_face"]) == (60, 30), "excluded frames count too"
    assert found["clips_with_lost_frames"] == ["s1_bbaf4s"] and found["wrong_lengths"] == []
    row = {"clip": "c", "video": 30, "frames": 30, "track": 30, "mouth": 30, "pictures": 30, "lip": 29, "face": 30}
    problems = benchmark.disagreements({**row, "mel": 112, "samples": 28_800})
    assert problems == ["c: lip has 29, expected 30", "c: mel has 112, expected 113"]


def test_steps_and_jobs_are_timed(tmp_path: Path) -> None:
    write_video(tmp_path / "bbaf3s.mkv", face_frames(20), clicks(20 * 960, at=(9600,)))
    clips = benchmark.Clips(tmp_path, "grid", None)
    steps = benchmark.step_medians(clips, tmp_path, 1, benchmark.CLOCKS["cpu"])
    assert steps["frames_per_clip"] == 20 and len(steps["steps"]) == 15
    assert all(step["seconds_per_clip"] >= 0 for step in steps["steps"].values())
    assert 0.1 < steps["share_of_detector"] < 1 and steps["limit_clips_per_second"] > steps["clips_per_second"]
    two = benchmark.side_by_side(2, clips, tmp_path)
    assert two["clips"] == 2 and two["clips_per_second"] > 0 and two["start_s"] > 0
