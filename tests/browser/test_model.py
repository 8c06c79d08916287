"""The model page: figures that are read from the file, another model, and failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_figures_are_those_of_the_model_file(page: Page, app_address: str) -> None:
    from moodlens import Lens

    metrics = Lens().classifier.info.metrics
    page.goto(f"{app_address}/model")
    tiles = page.get_by_test_id("stMetric")
    expect(tiles).to_have_count(4)
    expect(tiles.first).to_contain_text(f"{metrics['accuracy']:.1%}")
    charts = page.get_by_test_id("stVegaLiteChart")
    expect(charts).to_have_count(2)
    expect(charts.first.locator("svg, canvas").first).to_be_visible()
    expect(page.get_by_text("AI Act, Article 5")).to_be_visible()


def test_another_model_serves_every_page_of_this_viewer_alone(page: Page, app_address: str) -> None:
    page.goto(f"{app_address}/model")
    page.get_by_role("radiogroup").get_by_text("moodlens-tiny").click()
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("moodlens-tiny is in use now")).to_be_visible()
    page.get_by_role("link", name="Picture").click()
    page.get_by_role("tab", name="Sample").click()
    page.get_by_role("button", name="average happy").click()
    expect(page.get_by_role("heading", name="happy")).to_be_visible()

    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()
    other.set_default_timeout(60_000)
    other.goto(f"{app_address}/model")
    expect(other.get_by_text("moodlens-default").first).to_be_visible()
    other.close()

    page.get_by_role("link", name="Model and limits").click()
    page.get_by_role("button", name="Back to the model of the app").click()
    expect(page.locator("strong", has_text="moodlens-default")).to_be_visible()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("no-such-model.onnx", "no such model file"),
        ("https://models.example/[x](y).onnx", "MOODLENS_OFFLINE"),
    ],
)
def test_a_model_that_cannot_be_had_is_said_and_the_old_one_stays(
    page: Page, app_address: str, spec: str, reason: str
) -> None:
    page.goto(f"{app_address}/model")
    page.get_by_role("textbox", name="Or a path or link").fill(spec)
    page.get_by_role("button", name="Use it").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(spec)
    expect(alert).to_contain_text(reason)
    expect(alert).to_contain_text("stays in use")
    expect(page.locator("strong", has_text="moodlens-default")).to_be_visible()


def test_a_file_that_is_no_model_is_refused(page: Page, app_address: str, tmp_path: Path) -> None:
    fake = tmp_path / "fake.onnx"
    fake.write_bytes(b"not a network")
    page.goto(f"{app_address}/model")
    page.get_by_role("textbox", name="Or a path or link").fill(str(fake))
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_role("alert")).to_contain_text("fake.onnx")
    expect(page.get_by_role("alert")).to_contain_text("stays in use")
