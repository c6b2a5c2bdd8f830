"""The page for people: what it refuses, what it says, and a GRID clip dubbed through a real browser."""

import importlib.util
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from syncvoice.app.form import ENGINES, KINDS, SAME, TRANSLATION, Form, usual_kind, usual_scales
from syncvoice.app.player import playable
from syncvoice.app.serving import ADDRESS, address_of, listen, prepare_gradio, server_of, web_app
from syncvoice.app.told import sentence
from syncvoice.app.work import Score, Workshop
from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.commands import app_findings
from syncvoice.dubbing import Dubber, Sound
from syncvoice.dubbing.engine import ENGINES as DUB_ENGINES
from syncvoice.errors import ChangedFile, UserError
from syncvoice.networks.kokoro import Kokoro
from syncvoice.text.language import LANGUAGES
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import blank_frames, clicks, face_frames, real_data, write_video
from tests.unit.fake_tts import FakeTts
from tests.unit.real_browser import click, start_browser, wait_for

N = 50
TEXT = "bin blue at f three soon"
GRID = real_data("grid")
needs_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs Gradio (extra app)")


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


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[list[str]]:
    """Addresses beyond this machine that anything tried to reach."""
    tried: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        connect = socket.socket.connect

        def watched(self: socket.socket, address: Any) -> None:
            if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
                tried.append(str(address))
            connect(self, address)

        patch.setattr(socket.socket, "connect", watched)
        yield tried


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, elsewhere: list[str]) -> Iterator[str]:
    """The page's address; the TTS beeps, all else is real."""
    if importlib.util.find_spec("gradio") is None:
        pytest.skip("needs Gradio (extra app)")
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kokoro, "from_assets", classmethod(lambda cls, path=None: FakeTts()))
        for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "GRADIO_SHARE", "HF_HUB_OFFLINE",
                     "HF_HUB_DISABLE_TELEMETRY"):  # fmt: skip
            patch.setenv(name, "")  # so that what is set below does not outlast the test
        prepare_gradio(folder)
        from syncvoice.app.page import build_page

        page = build_page(Workshop(folder, app_findings.draw, app_findings.judge))
        server = server_of(web_app(page, folder))
        with listen(0) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            wait_for(lambda: server.started, 30)
            yield address_of(listening)
            server.should_exit = True
            thread.join(20)


@needs_gradio
def test_the_page_is_for_this_machine_and_loads_nothing_from_elsewhere(served: str) -> None:
    with urllib.request.urlopen(served) as answer:
        policy = answer.headers["content-security-policy"]
        text = answer.read().decode()
    assert "default-src 'self'" in policy and "http" not in policy
    assert "fonts.googleapis" not in text and '"share"' not in text.partition("window.gradio_config")[0]
    request = urllib.request.Request(served, headers={"Host": "example.org"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = start_browser(tmp_path_factory.mktemp("downloads"), (1280, 1400))
    yield running
    running.quit()


def one(browser: Any, selector: str) -> Any:
    """The element, once it is there."""
    from selenium.webdriver.common.by import By

    return wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, selector), 60)[0]


def told(browser: Any) -> str:
    """The new sentence under the button, "" while there is none."""
    return browser.execute_script("return document.querySelector('#told .told:not(.old)')?.textContent ?? ''")


def press(browser: Any, until: str) -> str:
    """Press the button and wait for a sentence that holds `until`, or an error."""
    browser.execute_script("document.querySelector('#told .told')?.classList.add('old')")
    click(lambda: one(browser, "#dub"))
    bad = "return document.querySelector('#told .told.error:not(.old)') !== null"
    wait_for(lambda: until in told(browser) or (until == "Done" and browser.execute_script(bad)), 240)
    return told(browser)


