"""Several faces: each is followed, and the one that speaks, or is seen longest, is taken."""

import csv
from pathlib import Path

import numpy as np
import pytest

from syncvoice.cli import main
from syncvoice.dubbing.faces import follow_cues
from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.minidub.corpus import make_shard
from syncvoice.minidub.settings import CorpusJob
from syncvoice.records.clips import clips_of
from syncvoice.video.decode import ClipProblem, FrameSource, decode_clip
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PrepareSettings, follow_face, prepare_clip
from syncvoice.video.several import Choice, Face, choose, follow_faces, overlap, speaking_score
from syncvoice.video.store import TrackReader
from syncvoice.video.track import STABLE_INDEX, STABLE_LAYOUT, Track
from tests.unit.clip_files import blank_frames, clicks, face_frames, portrait, real_data, write_video

SPEAKING = PrepareSettings(several_faces="speaking")


def face_at(x: float, opening: float = 0.0, side: float = 40.0) -> np.ndarray:
    """Landmarks (478, 3) of a schematic face around x."""
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = 15, 15
    points[STABLE_INDEX] = STABLE_LAYOUT * side
    points[14, 1] += opening
    points[1], points[2] = (-side, -side, 0), (side, side, 0)  # the extent
    points[:, 0] += x
    return points


def talk(n: int, seed: int) -> np.ndarray:
    """Mouth openings (frames,) of somebody who speaks."""
    draw = np.random.default_rng(seed)
    return np.convolve(draw.uniform(0, 8, n + 2), np.ones(3) / 3, mode="valid")


def sound_of(openings: np.ndarray, seed: int = 0) -> np.ndarray:
    """Noise (960 * frames,) as loud as a mouth is open."""
    noise = np.random.default_rng(seed).normal(0, 0.02, (len(openings), 960))
    return (noise * openings[:, None]).reshape(-1).astype(np.float32)


def track(openings: np.ndarray, found: np.ndarray | None = None) -> Face:
    found = np.ones(len(openings), bool) if found is None else found
    return Face(np.stack([face_at(0, opening) for opening in openings]), found)


def test_faces_keep_their_track_when_the_detector_swaps_or_doubles_them() -> None:
    detections = []
    for k in range(30):
        pair = [face_at(100 + k), face_at(300 - k)]
        pair += [face_at(101 + k)] if k % 3 == 0 else []  # the first face found twice
        detections.append(np.stack(pair[::-1] if k % 2 else pair))
    detections[10] = detections[10][:0]  # nobody in this frame
    left, right = follow_faces(detections, max_gap=5)
    assert left.found.sum() == right.found.sum() == 29 and not left.found[10]
    assert np.allclose(left.landmarks[left.found][:, 168, 0], np.delete(100 + np.arange(30), 10), atol=1.5)
    assert np.allclose(right.landmarks[right.found][:, 168, 0], np.delete(300 - np.arange(30), 10))


def test_a_face_that_was_away_too_long_is_another_one() -> None:
    detections = [face_at(100)[None] if k < 10 or k >= 16 else face_at(0)[None][:0] for k in range(30)]
    assert [face.found.sum() for face in follow_faces(detections, max_gap=5)] == [14, 10]
    assert [face.found.sum() for face in follow_faces(detections, max_gap=6)] == [24]
    assert follow_faces([face_at(0)[None][:0]] * 5, 5) == []


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    assert np.allclose(overlap(boxes[:1], boxes), [[1, 1 / 3, 0]])
    assert overlap(np.zeros((0, 4)), boxes).shape == (0, 3)


def test_score_is_high_for_the_own_sound_and_low_for_other_or_no_motion() -> None:
    own, other = talk(75, 1), talk(75, 2)
    assert speaking_score(track(own), sound_of(own)) > 0.7
    assert abs(speaking_score(track(other), sound_of(own))) < 0.25
    assert speaking_score(track(np.full(75, 3.0)), sound_of(own)) == 0
    assert speaking_score(track(own), np.zeros(75 * 960, np.float32)) == 0
    found = np.arange(75) % 5 != 0  # lost frames hold no mouth and must not count
    holes = track(np.where(found, own, 50.0), found)
    assert speaking_score(holes, sound_of(own)) > 0.7


