"""A clip's way into the history, and what the history page does with sessions."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import pytest
from playwright.sync_api import FilePayload, Page, expect

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.history import History, RecordedSession, Sample
from moodlens.imaging.video_out import VideoWriter
from moodlens.webapp import pictures

pytestmark = pytest.mark.browser

SAMPLES = Path(pictures.__file__).parent / "samples"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the average happy face, then two of the average surprised one."""
    path = tmp_path_factory.mktemp("clip") / "two moods.mp4"
    with VideoWriter(path, frames_per_s=10) as writer:
        for i in range(40):
            name = "average-happy.png" if i < 20 else "average-surprise.png"
            image = cv2.imread(str(SAMPLES / name))
            assert image is not None
            writer.write(image, i / 10)
    return path


def session(title: str, *labels: Emotion, days: int = 0) -> RecordedSession:
    samples = tuple(
        Sample(i, 1, label, tuple(0.7 if e == label else 0.05 for e in EMOTIONS), 0.5, 0.1)
        for i, label in enumerate(labels)
    )
    start = START + timedelta(days=days)
    return RecordedSession("live", title, start, float(len(labels)), 10 * len(labels), samples)


def test_a_clip_is_followed_taken_away_and_saved(
    page: Page, app_address: str, clip: Path, saved: History
) -> None:
    page.goto(f"{app_address}/video")
    page.locator("input[type=file]").set_input_files(str(clip))
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_text("Point at the timeline")).to_be_visible()
    expect(page.get_by_test_id("session-shares")).to_be_visible()

    with page.expect_download() as caught:
        page.get_by_role("button", name="Rows (CSV)").click()
    rows = list(csv.DictReader(Path(caught.value.path()).read_text().splitlines()))
    assert [rows[0]["emotion"], rows[-1]["emotion"]] == ["happy", "surprise"]
    assert len(rows) == 40
    with page.expect_download() as caught:
        page.get_by_role("button", name="Annotated clip (MP4)").click()
    with av.open(str(caught.value.path())) as video:
        assert sum(1 for _ in video.decode(video=0)) == 40

    page.get_by_role("textbox", name="Name").fill("My clip")
    page.get_by_role("button", name="Save to history").click()
    expect(page.get_by_text("Saved. You find it on the History page.")).to_be_visible()
    (kept,) = saved.sessions()
    assert (kept.title, kept.kind, kept.frames) == ("My clip", "video", 40)
    assert kept.emotion_seconds["happy"] == 2


def test_pointing_at_the_timeline_shows_the_moment(
    page: Page, app_address: str, clip: Path
) -> None:
    page.goto(f"{app_address}/video")
    page.locator("input[type=file]").set_input_files(str(clip))
    page.get_by_role("button", name="Analyse").click()
    expect(page.get_by_text("Point at the timeline")).to_be_visible()
    chart = page.get_by_test_id("stVegaLiteChart").first
    expect(chart.locator("svg, canvas").first).to_be_visible()
    tip = page.locator("#vg-tooltip-element img")
    for step in range(40):
        chart.scroll_into_view_if_needed()  # the page may still be growing around it
        box = chart.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.3 + 3 * step, box["y"] + 60)
        if tip.count() and tip.is_visible():
            break
        page.wait_for_timeout(100)
    expect(tip).to_have_attribute("src", re.compile(r"^data:image/jpeg;base64,"))
    expect(page.locator("#vg-tooltip-element")).to_contain_text("happy")


def test_a_file_without_a_frame_is_said(page: Page, app_address: str) -> None:
    page.goto(f"{app_address}/video")
    fake: FilePayload = {"name": "a<b>.mp4", "mimeType": "video/mp4", "buffer": b"no video"}
    page.locator("input[type=file]").set_input_files(fake)
    page.get_by_role("button", name="Analyse").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("a<b>.mp4: no video in it")
    expect(alert).not_to_contain_text("/tmp")


def test_an_empty_history_teaches(page: Page, app_address: str, saved: History) -> None:
    assert saved.sessions() == []
    page.goto(f"{app_address}/history")
    expect(page.get_by_text("Nothing saved yet.")).to_be_visible()


