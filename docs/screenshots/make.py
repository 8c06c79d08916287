"""Screenshots of the app's pages: `python docs/screenshots/make.py`.

They show the packaged sample, the average of many faces: no picture of a person is kept.
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

from playwright.sync_api import Page, sync_playwright

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.history import History, RecordedSession, Sample

HERE = Path(__file__).parent
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


def take(page: Page, address: str, kind: str, theme: str) -> None:
    """Every page in one size and theme."""
    page.goto(address)
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="average happy").click()
    page.get_by_test_id("probability-bars").first.wait_for()
    page.wait_for_timeout(1500)
    page.screenshot(path=HERE / f"picture-{kind}-{theme}.png")
    pages = {
        "live": "Press START",
        "video": "Add a clip",
        "history": "What followed what",
        "model": "Uses not allowed",
    }
    for name, text in pages.items():
        page.goto(f"{address}/{name}")
        page.get_by_text(text).first.wait_for()
        page.wait_for_timeout(1500)
        page.screenshot(path=HERE / f"{name}-{kind}-{theme}.png")


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moodlens", "app", "--port", str(port)]
    home = tempfile.TemporaryDirectory()
    database = f"sqlite:///{home.name}/history.sqlite"
    fill(History(database))
    own = {"MOODLENS_OFFLINE": "1", "MOODLENS_DATABASE_URL": database}
    child = subprocess.Popen(command, env={**os.environ, **own})
    try:
        wait_for(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            for kind, (width, height) in SIZES.items():
                for theme in ("light", "dark"):
                    page = browser.new_page(
                        viewport={"width": width, "height": height}, color_scheme=theme
                    )
                    page.set_default_timeout(60_000)
                    take(page, address, kind, theme)
                    page.close()
            browser.close()
    finally:
        child.terminate()
        child.wait(20)
        home.cleanup()


if __name__ == "__main__":
    main()