def hosts_of(browser: Any) -> set[str]:
    """Hosts that the browser asked for anything since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [entry["params"]["request"]["url"] for entry in messages if entry["method"] == "Network.requestWillBeSent"]
    return {url.split("/")[2].partition(":")[0] for url in urls if url.startswith(("http", "ws"))}


@needs_gradio
@pytest.mark.slow
@pytest.mark.skipif(not (GRID / "s1").is_dir(), reason="needs the GRID recordings")
def test_a_grid_clip_goes_in_and_a_playable_mp4_comes_out(
    served: str, browser: Any, place: Path, elsewhere: list[str]
) -> None:
    """Consent, an error and a dub, one after the other, as a person would."""
    clip = GRID / "s1" / "bbaf3s.mpg"
    voice = write_wav_of(clip, place / "ref.wav")
    browser.get(served)
    assert "without consent" in press(browser, "consent")
    click(lambda: one(browser, "#consent input"))
    assert "no video yet" in press(browser, "no video")
    one(browser, "#video input[type=file]").send_keys(str(clip))
    one(browser, "#voice input[type=file]").send_keys(str(voice))
    one(browser, "#source video")
    one(browser, "#text textarea").send_keys("?!")
    assert "not one syllable" in press(browser, "syllable")
    one(browser, "#text textarea").clear()
    one(browser, "#text textarea").send_keys(TEXT)
    assert press(browser, "Done").startswith("Done.")
    video = one(browser, "#dubbed video")
    wait_for(lambda: browser.execute_script("return arguments[0].readyState", video) >= 2, 20)
    facts = "const v = arguments[0]; return [v.error === null, v.videoWidth, v.videoHeight, v.duration]"
    *shape, seconds = browser.execute_script(facts, video)
    assert shape == [True, 360, 288] and seconds == pytest.approx(3.0, abs=0.1)
    browser.execute_script("arguments[0].muted = true; arguments[0].play()", video)
    wait_for(lambda: browser.execute_script("return arguments[0].currentTime", video) > 0.2, 20)
    assert one(browser, "#picture img").is_displayed()
    scores = one(browser, "#scores table").text
    assert "SIM-o (GE2E" in scores and "LSE-D (mini SyncNet)" in scores
    click(lambda: one(browser, "#download"))
    file = browser.downloads / "bbaf3s_dubbed.mp4"
    wait_for(file.is_file, 30)
    assert len(read_sound(file, 0.0)) == pytest.approx(3 * 24_000, abs=2048)
    with av.open(str(file)) as container:
        assert "synthetic speech" in str(container.metadata)
    assert hosts_of(browser) == {"127.0.0.1"} and elsewhere == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def write_wav_of(video: Path, out: Path) -> Path:
    """The sound of a video as a file."""
    write_wav(out, read_sound(video, 0.0), 24_000)
    return out


@needs_gradio
@pytest.mark.slow
def test_defaults_follow_the_language_and_a_phone_sees_the_whole_page(served: str, browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.set_window_size(500, 900)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    browser.get(served)
    click(lambda: one(browser, "#guidance button"))
    lips = one(browser, "#lip input[type=number]")
    assert float(lips.get_attribute("value")) == 2
    click(lambda: one(browser, "#language input"))
    field = one(browser, "#language input")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(LANGUAGES["fr"].name, Keys.ENTER)
    wait_for(lambda: float(lips.get_attribute("value")) == 0, 30)
    chosen = browser.find_elements(By.CSS_SELECTOR, "#kind input:checked")
    assert [radio.get_attribute("value") for radio in chosen] == [TRANSLATION]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


@needs_gradio
@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_when_the_program_ends_uploads_and_results_are_gone(tmp_path: Path, ending: signal.Signals) -> None:
    code = (  # a shell may have told its children to ignore Ctrl+C
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from syncvoice.cli import main; sys.exit(main(['app', '--port', '0']))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        address = running.stdout.readline().split()[4]
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        assert list(tmp_path.glob("syncvoice_app_*"))
        running.send_signal(ending)
        assert running.wait(60) == 0
    assert list(tmp_path.glob("syncvoice_app_*")) == []
