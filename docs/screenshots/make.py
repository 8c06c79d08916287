"""Screenshots of the app's pages: `python docs/screenshots/make.py`.

They show the packaged samples, averages of many faces: no picture of a person is kept. The camera
of the live page and the clip of the video page are such averages, too.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.history import History, RecordedSession, Sample
from moodlens.webapp import pictures

HERE = Path(__file__).parent
SAMPLES = Path(pictures.__file__).parent / "samples"
FPS = 25
SIZES = {"desktop": (1280, 1000), "phone": (390, 844)}


def wait_for(address: str) -> None:
    for _ in range(120):
        try:
            with urlopen(f"{address}/_stcore/health", timeout=2):  # noqa: S310 (loopback)
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("the app did not start")


def fill(history: History) -> None:
    """Sessions of made-up numbers, so that the history page has something to show."""
    chance = random.Random(4)
    now = datetime.now(UTC)
    for days in range(8):
        label: Emotion = "neutral"
        samples = []
        for second in range(120):
            if chance.random() < 0.12:
                label = chance.choice(EMOTIONS)
            scores = tuple(0.7 if e == label else 0.05 for e in EMOTIONS)
            style = STYLES[label]
            samples.append(
                Sample(second, 1, label, scores, 0.7 * style.valence, 0.7 * style.arousal)
            )
        start = now - timedelta(days=days)
        history.save(
            RecordedSession("live", f"Made up, {days}", start, 120.0, 3000, tuple(samples))
        )
    history.close()


def film(folder: Path) -> tuple[Path, Path]:
    """Two average faces that sway, at 640x480: as a camera plays it (y4m), and as a clip (mp4)."""
    faces = []
    for name in ("average-happy.png", "average-surprise.png"):
        face = cv2.imread(str(SAMPLES / name))
        assert face is not None
        faces.append(cv2.resize(face, (480, 480)))
    camera, clip = folder / "camera.y4m", folder / "two-moods.mp4"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (640, 480))
    with camera.open("wb") as file:
        file.write(f"YUV4MPEG2 W640 H480 F{FPS}:1 Ip A1:1 C420mpeg2\n".encode())
        for number in range(6 * FPS):
            left = 80 + round(50 * np.sin(number / FPS))
            face = faces[number // (2 * FPS) % 2]
            image = cv2.copyMakeBorder(face, 0, 0, left, 160 - left, cv2.BORDER_REPLICATE)
            writer.write(image)
            file.write(b"FRAME\n" + cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes())
    writer.release()
    return camera, clip


def take(page: Page, address: str, clip: Path, kind: str, theme: str) -> None:
    """Every page in one size and theme."""

    def keep(name: str) -> None:
        page.wait_for_timeout(1500)
        page.screenshot(path=HERE / f"{name}-{kind}-{theme}.png")

    page.goto(address)
    page.get_by_text("What does this face").wait_for()
    keep("start")
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="average happy").click()
    page.get_by_test_id("probability-bars").first.wait_for()
    keep("picture")
    page.goto(f"{address}/live")
    video = page.frame_locator("iframe").first
    video.get_by_role("button", name="START").click()
    page.get_by_test_id("live-timeline").wait_for()
    page.wait_for_timeout(8000)
    keep("live")
    video.get_by_role("button", name="STOP").click()
    page.get_by_role("heading", name="Your session").scroll_into_view_if_needed()
    keep("session")
    page.goto(f"{address}/video")
    page.locator("input[type=file]").first.set_input_files(clip)
    page.get_by_role("button", name="Analyse").click()
    page.get_by_text("Point at the timeline").wait_for()
    page.get_by_test_id("stVegaLiteChart").first.hover()
    keep("video")
    for name, text in {"history": "What followed what", "model": "Uses not allowed"}.items():
        page.goto(f"{address}/{name}")
        page.get_by_text(text).first.wait_for()
        keep(name)


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moodlens", "app", "--port", str(port)]
    home = tempfile.TemporaryDirectory()
    database = f"sqlite:///{home.name}/history.sqlite"
    fill(History(database))
    camera, clip = film(Path(home.name))
    own = {"MOODLENS_OFFLINE": "1", "MOODLENS_DATABASE_URL": database}
    child = subprocess.Popen(command, env={**os.environ, **own})
    try:
        wait_for(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--use-fake-ui-for-media-stream",
                    "--use-fake-device-for-media-stream",
                    f"--use-file-for-fake-video-capture={camera}",
                ],
            )
            for kind, (width, height) in SIZES.items():
                for theme in ("light", "dark"):
                    page = browser.new_page(
                        viewport={"width": width, "height": height}, color_scheme=theme
                    )
                    page.set_default_timeout(60_000)
                    take(page, address, clip, kind, theme)
                    page.close()
            browser.close()
    finally:
        child.terminate()
        child.wait(20)
        home.cleanup()


if __name__ == "__main__":
    main()
