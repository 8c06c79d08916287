"""axe-core over every page in light and dark: no serious and no critical finding."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from moodlens.emotions import EMOTIONS
from moodlens.history import History, RecordedSession, Sample

pytestmark = pytest.mark.browser

OPTIONS = {"resultTypes": ["violations"]}
GRAVE = ("serious", "critical")
IN_STREAMLIT: tuple[tuple[str, str], ...] = ()
"""Findings in markup that is Streamlit's own and can't be changed from here: rule, and a part of
the element's selector or HTML."""


def picture(page: Page) -> None:
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="three faces").click()
    expect(page.get_by_test_id("probability-bars")).to_have_count(3)
    expect(page.locator("a[href*='youtube.com']").first).to_be_visible()


def shown(text: str) -> Callable[[Page], None]:
    def wait(page: Page) -> None:
        expect(page.get_by_text(text).first).to_be_visible()

    return wait


PAGES: dict[str, Callable[[Page], None]] = {
    "": picture,
    "live": shown("Press START"),
    "video": shown("Add a clip"),
    "history": shown("Delete everything"),
    "model": shown("Uses not allowed"),
}


def grave_findings(page: Page) -> list[str]:
    """A line for each element with a serious or critical fault."""
    found = []
    for violation in Axe().run(page, options=OPTIONS).response["violations"]:
        if violation["impact"] not in GRAVE:
            continue
        for node in violation["nodes"]:
            where = f"{node['target']} {node['html']}"
            if not any(violation["id"] == rule and part in where for rule, part in IN_STREAMLIT):
                found.append(f"{violation['id']}: {where[:300]} | {node['failureSummary'][:300]}")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_fault(
    browser: Browser, app_address: str, saved: History, path: str, theme: str
) -> None:
    scores = tuple(1 / 7 for _ in EMOTIONS)
    samples = tuple(Sample(i, 1, EMOTIONS[i % 7], scores, 0.1, 0.1) for i in range(9))
    for title in ("One", "Two"):
        saved.save(RecordedSession("live", title, datetime.now(UTC), 9.0, 90, samples))
    page = browser.new_page(
        viewport={"width": 1280, "height": 1000},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.set_default_timeout(90_000)
    try:
        page.goto(f"{app_address}/{path}")
        PAGES[path](page)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        assert grave_findings(page) == []
    finally:
        page.close()
