"""The live page: the browser's camera there and back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from moodlens.history import History

pytestmark = [pytest.mark.browser, pytest.mark.shared_data]

FRAMES = """async (video) => {
    const first = video.getVideoPlaybackQuality().totalVideoFrames;
    await new Promise(done => setTimeout(done, 4000));
    return video.getVideoPlaybackQuality().totalVideoFrames - first;
}"""


def test_frames_come_back_with_labels_and_suggestions_stand_beside(
    camera_page: Page, app_address: str
) -> None:
    camera_page.goto(f"{app_address}/live")
    frame = camera_page.frame_locator("iframe").first
    frame.get_by_role("button", name="START").click()
    rate = camera_page.get_by_text(re.compile(r"\d+ frames a second · 1 face"))
    expect(rate.first).to_be_visible()
    expect(camera_page.get_by_test_id("probability-bars").first).to_be_visible()
    expect(camera_page.locator("a[href*='youtube.com']").first).to_be_visible()
    video = frame.locator("video")
    shown = video.evaluate(FRAMES)
    assert shown > 4, f"only {shown} frames came back in four seconds"
    frame.get_by_role("button", name="STOP").click()
    expect(camera_page.get_by_text("Press START")).to_be_visible()


def test_a_session_ends_with_a_summary_that_can_be_saved(
    camera_page: Page, app_address: str, saved: History
) -> None:
    camera_page.goto(f"{app_address}/live")
    expect(camera_page.get_by_text("Before the camera starts.")).to_be_visible()
    frame = camera_page.frame_locator("iframe").first
    frame.get_by_role("button", name="START").click()
    timeline = camera_page.get_by_test_id("live-timeline")
    expect(timeline).to_have_attribute("aria-label", re.compile(r"now \w+, \d+%"))
    expect(camera_page.get_by_text(re.compile(r"shown frame \d+ ms old"))).to_be_visible()
    expect(camera_page.get_by_test_id("live-shares").get_by_role("img")).to_have_count(7)
    camera_page.get_by_text("Mirror", exact=True).click()
    camera_page.wait_for_timeout(3000)
    expect(
        camera_page.get_by_text(re.compile(r"\d+ frames a second · 1 face")).first
    ).to_be_visible()
    frame.get_by_role("button", name="STOP").click()
    expect(camera_page.get_by_role("heading", name="Your session")).to_be_visible()
    assert saved.sessions() == []  # nothing is stored unasked
    camera_page.get_by_role("button", name="Save to history").click()
    expect(camera_page.get_by_text("Saved. You find it on the History page.")).to_be_visible()
    (kept,) = saved.sessions()
    assert kept.kind == "live"
    assert kept.frames > 0
    assert kept.seconds > 0


def test_another_camera_is_picked(cameras_page: Page, app_address: str) -> None:
    cameras_page.goto(f"{app_address}/live")
    frame = cameras_page.frame_locator("iframe").first
    frame.get_by_role("button", name="SELECT DEVICE").click()
    cameras = frame.get_by_label("Video Input")
    expect(cameras.get_by_role("option")).to_have_text(
        [f"fake_device_{number}" for number in range(3)]
    )
    cameras.select_option("fake_device_2")
    frame.get_by_role("button", name="Done").click()
    frame.get_by_role("button", name="START").click()
    expect(cameras_page.get_by_text(re.compile(r"\d+ frames a second"))).to_be_visible()
    playing = "() => window.camera.getVideoTracks()[0].label"
    assert frame.locator("video").evaluate(playing) == "fake_device_2"
