"""The one reader of tables and texts: whole texts, or a sentence that names file and row."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.cli import main
from syncvoice.datasets import folder as any_folder
from syncvoice.datasets.lists import read_list as read_clip_list
from syncvoice.errors import UserError
from syncvoice.metrics.folders import listed, read_texts
from syncvoice.records.clips import read_excluded
from syncvoice.text.language import language_code
from syncvoice.text.subtitles import read_entries
from syncvoice.text_files import NotText, read_table, read_text
from tests.unit.clip_files import blank_frames, clicks, write_video

SENTENCES = [
    "bin blue, at f three soon",
    'he said "now"',
    "今天天气很好",
    "café",
    "a; b | c",
    "it's 5\u2028o'clock",
    "x",
]


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_texts_in_unicode_are_read(tmp_path: Path, encoding: str, end: str) -> None:
    (tmp_path / "a.txt").write_bytes(f"bin blue at f{end}three soon{end}".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "bin blue at f\nthree soon\n"


OTHERS = [("zwölf Bäume", "latin-1"), ("l’été", "cp1252"), ("今天", "gb18030"), ("今天天气很好我们去公园", "gbk"),
          ("привет мир", "cp1251"), ("こんにちは", "shift_jis"), ("今天天氣", "big5")]  # fmt: skip


@pytest.mark.parametrize(("text", "encoding"), OTHERS)
def test_other_encodings_are_refused_with_a_sentence(tmp_path: Path, text: str, encoding: str) -> None:
    """They cannot be told apart in short texts, so none is guessed silently, wherever people's texts are read."""
    data = text.encode(encoding)
    for name, content, read in (
        ("a.txt", data, read_text),
        ("a.csv", b"utterance,text\na," + data, read_texts),
        ("b.csv", b"a|" + data, read_texts),
        ("a.srt", b"1\n00:00:00,000 --> 00:00:01,000\n" + data, read_entries),
        ("a.align", b"0 25000 " + data, any_folder.read_align),
        ("list.txt", data, read_clip_list),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NotText, match=r"UTF-8 or UTF-16 \(line \d.*save"):
            read(tmp_path / name)


def written(rows: list[list[str]], delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_dialect_gives_the_whole_texts(tmp_path: Path, delimiter: str, quoting: int, encoding: str) -> None:
    rows = [["utterance", "Text", "speaker"], *([f"s1/{number}", text, "bob"] for number, text in enumerate(SENTENCES))]
    (tmp_path / "t.csv").write_bytes(written(rows, delimiter, quoting).encode(encoding))
    found = read_texts(tmp_path / "t.csv")
    assert [entry["text"] for entry in found.values()] == [plain(text) for text in SENTENCES]
    assert all(entry["speaker"] == "bob" for entry in found.values())


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip), min_size=1),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_what_csv_writes_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], delimiter: str
) -> None:
    import unicodedata

    path = tmp_path_factory.mktemp("t") / "t.csv"
    rows = [["utterance", "text"], *([str(number), text] for number, text in enumerate(texts))]
    path.write_bytes(written(rows, delimiter, csv.QUOTE_ALL).encode())
    expected = [plain(unicodedata.normalize("NFC", text)) for text in texts]
    assert [row.values["text"] for row in read_table(path, (("utterance",), ("text",)))] == expected