def test_sessions_are_compared_exported_and_deleted(
    page: Page, app_address: str, saved: History
) -> None:
    saved.save(session("Morning", "happy", "happy", "sad"))
    saved.save(session("Evening", "neutral", "happy", days=1))
    page.goto(f"{app_address}/history")
    for heading in ("Mood over days", "Share of each emotion", "What followed what"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    # every chart is drawn: days, shares, transitions, comparison, one session
    drawn = page.get_by_test_id("stVegaLiteChart").locator("svg.marks, canvas.marks")
    expect(drawn).to_have_count(5)
    expect(page.get_by_text("Valence +0.50 and +0.50")).to_be_visible()

    with page.expect_download() as caught:
        page.get_by_role("button", name="All sessions (JSON)").click()
    found = json.loads(Path(caught.value.path()).read_text())
    assert [entry["title"] for entry in found] == ["Evening", "Morning"]
    assert [s["emotion"] for s in found[1]["samples"]] == ["happy", "happy", "sad"]
    with page.expect_download() as caught:
        page.get_by_role("button", name="All sessions (CSV)").click()
    assert len(list(csv.DictReader(Path(caught.value.path()).read_text().splitlines()))) == 5

    page.get_by_role("button", name="Delete this session").click()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("1")
    assert [s.title for s in saved.sessions()] == ["Morning"]
    expect(page.get_by_role("heading", name="Compare two sessions")).to_have_count(0)

    everything = page.get_by_role("button", name="Delete all sessions")
    expect(everything).to_be_disabled()
    page.get_by_text("Yes, delete every saved session for good").click()
    expect(everything).to_be_enabled()
    everything.click()
    expect(page.get_by_text("Nothing saved yet.")).to_be_visible()
    assert saved.sessions() == []


def test_a_title_is_shown_as_text(page: Page, app_address: str, saved: History) -> None:
    title = "**x** <img src=a onerror=alert(1)>"
    saved.save(session(title, "happy"))
    page.goto(f"{app_address}/history")
    expect(page.get_by_text(f"{title} · live")).to_be_visible()


def test_with_a_locked_database_the_app_goes_on(
    page: Page, app_address: str, app_home: Path, saved: History
) -> None:
    saved.check()
    lock = sqlite3.connect(app_home / "history.sqlite", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        page.goto(f"{app_address}/history")
        expect(page.get_by_role("alert")).to_contain_text("database is locked")
        expect(page.get_by_text("All other pages go on as usual")).to_be_visible()
        page.goto(app_address)
        page.get_by_role("tab", name="Sample").click()
        page.get_by_role("button", name="average happy").click()
        expect(page.get_by_role("heading", name="happy")).to_be_visible()
        expect(page.locator("a[href*='youtube.com']").first).to_be_visible()
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    page.goto(f"{app_address}/history")
    expect(page.get_by_text("Nothing saved yet.")).to_be_visible()


def test_with_the_database_gone_nothing_is_saved_and_the_app_says_so(
    page: Page, app_address: str, app_home: Path, clip: Path, saved: History
) -> None:
    saved.check()
    page.goto(f"{app_address}/video")
    page.locator("input[type=file]").set_input_files(str(clip))
    page.get_by_role("button", name="Analyse").click()
    save = page.get_by_role("button", name="Save to history")
    expect(save).to_be_visible()
    place, aside = app_home / "history.sqlite", app_home / "aside.sqlite"
    place.rename(aside)
    place.mkdir()  # where a database was, there is none and none can be made
    try:
        save.click()
        alert = page.get_by_role("alert").filter(has_text="Nothing is saved")
        expect(alert).to_be_visible()
        expect(page.get_by_test_id("session-shares")).to_be_visible()
    finally:
        place.rmdir()
        aside.rename(place)
    save.click()
    expect(page.get_by_text("Saved. You find it on the History page.")).to_be_visible()
    assert len(saved.sessions()) == 1
