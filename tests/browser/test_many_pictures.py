"""Several pictures at once: none stops another, and their results can be taken away."""

from __future__ import annotations

import base64
import csv
import json
import re
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import FilePayload, Page, expect

from moodlens.history import History
from moodlens.webapp import pictures

pytestmark = pytest.mark.browser

SAMPLES = Path(pictures.__file__).parent / "samples"
HOSTILE = "![x](http://a) :red[hi] <b>$x$.png"


def sample(name: str) -> FilePayload:
    data = (SAMPLES / "average-happy.png").read_bytes()
    return {"name": name, "mimeType": "image/png", "buffer": data}


def give(page: Page, address: str, files: list[FilePayload]) -> None:
    page.goto(address)
    page.locator("input[type=file]").first.set_input_files(files)


def taken(page: Page, label: str) -> Path:
    with page.expect_download() as caught:
        page.get_by_role("button", name=label).click()
    return Path(caught.value.path())


def test_a_bad_file_with_a_hostile_name_is_shown_as_text_and_stops_no_other(
    page: Page, app_address: str
) -> None:
    bad: FilePayload = {"name": HOSTILE, "mimeType": "image/png", "buffer": b"%PDF-1.7 no"}
    give(page, app_address, [sample("one.png"), bad, sample("two.png")])
    expect(page.get_by_test_id("probability-bars")).to_have_count(2)
    alert = page.get_by_role("alert").filter(has_text="not a picture")
    expect(alert).to_contain_text(HOSTILE)
    expect(page.get_by_text("2 pictures, 2 faces")).to_be_visible()

    found = json.loads(taken(page, "JSON").read_text())
    assert [entry["source"] for entry in found] == ["one.png", HOSTILE, "two.png"]
    assert [len(entry["faces"]) for entry in found] == [1, 0, 1]
    assert "not a picture" in found[1]["error"]

    rows = list(csv.DictReader(taken(page, "CSV").read_text().splitlines()))
    assert [row["emotion"] for row in rows] == ["happy", "", "happy"]


def test_the_annotated_picture_has_the_size_of_the_original(page: Page, app_address: str) -> None:
    give(page, app_address, [sample("one.png")])
    expect(page.get_by_test_id("probability-bars")).to_have_count(1)
    before = cv2.imread(str(SAMPLES / "average-happy.png"))
    after = cv2.imread(str(taken(page, "Annotated picture")))
    assert before is not None
    assert after is not None
    assert after.shape == before.shape
    assert (after != before).any()


def test_the_map_of_where_the_network_looked_takes_the_place_of_the_face(
    page: Page, app_address: str
) -> None:
    give(page, app_address, [sample("one.png")])
    expect(page.get_by_text("as it is framed")).to_be_visible()
    plain = page.locator("img[src]").all()
    addresses = {img.get_attribute("src") for img in plain}
    page.get_by_text("Show where the network looked").click()
    expect(page.get_by_text("where the network looked", exact=True)).to_be_visible()
    expect(page.get_by_text("as it is framed")).to_have_count(0)
    assert {img.get_attribute("src") for img in page.locator("img[src]").all()} - addresses


def test_the_place_on_the_plane_is_said_in_words(page: Page, app_address: str) -> None:
    give(page, app_address, [sample("one.png")])
    plane = page.get_by_test_id("circumplex")
    said = re.compile(r"happy: valence \+0\.\d+, arousal [+-]0\.\d+")
    expect(plane).to_have_attribute("aria-label", said)


def test_of_more_than_fifty_the_first_fifty_are_shown(page: Page, app_address: str) -> None:
    small = cv2.imread(str(SAMPLES / "average-happy.png"))
    assert small is not None
    files: list[FilePayload] = []
    for i in range(51):
        _, data = cv2.imencode(".jpg", cv2.resize(small, (120 + i, 120 + i)))
        files.append({"name": f"{i}.jpg", "mimeType": "image/jpeg", "buffer": data.tobytes()})
    give(page, app_address, files)
    expect(page.get_by_text("the first 50 are shown")).to_be_visible()
    expect(page.get_by_text("50 pictures, 50 faces")).to_be_visible()
    expect(page.get_by_text("49.jpg — ")).to_be_attached()
    expect(page.get_by_text("50.jpg — ")).to_have_count(0)


def test_a_thumb_is_remembered_in_the_database(
    page: Page, app_address: str, saved: History
) -> None:
    before = saved.thumbs()
    give(page, app_address, [sample("one.png")])
    page.get_by_role("radio", name="Thumbs up").first.click()
    page.get_by_role("button", name="Another").click()
    for _ in range(50):
        if saved.thumbs() != before:
            break
        page.wait_for_timeout(200)
    new = {name: value for name, value in saved.thumbs().items() if before.get(name) != value}
    assert list(new.values()) == [1]
    assert next(iter(new)).startswith("quote:")


PASTE = """(zone, [name, data]) => {
    const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
    const clipboard = new DataTransfer();
    clipboard.items.add(new File([bytes], name, {type: 'image/png'}));
    zone.dispatchEvent(new ClipboardEvent(
        'paste', {clipboardData: clipboard, bubbles: true, cancelable: true}
    ));
}"""


def test_a_picture_can_be_pasted_from_the_clipboard(page: Page, app_address: str) -> None:
    page.goto(app_address)
    zone = page.get_by_test_id("stFileUploaderDropzone").first
    expect(zone).to_be_visible()
    zone.focus()
    data = base64.b64encode((SAMPLES / "average-happy.png").read_bytes()).decode()
    zone.evaluate(PASTE, ["pasted.png", data])
    expect(page.get_by_role("heading", name="happy")).to_be_visible()
    expect(page.get_by_text("pasted.png").first).to_be_visible()
