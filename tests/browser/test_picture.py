"""The picture page in a real browser."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

# A camera's first picture comes some time after the button that takes it; until then it is black.
SHOWS_A_PICTURE = """() => {
    const video = document.querySelector("[data-testid=stCameraInput] video");
    if (!video || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return false;
    const canvas = new OffscreenCanvas(16, 16).getContext("2d");
    canvas.drawImage(video, 0, 0, 16, 16);
    const pixels = canvas.getImageData(0, 0, 16, 16).data;
    return pixels.some((value, index) => index % 4 !== 3 && value > 128);
}"""


def upload(page: Page, address: str, *files: dict[str, object] | str) -> None:
    page.goto(address)
    page.locator("input[type=file]").first.set_input_files(list(files))  # type: ignore[arg-type]


@pytest.mark.shared_data
def test_an_uploaded_face_is_named_and_comes_with_suggestions(
    page: Page, app_address: str, shared: Path
) -> None:
    upload(page, app_address, str(shared / "media" / "one-face.jpg"))
    expect(page.get_by_role("heading", name="happy")).to_be_visible()
    bars = page.get_by_test_id("probability-bars")
    expect(bars.get_by_role("img")).to_have_count(7)
    links = page.locator("a[href*='youtube.com']")
    expect(links.first).to_be_visible()


@pytest.mark.shared_data
def test_a_picture_without_a_face_says_so(page: Page, app_address: str, shared: Path) -> None:
    upload(page, app_address, str(shared / "media" / "cartoon-no-face.jpg"))
    expect(page.get_by_text("No face found").first).to_be_visible()
    expect(page.get_by_test_id("probability-bars")).to_have_count(0)


@pytest.mark.shared_data
def test_a_file_that_is_no_picture_is_said_and_the_app_goes_on(
    page: Page, app_address: str, shared: Path
) -> None:
    fake = {"name": "paper.png", "mimeType": "image/png", "buffer": b"%PDF-1.7 no picture"}
    upload(page, app_address, fake)
    expect(page.get_by_text("not a picture").first).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(str(shared / "media" / "one-face.jpg"))
    expect(page.get_by_test_id("probability-bars").first).to_be_visible()


def test_a_sample_is_one_press_away(page: Page, app_address: str) -> None:
    page.goto(app_address)
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="average happy").click()
    expect(page.get_by_role("heading", name="happy")).to_be_visible()
    expect(page.locator("a[href*='youtube.com']").first).to_be_visible()


def test_several_faces_are_all_named(page: Page, app_address: str) -> None:
    page.goto(app_address)
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="three faces").click()
    expect(page.get_by_test_id("probability-bars")).to_have_count(3)


def test_the_limits_and_the_uses_not_allowed_are_named(page: Page, app_address: str) -> None:
    page.goto(f"{app_address}/model")
    expect(page.get_by_text("work or in education").first).to_be_visible()


def test_a_huge_picture_is_refused_before_it_is_decoded(page: Page, app_address: str) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    # some hundred bytes that say they are 900 million pixels
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    upload(page, app_address, {"name": "huge.png", "mimeType": "image/png", "buffer": bomb})
    expect(page.get_by_role("alert").filter(has_text="huge.png")).to_contain_text("million pixels")
    expect(page.get_by_test_id("probability-bars")).to_have_count(0)


@pytest.mark.shared_data
def test_a_snapshot_needs_no_video_connection(camera_page: Page, app_address: str) -> None:
    camera_page.add_init_script("window.RTCPeerConnection = undefined;")
    camera_page.goto(app_address)
    camera_page.get_by_role("tab", name="Snapshot").click()
    camera_page.get_by_text("Use the camera").click()
    camera_page.wait_for_function(SHOWS_A_PICTURE)
    camera_page.get_by_role("button", name="Take photo").click()
    expect(camera_page.get_by_test_id("probability-bars").first).to_be_visible()


def test_a_viewer_can_overrule_the_emotion_and_ask_for_a_lift(page: Page, app_address: str) -> None:
    page.goto(app_address)
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="average happy").click()
    quote = page.locator("blockquote")
    first = quote.inner_text()
    page.get_by_role("button", name="Choose").click()
    page.get_by_label("My mood").click()
    page.get_by_role("option", name="sad").click()
    expect(quote).not_to_have_text(first)
    page.keyboard.press("Escape")
    second = quote.inner_text()
    page.get_by_role("radio", name="Lift my mood").click()
    expect(quote).not_to_have_text(second)
    third = quote.inner_text()
    page.get_by_role("button", name="Another").click()
    expect(quote).not_to_have_text(third)
