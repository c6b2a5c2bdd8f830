"""Subtitles of every kind, as files and as tracks: texts, times, speakers; sounds that nobody speaks."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from syncvoice.dubbing.script import Cue
from syncvoice.dubbing.speakers import tag_of, turns_of, without_sounds
from syncvoice.dubbing.subtitles import read_subtitles
from syncvoice.dubbing.voices import assigned, parse_voices
from syncvoice.errors import UserError
from syncvoice.text.subtitles import Entry, read_entries
from tests.unit.clip_files import blank_frames, write_video

VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE
00:00:00.000 --> 00:00:01.000 is no cue

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>Hello &amp; welcome.</v>
<v.loud Bob Smith>Hi!</v>

00:00:03.000 --> 00:00:04.000
<c.yellow>two</c>
lines <00:00:03.500>here
"""
ASS = r"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Alignment, Encoding
Style: Default,Arial,20,&H00FFFFFF,0,2,1
Style: Ann,Arial,20,&H00FFFFFF,0,2,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:01.00,0:00:02.00,Default,Bob,0,0,0,,{\an8}Hello, there\Nmy {a remark}friend
Dialogue: 0,0:00:02.00,0:00:03.00,Ann,,0,0,0,,{\p1}m 0 0 l 1 1{\p0}{\k20}bye
"""
HEADER = f"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16{",&H0" * 4}{",0" * 4},100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
SRT = "7\n00:00:01,000 --> 00:00:02,000\n<i>one</i>\n\n7\n00:00:02,500 --> 00:00:03,000\ntwo\nlines\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("name", ["a.vtt", "a.srt", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_webvtt(tmp_path: Path, name: str, encoding: str) -> None:
    first, second = read_entries(written(tmp_path, name, VTT.encode(encoding)))
    assert (first.start_s, first.end_s, first.text) == (1.0, 2.5, "Hello & welcome. Hi!")
    assert first.turns == (("Ann", "Hello & welcome."), ("Bob Smith", "Hi!"))
    assert (second.start_s, second.end_s, second.text) == (3.0, 4.0, "two lines here")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_substation(tmp_path: Path, line_end: str) -> None:
    first, second = read_entries(written(tmp_path, "a.ass", ASS.replace("\n", line_end)))
    assert (first.start_s, first.end_s, first.text) == (1.0, 2.0, "Hello, there my friend")
    assert {speaker for speaker, _ in first.turns} == {"Bob"} and first.style == "Default"
    assert (second.text, second.style) == ("bye", "Ann")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello\nthere\n", "no SubRip"),
        ("", "holds no cue"),
        ("WEBVTT\n\n", "holds no cue"),
        ("[Script Info]\n\n[Events]\n", "holds no cue|no SubStation"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n(LAUGHS)\n", None),
    ],
)
def test_files_without_subtitles_are_sentences(tmp_path: Path, content: str | bytes, message: str | None) -> None:
    path = written(tmp_path, "a.vtt", content)
    if message is None:
        assert [cue.silent for cue in read_subtitles(path, 50)[0]] == [True]
        return
    with pytest.raises(UserError, match=message):
        read_subtitles(path, 50)


def muxed(path: Path, tracks: list[tuple[str, str, str]]) -> Path:
    """A video with subtitle tracks of (codec, language, text of a file)."""
    plain = write_video(path.with_name("plain.mkv"), blank_frames(100), None)
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        picture = source.streams.video[0]
        streams = [target.add_stream_from_template(picture)]
        files = []
        for number, (kind, language, text) in enumerate(tracks):
            file = av.open(str(written(path.parent, f"track{number}.{kind}", text)))
            files.append(file)
            streams.append(target.add_stream_from_template(file.streams.subtitles[0]))
            streams[-1].metadata["language"] = language
        for origin, stream in [(source, streams[0]), *zip(files, streams[1:], strict=True)]:
            for packet in origin.demux(origin.streams[0]):
                if packet.dts is not None or packet.size:
                    packet.stream = stream
                    target.mux(packet)
    return path


TRACKS = [("srt", "ger", SRT.replace("one", "eins")), ("ass", "eng", ASS), ("vtt", "fre", VTT)]


@pytest.mark.parametrize(
    ("track", "language", "number"),
    [("", "en", 1), ("2", "en", 1), ("eng", "zh", 1), ("1", "en", 0), ("ger", "en", 0), ("3", "en", 2), ("", "zh", 0)],
)
def test_a_track_says_what_its_file_says(tmp_path: Path, track: str, language: str, number: int) -> None:
    path = muxed(tmp_path / "film.mkv", TRACKS)
    cues, notes = read_subtitles(path, 100, track=track, language=language)
    kind = TRACKS[number][0]
    alone, _ = read_subtitles(tmp_path / f"track{number}.{kind}", 100)
    assert [(cue.text, cue.start, cue.stop, cue.speaker) for cue in cues] == [
        (cue.text, cue.start, cue.stop, cue.speaker) for cue in alone
    ]
    assert f"subtitle track {number + 1} (" in notes[0]


def test_the_track_of_an_mp4(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "plain.mp4", blank_frames(100), None)
    with av.open(str(plain)) as source, av.open(str(tmp_path / "film.mp4"), "w") as target:
        picture = target.add_stream_from_template(source.streams.video[0])
        track = target.add_stream("mov_text")
        track.codec_context.subtitle_header = HEADER.encode()
        track.time_base = Fraction(1, 1000)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                target.mux(packet)
        for start, end, text in ((500, 1500, "ANN: hello"), (2000, 3000, "<i>ANN: you</i>")):  # a pause between them
            packet = av.Packet(len(text).to_bytes(2, "big") + text.encode())
            packet.pts = packet.dts = start
            packet.duration, packet.time_base, packet.stream = end - start, Fraction(1, 1000), track
            target.mux(packet)
    cues, _ = read_subtitles(tmp_path / "film.mp4", 100)
    assert [(cue.name, cue.text, cue.speaker) for cue in cues] == [("cue 1", "hello", "ANN"), ("cue 2", "you", "ANN")]
    assert [(cue.start, cue.stop) for cue in cues] == [(12, 38), (50, 75)]


def test_tracks_that_are_not_there_are_sentences(tmp_path: Path) -> None:
    path = muxed(tmp_path / "film.mkv", TRACKS)
    for track in ("4", "0", "it", "x1"):
        with pytest.raises(UserError, match="no subtitle track|expected a language code"):
            read_subtitles(path, 100, track=track)
    with pytest.raises(UserError, match="holds no subtitle track"):
        read_subtitles(tmp_path / "plain.mkv", 100)
    with pytest.raises(UserError, match="cannot be decoded"):
        read_subtitles(written(tmp_path, "broken.mp4", b"no video"), 100)


def said(*texts: str, voices: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    entries = [Entry(None, "", 0, 1, tuple(("", line) for line in text.split("\n"))) for text in texts]
    return [(turn.speaker, turn.text) for turn in turns_of(entries, voices)]


def test_names_before_a_colon_are_speakers_where_they_recur_or_have_a_voice() -> None:
    assert said("ANN: Hello.", "BOB: Hi.", "Ann: Bye.") == [("ANN", "Hello."), ("", "BOB: Hi."), ("Ann", "Bye.")]
    assert said("ann: Hello.", voices=("Ann",)) == [("Ann", "Hello.")]
    assert said("Dr. Bob Smith: Hi.", "Dr. Bob Smith: Bye.")[0] == ("Dr. Bob Smith", "Hi.")
    assert said("ANN: Hello.\nBOB: Hi.\nHow are you?", "- BOB: a", ">> ANN: b") == [
        ("ANN", "Hello."),
        ("BOB", "Hi. How are you?"),
        ("BOB", "a"),
        ("ANN", "b"),
    ]
    assert said("小明：你好", "小明：再见") == [("小明", "你好"), ("小明", "再见")]


@pytest.mark.parametrize(
    "text",
    [
        "at 10: there",
        "http://a.b",
        "note: this",
        "one two three four: five",
        "It is 7:30 now",
        "ANN:",
        "the answer: no",
    ],
)
def test_what_is_no_name_is_spoken(text: str) -> None:
    assert said(text, text.replace("five", "six")) == [("", text), ("", text.replace("five", "six"))]


def test_a_tag_of_a_text_needs_a_voice_of_that_name() -> None:
    assert tag_of("ANN: hello", ["ann"]) == ("ANN", "hello")
    assert tag_of("ANN: hello", ["BOB"]) == ("", "ANN: hello")


SOUNDS = {
    "(LAUGHS)": ("", ["(LAUGHS)"]),
    "(LAUGHS) Hello.": ("Hello.", ["(LAUGHS)"]),
    "(laughs)": ("", ["(laughs)"]),
    "[MUSIC]": ("", ["[MUSIC]"]),
    "Hello [door slams] there": ("Hello there", ["[door slams]"]),
    "♪": ("", ["♪"]),
    "♪ la la la ♪": ("", ["♪ la la la ♪"]),
    "♪ la la": ("", ["♪ la la"]),
    "Hello. ♫ la ♫ Bye.": ("Hello. Bye.", ["♫ la ♫"]),
    "# la la la #": ("", ["# la la la #"]),
    "He (my friend) said no": ("He (my friend) said no", []),
    "（笑）": ("", ["（笑）"]),
    "【音乐】你好": ("你好", ["【音乐】"]),
    "(MUSIC) (APPLAUSE)": ("", ["(MUSIC)", "(APPLAUSE)"]),
    "room # 5": ("room # 5", []),
    "...": ("", []),
    "a < b": ("a < b", []),
}


@pytest.mark.parametrize("text", SOUNDS)
def test_sounds_and_songs_are_not_spoken(text: str) -> None:
    assert without_sounds(text) == SOUNDS[text]


def test_cues_keep_their_numbers_speakers_and_silences(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.srt",
        "1\n00:00:00,000 --> 00:00:01,000\nANN: Hello.\nBOB: Hi (GASPS) you.\n\n"
        "2\n00:00:01,000 --> 00:00:02,000\n[MUSIC]\n\n3\n00:00:02,000 --> 00:00:03,000\nANN: Bye.\n",
    )
    cues, notes = read_subtitles(path, 75, voices=("Ann", "Bob"))
    assert [(cue.name, cue.speaker, cue.text, cue.silent) for cue in cues] == [
        ("cue 1a", "Ann", "Hello.", False),
        ("cue 1b", "Bob", "Hi you.", False),
        ("cue 2", "", "[MUSIC]", True),
        ("cue 3", "Ann", "Bye.", False),
    ]
    assert "not spoken: (GASPS) in cue 1" in notes[0] and "Ann (2 cues), Bob (1 cues)" in notes[1]
    assert cues[0].stop == cues[1].start and cues[1].stop == 25, "two speakers share the time of a cue"


def test_a_style_is_a_speaker_where_a_voice_has_its_name(tmp_path: Path) -> None:
    path = written(tmp_path, "a.ass", ASS)
    assert [cue.speaker for cue in read_subtitles(path, 100)[0]] == ["Bob", ""]
    assert [cue.speaker for cue in read_subtitles(path, 100, voices=("ann",))[0]] == ["Bob", "ann"]


def test_voices_by_name(tmp_path: Path) -> None:
    odd = written(tmp_path, "a=b.wav", "")
    assert parse_voices(["ANN=a.wav", "b.wav"]) == {"ANN": Path("a.wav"), "": Path("b.wav")}
    assert parse_voices([str(odd)]) == {"": odd} and parse_voices(["a=b.wav"], tmp_path) == {"": Path("a=b.wav")}
    cues = [Cue("cue 1", "a", 0, 10, (1,), "Ann"), Cue("cue 2", "b", 10, 20, (2,), "Bob"), Cue("cue 3", "c", 20, 30)]
    found, notes = assigned(cues, ["ANN", ""])
    assert found == {"Ann": "ANN", "Bob": "", "": ""} and "no voice of their own: Bob" in notes[0]
    with pytest.raises(UserError, match=r"cue 2 \(0.40 to 0.80 s\): there is no voice for speaker 'Bob'"):
        assigned(cues, ["Ann"])
    with pytest.raises(UserError, match="did you mean 'Bobb'"):
        assigned(cues, ["Ann", "Bobb"])