def test_choice_says_the_rule_and_from_how_many() -> None:
    a, b, short = talk(75, 1), talk(75, 2), np.arange(75) < 20
    faces = [track(a), track(b), track(b, short)]
    for speaker, openings in enumerate((a, b)):
        choice = choose(faces, "speaking", 0.8, sound_of(openings))
        assert (choice.face, choice.n_faces, choice.rule) == (faces[speaker], 2, "speaking")
    assert choose(faces, "longest", 0.8, None) == Choice(faces[0], 2, "longest")
    assert choose(faces[:1], "speaking", 0.8, None).n_faces == 1, "one face needs no sound"
    for sound, reason in ((None, "no_audio"), (np.zeros(75 * 960), "no_speaking_face")):
        with pytest.raises(ClipProblem) as caught:
            choose(faces, "speaking", 0.8, sound)
        assert caught.value.reason == reason and "several_faces" in caught.value.message
    with pytest.raises(ClipProblem, match="no_face"):
        choose([], "speaking", 0.8, None)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return SPEAKING.make_detector()


@pytest.fixture(scope="module")
def talkers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Frames and sound of two rendered clips of different voices."""
    folder = tmp_path_factory.mktemp("talkers")
    split = {"clips": {"en": 2}, "voices": "both", "sentences": "test"}
    make_shard(CorpusJob(seed=5, splits={"pair": split}), "pair", 0, folder)
    clips = [decode_clip(path) for path in sorted((folder / "clips").glob("*.mp4"))]
    return [(list(clip.frames), clip.audio) for clip in clips]


def side_by_side(*clips: list[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(frames, axis=1) for frames in zip(*clips, strict=False)]


@pytest.mark.parametrize("speaker", [0, 1])
def test_the_face_whose_lips_go_with_the_sound_is_taken(
    tmp_path: Path, talkers: list, detector: FaceDetector, speaker: int
) -> None:
    (left, _), (right, _) = talkers[:2]
    frames = side_by_side(left, right)
    path = write_video(tmp_path / "two.mkv", frames, talkers[speaker][1][: len(frames) * 960])
    chosen = prepare_clip(path, detector, SPEAKING)
    place = chosen.track.landmarks[:, 168, 0].mean()
    assert 288 * speaker < place < 288 * (speaker + 1)
    assert (chosen.track.n_faces, chosen.track.rule) == (2, "speaking")
    again = prepare_clip(path, detector, SPEAKING)
    assert np.array_equal(chosen.track.landmarks, again.track.landmarks), "the state of the detector is fresh"
    with pytest.raises(ClipProblem, match="several_faces"):
        prepare_clip(path, detector, PrepareSettings())


def test_the_face_seen_longest_is_taken(detector: FaceDetector) -> None:
    there = face_frames(30)
    nobody = [np.full_like(portrait(), 90)] * 30
    frames = side_by_side(nobody[:12] + there[12:], there)  # somebody steps in on the left
    settings = PrepareSettings(several_faces="longest")
    chosen = follow_face(frames, detector, settings)
    assert chosen.landmarks[:, 168, 0].min() > 224 and (chosen.n_faces, chosen.rule) == (1, "longest")
    first = follow_face(frames, detector, PrepareSettings(several_faces="first"))
    assert (first.n_faces, first.rule) == (1, "first")


def test_several_faces_of_one_clip_agree_with_the_single_tracker(talkers: list, detector: FaceDetector) -> None:
    frames, sound = talkers[0]
    alone = follow_face(frames, detector, PrepareSettings(several_faces="first"))
    chosen = follow_face(frames, detector, SPEAKING, sound)
    assert chosen.n_faces == 1 and chosen.found.all()
    assert np.abs(alone.landmarks - chosen.landmarks)[:, :, :2].max() < 3


def test_no_face_at_all_is_a_reason(detector: FaceDetector) -> None:
    with pytest.raises(ClipProblem, match="no_face"):
        follow_face(blank_frames(12, 128), detector, SPEAKING, clicks(12 * 960))


def test_manifest_and_track_say_which_rule_chose_from_how_many(
    tmp_path: Path, talkers: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (left, sound), (right, _) = talkers[:2]
    frames = side_by_side(left, right)
    Path("wild").mkdir()
    write_video(Path("wild/two.mkv"), frames, sound[: len(frames) * 960])
    write_video(Path("wild/one.mkv"), left, sound)
    with open("wild/clips.csv", "w", newline="") as file:
        csv.writer(file).writerows([("media", "text"), ("two.mkv", "hello"), ("one.mkv", "hello")])
    options = "prepare-shard --corpus wild --dataset wild --layout folder --split test --out o --excluded e.csv".split()
    for rule, expected in (
        ("speaking", [("one", "speaking", 1), ("two", "speaking", 2)]),
        ("exclude", [("one", "", 1)]),
    ):
        write_json(Path("s.json"), {"limits": {"several_faces": rule}})
        assert main([*options, "--settings", "s.json", "--manifest", "m.cuts.jsonl.gz"]) == 0
        assert [(clip.id, clip.face_rule, clip.n_faces) for clip in clips_of("m.cuts.jsonl.gz")] == expected
        with TrackReader("o/tracks.h5") as reader:
            found = [(name, reader.track(name).rule, reader.track(name).n_faces) for name in reader.clips()]
        assert found == [(name, rule, count) for name, _, count in expected]


@pytest.mark.parametrize(("rule", "place"), [("exclude", None), ("longest", 1), ("speaking", 0)])
def test_dubbing_takes_the_same_rules(tmp_path: Path, talkers: list, rule: str, place: int | None) -> None:
    """Two cues of a video in which the left person speaks and comes late into the second cue."""
    (left, sound), (right, _) = talkers
    frames = side_by_side(left, right)
    n = len(frames)
    for frame in frames[n // 2 : n // 2 + 6] if rule == "longest" else ():
        frame[:, :288] = 90
    source = FrameSource(write_video(tmp_path / "two.mkv", frames, sound[: n * 960]))
    cues = [Cue("first", "bin blue", 0, n // 2), Cue("second", "at f two", n // 2, n)]
    seen: list[int] = []
    first, second = follow_cues(source, cues, rule, lambda: seen.append(1))
    assert len(seen) == n
    if place is None:
        assert isinstance(second, ClipProblem) and second.reason == "several_faces"
        return
    assert isinstance(first, Track) and isinstance(second, Track)
    assert 288 * place < second.landmarks[:, 168, 0].mean() < 288 * (place + 1)
    assert (len(second.found), second.rule) == (n - n // 2, rule)


def test_dubbing_cannot_hear_who_speaks_in_a_silent_video(tmp_path: Path) -> None:
    source = FrameSource(write_video(tmp_path / "silent.mkv", face_frames(12), None))
    with pytest.raises(UserError, match="needs sound"):
        follow_cues(source, [Cue("all", "bin blue", 0, 12)], "speaking", lambda: None)


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
def test_real_speakers_side_by_side(detector: FaceDetector) -> None:
    """Two people of GRID who speak at the same time; the sound says who is taken."""
    folders = sorted(path for path in real_data("grid").iterdir() if path.is_dir())[:4]
    clips = [decode_clip(sorted(folder.rglob("*.mpg"))[0]) for folder in folders]
    right = 0
    for first, second in ((0, 1), (2, 3)):
        frames = side_by_side(list(clips[first].frames), list(clips[second].frames))
        for place, speaker in enumerate((first, second)):
            chosen = follow_face(frames, detector, SPEAKING, clips[speaker].audio)
            assert chosen.n_faces == 2
            right += 360 * place < chosen.landmarks[:, 168, 0].mean() < 360 * (place + 1)
    assert right >= 3
