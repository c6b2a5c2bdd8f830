"""Long videos are cut at pauses between their texts; each piece is a clip of its own."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from syncvoice.cli import main
from syncvoice.datasets.base import read_dataset
from syncvoice.files import write_json
from syncvoice.records.clips import clips_of, read_excluded
from syncvoice.video.decode import ClipProblem, FrameSource, Limits, decode_clip
from syncvoice.video.mux import write_clip
from syncvoice.video.pieces import cut_video, plan_pieces, quiet_frames, seconds_of
from syncvoice.video.prepare import PrepareSettings
from tests.unit.clip_files import StillFace, blank_frames, face_frames, write_video


def speech(n_frames: int, pauses: list[tuple[int, int]], room: float = 0.002) -> np.ndarray:
    """Noise as loud as speech in a room of some noise, with pauses in these frames; (960 * n_frames,)."""
    draw = np.random.default_rng(0)
    loud = np.full(n_frames, 0.1)
    for start, stop in pauses:
        loud[start:stop] = 0
    return (draw.normal(0, 1, n_frames * 960) * (np.repeat(loud, 960) + room)).astype(np.float32).clip(-1, 1)


def texts(*spans: tuple[int, int]) -> list[tuple[str, float, float]]:
    """Texts "t0", "t1", ... with times given in frames."""
    return [(f"t{k}", start / 25, stop / 25) for k, (start, stop) in enumerate(spans)]


def test_quiet_frames_are_found_with_and_without_room_noise() -> None:
    for room in (0.0, 0.002, 0.01):
        assert np.flatnonzero(quiet_frames(speech(100, [(40, 50)], room))).tolist() == list(range(40, 50))
    assert not quiet_frames(speech(100, [])).any()


def test_pieces_are_as_long_as_allowed_and_end_in_pauses() -> None:
    said = texts((10, 90), (110, 190), (210, 290), (310, 390))
    sound = speech(400, [(0, 10), (90, 110), (190, 210), (290, 310), (390, 400)])
    pieces = plan_pieces(said, sound, 250)
    assert [(piece.start, piece.stop, piece.text) for piece in pieces] == [(0, 200, "t0 t1"), (200, 400, "t2 t3")]
    assert [piece.text for piece in plan_pieces(said[::-1], sound, 1000)] == ["t0 t1 t2 t3"]
    assert [piece.text for piece in plan_pieces(said, sound, 110)] == ["t0", "t1", "t2", "t3"]
    assert all(piece.problem is None for piece in pieces)


def test_early_and_late_subtitles_are_cut_where_the_sound_pauses() -> None:
    said = texts((0, 104), (104, 200))  # no gap in the file, a pause of 7 frames shortly after the border
    (first, second) = plan_pieces(said, speech(200, [(105, 112)]), 150)
    assert first.stop == second.start == 108


def test_silence_without_text_is_left_out_and_texts_after_the_end_too() -> None:
    said = texts((100, 150), (500, 560), (990, 1040))
    sound = speech(700, [(0, 100), (150, 500), (560, 700)])
    pieces = plan_pieces(said, sound, 200)
    assert [(piece.start, piece.stop) for piece in pieces] == [(88, 162), (488, 572)]
    assert plan_pieces(texts((900, 950)), sound, 200) == []
    assert pieces[1].shifted([("w", 20.0, 20.4), ("early", 1.0, 2.0)]) == (("w", 0.48, 0.88),)


def test_texts_without_a_pause_or_that_overlap_stay_together_and_may_be_too_long() -> None:
    sound = speech(400, [(200, 206)])
    pieces = plan_pieces(texts((0, 100), (100, 200), (206, 300)), sound, 150)
    assert [piece.text for piece in pieces] == ["t0 t1", "t2"]
    assert pieces[0].problem is not None and pieces[1].problem is None
    assert pieces[0].problem.reason == "no_pause" and "between 0.00 and" in pieces[0].problem.message
    over = texts((0, 230), (190, 300))
    assert [piece.text for piece in plan_pieces(over, sound, 250)] == ["t0 t1"]


def test_a_written_clip_keeps_sound_exactly_and_repeats_byte_by_byte(tmp_path: Path) -> None:
    frames = [frame[:-1, :-3] for frame in face_frames(12)]  # odd sides
    sound = speech(12, [])
    digests = set()
    for name in ("a", "b"):
        write_clip(tmp_path / f"{name}.mkv", iter(frames), sound)
        digests.add(hashlib.sha256((tmp_path / f"{name}.mkv").read_bytes()).hexdigest())
    clip = decode_clip(tmp_path / "a.mkv", 0, 12)
    assert len(digests) == 1 and np.abs(clip.audio - sound).max() < 1e-4
    shown = list(clip.frames)
    assert shown[0].shape == (222, 220, 3)
    assert max(np.abs(a.astype(int) - b[:222, :220]).mean() for a, b in zip(shown, frames, strict=True)) < 4
    with pytest.raises(ClipProblem, match="single pixel"):
        write_clip(tmp_path / "c.mkv", iter(blank_frames(3, 1)), sound[: 3 * 960])
    assert not (tmp_path / "c.mkv").exists()


def test_pieces_of_a_video_are_its_frames_and_its_sound(tmp_path: Path) -> None:
    frames = [np.full((64, 64, 3), 6 * k + 8, np.uint8) for k in range(40)]
    sound = speech(40, [(12, 18), (26, 31)])
    path = write_video(tmp_path / "a.mkv", frames, sound, codec="ffv1")
    said = texts((2, 12), (18, 26), (31, 39))
    (tmp_path / "out").mkdir()
    pieces = list(cut_video(path, said, tmp_path / "out", "film", 0.8, Limits()))
    assert [(name, media.name) for name, media, _ in pieces] == [
        (f"film_{k:03d}", f"film_{k:03d}.mkv") for k in range(3)
    ]
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [media.name for _, media, _ in pieces]
    for _, media, piece in pieces:
        clip = decode_clip(media, 0, 1)
        assert clip.n_frames == piece.stop - piece.start
        assert [round((frame.mean() - 8) / 6) for frame in clip.frames] == list(range(piece.start, piece.stop))
        assert np.abs(clip.audio - sound[piece.start * 960 : piece.stop * 960]).max() < 1e-4
    assert seconds_of(path, Limits()) == pytest.approx(1.6, abs=0.05)


def srt(*cues: tuple[float, float, str]) -> str:
    def stamp(seconds: float) -> str:
        return f"00:{int(seconds) // 60:02d}:{int(seconds) % 60:02d},{round(seconds % 1 * 1000):03d}"

    return "\n".join(f"{k}\n{stamp(a)} --> {stamp(b)}\n{text}\n" for k, (a, b, text) in enumerate(cues, 1))


def test_folder_takes_texts_and_times_of_subtitles(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.srt").write_text(srt((0.5, 1.5, "<i>bin blue</i>"), (2, 3, ""), (4, 5.25, "at f two")))
    (clip,) = read_dataset("folder", tmp_path, "test")
    assert clip.text == "bin blue at f two" and clip.cues == (("bin blue", 0.5, 1.5), ("at f two", 4.0, 5.25))
    (tmp_path / "a.txt").write_text("said better")
    assert read_dataset("folder", tmp_path, "test")[0].text == "said better"
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\n\xe9t\xe9\n")
    (clip,) = read_dataset("folder", tmp_path, "test")
    assert "UTF-8" in clip.problem and clip.text == "", "this clip is excluded with a sentence, the others go on"


@pytest.fixture
def wild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a long video with subtitles, a long one with a text only, and a short one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(PrepareSettings, "make_detector", lambda settings: StillFace())
    folder = tmp_path / "wild"
    folder.mkdir()
    sound = speech(50, [(22, 28)])
    write_video(folder / "film.mp4", face_frames(50), sound, sound_codec="aac")
    (folder / "film.srt").write_text(srt((0.2, 0.9, "bin blue"), (1.1, 1.8, "at f two")))
    write_video(folder / "talk.mp4", face_frames(50), sound, sound_codec="aac")
    (folder / "talk.txt").write_text("bin blue at f two")
    write_video(folder / "short.mp4", face_frames(20), sound[: 20 * 960], sound_codec="aac")
    (folder / "short.srt").write_text(srt((0.0, 0.8, "now")))
    return folder


def prepare(seconds: float | None) -> tuple[dict, dict]:
    write_json(Path("s.json"), {"limits": {"cut_above_seconds": seconds}})
    options = "prepare-shard --corpus wild --dataset wild --layout folder --split test --settings s.json --out o"
    assert main([*options.split(), "--manifest", "m.cuts.jsonl.gz", "--excluded", "e.csv"]) == 0
    return {clip.id: clip for clip in clips_of("m.cuts.jsonl.gz")}, {row.clip: row for row in read_excluded("e.csv")}


def test_prepare_cuts_long_videos_and_says_what_it_cannot_cut(wild: Path) -> None:
    clips, excluded = prepare(1.2)
    assert sorted(clips) == ["film_000", "film_001", "short"] and sorted(excluded) == ["talk"]
    assert (clips["film_000"].text, clips["film_001"].text, clips["short"].text) == ("bin blue", "at f two", "now")
    assert clips["film_001"].video == Path("o/videos/film_001.mkv") and clips["film_001"].speaker == "wild"
    assert clips["film_000"].n_frames == FrameSource(clips["film_000"].video).count() == 25
    assert excluded["talk"].reason == "too_long" and "talk.srt" in excluded["talk"].message
    assert excluded["talk"].media == "talk.mp4"
    kept = {path.name: path.read_bytes() for path in Path("o/videos").iterdir()}
    assert sorted(kept) == ["film_000.mkv", "film_001.mkv"]
    prepare(1.2)
    assert {path.name: path.read_bytes() for path in Path("o/videos").iterdir()} == kept
    clips, excluded = prepare(None)
    assert sorted(clips) == ["film", "short", "talk"] and clips["film"].text == "bin blue at f two" and not excluded
    assert not list(Path("o/videos").iterdir()), "pieces of an earlier run are gone"


def test_a_piece_never_takes_the_name_of_another_clip(wild: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (wild / "short.mp4").rename(wild / "film_001.mp4")
    (wild / "short.srt").rename(wild / "film_001.srt")
    write_json(Path("s.json"), {"limits": {"cut_above_seconds": 1.2}})
    options = "prepare-shard --corpus wild --dataset wild --layout folder --split test --settings s.json --out o"
    assert main([*options.split(), "--manifest", "m.cuts.jsonl.gz", "--excluded", "e.csv"]) == 2
    assert "film_001" in capsys.readouterr().err
