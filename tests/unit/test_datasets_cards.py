"""Real data sets: LRS3, tables of pairs, lists, disjoint splits, and what `prepare --check` says."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from syncvoice.assets import Asset
from syncvoice.cli import main
from syncvoice.datasets.base import Selection, SourceClip, read_dataset
from syncvoice.datasets.card import archives_of, cards_in, read_card, read_yaml
from syncvoice.datasets.lists import read_list, write_list
from syncvoice.datasets.tasks import TaskJob, make_task
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.section import validated
from syncvoice.study import Study, load_study
from syncvoice.study.data import check_card, check_study
from tests.unit.clip_files import real_data

CARDS = Path(__file__).resolve().parents[2] / "config" / "datasets"


def touch(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def fake_grid(folder: Path, speakers: list[str], clips: int = 250) -> Path:
    """GRID as unpacked from its archives, with empty videos."""
    names = [f"bba{letter}{digit}{end}" for letter in "abcdefghij" for digit in "z123456789" for end in "anps"]
    for speaker in speakers:
        for name in names[:clips]:
            touch(folder / speaker / f"{name}.mpg")
            touch(folder / "alignments" / speaker / f"{name}.align", "0 25000 bin\n25000 50000 blue\n")
    return folder


LRS3 = """Text:  SO {LG} IT'S TRUE
Conf:  4
Ref:  AbC

FRAME \tX \tY \tW \tH
000000 \t0.4 \t0.3 \t0.1 \t0.2

