"""A real browser for tests: headless Chromium or Chrome from PATH, through its own driver."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def start_browser(downloads: Path, size: tuple[int, int] = (1000, 900)) -> Any:
    """A running browser that saves downloads into `downloads` (also its attribute); the test is skipped without one."""
    webdriver = pytest.importorskip("selenium.webdriver")
    binary = next((path for name in NAMES if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no chromium (or chrome) with chromedriver on PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = "--window-size={},{}".format(*size)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio", window):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    running.downloads = downloads
    return running


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `condition` gives, once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the page did not get there in time"
        time.sleep(0.05)
    return found


def click(find: Callable[[], Any], seconds: float = 10.0) -> None:
    """Click the element that `find` gives, as soon as it can be: a page that builds itself moves and replaces it."""
    from selenium.common import exceptions

    early = (
        exceptions.ElementClickInterceptedException,
        exceptions.ElementNotInteractableException,
        exceptions.StaleElementReferenceException,
    )

    def clicked() -> bool:
        try:
            find().click()
        except early:
            return False
        return True

    wait_for(clicked, seconds)
