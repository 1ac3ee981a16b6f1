"""The page in a real browser: a person clicks, watches, corrects and takes the results away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rvsam_video.demos.synthetic import SyntheticClip

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs the package playwright (rvsam-video[test])"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="needs Chromium: apt-get install chromium, or the like"
    ),
    pytest.mark.slow,
]
SECONDS = 60_000
"""Milliseconds; slow machines are slow."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, serve: Any) -> Iterator[Any]:
    """The page with the clip opened; fails if the page's own code does."""
    client = serve()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(SECONDS)
    playwright.expect.set_options(timeout=SECONDS)
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(f"http://127.0.0.1:{client.port}/")
    tab.locator("#videos").select_option("sea.mp4")
    playwright.expect(tab.locator("#state")).to_have_text("ready")
    playwright.expect(tab.locator("#view")).to_have_attribute("data-frame", "0")
    yield tab
    assert problems == []
    context.close()


def middle(clip: SyntheticClip, object_id: int, frame: int) -> tuple[float, float]:
    rows, columns = np.nonzero(clip.truth(frame) == object_id)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return float(columns[nearest]), float(rows[nearest])


def click(page: Any, clip: SyntheticClip, object_id: int, frame: int, button: str = "left") -> None:
    page.mouse.click(*at(page, *middle(clip, object_id, frame)), button=button)


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the picture is on the screen."""
    view = page.locator("#view")
    box = view.bounding_box()
    scale, left, top = (
        float(view.get_attribute(f"data-{name}")) for name in ("scale", "left", "top")
    )
    return box["x"] + left + (x + 0.5) * scale, box["y"] + top + (y + 0.5) * scale


def score(page: Any, row: int) -> Any:
    return page.locator("#objects .score").nth(row)


def keep(page: Any, name: str) -> None:
    """Keep a screenshot where the environment says."""
    folder = os.environ.get("RVSAM_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_click_track_correct_download(page: Any, clip: SyntheticClip, tmp_path: Path) -> None:
    expect = playwright.expect
    click(page, clip, 1, 0)
    expect(score(page, 0)).not_to_be_empty()
    keep(page, "click")

    page.locator("#track").click()
    expect(page.locator("#state")).to_have_text("tracking")
    keep(page, "tracking")
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator("#position")).to_have_text("frame 29 / 30")

    page.locator("#slider").fill("12")
    expect(page.locator("#position")).to_have_text("frame 12 / 30")
    page.locator("#add").click()
    expect(page.locator("#objects li")).to_have_count(2)
    click(page, clip, 2, 12)
    expect(score(page, 1)).not_to_be_empty()
    expect(page.locator("#state")).to_have_text("paused")
    keep(page, "correction")
    page.locator("#track").click()
    expect(page.locator("#state")).to_have_text("done")

    page.locator("#collect").click()
    expect(page.locator("#files a")).to_have_count(7)
    with page.expect_download() as download:
        page.locator("#zip").click()
    target = tmp_path / "all.zip"
    download.value.save_as(target)
    shutil.unpack_archive(target, tmp_path / "all")
    masks = np.asarray(Image.open(tmp_path / "all" / "masks" / "00020.png"))
    truth = clip.truth(20)
    for key in (1, 2):
        both = (masks == key) & (truth == key)
        assert both.sum() / ((masks == key) | (truth == key)).sum() > 0.75


def test_right_click_box_and_undo(page: Any, clip: SyntheticClip) -> None:
    expect = playwright.expect
    rows, columns = np.nonzero(clip.truth(0) == 1)
    page.mouse.move(*at(page, columns.min(), rows.min()))
    page.mouse.down()
    page.mouse.move(*at(page, columns.max(), rows.max()), steps=4)
    page.mouse.up()
    expect(score(page, 0)).not_to_be_empty()
    with page.expect_response("**/api/click") as answered:
        click(page, clip, 2, 0, button="right")
    clicks = answered.value.json()["objects"][0]["clicks"]
    assert [item["label"] for item in clicks] == [1, 0]
    assert clicks[0]["box"] == pytest.approx(
        [columns.min(), rows.min(), columns.max(), rows.max()], abs=1.0
    )
    with page.expect_response("**/api/undo") as answered:
        page.locator("#undo").click()
    assert len(answered.value.json()["objects"][0]["clicks"]) == 1


def test_a_refusal_is_shown_as_a_sentence(page: Any) -> None:
    page.locator("#track").click()
    alert = page.locator("#problem")
    playwright.expect(alert).to_have_text("nothing to follow yet; click on an object first")


def test_a_name_is_text_and_never_markup(page: Any) -> None:
    name = page.locator("#objects input").first
    name.fill("<img src=x onerror=alert(1)>")
    name.press("Enter")
    name.blur()
    playwright.expect(page.locator("#objects img")).to_have_count(0)
    playwright.expect(page.locator("#objects input").first).to_have_value(
        "<img src=x onerror=alert(1)>"
    )
