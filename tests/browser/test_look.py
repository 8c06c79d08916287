"""Every page at phone width, in light and dark, and for those who do not see it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from moodlens.emotions import EMOTIONS
from moodlens.history import History, RecordedSession, Sample

pytestmark = pytest.mark.browser

PAGES = {
    "": "What does this face",
    "live": "Press START",
    "video": "Add a clip",
    "history": "Delete everything",
    "model": "Uses not allowed",
}
NAMELESS = """() => {
    const shown = e => e.checkVisibility() && !e.closest('[aria-hidden=true]');
    const name = e => e.getAttribute('aria-label') || e.getAttribute('title') || e.innerText
        || (e.getAttribute('aria-labelledby') || '').split(' ')
            .map(id => document.getElementById(id)?.innerText || '').join('')
        || [...(e.labels || [])].map(l => l.innerText || l.getAttribute('aria-label')).join('')
        || [...e.querySelectorAll('img')].map(i => i.alt).join('');
    return [...document.querySelectorAll(
        'main button, main a[href], main input:not([type=hidden]), main select, main textarea,'
        + '[data-testid=stMain] button, [data-testid=stMain] a[href], [data-testid=stMain] input'
    )].filter(e => shown(e) && !(name(e) || '').trim()).map(e => e.outerHTML.slice(0, 200));
}"""
CONTRAST = """() => {
    const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const heading = document.querySelector('h1');
    const paper = document.querySelector('[data-testid=stApp]');
    const a = light(parse(getComputedStyle(heading).color));
    const b = light(parse(getComputedStyle(paper).backgroundColor));
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone_and_says_itself(
    browser: Browser, app_address: str, saved: History, path: str, theme: str
) -> None:
    scores = tuple(1 / 7 for _ in EMOTIONS)
    samples = tuple(Sample(i, 1, "happy", scores, 0.1, 0.1) for i in range(3))
    saved.save(RecordedSession("live", "One", datetime.now(UTC), 3.0, 30, samples))
    page = browser.new_page(
        viewport={"width": 390, "height": 844},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page.set_default_timeout(60_000)
    try:
        page.goto(f"{app_address}/{path}")
        expect(page.get_by_text(PAGES[path]).first).to_be_visible()
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= 390, f"the page is {wide} pixels wide on a phone of 390"
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(CONTRAST) >= 4.5
    finally:
        page.close()


def test_a_sample_is_reached_by_keyboard_alone(
    browser: Browser, app_address: str, saved: History
) -> None:
    assert saved.sessions() == []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    try:
        page.goto(app_address)
        tab = page.get_by_role("tab", name="Upload")
        tab.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="average happy")).to_be_visible()
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.innerText") == "average happy":
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="happy")).to_be_visible()
    finally:
        page.close()