WORD START END ASDSCORE
SO 0.10 0.25 9.1
{LG} 0.25 0.40 9.1
IT'S 0.40 0.61 8.0
TRUE 0.61 1.02 7.3
"""


def test_lrs3_layout(tmp_path: Path) -> None:
    for part, number in (("pretrain", "00001"), ("trainval", "50001"), ("test", "00001"), ("test", "00002")):
        touch(tmp_path / part / "-AbC x" / f"{number}.mp4")
        touch(tmp_path / part / "-AbC x" / f"{number}.txt", LRS3)
    touch(tmp_path / "test" / "zz" / "00001.mp4")
    clips = {clip.id: clip for clip in read_dataset("lrs3", tmp_path, "test", within=("test",))}
    assert sorted(clips) == ["test_-AbC x_00001", "test_-AbC x_00002", "test_zz_00001"]
    clip = clips["test_-AbC x_00001"]
    assert clip.text == "so it's true" and clip.speaker == "-AbC x" and clip.dataset == "lrs3"
    assert clip.words == (("so", 0.1, 0.25), ("it's", 0.4, 0.61), ("true", 0.61, 1.02))
    assert clips["test_zz_00001"].text == "", "listed, excluded later"
    assert len(read_dataset("lrs3", tmp_path, "train", within=("pretrain", "trainval"))) == 2
    assert len(read_dataset("lrs3", tmp_path, "all")) == 5


def test_lrs3_problems_name_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no LRS3"):
        read_dataset("lrs3", tmp_path, "test")
    with pytest.raises(UserError, match="no folder 'test'"):
        read_dataset("lrs3", tmp_path, "test", within=("test",))
    touch(tmp_path / "test/a/1.mp4")
    touch(tmp_path / "test/a/1.txt", LRS3.replace("TRUE 0.61", "TRUE zero"))
    with pytest.raises(UserError, match=r"1\.txt line 12 is 'TRUE zero"):
        read_dataset("lrs3", tmp_path, "test")
    touch(tmp_path / "test/a/1.txt", "SO WHAT\n")
    with pytest.raises(UserError, match=r"1\.txt line 1 is 'SO WHAT'"):
        read_dataset("lrs3", tmp_path, "test")


def test_pairs_of_clip_text_and_reference(tmp_path: Path) -> None:
    for name in ("en/1.mp4", "en/2.mp4", "voices/v.wav", "._3.mp4"):
        touch(tmp_path / name)
    touch(
        tmp_path / "clips.csv",
        "media,text,language,split,translation_text,reference,speaker\n"
        "en/1.mp4,hello,en,test,你好,voices/v.wav,a\nen/2.mp4,yes,en,test,是,en/1.mp4,a\n"
        "voices/v.wav,a voice,en,reference,,,b\n",
    )
    clips = read_dataset("folder", tmp_path, "test", "hdtf")
    assert [(clip.id, clip.reference, clip.translation_text) for clip in clips] == [
        ("en__1", "voices__v", "你好"),
        ("en__2", "en__1", "是"),
    ]
    (voice,) = read_dataset("folder", tmp_path, "reference", "hdtf")
    assert not voice.has_video and voice.id == "voices__v"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.mp4,x,\n,y,\n", r"clips\.csv row 3, column media is empty"),
        ("a.mp4,x,gone.mp4\n", r"row 2, column reference is 'gone\.mp4'"),
        ("a.mp4,x,\na.mp4,y,\n", r"row 3 repeats 'a\.mp4'"),
        ("../b.mp4,x,\n", r"row 2, column media is '\.\./b\.mp4'"),
        ("/etc/passwd,x,\n", "row 2, column media"),
        ("a.mp4,x,,,\n", "row 2 has more fields"),
    ],
)
def test_table_problems_name_row_and_column(tmp_path: Path, rows: str, message: str) -> None:
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "clips.csv", "media,text,reference\n" + rows)
    with pytest.raises(UserError, match=message):
        read_dataset("folder", tmp_path, "test")


def test_table_in_another_encoding_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_bytes("media,text\na.mp4,caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match="no table in UTF-8"):
        read_dataset("folder", tmp_path, "test")


@pytest.mark.parametrize("name", ["line\nbreak", "-rf", 'it\'s "q"', "bell\a", "$(x);`y`"])
def test_odd_file_names_are_clips_like_others(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "s1" / f"{name}.mp4")
    (clip,) = read_dataset("folder", tmp_path, "test")
    assert clip.media == tmp_path / "s1" / f"{name}.mp4" and clip.id.isprintable() and clip.id.startswith("s1__")


def test_ranks_are_disjoint_per_speaker_and_follow_crc32() -> None:
    clips = [SourceClip(f"s{k % 3}_{k}", "s", "d", Path("x"), "t", speaker=f"s{k % 3}") for k in range(90)]
    parts = [selection({"ranks": ranks}).pick(clips) for ranks in ([0, 5], [5, 7], [7, None])]
    ids = [{clip.id for clip in part} for part in parts]
    assert [len(part) for part in ids] == [15, 6, 69] and len(set.union(*ids)) == 90
    first = sorted((clip.id for clip in clips if clip.speaker == "s1"), key=lambda clip: zlib.crc32(clip.encode()))[:5]
    assert {clip for clip in ids[0] if clip.startswith("s1")} == set(first)
    assert [clip.id for clip in selection({"ranks": [0, 5]}).pick(clips[::-1])][::-1] == [c.id for c in parts[0]]
    with pytest.raises(UserError, match="ranks"):
        selection({"ranks": [5, 5]})


def test_lists_choose_clips_and_miss_none(tmp_path: Path) -> None:
    clips = [SourceClip(f"c{k}", "s", "d", Path("x"), "t", speaker="s") for k in range(9)]
    write_list(tmp_path / "test.txt", ["c3", "c1"], "two clips")
    assert read_list(tmp_path / "test.txt") == ["c1", "c3"]
    picked = selection({"listed": str(tmp_path / "test.txt")}).pick(clips)
    assert [clip.id for clip in picked] == ["c1", "c3"]
    write_list(tmp_path / "more.txt", ["c3", "c77", "c78"], "")
    with pytest.raises(UserError, match=r"more\.txt names 2 clips .* the first is 'c77'"):
        selection({"listed": str(tmp_path / "more.txt")}).pick(clips)
    touch(tmp_path / "double.txt", "a\nb\na\n")
    with pytest.raises(UserError, match="line 3 repeats clip 'a' of line 1"):
        read_list(tmp_path / "double.txt")


def clip_of(name: str, speaker: str, text: str, **changes: str) -> Clip:
    return Clip(name, "test", "grid", speaker, "", "", "en", "", text, None, Path("a.wav"), 75, **changes)  # type: ignore[arg-type]


def selection(values: dict) -> Selection:
    return validated(Selection, values, "split")


def job(voice_of: str = "same_speaker") -> TaskJob:
    return validated(TaskJob, {"language": "en", "text": "own", "seed": 1, "voice_of": voice_of}, "task")


def test_dub_settings_choose_the_voice() -> None:
    targets = [clip_of(f"s{k}_t", f"s{k}", "bin blue") for k in range(3)]
    others = [clip_of(f"s{k}_r", f"s{k}", "lay red") for k in range(3)]
    chosen = {
        voice: [row.reference for row in make_task(targets, pool, job(voice))]
        for voice, pool in (("target", targets), ("same_speaker", others), ("other_speaker", others))
    }
    assert chosen["target"] == ["s0_t", "s1_t", "s2_t"] and chosen["same_speaker"] == ["s0_r", "s1_r", "s2_r"]
    assert all(reference[:2] != f"s{k}" for k, reference in enumerate(chosen["other_speaker"]))
    named = clip_of("s0_t", "s0", "bin blue", reference="s2_r")
    assert [row.reference for row in make_task([named], others, job())] == ["s2_r"]
    assert [row.reference for row in make_task([named], others[:2], job())] == [""], "lost, so the row fails"
    with pytest.raises(UserError, match="voice_of"):
        make_task(targets, others, job("nobody"))


def test_grid_card_names_33_speakers_and_34_archives() -> None:
    card = cards_in(CARDS)["grid"]
    archives = archives_of(card)
    assert len(card.checks.speakers) == 33 and "s21" not in card.checks.speakers and card.checks.absent == ["s21"]
    assert len(archives) == 34 and all(archive.url.startswith("https://zenodo.org/") for archive in archives)
    assert {archive.name for archive in archives} == {f"{name}.zip" for name in [*card.checks.speakers, "alignments"]}


def test_grid_check_finds_counts_missing_speakers_and_lists(tmp_path: Path) -> None:
    file = read_card(CARDS / "grid.yaml")
    root = fake_grid(tmp_path / "grid", ["s1", "s2"])
    report, splits = check_card(file, "grid", root)
    assert {split: len(clips) for split, clips in splits.items()} == {"train": 280, "test": 200, "reference": 20}
    assert any("31 of 33 speakers are missing: s3, s4" in problem for problem in report.problems)
    assert any("s1, s2 have fewer than 900 clips" in problem for problem in report.problems)
    assert not any("share" in problem for problem in report.problems)
    fake_grid(root, ["s21"], 3)
    (root / "s1" / "bbaaza.mpg").rename(root / "s1" / "lbaaza.mpg")
    report, _ = check_card(file, "grid", root)
    assert any("speaker s21 is there" in problem for problem in report.problems)
    assert any("1 clips have no word times" in problem for problem in report.problems)


def no_weights_missing(study: Study, registry: Mapping[str, Asset]) -> list[str]:
    """In the place of what names networks that a study has yet to fetch."""
    return []


def test_check_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CARDS.parents[1])
    root = fake_grid(tmp_path / "g", ["s1"], 240)
    study = ["prepare", "--check", "--settings", "config/grid_s1.yaml", "--dataset", "grid", "--root", str(root)]
    with monkeypatch.context() as patched:
        patched.setattr("syncvoice.study.data.missing_weights", no_weights_missing)
        assert main([*study, "--write-lists", str(tmp_path / "lists")]) == 0
    out = capsys.readouterr().out
    assert "grid, split test: 40 clips of 1 speakers" in out and "nothing is missing" in out
    assert len(read_list(tmp_path / "lists" / "grid_test.txt")) == 40
    assert (
        main(["prepare", "--check", "--settings", "config/lrs3.yaml", "--dataset", "lrs3", "--root", "no where"]) == 2
    )
    err = capsys.readouterr().err
    assert "lrs3: folder no where does not exist; say where it lies with '--config lrs3_root=FOLDER'" in err
    assert "weights resources/assets/whisper_large_v3 are not there (metric wer.whisper_large_v3)" in err
    assert "weights resources/assets/lrw_resnet18 are not there (feature lip)" in err
    touch(tmp_path / "w" / "a.mp4")
    touch(tmp_path / "w" / "a.txt", "hello")
    assert main(["prepare", "--check", "--dataset", "wild", "--root", str(tmp_path / "w")]) == 0
    assert "nothing is missing" in capsys.readouterr().out
    assert (
        main(["prepare", "--check", "--dataset", "wldi"]) == 2
        and "give a YAML file or one of" in capsys.readouterr().err
    )
    assert main(["prepare", "--check"]) == 2 and main(["prepare", "--dataset", "wild"]) == 2
    assert "prepare looks only: add --check" in capsys.readouterr().err


def test_check_finds_training_on_test_clips_and_voices_of_targets(tmp_path: Path) -> None:
    fake_grid(tmp_path, ["s1"], 120)
    values = read_yaml(CARDS.parent / "grid_s1.yaml") | {"grid_root": str(tmp_path)}
    study = load_study(values, CARDS.parent, "study.yaml")
    assert not any("share" in problem for problem in check_study(study, {})[0].problems)
    splits = values["extends"] and read_yaml(CARDS / "grid_s1.yaml")["datasets"]["grid"]["splits"]
    splits["train"]["settings"]["ranks"], splits["reference"]["settings"]["ranks"] = [30, 240], [39, 48]
    dataset = {"kind": "grid", "path": str(tmp_path), "splits": splits}
    study = load_study(values | {"datasets": {"grid": dataset}}, CARDS.parent, "study.yaml")
    problems = " ".join(check_study(study, {})[0].problems)
    assert "splits test and reference share 1 clips" in problems and "splits train and test share 10 clips" in problems


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
def test_real_clips_split_as_grid_s1_asks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CARDS.parents[1])
    study = ["prepare", "--check", "--settings", "config/grid_s1.yaml", "--dataset", "grid"]
    monkeypatch.setattr("syncvoice.study.data.missing_weights", no_weights_missing)
    assert main([*study, "--root", str(real_data("grid").resolve())]) == 0
    told = capsys.readouterr().out
    assert "train: 168 clips" in told and "validation: 24 clips" in told
    file = read_card(CARDS / "grid.yaml")
    _, splits = check_card(file, "grid", real_data("grid"))
    mine = [clip for split in splits.values() for clip in split]
    assert len(mine) == 251 and len({clip.id for clip in mine}) == 251
    assert all(clip.words for clip in mine if clip.speaker == "s1") and all(clip.text for clip in mine)
