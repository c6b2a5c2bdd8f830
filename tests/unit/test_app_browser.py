"""The page for people in a real browser: a GRID clip goes in, its dub plays, nothing is loaded from elsewhere."""

import importlib.util
import json
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
import pytest

from syncvoice.app.form import TRANSLATION
from syncvoice.app.serving import address_of, listen, prepare_gradio, server_of, web_app
from syncvoice.app.work import Workshop
from syncvoice.audio import write_wav
from syncvoice.commands import app_findings
from syncvoice.networks.kokoro import Kokoro
from syncvoice.text.language import LANGUAGES
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import real_data
from tests.unit.fake_tts import FakeTts
from tests.unit.real_browser import click, start_browser, wait_for

TEXT = "bin blue at f three soon"
GRID = real_data("grid")
needs_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs Gradio (extra app)")


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
    served: str, browser: Any, tmp_path: Path, elsewhere: list[str]
) -> None:
    """Consent, an error and a dub, one after the other, as a person would."""
    clip = GRID / "s1" / "bbaf3s.mpg"
    voice = write_wav_of(clip, tmp_path / "ref.wav")
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
