"""`syncvoice dub --engine timed` from file to file, with a TTS that beeps; who speaks; many clips, one Dubber."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

import syncvoice
from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.dubbing import Dubber, Wishes
from syncvoice.dubbing.engine import FULL_SIZE_PLACES, choose_engine
from syncvoice.errors import UserError
from syncvoice.networks.kokoro import Kokoro
from syncvoice.timed_speech.speaking import speech_level
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import ROOT, blank_frames, face_frames, real_data, write_video
from tests.unit.fake_tts import FakeTts

N = 50
BLEND = {"af_heart": 1.0}
TEXT = "bin blue at f two now"
MISSING = "weights kokoro_int8 are not there: run 'snakemake resources/assets/kokoro_int8'"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with a face that does not speak, and without a face."""
    folder = tmp_path_factory.mktemp("timed")
    tone = (0.2 * np.sin(np.arange(N * 960) * 0.1)).astype(np.float32)
    write_video(folder / "clip.mp4", face_frames(N), tone, sound_codec="aac")
    write_video(folder / "blank.mp4", blank_frames(N), None)
    return folder


@pytest.fixture(autouse=True)
def _beeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kokoro, "from_assets", classmethod(lambda cls, path=None: FakeTts()))


def dub(place: Path, video: str = "clip.mp4", **options: Any) -> Any:
    return syncvoice.dub(
        place / video, TEXT, out=place / "out.mp4", **{"engine": "timed", "voice_blend": BLEND, **options}
    )


def test_a_still_face_gives_natural_speech_as_loud_as_the_source(place: Path) -> None:
    result = dub(place)
    assert result.model.startswith("timed") and "natural durations" in result.warnings[0]
    assert result.lines[0].guided_by() == ("text",)
    assert [word for word, _, _ in result.lines[0].words] == TEXT.split()
    sound = read_sound(place / "out.mp4", 0.0)
    assert abs(len(sound) - N * 960) <= 1024
    assert speech_level(sound) == pytest.approx(0.2 / np.sqrt(2), rel=0.15)
    with av.open(str(place / "out.mp4")) as container:
        assert "lip timing" in str(container.metadata)


def test_without_a_face_it_says_so_and_speaks(place: Path) -> None:
    result = dub(place, "blank.mp4")
    assert "is spoken without looking: no face" in result.warnings[0]
    assert speech_level(read_sound(place / "out.mp4", 0.0)) == pytest.approx(0.065, rel=0.2)


