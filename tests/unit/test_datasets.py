"""Dataset layouts: MiniDub shards, any folder, GRID alignments, selections."""

import csv
import json
from pathlib import Path

import pytest

from syncvoice.datasets.base import Selection, SourceClip, check_id, in_shard, read_dataset
from syncvoice.datasets.minidub import COLUMNS
from syncvoice.errors import UserError
from syncvoice.section import validated
from syncvoice.text.grid_grammar import sentence_of
from tests.unit.clip_files import real_data


def minidub(folder: Path, rows: list[dict[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    with open(folder / "clips.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*COLUMNS, "intensity"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_minidub_shard(tmp_path: Path) -> None:
    video = {"clip": "a", "split": "train", "dataset": "minidub", "text": "hi", "media": "clips/a.mp4", "speaker": "f1"}
    sound = {"clip": "r", "split": "reference", "text": "ho", "media": "clips/r.wav", "speaker": "f1"}
    folder = minidub(tmp_path / "m", [video, sound])
    line = {"clip": "a", "phones": [["h", 0, 0.5], ["aɪ", 0.5, 1]], "words": [["hi", 0, 1]]}
    (folder / "phones.jsonl").write_text(json.dumps(line) + "\n")
    (clip,) = read_dataset("minidub", folder, "train")
    assert clip.has_video and clip.media == folder / "clips/a.mp4" and clip.phones[1] == ("aɪ", 0.5, 1.0)
    (reference,) = read_dataset("minidub", folder, "reference", "other")
    assert not reference.has_video and reference.phones == () and reference.dataset == "other"


def test_minidub_without_table_or_columns(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="clips.csv"):
        read_dataset("minidub", tmp_path, "train")
    (tmp_path / "clips.csv").write_text("clip,text\n")
    with pytest.raises(UserError, match="lacks the columns.*speaker"):
        read_dataset("minidub", tmp_path, "train")


def touch(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_folder_takes_text_from_table_file_or_alignment(tmp_path: Path) -> None:
    for name in ("b.MP4", "s1/a b.mpg", "s1/it's.mov", "deep/er/x.webm", "notes.pdf"):
        touch(tmp_path / name)
    touch(tmp_path / "s1/a b.align", "0 10000 sil\n10000 20000 bin\n20000 30000 blue\n30000 75000 sil\n")
    touch(tmp_path / "s1/it's.txt", "two\n words ")
    touch(tmp_path / "clips.tsv", "media\ttext\tspeaker\tlanguage\nb.MP4\t你好\tli\tzh\n")
    clips = {clip.id: clip for clip in read_dataset("folder", tmp_path, "test", "mine")}
    assert sorted(clips) == ["b", "deep__er__x", "s1__a b", "s1__it's"]
    assert (clips["b"].text, clips["b"].speaker, clips["b"].language) == ("你好", "li", "zh")
    assert clips["s1__a b"].text == "bin blue" and clips["s1__a b"].words == (("bin", 0.4, 0.8), ("blue", 0.8, 1.2))
    assert clips["s1__it's"].text == "two words" and clips["s1__it's"].speaker == "s1"
    assert clips["deep__er__x"].text == "" and clips["deep__er__x"].dataset == "mine"


def test_folder_rows_of_other_splits_and_missing_files(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "clips.csv", "\ufeffmedia,text,split\na.mp4,hello,train\ngone.mp4,bye,test\n")
    assert [clip.id for clip in read_dataset("folder", tmp_path, "test")] == ["gone"], (
        "listed: excluded later, not lost"
    )
    assert [clip.id for clip in read_dataset("folder", tmp_path, "train")] == ["a"]


def test_folder_problems_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_dataset("folder", tmp_path / "none", "test")
    with pytest.raises(UserError, match="no video"):
        read_dataset("folder", tmp_path, "test")
    with pytest.raises(UserError, match="unknown"):
        read_dataset("lrw", tmp_path, "test")
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "a.align", "0 10 bin\nnonsense\n")
    with pytest.raises(UserError, match="line 2"):
        read_dataset("folder", tmp_path, "test")
    touch(tmp_path / "clips.csv", "file,words\n")
    with pytest.raises(UserError, match="'media' and 'text'"):
        read_dataset("folder", tmp_path, "test")


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "line\nbreak", "bell\a"])
def test_bad_ids_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        check_id(name)


@pytest.mark.parametrize("name", ["-dash", "it's", 'a "b"', "s1__x y", "你好"])
def test_odd_but_usable_ids(name: str) -> None:
    check_id(name)


def clips(n: int) -> list[SourceClip]:
    return [SourceClip(f"c{k}", "s", "d", Path(f"c{k}.mp4"), "t", speaker=f"s{k % 3}") for k in range(n)]


def test_shards_partition() -> None:
    shards = [[clip.id for clip in clips(200) if in_shard(clip.id, shard, 4)] for shard in range(4)]
    assert sorted(sum(shards, [])) == sorted(clip.id for clip in clips(200))
    assert min(map(len, shards)) > 20


def test_selections() -> None:
    everything = clips(300)
    train = validated(Selection, {"share": [0, 0.8], "speakers": ["s1"]}, "split").pick(everything)
    test = validated(Selection, {"share": [0.8, 1.0], "speakers": ["s1"]}, "split").pick(everything)
    assert {clip.speaker for clip in train} == {"s1"} and len(train) + len(test) == 100
    assert not {clip.id for clip in train} & {clip.id for clip in test} and len(train) > len(test) > 5
    few = validated(Selection, {"clips": 7, "language": "zh"}, "split").pick(everything)
    assert len(few) == 7 and {clip.language for clip in few} == {"zh"}
    assert {clip.id for clip in few} < {
        clip.id for clip in validated(Selection, {"clips": 20}, "split").pick(everything)
    }
    with pytest.raises(UserError, match="share"):
        validated(Selection, {"share": [0.8, 0.2]}, "split")


def test_grid_names_spell_sentences() -> None:
    assert sentence_of("bbaf3s") == "bin blue at f three soon"
    assert sentence_of("SWIZ9N") == "set white in z nine now"
    for name in ("bbaf3", "bbaw3s", "bbaf0s", "hello!"):  # too short, no letter w in GRID, zero is z
        assert sentence_of(name) == ""


def test_grid_folder_layouts(tmp_path: Path) -> None:
    touch(tmp_path / "s3/video/mpg_6000/bbaf3s.mpg")
    touch(tmp_path / "s3/video/align/bbaf3s.align", "0 10000 sil\n10000 20000 bin\n")
    touch(tmp_path / "s4/lbax4n.mpg")
    touch(tmp_path / "alignments/s4/lbax4n.align", "0 25000 lay\n")
    touch(tmp_path / "s5/pwij3p.mpg")
    clips = {clip.id: clip for clip in read_dataset("grid", tmp_path, "test")}
    assert sorted(clips) == ["s3_bbaf3s", "s4_lbax4n", "s5_pwij3p"]
    assert [clips[name].speaker for name in sorted(clips)] == ["s3", "s4", "s5"]
    assert clips["s3_bbaf3s"].words == (("bin", 0.4, 0.8),) and clips["s4_lbax4n"].text == "lay"
    assert clips["s5_pwij3p"].text == "place white in j three please" and clips["s5_pwij3p"].words == ()
    alone = read_dataset("grid", tmp_path / "s5", "test")
    assert [clip.speaker for clip in alone] == ["s5"]


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
def test_real_grid_folder() -> None:
    found = read_dataset("grid", real_data("grid"), "test", "grid")
    clip = next(clip for clip in found if clip.id == "s1_bbaf3s")
    assert clip.text == "bin blue at f three soon" and clip.speaker == "s1"
    assert clip.words[0] == ("bin", 0.71, 0.9) and len(found) == 251
    assert all(not clip.words or clip.text == sentence_of(clip.media.stem) for clip in found)
