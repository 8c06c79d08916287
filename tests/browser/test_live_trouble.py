"""The live page when something is wrong: the camera, the network; and when viewers come and go."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.shared_data]

NO_CONNECTION = """
    // the answer never reaches the browser's side, as behind a firewall that eats everything
    RTCPeerConnection.prototype.setRemoteDescription = () => new Promise(() => {});
"""
DENIED = """
    // as a browser answers whose user has denied the camera; a headless one asks nobody
    navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException('Permission denied', 'NotAllowedError');
    };
"""
SEATS = max(2 * len(os.sched_getaffinity(0)), 2)
RATE = re.compile(r"\d+ frames a second")
FULL = "live places"


def video(page: Page, address: str) -> FrameLocator:
    page.goto(f"{address}/live")
    return page.frame_locator("iframe").first


def test_a_denied_camera_is_named_and_the_page_says_what_to_do(
    camera_page: Page, app_address: str
) -> None:
    camera_page.add_init_script(DENIED)
    frame = video(camera_page, app_address)
    frame.get_by_role("button", name="START").click()
    expect(frame.get_by_role("alert")).to_contain_text("NotAllowedError")
    camera_page.get_by_text("The camera does not start?").click()
    expect(camera_page.get_by_text("Allow the camera for this address")).to_be_visible()
    expect(camera_page.get_by_text("Snapshot tab of the Picture page")).to_be_visible()


def test_a_connection_that_does_not_start_is_said_after_ten_seconds(
    camera_page: Page, app_address: str
) -> None:
    camera_page.add_init_script(NO_CONNECTION)
    frame = video(camera_page, app_address)
    frame.get_by_role("button", name="START").click()
    expect(camera_page.get_by_text("Waiting for the first frame")).to_be_visible()
    expect(camera_page.get_by_text("No frame has arrived for ten seconds")).to_be_visible()
    expect(camera_page.get_by_text("MOODLENS_ICE_SERVERS")).to_be_visible()
    expect(camera_page.get_by_text("Snapshot tab of the Picture page")).to_be_visible()


def test_a_lost_camera_is_said_and_the_session_is_kept(camera_page: Page, app_address: str) -> None:
    frame = video(camera_page, app_address)
    frame.get_by_role("button", name="START").click()
    expect(camera_page.get_by_text(RATE)).to_be_visible()
    frame.locator("video").evaluate("() => window.camera.getTracks().forEach(t => t.stop())")
    expect(camera_page.get_by_text("The camera has sent nothing for")).to_be_visible()
    frame.get_by_role("button", name="STOP").click()
    expect(camera_page.get_by_role("heading", name="Your session")).to_be_visible()


def test_viewers_who_come_and_go_leave_their_seats_and_no_thread(
    camera_page: Page, app_served: tuple[str, int]
) -> None:
    address, process = app_served
    threads = []
    for _ in range(SEATS + 1):
        sit_down(camera_page, address)
        camera_page.goto("about:blank")  # as a closed tab: nobody pressed STOP
        threads.append(settled_threads(process))
    # each stream has at least three threads of its own, so one that stays behind would show
    assert threads[-1] <= threads[0] + 2, threads


def test_the_last_place_plays_and_the_next_viewer_is_told(
    camera_page: Page, app_address: str
) -> None:
    browser = camera_page.context.browser
    assert browser is not None
    pages = [browser.new_page() for _ in range(SEATS)]
    for page in pages:
        page.set_default_timeout(90_000)
        sit_down(page, app_address)
    camera_page.goto(f"{app_address}/live")
    expect(camera_page.get_by_text(FULL)).to_be_visible()
    expect(camera_page.locator("iframe")).to_have_count(0)
    for page in pages:  # and nobody who was there has lost their place
        expect(page.get_by_text(RATE)).to_be_visible()
    pages[0].frame_locator("iframe").first.get_by_role("button", name="STOP").click()
    expect(pages[0].get_by_role("heading", name="Your session")).to_be_visible()
    camera_page.get_by_role("button", name="Try again").click()
    expect(camera_page.locator("iframe").first).to_be_visible()


def sit_down(page: Page, address: str) -> None:
    """Open the page, wait for a place, and start the video."""
    frame = video(page, address)
    seated = page.locator("iframe").first
    for _ in range(30):  # a tab that was closed keeps its seat for up to twelve seconds
        expect(seated.or_(page.get_by_text(FULL))).to_be_visible()
        if seated.is_visible():
            break
        page.wait_for_timeout(1000)
        page.get_by_role("button", name="Try again").click()
    frame.get_by_role("button", name="START").click()
    expect(page.get_by_text(RATE)).to_be_visible()


def settled_threads(process: int) -> int:
    """Threads of the app once their number has not changed for some seconds."""
    folder, counts = Path(f"/proc/{process}/task"), [0]
    for _ in range(40):
        counts.append(len(list(folder.iterdir())))
        if len(counts) > 5 and len(set(counts[-5:])) == 1:
            break
        time.sleep(1.0)
    return counts[-1]
