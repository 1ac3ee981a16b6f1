"""The page in a real browser: a person clicks, watches, corrects and takes the results away."""

from __future__ import annotations

import os
import re
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
    # A short clip may be done before it is looked at.
    expect(page.locator("#state")).to_have_text(re.compile("tracking|done"))
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


def shown(page: Any, frame: int) -> None:
    playwright.expect(page.locator("#view")).to_have_attribute("data-frame", str(frame))


def pixel(page: Any, x: float, y: float) -> list[int]:
    """Return red, green and blue of what is drawn over a pixel of the picture."""
    left, top = at(page, x, y)
    box = page.locator("#view").bounding_box()
    place = [left - box["x"], top - box["y"]]
    page.wait_for_timeout(150)
    return page.evaluate(
        """([x, y]) => { const canvas = document.getElementById("view");
        const ratio = canvas.width / canvas.clientWidth;
        return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data]; }""",
        place,
    )[:3]


def test_zoom_hits_small_things_and_opacity_asks_nothing(page: Any, clip: SyntheticClip) -> None:
    x, y = middle(clip, 1, 0)
    for _ in range(6):
        page.mouse.move(*at(page, x, y))
        page.mouse.wheel(0, -400)
    playwright.expect(page.locator("#view")).not_to_have_attribute("data-scale", "3")
    page.wait_for_timeout(300)
    assert float(page.locator("#view").get_attribute("data-scale")) > 20
    with page.expect_response("**/api/click") as answered:
        page.mouse.click(*at(page, x, y))
    point = answered.value.json()["objects"][0]["clicks"][0]["point"]
    assert point == pytest.approx([x, y], abs=0.1)
    page.keyboard.press("0")
    page.keyboard.press("k")
    page.locator("#opacity").fill("100")
    rows, columns = np.nonzero(clip.truth(0) == 1)
    # The mask comes after the answer to the click, when the server has it.
    for _ in range(40):
        solid = pixel(page, x, y)
        if solid[0] > 180 and max(solid[1:]) < 60:
            break
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#opacity").fill("0")
    bare = pixel(page, x, y)
    assert solid != bare
    # The colour of object 1, as the page's list shows it.
    assert solid[0] > 180
    assert max(solid[1:]) < 60
    page.keyboard.press("i")
    page.keyboard.press("f")
    assert asked == []
    assert len(rows) == len(columns)


def test_timeline_marks_keys_and_playing(page: Any, clip: SyntheticClip) -> None:
    expect = playwright.expect
    click(page, clip, 1, 0)
    expect(score(page, 0)).not_to_be_empty()
    page.keyboard.press("t")
    expect(page.locator("#state")).to_have_text("done")
    row = page.locator("#rows canvas").first
    expect(row).to_have_attribute(
        "aria-label", re.compile("^object 1: 2[0-9] tracked, [0-9] doubtful$")
    )
    box = row.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 12.5 / 30, box["y"] + 8)
    shown(page, 12)
    page.keyboard.press("Shift+ArrowRight")
    shown(page, 22)
    page.keyboard.press(",")
    shown(page, 0)
    page.keyboard.press("n")
    expect(page.locator("#objects li")).to_have_count(2)
    page.locator("#slider").fill("10")
    shown(page, 10)
    click(page, clip, 2, 10)
    # The others stay to be seen behind it.
    expect(page.locator("#again")).to_have_text("frames 11 to 29 are to be tracked again")
    page.keyboard.press("End")
    shown(page, 29)
    expect(score(page, 0)).not_to_be_empty()
    page.keyboard.press("Control+z")
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator("#again")).to_be_hidden()
    page.keyboard.press("Home")
    shown(page, 0)
    page.locator("#stage").focus()
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Hold")
    page.wait_for_timeout(700)
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play")
    assert int(page.locator("#view").get_attribute("data-frame")) > 2
    keep(page, "timeline")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.locator("#objects li").first).to_have_class("selected")
    page.keyboard.press("Delete")
    expect(page.locator("#objects li")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator("#objects li")).to_have_count(2)


def test_a_painted_mask_is_taken_and_a_point_set_without_a_mouse(page: Any, clip: Any) -> None:
    expect = playwright.expect
    page.keyboard.press("b")
    page.locator("#brush-size").fill("10")
    x, y = middle(clip, 1, 0)
    page.mouse.move(*at(page, x - 10, y))
    page.mouse.down()
    page.mouse.move(*at(page, x + 10, y), steps=5)
    page.mouse.up()
    expect(page.locator("#take")).to_be_visible()
    with page.expect_response("**/api/mask") as answered:
        page.keyboard.press("Enter")
    assert answered.value.json()["objects"][0]["clicks"][0]["mask"] is True
    expect(page.locator("#take")).to_be_hidden()
    page.keyboard.press("p")
    page.locator("#stage").focus()
    page.keyboard.press("Shift+ArrowLeft")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    with page.expect_response("**/api/click") as answered:
        page.keyboard.press("Enter")
    point = answered.value.json()["objects"][0]["clicks"][-1]["point"]
    assert point == pytest.approx([clip.size[0] / 2 - 30, clip.size[1] / 2])


def test_a_reload_and_a_second_tab_show_the_same(page: Any, clip: SyntheticClip) -> None:
    expect = playwright.expect
    click(page, clip, 1, 0)
    expect(score(page, 0)).not_to_be_empty()
    page.reload()
    expect(page.locator("#name")).to_have_text("sea.mp4")
    expect(score(page, 0)).not_to_be_empty()
    second = page.context.new_page()
    second.goto(page.url)
    expect(second.locator("#name")).to_have_text("sea.mp4")
    second.locator("#add").click()
    expect(page.locator("#objects li")).to_have_count(2)


def test_discarding_asks_first(page: Any) -> None:
    expect = playwright.expect
    expect(page.locator("#worked-list li")).to_have_count(1)
    page.locator("#worked-list").get_by_label("Discard sea.mp4").click()
    expect(page.locator("#ask")).to_be_visible()
    page.keyboard.press("Enter")  # what has the focus is to keep it
    expect(page.locator("#worked-list li")).to_have_count(1)
    page.locator("#worked-list").get_by_label("Discard sea.mp4").click()
    page.locator("#yes").click()
    expect(page.locator("#worked")).to_be_hidden()
    expect(page.locator("#state")).to_have_text("no video")


@pytest.mark.parametrize("width", [320, 390, 900, 1400, 3840])
def test_nothing_sticks_out_at_any_width(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep(page, f"width-{width}")
