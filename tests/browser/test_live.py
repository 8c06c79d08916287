"""The live page: the browser's camera there and back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

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