def test_following_nothing_does_not_look(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.dubbing.faces.follow_cues", lambda *_: pytest.fail("looked"))
    assert dub(place, follow="nothing").lines[0].guided_by() == ("text",)


def test_a_text_too_long_for_its_time_is_a_sentence_with_numbers(place: Path) -> None:
    result = syncvoice.dub(place / "clip.mp4", f"{TEXT} bin", out=place / "out.mp4", engine="timed", voice_blend=BLEND)
    assert any("times as fast, up to" in warning and "shorten it to about" in warning for warning in result.warnings)
    with pytest.raises(UserError, match="at most 2.2 times as fast; shorten the text"):
        syncvoice.dub(
            place / "clip.mp4", " ".join([TEXT] * 40), out=place / "out.mp4", engine="timed", voice_blend=BLEND
        )


def test_subtitles_are_spoken_in_their_own_time(place: Path) -> None:
    (place / "two.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,000\nblue\n\n2\n00:00:01,200 --> 00:00:02,000\nnow\n", encoding="utf-8"
    )
    result = syncvoice.dub(
        place / "clip.mp4", subtitles=place / "two.srt", out=place / "out.mp4", engine="timed", voice_blend=BLEND
    )
    first, second = (line.words[0] for line in result.lines)
    assert (first[0], second[0]) == ("blue", "now") and 0 < first[1] < 1 and 1.2 < second[1] < 2


def test_one_impossible_cue_does_not_stop_the_others(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "long.srt").write_text(
        f"1\n00:00:00,000 --> 00:00:00,800\n{' '.join([TEXT] * 9)}\n\n2\n00:00:01,200 --> 00:00:02,000\nnow\n"
    )
    with caplog.at_level("INFO"):
        result = syncvoice.dub(
            place / "clip.mp4", subtitles=place / "long.srt", out=place / "out.mp4", engine="timed", voice_blend=BLEND
        )
    assert list(result.sounds) == ["cue 2"] and any("until then it is silent" in one for one in result.warnings)
    assert "nobody can follow" in caplog.text.split("the plan:")[1], "the plan is told before the work"
    with pytest.raises(UserError, match="shorten the text"):
        syncvoice.dub(
            place / "clip.mp4", subtitles=place / "long.srt", out=place / "out.mp4", engine="timed", voice_blend=BLEND,
            wishes=Wishes(only_cues=(1,)),
        )  # fmt: skip


@pytest.mark.parametrize("wishes", [Wishes(takes=2)])
def test_an_engine_that_draws_no_lots_takes_no_takes(place: Path, wishes: Wishes) -> None:
    with pytest.raises(UserError, match="always alike, so --takes 2 helps nothing"):
        dub(place, wishes=wishes)


def test_speakers_have_stock_voices_of_their_own(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "who.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,000\nANN: blue\n\n2\n00:00:01,200 --> 00:00:02,000\nBOB: now\n"
    )
    write_wav(tmp_path / "ann.wav", np.random.default_rng(0).normal(0, 0.05, 48_000).astype(np.float32), 24_000)
    near = SimpleNamespace(told=lambda: "bm_lewis=1", pitch_hz=100.0, wanted_hz=101.0, parts={"bm_lewis": 1.0})
    monkeypatch.setattr("syncvoice.dubbing.by_timing.TimedEngine._nearest", lambda *_: near)
    result = syncvoice.dub(
        place / "clip.mp4", subtitles=place / "who.srt", out=place / "out.mp4", engine="timed", voice_blend=BLEND,
        voice={"ANN": tmp_path / "ann.wav"}, wishes=Wishes(speaker="Bob"),
    )  # fmt: skip
    told = [note for note in result.notes if note.startswith("voice of")]
    assert told[0].startswith("voice of ANN: bm_lewis=1 (100 Hz") and told[1].startswith("voice of Bob: af_heart=1")
    assert [line.cue.text for line in result.lines] == ["blue", "BOB: now"]


def test_a_dubber_keeps_its_engine(place: Path) -> None:
    dubber = Dubber("timed", voice_blend=BLEND)
    for name in ("a.mp4", "b.mp4"):
        dubber.dub(place / "clip.mp4", TEXT, out=place / name)
    first, second = (read_sound(place / name, 0.0) for name in ("a.mp4", "b.mp4"))
    np.testing.assert_array_equal(first, second)


def test_a_batch_dubs_what_it_can(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = place / "clips.csv"
    table.write_text(f"video,text,out\nclip.mp4,{TEXT},first.mp4\nnone.mp4,{TEXT},\nblank.mp4,,\n", encoding="utf-8")
    arguments = ["dub", "--batch", str(table), "--text", "lay red", "--voice-blend", "af_heart", "--engine", "timed"]
    assert main([*arguments, "--out", str(tmp_path / "made")]) == 2
    told = capsys.readouterr()
    assert "row 3: video" in told.err and "does not exist" in told.err
    assert "1 of 3 clips cannot be used (rows 3" in told.err
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["blank.mp4", "first.mp4", "report.csv"]
    rows = list(csv.DictReader((tmp_path / "made/report.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["row"], row["status"]) for row in rows] == [("2", "ok"), ("3", "failed"), ("4", "ok")]
    assert "does not exist" in rows[1]["message"] and "natural durations" in rows[0]["warnings"]
    assert "2 of 3 clips dubbed" in told.out and "clips: 100%" in told.err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("text\nx\n", "video"),
        ("video,txt\na.mp4,x\n", "column 'txt'; did you mean 'text'"),
        ('video,text\n"",x\n', "row 2: column video is empty"),
        ("video\na.mp4\nb/a.mp4\n", "several rows would be written to"),
    ],
)
def test_wrong_tables_are_sentences(tmp_path: Path, rows: str, message: str) -> None:
    from syncvoice.dubbing.batch import read_batch

    (tmp_path / "clips.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_batch(tmp_path / "clips.csv", tmp_path)


def test_mandarin_follows_the_mouth_not_the_lips(place: Path) -> None:
    result = syncvoice.dub(
        place / "blank.mp4", "今天天气很好", out=place / "out.mp4", engine="timed", voice_blend=BLEND, language="zh"
    )
    assert "".join(word for word, _, _ in result.lines[0].words) == "今天天气很好"


def test_auto_says_who_speaks_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose_engine()
    assert chosen.engine.name.startswith("timed") and chosen.why == "no full-size model is there"

    def missing(path: object = None) -> None:
        raise UserError(MISSING)

    monkeypatch.setattr(Kokoro, "from_assets", missing)
    small = choose_engine()
    assert "dubbing" in small.engine.name or "full" in small.engine.name
    assert MISSING in small.why
    with pytest.raises(UserError, match="run 'snakemake"):
        choose_engine("timed")


def test_a_full_size_model_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Path | None] = []
    monkeypatch.setattr("syncvoice.dubbing.by_model.load_dubbing_model", lambda path: asked.append(path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no full-size model at"):
        choose_engine("zipvoice")
    place = Path(FULL_SIZE_PLACES[-1])
    place.parent.mkdir(parents=True)
    place.touch()
    assert choose_engine("zipvoice").why == "it was asked for"
    assert choose_engine().why == "a full-size model is there"
    assert choose_engine("small").why == "it was asked for"
    assert asked == [place, place, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "timd"}, "did you mean 'timed'"),
        ({"engine": "timed", "model": "x"}, "leave one of the two out"),
        ({"follow": "lip"}, "choose auto, lips, mouth, nothing"),
        ({"voice_blend": None}, "name a recording with --voice"),
        ({"engine": "small", "voice_blend": None}, "takes its voice from a recording"),
    ],
)
def test_mistakes_are_sentences(place: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        dub(place, **options)


def test_command_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dub", str(place / "clip.mp4"), "--text", TEXT, "--voice-blend", "af_heart=0.6,am_adam=0.4"]
    assert main([*arguments, "--engine", "timed", "--out", str(place / "out.mp4")]) == 0
    told = capsys.readouterr().out
    assert "voice: af_heart=0.6,am_adam=0.4; a stock voice, no clone" in told and "guided by text" in told


@pytest.mark.skipif(not real_data("grid").exists(), reason="needs the shared GRID clips")
def test_the_voice_nearest_to_a_real_recording_has_its_sex(tmp_path: Path) -> None:
    for speaker, letter in (("s1", "m"), ("s4", "f")):
        clip = sorted((real_data("grid") / speaker).glob("*.mpg"))[0]
        write_wav(tmp_path / "ref.wav", read_sound(clip, 0.0), 24_000)
        result = syncvoice.dub(clip, TEXT, voice=tmp_path / "ref.wav", out=tmp_path / "out.mp4", engine="timed")
        *_, voice, likeness = result.notes
        # TEXT is not what they say: how sure the lips are is a note or a warning
        told = [line for line in (*result.notes, *result.warnings) if "half of the words likely start within" in line]
        assert len(told) == 1
        assert voice.split("voice: ")[1][1] == letter, voice
        assert "which did not choose the voice" in likeness
        assert result.lines[0].guided_by() == ("text", "lip")


def test_shipped_networks_are_there() -> None:
    assert (ROOT / "weights" / "lip_timing.safetensors").is_file()
