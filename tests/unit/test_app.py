"""The page for people: what it refuses and what it says (in a real browser: test_app_browser.py)."""

import logging
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from syncvoice.app.form import ENGINES, KINDS, SAME, TRANSLATION, Form, usual_kind, usual_scales
from syncvoice.app.player import playable
from syncvoice.app.serving import ADDRESS, listen
from syncvoice.app.told import sentence
from syncvoice.app.work import Score, Workshop
from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.commands import app_findings
from syncvoice.dubbing import Dubber, Sound
from syncvoice.dubbing.engine import ENGINES as DUB_ENGINES
from syncvoice.errors import ChangedFile, UserError
from syncvoice.networks.kokoro import Kokoro
from tests.unit.clip_files import blank_frames, clicks, face_frames, write_video
from tests.unit.fake_tts import FakeTts

N = 50
TEXT = "bin blue at f three soon"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, a voice, and files that are neither."""
    folder = tmp_path_factory.mktemp("app")
    draw = np.random.default_rng(0)
    write_video(folder / "clip.mp4", face_frames(N), clicks(N * 960), sound_codec="aac")
    write_video(folder / "mute.mp4", blank_frames(N), None)
    write_wav(folder / "voice.wav", draw.normal(0, 0.05, 48_000).astype(np.float32), 24_000)
    (folder / "broken.mp4").write_bytes(b"no video at all" * 100)
    (folder / "cues.srt").write_text("1\n00:00:00,200 --> 00:00:01,800\nbin blue\n")
    return folder


def form(place: Path, **changes: Any) -> Form:
    filled = {"video": place / "clip.mp4", "text": TEXT, "voice": place / "voice.wav", "engine": "timed"}
    return Form(**{**filled, "consent": True, **changes})


@pytest.fixture
def beeps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A TTS that beeps; counts how often it is loaded."""
    loaded: list[int] = []
    monkeypatch.setattr(Kokoro, "from_assets", classmethod(lambda cls, path=None: loaded.append(1) or FakeTts()))
    return loaded


def workshop(folder: Path) -> Workshop:
    """One that draws and scores nothing."""
    return Workshop(
        folder, lambda source, dubbed, out: "No picture.", lambda *_: iter([[Score("Words", "WER", "1 %")]])
    )


def told_by(shop: Workshop, filled: Form) -> str:
    """The error that a run ends with."""
    *_, last = shop.run(filled, lambda *_: None)
    assert last.done and last.dubbed is None
    return last.error


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"consent": False}, "Nothing runs without consent"),
        ({"consent": False, "video": None, "text": ""}, "Nothing runs without consent"),
        ({"video": None}, "no video yet"),
        ({"text": "  "}, "no text yet"),
        ({"subtitles": Path("cues.srt")}, "remove one of them"),
        ({"voice": None}, "no voice yet"),
    ],
)
def test_a_form_that_is_not_filled_in_runs_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr("syncvoice.app.work.Dubber", lambda *_: pytest.fail("an engine was loaded"))
    assert says in told_by(workshop(tmp_path), form(place, **changes))
    assert list(tmp_path.iterdir()) == []


def test_what_is_usual_follows_the_language_as_in_the_command() -> None:
    assert [usual_kind(language) for language in ("en", "zh", "fr")] == [SAME, TRANSLATION, TRANSLATION]
    assert usual_scales(SAME) == (2.0, 2.0) and usual_scales(TRANSLATION) == (2.0, 0.0)
    assert set(ENGINES.values()) == set(DUB_ENGINES)
    follows = [Form(None, kind=kind).follow for kind in KINDS]
    assert follows == ["lips", "mouth"]
    assert Form(None, face=1.5, lip=0.5, seed=7).sound == Sound(seed=7, scales={"face": 1.5, "lip": 0.5})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"video": "broken.mp4"}, "cannot be decoded"),
        ({"voice": "broken.mp4"}, "broken.mp4"),
        ({"text": "你好"}, "“Language” zh"),
        ({"text": "?!"}, "not one syllable"),
        ({"text": "", "subtitles": "broken.mp4"}, "broken.mp4"),
        ({"text": " ".join([TEXT] * 40)}, "shorten the text"),
    ],
)
def test_errors_are_sentences_of_the_page(
    place: Path, tmp_path: Path, beeps: list[int], changes: dict[str, Any], says: str
) -> None:
    files = {name: place / value for name, value in changes.items() if name != "text"}
    error = told_by(workshop(tmp_path), form(place, **{**changes, **files}))
    assert says in error and (error[0].isupper() or error.startswith("broken.mp4"))
    assert "Traceback" not in error and str(place) not in error and "--" not in error


