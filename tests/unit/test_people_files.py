"""Files of people, in and out of scoring and dubbing: every kind of trouble is a row, a note or a sentence."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.datasets.folder import videos_below
from syncvoice.dubbing.mixing import read_background
from syncvoice.errors import ChangedFile, UserError
from syncvoice.files import files_below
from syncvoice.metrics.folder_sounds import match_video, read_utterance
from syncvoice.metrics.folders import Folder, listed
from syncvoice.metrics.registry import METRIC_FILES, VALIDITY, validity_of
from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Sources, Utterance, read_16k
from syncvoice.metrics.scoring import Work, scored
from syncvoice.metrics.words.word_scorer import normalised
from syncvoice.records.clips import read_excluded
from syncvoice.records.scores import read_score_files
from syncvoice.text.normalise import english
from syncvoice.text.subtitles import read_entries
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import blank_frames, write_video

RATE = 24_000


def tone(seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(np.arange(round(seconds * RATE)) / 20)).astype(np.float32)


# ---- exceptions -----------------------------------------------------------------------------------------------------


class Breaking(Scorer):
    """Raises an error for utterance b."""

    NAME, METRICS = "breaking", ("value",)

    def __init__(self, error: Exception, batch: int) -> None:
        self.error, self.BATCH = error, batch

    @classmethod
    def from_sources(cls, sources: Sources) -> "Breaking":
        raise NotImplementedError

    def score(self, utterance: Utterance) -> list[Score]:
        if utterance.id == "b":
            raise self.error
        return [Score("value.breaking", 1.0)]


class BreakingTogether(Breaking):
    def score_many(self, utterances: list[Utterance]) -> list:
        return [self.score(utterance) for utterance in utterances]


ERRORS = [
    KeyError("x"),
    IndexError(),
    RuntimeError("CUDA"),
    ZeroDivisionError("0"),
    MemoryError(),
    RecursionError("deep"),
    AssertionError(),
    OSError(22, "Invalid argument"),
    NotImplementedError(),
    UnicodeError("bad"),
    TypeError("t"),
]


@pytest.mark.parametrize("kind", [Breaking, BreakingTogether])
@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_exception_is_one_row(error: Exception, batch: int, kind: type[Breaking]) -> None:
    work = [Work({"utterance": n}, "", lambda n=n: Utterance({"utterance": n}, "", tone())) for n in "abc"]
    rows = {row["utterance"]: row for row in scored(kind(error, batch), work)}
    assert [rows[name]["status"] for name in "abc"] == ["ok", "failed", "ok"]
    assert type(error).__name__ in rows["b"]["message"] and "\n" not in rows["b"]["message"]


@pytest.mark.parametrize("kind", [Breaking, BreakingTogether])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ChangedFile("x")], ids=["disk", "changed"])
def test_a_fault_of_the_machine_is_no_row(error: Exception, kind: type[Breaking]) -> None:
    work = [Work({"utterance": n}, "", lambda n=n: Utterance({"utterance": n}, "", tone())) for n in "abc"]
    with pytest.raises(type(error)):
        list(scored(kind(error, 2), work))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_exception_of_loading_is_one_row(error: Exception) -> None:
    def load() -> Utterance:
        raise error

    scorer = Breaking(error, 2)
    good = Work({"utterance": "a"}, "", lambda: Utterance({"utterance": "a"}, "", tone()))
    rows = list(scored(scorer, [Work({"utterance": "x"}, "", load), good]))
    assert [row["status"] for row in rows] == ["failed", "ok"]


@pytest.mark.parametrize("digits", [36, 37, 67, 310, 5000])
@pytest.mark.parametrize("shape", ["{}", "{}th", "1/{}", "{}.5", "{}%", "${}", "{}kg", "-{}", "{}-{}", "{}:30", "{}0s"])
def test_numbers_of_any_length_have_words(digits: int, shape: str) -> None:
    words = english(shape.replace("{}", "9" * digits))
    assert words and not any(letter.isdigit() for letter in words)


# ---- sounds ---------------------------------------------------------------------------------------------------------

FORMATS = {"m4a": "aac", "opus": "libopus", "mp4": "aac", "mka": "flac", "aac": "aac", "mkv": "aac", "caf": "pcm_s16le",
           "aiff": "pcm_s16be"}  # fmt: skip


def any_sound(path: Path, audio: np.ndarray, codec: str) -> Path:
    """Sound in any container; MP4 and Matroska video get a picture too."""
    if path.suffix in (".mp4", ".mkv"):
        frames = blank_frames(round(len(audio) / 960))
        return write_video(path, frames, audio, sound_codec=codec)
    import av

    with av.open(str(path), "w", format={".m4a": "mp4", ".aac": "adts"}.get(path.suffix)) as target:
        stream = target.add_stream(codec, rate=48_000, layout="mono")
        for start in range(0, len(audio) * 2, 960):
            block = np.repeat(audio, 2)[None, start : start + 960]
            frame = av.AudioFrame.from_ndarray((block * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_sound_is_generated_speech_and_reference(tmp_path: Path, suffix: str) -> None:
    for part in ("generated", "references"):
        (tmp_path / part).mkdir()
        any_sound(tmp_path / part / f"a.{suffix}", tone(), FORMATS[suffix])
    folder = Folder.open(tmp_path / "generated", references=tmp_path / "references")
    assert folder.names == ["a"] and set(folder.references) == {"a"}
    (work,) = folder.work("sim_o.ge2e_resemblyzer")
    utterance = work.load()
    reference = read_16k(folder.references["a"][0])
    assert abs(len(utterance.audio) / RATE - 1) < 0.1 and abs(len(reference) / 16_000 - 1) < 0.1
    assert 0.15 < np.sqrt(np.mean(utterance.audio[4800:-4800] ** 2)) < 0.27


LEVELS = [0.003, 0.01, 0.1, 1.0, 5.0]


@pytest.mark.parametrize("factor", LEVELS)
def test_the_level_is_fixed_before_lip_sync(factor: float) -> None:
    utterance = Utterance({"utterance": "a"}, "", tone(level=0.2) * factor)
    before = utterance.audio.copy()
    match_video(utterance, None, Path("a.wav"))
    level = float(np.percentile(np.abs(utterance.audio), 70))
    if 0.1 <= factor <= 1:
        assert utterance.note == "" and np.array_equal(utterance.audio, before), "ordinary levels stay"
    else:
        assert "dB before lip sync" in utterance.note and 0.05 < level < 0.2
        assert 0.05 < np.percentile(np.abs(utterance.audio_16k), 70) < 0.2


@pytest.mark.parametrize(("seconds", "told"), [(1.0, False), (1.3, False), (2.5, True), (0.3, True)])
def test_a_sound_of_another_length_than_its_video_is_noted(tmp_path: Path, seconds: float, told: bool) -> None:
    (tmp_path / "v").mkdir()
    write_video(tmp_path / "v" / "a.mp4", blank_frames(25), None)
    write_wav(tmp_path / "g" / "a.wav", tone(seconds), RATE)
    (work,) = Folder.open(tmp_path / "g", tmp_path / "v").work("lse.syncnet_mini")
    note = work.load().note
    assert (f"sound lasts {seconds:.2f} s, its video 1.00 s" in note) == told


@pytest.mark.parametrize("peak", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_float_sound_above_full_scale_is_turned_down(
    tmp_path: Path, peak: float, subtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(level=peak), RATE, subtype=subtype)
    sound = read_sound(tmp_path / "a.wav", None)
    np.testing.assert_allclose(sound, tone(level=1.0), atol=1e-3)
    assert ("exceeds full scale" in caplog.text) == (peak > 1)


@pytest.mark.parametrize("sound_from", [0.0, 0.5, 1.2])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_background_starts_with_its_picture(tmp_path: Path, suffix: str, sound_from: float) -> None:
    codec = "pcm_s16le" if suffix == "mkv" else "aac"
    path = write_video(tmp_path / f"a.{suffix}", blank_frames(75), tone(1.0), sound_codec=codec, sound_from=sound_from)
    sound = np.abs(read_background(path)[:, 0])
    assert abs(np.argmax(sound > 0.05) / 48_000 - sound_from) < 0.03


# ---- small scorers, folders, tables ------------------------------------------------------------


def test_small_scorers_say_what_they_are_worth(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert set(VALIDITY) <= set(METRIC_FILES)
    assert {file for file in METRIC_FILES if "mini" in file} <= set(VALIDITY), "every small scorer has its sentence"
    assert validity_of(["dnsmos.p835"]) == [] and len(validity_of(["lse.syncnet_mini"] * 3)) == 1
    (tmp_path / "g").mkdir()
    write_video(tmp_path / "g" / "a.mp4", blank_frames(25), tone(), sound_codec="aac")
    main(
        ["score", "--generated", str(tmp_path / "g"), "--metric", "lse.syncnet_mini", "--out", str(tmp_path / "s.csv")]
    )
    assert "likes another clip's sound better for 2" in capsys.readouterr().out


@pytest.mark.parametrize("depth", [1, 3])
def test_linked_folders_are_entered_once(tmp_path: Path, depth: int) -> None:
    real = tmp_path / "elsewhere" / "/".join("abc"[:depth])
    real.mkdir(parents=True)
    (real / "x.wav").write_bytes(b"")
    (real / "y.mp4").write_bytes(b"")
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "link")
    os.symlink(tmp_path / "in", real / "loop")
    assert len(files_below(tmp_path / "in")) == 2
    assert len(listed(tmp_path / "in", frozenset((".wav",)))) == 1 and len(videos_below(tmp_path / "in")) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("這個問題", "这个问题"), ("後來", "后来"), ("2024年 臺灣", "二〇二四年台湾")]
)
def test_traditional_script_is_counted_as_simplified(one: str, other: str) -> None:
    assert normalised(one, "zh") == normalised(other, "zh")


@pytest.mark.parametrize("language", ["de", "", "en-US", "EN"])
def test_other_languages_have_no_word_counts(language: str) -> None:
    with pytest.raises(ScoreError, match="expected en or zh"):
        normalised("hello", language)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_score_files_that_a_spreadsheet_saved(tmp_path: Path, delimiter: str, encoding: str) -> None:
    value = "1,5" if delimiter == ";" else "1.5"
    rows = [["utterance", "metric", "value", "scorer", "status"], ["ä", "wer.x", value, "x", "ok"]]
    (tmp_path / "s.csv").write_bytes("\n".join(delimiter.join(row) for row in rows).encode(encoding))
    frame = read_score_files([tmp_path / "s.csv"])
    assert frame["value"].tolist() == [1.5] and frame["utterance"].tolist() == ["ä"]


def test_a_value_that_is_no_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('utterance,metric,value,scorer,status\na,w,1.5,x,ok\nb,w,"1,5",x,ok\n')
    with pytest.raises(UserError, match="row 3: value '1,5' is no number"):
        read_score_files([tmp_path / "s.csv"])


# ---- subtitles ------------------------------------------------------------------------------------------------------

MARKUP = {
    "<i>hello</i> there": "hello there",
    "<FONT COLOR='#ffff00'>hello</FONT> there": "hello there",
    "<c.yellow>hello</c> there": "hello there",
    "<v Bob>hello</v> there": "hello there",
    "<lang en>hello</lang> there": "hello there",
    "<00:00:01.500>hello <00:02.000>there": "hello there",
    "hello<br>there": "hello there",
    "hello<BR/>there": "hello there",
    r"hello\Nthere": "hello there",
    r"hello\nthere": "hello there",
    r"{\an8}hello there": "hello there",
    r"{\AN8\Pos(1,2)}hello {\i1}there{\i0}": "hello there",
    "{y:i}hello there": "hello there",
    "hello &amp; there": "hello & there",
    "a < b and c > d": "a < b and c > d",
    "1 <2> 3 <x": "1 3 <x",
    "<zhong1><guo2>": "<zhong1><guo2>",
    "you {said} it": "you {said} it",
}


@pytest.mark.parametrize("content", MARKUP)
def test_markup_is_not_read_aloud(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.srt").write_text(f"1\n00:00:00,000 --> 00:00:01,000\n{content}\n", encoding="utf-8")
    assert read_entries(tmp_path / "a.srt")[0].text == MARKUP[content]


@pytest.mark.parametrize(("starts", "kept"), [((0.0, 0.5), True), ((0.0, 1.4), False), ((30.0,), False)])
@pytest.mark.parametrize("settings", [{}, {"cut_above_seconds": 0.5}])
def test_subtitles_of_a_longer_video_exclude_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: tuple[float, ...], kept: bool, settings: dict
) -> None:
    import json

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", blank_frames(25), tone(), sound_codec="aac")
    blocks = [f"1\n00:00:{s:06.3f} --> 00:00:{s + 0.4:06.3f}\nword".replace(".", ",") for s in starts]
    (tmp_path / "in" / "a.srt").write_text("\n\n".join(blocks))
    (tmp_path / "s.json").write_text(json.dumps({"limits": settings}))
    arguments = "--corpus in --dataset own --layout folder --split test --out o --manifest m.gz --excluded e.csv"
    assert main(["prepare-shard", *arguments.split(), "--settings", "s.json"]) == 0
    rows = read_excluded("e.csv")
    assert rows and all(("subtitles start after" in row.message) != kept for row in rows)


def test_read_utterance_refuses_what_is_no_sound(tmp_path: Path) -> None:
    for name in ("a.wav", "a.m4a", "a.mp4"):
        (tmp_path / name).write_bytes(b"hello")
        with pytest.raises(ScoreError):
            read_utterance(tmp_path / name, {"utterance": "a"})


def test_a_terminal_of_another_encoding_is_no_obstacle(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "t.csv").write_text("utterance,text\nä,hello\n", encoding="utf-8")
    command = [sys.executable, "-m", "syncvoice.cli", "score", "--generated", "ä", "--metric", "wer", "--out", "o.csv"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, timeout=120, check=False)
    assert ended.returncode == 2 and b"Traceback" not in ended.stderr and b"\\xe4" in ended.stderr