HEAD = "utterance,text\n"
WHOLE = {  # content -> texts by name
    "two lines in a cell": (HEAD + 'a,"bin blue\nat f"\nb,more\n', {"a": "bin blue at f", "b": "more"}),
    "rows that a spreadsheet left empty": (HEAD + "a,one\n,\n,\n", {"a": "one"}),
    "more empty columns than the header": ("utterance,text,,\na,one,,\nb,two\n", {"a": "one", "b": "two"}),
    "header in quotes": ('"utterance","text"\n"a","one"\n', {"a": "one"}),
    "the spreadsheet's own line": ("sep=;\nutterance;text\na;one, two\n", {"a": "one, two"}),
    "a line separator": (HEAD + "a,one\u2028two\nb,three\n", {"a": "one two", "b": "three"}),
    "no end of line": (HEAD + "a,one", {"a": "one"}),
    "quotes as letters between tabs": ('utterance\ttext\na\t"Hello" he said\nb\tmore\n', {"a": '"Hello" he said'}),
    "an open quote between tabs": ('utterance\ttext\na\t"bin blue\nb\tmore\n', {"a": '"bin blue', "b": "more"}),
    "a list": ("a|bin blue, at f\nb|\u201cmore\u201d\n", {"a": "bin blue, at f"}),
    "a list with quotes": ('a|"bin blue\nb|more\n', {"a": '"bin blue', "b": "more"}),
    "a meta.lst": ("a|prompt said|wavs/p.wav|what is said\n", {"a": "what is said"}),
    "a meta.lst of five": ("a|prompt said|wavs/p.wav|what is said|wavs/a.wav\n", {"a": "what is said"}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_texts_are_whole(tmp_path: Path, kind: str) -> None:
    content, expected = WHOLE[kind]
    (tmp_path / "t").write_text(content, encoding="utf-8", newline="")
    found = read_texts(tmp_path / "t")
    assert {name: found[name]["text"] for name in expected} == expected
    if "meta" in kind:
        assert found["a"]["reference"] == "wavs/p"


TOLD = {  # content -> the row that the sentence names
    "an unquoted comma": (HEAD + "a,one\nb,bin blue, at f three soon\n", 3),
    "an open quote": (HEAD + 'a,"bin blue\nb,more\nc,last\n', 2),
    "an open quote, closed by another": (HEAD + 'a,one\nb,"bin blue\nc,red"\nd,last\n', 3),
    "an open quote before a quoted row": (HEAD + 'a,"bin blue\nb,"more"\n', 2),
    "letters after a quote": (HEAD + 'a,"Hello" he said\n', 2),
    "a list with a bar too many": ("a|one\nb|two|three\n", 2),
    "a list of three": ("a|one|two\nb|two|three\n", 1),
    "an unknown language": ("utterance,text,language\na,one,en\nb,two,american?\n", 3),
}


@pytest.mark.parametrize("kind", TOLD)
def test_rows_that_cannot_be_read_are_named(tmp_path: Path, kind: str) -> None:
    content, row = TOLD[kind]
    (tmp_path / "t").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=f"row {row}\\b"):
        read_texts(tmp_path / "t")


CODES = {"en": "en", "en-US": "en", "EN": "en", "en_GB": "en", "eng": "en", "English": "en", " en ": "en", "": "",
         "zh": "zh", "zh-CN": "zh", "ZH": "zh", "zh-Hans-CN": "zh", "cmn": "zh", "zho": "zh", "Chinese": "zh",
         "de": "de", "de-AT": "de", "jpn": "ja", "swe": "swe"}  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_language_codes_of_all_kinds_are_one(tmp_path: Path, code: str) -> None:
    assert language_code(code, "here") == CODES[code]
    (tmp_path / "t.csv").write_text(f"utterance,text,language\na,hello,{code}\n", encoding="utf-8")
    assert read_texts(tmp_path / "t.csv")["a"].get("language", "") == CODES[code]
    (tmp_path / "clips.csv").write_text(f"media,text,language\na.mp4,hello,{code}\n", encoding="utf-8")
    (clip,) = any_folder.read(tmp_path, "own", "test")
    assert clip.language == (CODES[code] or "en")


@pytest.mark.parametrize("code", ["e", "english?", "12", "e n", "american"])
def test_no_language_is_told_with_its_row(tmp_path: Path, code: str) -> None:
    (tmp_path / "clips.csv").write_text(f"media,text,language\na.mp4,hello,{code}\n", encoding="utf-8")
    with pytest.raises(UserError, match="row 2, column language"):
        list(any_folder.read(tmp_path, "own", "test"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_clips_in_every_dialect(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["media", "text"], *([f"{number}.mp4", text] for number, text in enumerate(SENTENCES))]
    (tmp_path / "clips.csv").write_bytes(written(rows, delimiter).encode(encoding))
    assert [clip.text for clip in any_folder.read(tmp_path, "own", "test")] == [plain(text) for text in SENTENCES]


@pytest.mark.parametrize(("on_disk", "in_table"), [("cafe\u0301", "caf\u00e9"), ("caf\u00e9", "cafe\u0301")])
def test_composed_and_decomposed_names_are_one(tmp_path: Path, on_disk: str, in_table: str) -> None:
    (tmp_path / f"{on_disk}.mp4").write_bytes(b"")
    (tmp_path / "clips.csv").write_text(f"media,text\n{in_table}.mp4,hello\n", encoding="utf-8")
    (clip,) = any_folder.read(tmp_path, "own", "test")
    assert clip.text == "hello" and clip.media.exists()
    (tmp_path / "t.csv").write_text(f"utterance,text\n{in_table},hello\n", encoding="utf-8")
    assert set(read_texts(tmp_path / "t.csv")) == set(listed(tmp_path, frozenset((".mp4",))))


@pytest.mark.parametrize(("suffix", "data"), [(".txt", "zwölf"), (".srt", "1\n00:00:00,000 --> 00:00:01,000\nzwölf"),
                                              (".align", "0 25000 zwölf")])  # fmt: skip
def test_one_text_that_cannot_be_read_excludes_one_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, data: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "in" / f"{name}.mp4", blank_frames(12), clicks(12 * 960), sound_codec="aac")
    (tmp_path / "in" / f"a{suffix}").write_bytes(data.encode("latin-1"))
    (tmp_path / "in" / "b.txt").write_text("hello")
    arguments = "--corpus in --dataset own --layout folder --split test --out o --manifest m.gz --excluded e.csv"
    assert main(["prepare-shard", *arguments.split()]) == 0
    rows = {row.clip: row for row in read_excluded("e.csv")}
    assert rows["a"].reason == "no_text" and "UTF-8" in rows["a"].message and rows["b"].reason == "no_face"
