"""No output is an input, under whatever spelling, for every command; a folder without usable clips still ends."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.dubbing import dub, speak
from syncvoice.errors import UserError
from syncvoice.outputs import check_output
from syncvoice.records.clips import clips_of, read_excluded
from syncvoice.text.subtitles import read_entries
from tests.unit.clip_files import blank_frames, clicks, write_video


def linked(target: Path, name: str) -> Path:
    os.symlink(target, target.parent / name)
    return target.parent / name


def hard_linked(target: Path, name: str) -> Path:
    os.link(target, target.parent / name)
    return target.parent / name


def folder_linked(target: Path) -> Path:
    os.symlink(target.parent, target.parent.parent / "way")
    return target.parent.parent / "way" / target.name


# Every spelling of an input file: given its path, the same file (or one that some file systems take for it).
SPELLINGS: dict[str, Callable[[Path], Path]] = {
    "the same": lambda path: path,
    "dot": lambda path: path.parent / "." / path.name,
    "up and down": lambda path: path.parent / ".." / path.parent.name / path.name,
    "relative": lambda path: Path(os.path.relpath(path)),
    "capitals": lambda path: path.with_name(path.name.upper()),
    "capital suffix": lambda path: path.with_suffix(path.suffix.upper()),
    "link": lambda path: linked(path, f"link{path.suffix}"),
    "hard link": lambda path: hard_linked(path, f"hard{path.suffix}"),
    "through a linked folder": folder_linked,
    "linked folder and capitals": lambda path: folder_linked(path).with_suffix(path.suffix.upper()),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_file_is_refused(folder: Path, spelling: str) -> None:
    (folder / "clip.mp4").write_bytes(b"kept")
    with pytest.raises(UserError, match="is the video"):
        check_output(SPELLINGS[spelling](folder / "clip.mp4"), {"video": folder / "clip.mp4"})


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_file_in_an_input_folder_is_refused(folder: Path, spelling: str) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "clip.wav").write_bytes(b"kept")
    with pytest.raises(UserError, match="is the generated"):
        check_output(SPELLINGS[spelling](folder / "deep" / "clip.wav"), {"generated": folder})


def test_unicode_forms_are_one_name(folder: Path) -> None:
    (folder / "caf\u00e9.mp4").write_bytes(b"kept")
    with pytest.raises(UserError, match="under another name"):
        check_output(folder / "cafe\u0301.mp4", {"video": folder / "caf\u00e9.mp4"})


def test_other_files_pass(folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(b"kept")
    (folder / "old.mp4").write_bytes(b"an earlier result")
    others = [folder / "out.mp4", folder / "old.mp4", folder.parent / "clip.mp4", folder / "new" / "clip.mp4"]
    for out in others:
        check_output(out, {"video": folder / "clip.mp4", "text": None, "gone": folder / "gone.srt"})
    check_output(folder / "scores.csv", {"generated": folder})


def test_folders_and_files_as_folders_are_refused(folder: Path) -> None:
    (folder / "README.md").write_text("text")
    with pytest.raises(UserError, match="is a folder; give the name of a file"):
        check_output(folder, {})
    for name in ("README.md/x.mp4", "README.md/a/b/x.mp4"):
        with pytest.raises(UserError, match="README.md is a file, no folder"):
            check_output(folder / name, {})


def commands(folder: Path) -> dict[str, tuple[list[str], Path]]:
    """Command lines without --out, and an input that must not be lost."""
    video, voice, table = folder / "clip.mp4", folder / "voice.wav", folder / "texts.csv"
    return {
        "dub": (["dub", str(video), "--text", "hello", "--voice", str(voice)], video),
        "dub's voice": (["dub", str(video), "--text", "hello", "--voice", str(voice)], voice),
        "speak": (["speak", "--text", "hello", "--voice", str(voice), "--voice-text", "hi"], voice),
        "score": (["score", "--generated", str(folder), "--metric", "wer", "--texts", str(table)], table),
        "score's folder": (["score", "--generated", str(folder), "--metric", "mos"], voice),
        "merge-manifests": (
            ["merge-manifests", "--inputs", str(table), "--excluded-inputs", str(video), "--excluded", "e.csv"],
            table,
        ),
    }


@pytest.mark.parametrize("spelling", ["the same", "capital suffix", "link", "hard link", "through a linked folder"])
@pytest.mark.parametrize("name", ["dub", "dub's voice", "speak", "score", "score's folder", "merge-manifests"])
def test_no_command_replaces_its_input(folder: Path, name: str, spelling: str, capsys: pytest.CaptureFixture) -> None:
    write_video(folder / "clip.mp4", blank_frames(12), clicks(12 * 960), sound_codec="aac")
    write_wav(folder / "voice.wav", np.sin(np.arange(48_000) / 20).astype(np.float32) / 2, 24_000)
    (folder / "texts.csv").write_text("utterance,text\nvoice,hello\n")
    arguments, kept = commands(folder)[name]
    before = kept.read_bytes()
    assert main([*arguments, "--out", str(SPELLINGS[spelling](kept))]) == 2
    error = capsys.readouterr().err
    assert "choose another name" in error and "Traceback" not in error
    assert kept.read_bytes() == before


def test_python_calls_refuse_too(folder: Path) -> None:
    write_video(folder / "clip.mp4", blank_frames(12), None)
    write_wav(folder / "voice.wav", np.ones(24_000, np.float32) / 2, 24_000)
    with pytest.raises(UserError, match="under another name"):
        dub(folder / "clip.mp4", "hello", voice=folder / "voice.wav", out=folder / "clip.MP4")
    with pytest.raises(UserError, match="under another name"):
        speak("hello", folder / "voice.wav", "hi", folder / "VOICE.wav")


# Folders in which no clip is usable: name -> what makes one.
UNUSABLE: dict[str, Callable[[Path], object]] = {
    "no face": lambda folder: write_video(folder / "a.mp4", blank_frames(20), clicks(20 * 960), sound_codec="aac"),
    "no sound": lambda folder: write_video(folder / "a.mp4", blank_frames(20), None),
    "too short": lambda folder: write_video(folder / "a.mp4", blank_frames(3), clicks(3 * 960), sound_codec="aac"),
    "no video at all": lambda folder: (folder / "a.mp4").write_text("hello"),
    "empty file": lambda folder: (folder / "a.mp4").write_bytes(b""),
}


def prepared(folder: Path, shard: int = 0, shards: int = 1) -> int:
    arguments = ["--corpus", str(folder), "--dataset", "own", "--layout", "folder", "--split", "test", "--out", "o"]
    tables = ["--manifest", "m.cuts.jsonl.gz", "--excluded", "e.csv", "--shard", str(shard), "--shards", str(shards)]
    return main(["prepare-shard", *arguments, *tables])


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("text", ["", "hello"])
def test_declared_outputs_exist_without_a_usable_clip(folder: Path, kind: str, text: str) -> None:
    UNUSABLE[kind](folder)
    (folder / "a.txt").write_text(text)
    assert prepared(folder) == 0
    assert Path("o/audio").is_dir() and Path("o/videos").is_dir() and Path("o/tracks.h5").is_file()
    assert clips_of("m.cuts.jsonl.gz") == []
    (row,) = read_excluded("e.csv")
    assert row.clip == "a" and row.reason and row.message


def test_a_shard_without_any_clip_has_its_outputs(folder: Path) -> None:
    UNUSABLE["no face"](folder)
    made = []
    for shard in range(3):
        assert prepared(folder, shard, 3) == 0
        assert Path("o/audio").is_dir() and Path("o/videos").is_dir() and Path("o/tracks.h5").is_file()
        made.append(len(read_excluded("e.csv")))
        for name in ("o/audio", "o/videos"):
            os.rmdir(name)
    assert sorted(made) == [0, 0, 1]


def test_later_stages_say_that_nothing_is_usable(folder: Path, capsys: pytest.CaptureFixture) -> None:
    UNUSABLE["no face"](folder)
    assert prepared(folder) == 0
    Path("task.json").write_text('{"language": "en", "text": "own", "seed": 0}')
    merged = ["--inputs", "m.cuts.jsonl.gz", "--excluded-inputs", "e.csv", "--out", "all.gz", "--excluded", "all.csv"]
    assert main(["merge-manifests", *merged]) == 0 and len(read_excluded("all.csv")) == 1
    assert main(["contact-sheet", "--manifest", "all.gz", "--excluded", "all.csv", "--out", "sheet.jpg"]) == 0
    assert main(["features", "--extractor", "zipvoice_mel", "--manifest", "all.gz", "--out", "f.h5"]) == 0
    made = main(
        ["tasks", "--settings", "task.json", "--manifest", "all.gz", "--references", "all.gz", "--out", "t.csv"]
    )
    assert made == 2 and "no usable clip; its excluded.csv" in capsys.readouterr().err


# Numbers that people's subtitle files have; every cue must keep its own text, time and sound.
NUMBERINGS = [(1, 2, 3), (0, 1, 2), (1, 1, 1), (1, 2, 1), (7, 8, 9), (3, 2, 1), (None, None, None), (1, None, 1)]


@pytest.mark.parametrize("numbers", NUMBERINGS)
def test_subtitle_numbers_are_labels(folder: Path, numbers: tuple[int | None, ...]) -> None:
    from syncvoice.dubbing.speech import placed
    from syncvoice.dubbing.subtitles import read_subtitles

    blocks = []
    for place, number in enumerate(numbers):
        label = "" if number is None else f"{number}\n"
        blocks.append(f"{label}00:00:0{place},000 --> 00:00:0{place},800\nword {place}\n")
    (folder / "a.srt").write_text("\n".join(blocks))
    assert [entry.text for entry in read_entries(folder / "a.srt")] == ["word 0", "word 1", "word 2"]
    cues, _ = read_subtitles(folder / "a.srt", 75)
    assert len({cue.name for cue in cues}) == 3
    made = {cue.name: np.full(cue.n_frames * 960, 0.1 * (place + 1)) for place, cue in enumerate(cues)}
    speech = placed(cues, made, 75)
    middles = [speech[round((place + 0.4) * 24_000)] for place in range(3)]
    assert middles == pytest.approx([0.1, 0.2, 0.3]), "every cue has its own sound"
