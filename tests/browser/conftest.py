"""The app in headless Chromium, with a camera that plays a clip."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import pytest
from playwright.sync_api import Browser, BrowserType, Page, expect, sync_playwright

from moodlens.history import History

ROOT = Path(__file__).resolve().parents[2]
CAMERA_FRAMES = 150
LAST_LINES = 400
STACKS = """import faulthandler, signal
faulthandler.register(signal.SIGUSR1, all_threads=True)
"""
"""With this the app writes where each of its threads is when it gets SIGUSR1."""
KEEP_CAMERA = """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => (window.camera = await ask(wanted));
"""
expect.set_options(timeout=30_000)  # no test of speed: a busy machine may take its time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Never skipped silently: without Chromium these tests fail and say how to get it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.fail("the browser tests need Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="session")
def camera_clip(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """What the fake camera shows: the talking woman at 640x480, as uncompressed video."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    capture = cv2.VideoCapture(str(shared / "media" / "talking-woman.mp4"))
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420mpeg2\n")
        for _ in range(CAMERA_FRAMES):
            good, frame = capture.read()
            if not good:
                break
            small = cv2.resize(frame, (640, 480))
            file.write(b"FRAME\n" + cv2.cvtColor(small, cv2.COLOR_BGR2YUV_I420).tobytes())
    capture.release()
    return path


@pytest.fixture(scope="session")
def app_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the app's cache and database."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture
def saved(app_home: Path) -> Iterator[History]:
    """The app's own database of sessions, empty before and after."""
    history = History(f"sqlite:///{app_home / 'history.sqlite'}")
    history.delete_all()
    yield history
    history.delete_all()
    history.close()


@pytest.fixture(scope="session")
def app_served(app_home: Path, shared: Path) -> Iterator[tuple[str, int]]:
    """The app as `moodlens app` serves it: its address and the number of its process."""
    port, home = free_port(), app_home
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MOODLENS_")}
    environment |= {
        "MOODLENS_OFFLINE": "1",
        "MOODLENS_CACHE_DIR": str(home / "cache"),
        "MOODLENS_DATABASE_URL": f"sqlite:///{home / 'history.sqlite'}",
    }
    if shared.is_dir():
        environment["MOODLENS_MODELS_DIR"] = str(shared / "models")
    started_with = home / "started-with"
    started_with.mkdir()
    (started_with / "sitecustomize.py").write_text(STACKS)
    environment["PYTHONPATH"] = str(started_with)
    log = (home / "app.log").open("w")
    command = [sys.executable, "-m", "moodlens", "app", "--port", str(port)]
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            if child.poll() is not None:
                pytest.fail(f"the app ended: {(home / 'app.log').read_text()}")
            try:
                with urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail(f"the app did not start: {(home / 'app.log').read_text()}")
        yield address, child.pid
    finally:
        child.terminate()
        child.wait(20)
        log.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure, one that is tried again too: the error, what the app wrote, its threads."""
    report = yield
    used = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "app_served" in used:
        _, process = used["app_served"]
        os.kill(process, signal.SIGUSR1)
        time.sleep(1)  # it writes them
        lines = (used["app_home"] / "app.log").read_text(errors="replace").splitlines()
        terminal: Any = item.config.pluginmanager.getplugin("terminalreporter")
        terminal.write_line("")
        terminal.section(f"{item.nodeid} failed", "-")
        terminal.write_line(report.longreprtext)
        terminal.section("the app then", "-")
        terminal.write_line("\n".join(lines[-LAST_LINES:]))
    return report


@pytest.fixture(scope="session")
def app_address(app_served: tuple[str, int]) -> str:
    return app_served[0]


def launch(playwright: Any, chromium: str, *flags: str) -> Browser:
    return start(playwright.chromium, chromium, *flags)


def start(kind: BrowserType, chromium: str, *flags: str) -> Browser:
    return kind.launch(
        executable_path=chromium,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            *flags,
        ],
    )


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = launch(playwright, chromium)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@contextmanager
def page_with_camera(page: Page, chromium: str, *device: str) -> Iterator[Page]:
    """A page of its own browser with permission for this fake device; `window.camera` is played."""
    browser = page.context.browser
    assert browser is not None
    flags = ("--use-fake-ui-for-media-stream", *device)
    with_camera = start(browser.browser_type, chromium, *flags)
    opened = with_camera.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(90_000)
    opened.add_init_script(KEEP_CAMERA)
    yield opened
    with_camera.close()


@pytest.fixture
def camera_page(page: Page, chromium: str, camera_clip: Path) -> Iterator[Page]:
    """A page whose camera plays the clip."""
    device = "--use-fake-device-for-media-stream"
    clip = f"--use-file-for-fake-video-capture={camera_clip}"
    with page_with_camera(page, chromium, device, clip) as opened:
        yield opened


@pytest.fixture
def cameras_page(page: Page, chromium: str) -> Iterator[Page]:
    """A page whose browser has three cameras of its own; the second gives depths, no pictures."""
    devices = "--use-fake-device-for-media-stream=device-count=3"
    with page_with_camera(page, chromium, devices) as opened:
        yield opened