@pytest.mark.parametrize("error", [RuntimeError("odd"), KeyError("x"), ZeroDivisionError(), MemoryError("big")])
def test_an_error_that_nobody_foresaw_is_a_sentence_too(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        says = sentence(error)
    assert "not your fault" in says and type(error).__name__ in says
    assert caplog.records[0].exc_info is not None  # the terminal has the trace


def test_errors_of_the_system_and_of_the_disk_are_told_as_such() -> None:
    assert sentence(OSError(28, "No space left on device")).startswith("The system says: No space left")
    assert sentence(ChangedFile("weights x are not the file that was written")).startswith("Weights x")
    assert sentence(UserError("give one with --voice"), []) == "Give one with “Voice” (under 3)"


def test_an_engine_is_loaded_once_and_follows_each_form(place: Path, tmp_path: Path, beeps: list[int]) -> None:
    shop = workshop(tmp_path)
    guides = []
    for kind in KINDS:
        *_, last = shop.run(form(place, kind=kind), lambda *_: None)
        assert not last.error and last.dubbed is not None and last.picture is None
        assert last.dubbed.name == "clip_dubbed.mp4" and last.scores == [Score("Words", "WER", "1 %")]
        assert "No picture." in last.notes
        guides.append(shop._dubber(form(place, kind=kind))._engine.follow)
    assert guides == ["lips", "mouth"] and beeps == [1]


def test_subtitles_go_in_and_their_words_are_scored(place: Path, tmp_path: Path, beeps: list[int]) -> None:
    asked: list[str] = []
    shop = Workshop(tmp_path, lambda *_: "", lambda dubbed, source, text, *_: asked.append(text) or iter(()))
    *_, last = shop.run(form(place, text="", subtitles=place / "cues.srt"), lambda *_: None)
    assert not last.error and asked == ["bin blue"]


def test_a_tuned_engine_keeps_its_model_and_refuses_what_means_nothing(beeps: list[int]) -> None:
    dubber = Dubber("timed")
    other = dubber.tuned(Sound(seed=3), "mouth")
    assert other._engine.network is dubber._engine.network and dubber._engine.follow == "auto"
    assert other._engine.follow == "mouth" and other.sound.seed == 3 and other.why == dubber.why
    with pytest.raises(UserError, match="scale of lip is -1"):
        dubber.tuned(Sound(scales={"lip": -1.0}), "lips")


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("b.mpg", "mpeg1video"), ("c.mp4", "mpeg4"), ("d.avi", "mjpeg")]
)
def test_every_clip_is_shown_as_what_browsers_play(tmp_path: Path, name: str, codec: str) -> None:
    source = tmp_path / name
    if codec == "mjpeg":
        source = write_video(tmp_path / "d.mkv", blank_frames(N), None)
    else:
        write_video(source, blank_frames(N), None, codec=codec)
    out = playable(source, tmp_path / "player.mp4")
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert sum(1 for _ in container.decode(video=0)) == N
        assert "synthetic" not in str(container.metadata).lower()
    assert not list(tmp_path.glob("player.mkv"))


def test_a_file_that_cannot_be_shown_says_why(place: Path, tmp_path: Path) -> None:
    assert workshop(tmp_path).source(None) == (None, "")
    path, lacking = workshop(tmp_path).source(place / "broken.mp4")
    assert path is None and "cannot be decoded" in lacking and str(place) not in lacking


def test_the_picture_is_drawn_with_and_without_face_and_sound(place: Path, tmp_path: Path) -> None:
    sizes = []
    for name in ("clip.mp4", "mute.mp4"):
        assert app_findings.draw(place / name, place / "clip.mp4", tmp_path / f"{name}.png") == ""
        sizes.append((tmp_path / f"{name}.png").read_bytes()[:4])
    assert sizes == [b"\x89PNG"] * 2


def test_every_question_gets_a_number_or_a_reason(place: Path) -> None:
    found = list(app_findings.judge(place / "mute.mp4", place / "mute.mp4", TEXT, "en", place / "voice.wav"))
    assert [scores[0].question for scores in found] == list(app_findings.QUESTIONS.values())
    assert all(score.note and not score.value for scores in found for score in scores)


def test_without_gradio_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("syncvoice.app.serving.find_spec", lambda name: None)
    assert main(["app", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "needs Gradio" in said and "requirements-app.lock" in said and said.count("\n") == 1


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_cannot_be_had_is_a_sentence(port: int) -> None:
    with pytest.raises(UserError, match="name another with --port"):
        listen(port)


def test_a_taken_port_is_a_sentence() -> None:
    with listen(0) as server:
        assert server.getsockname()[0] == ADDRESS == "127.0.0.1"
        with pytest.raises(UserError, match="cannot be had"):
            listen(server.getsockname()[1])
