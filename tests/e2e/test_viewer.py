"""The case viewer and the linked charts in a real browser: a deep link, the wheel, keys, fingers, a click on a bar."""

import re

import pytest
from support.browser import CHROMIUM, SECONDS, assert_sound, settle

from lemons_core.dataset.collection import read_collection

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def cases(demo) -> list[str]:
    """A row of a lesion that is seen in both views and the row after it, in the order of the viewer."""
    table = read_collection(demo).table
    shown = table[table["crop_file"].notna() | table["view_file"].notna()].reset_index(drop=True)
    both = shown.duplicated("lesion_id", keep=False) & shown["view_file"].notna() & shown["mask_file"].notna()
    start = int(both.to_numpy().argmax())
    return shown["case_id"].iloc[start : start + 2].tolist()


def transform(page, view: int = 0) -> str:
    return page.locator(".sheet").nth(view).evaluate("sheet => sheet.style.transform")


def scale(page, view: int = 0) -> float:
    return float(re.search(r"scale\((.+)\)", transform(page, view))[1])


def open_case(page, server, case):
    page.goto(f"{server}/case?case={case}")
    page.locator(".stage img").nth(2).wait_for()
    playwright.expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_deep_link_opens_the_case_zooms_and_steps(server, page, cases):
    open_case(page, server, cases[0])
    stage = page.locator(".stage").first
    assert "simulated" in stage.get_attribute("aria-label") and "Outlined" in stage.get_attribute("aria-label")
    assert page.locator(".stage svg path").count() >= 4, "chosen outlines in both views, each over a dark line"
    decoded = "async image => { await image.decode(); return image.naturalHeight }"
    assert page.locator(".stage img").first.evaluate(decoded) > 1500, "full resolution"

    fitted = scale(page)
    stage.scroll_into_view_if_needed()
    stage.hover()
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(100)  # the wheel is told to the page a moment later
    assert scale(page) > 1.5 * fitted
    stage.focus()
    page.keyboard.press("0")
    assert scale(page) == pytest.approx(fitted)
    page.keyboard.press("f")
    assert scale(page) > 1.5 * fitted, "the finding fills the frame"
    before = transform(page)
    page.keyboard.press("ArrowLeft")
    assert transform(page) != before, "arrows move a zoomed picture"
    page.keyboard.press("0")

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**case={cases[1]}*")
    settle(page)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**case={cases[0]}*")
    assert_sound(page)


def test_the_zoom_outlives_a_change_of_window(server, page, cases):
    open_case(page, server, cases[0])
    page.locator(".stage").first.focus()
    page.keyboard.press("+")
    zoomed, picture = transform(page), page.locator(".stage").first.evaluate("stage => stage.version")
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")  # moves the slider, not to the next case
    page.wait_for_function(f"() => {_find('stage')}.version !== '{picture}'")
    assert transform(page) == zoomed
    assert page.evaluate("location.href").endswith(cases[0])


def _find(name: str) -> str:
    """JavaScript: the first element of a class, through shadow roots."""
    return (
        "(function find(root) { const own = root.querySelector('." + name + "'); if (own) return own;"
        " for (const one of root.querySelectorAll('*')) if (one.shadowRoot) {"
        " const below = find(one.shadowRoot); if (below) return below; } return null; })(document)"
    )


def test_a_click_on_a_bar_filters_everything(server, page):
    page.goto(f"{server}/dataset?by=group&split=test")
    bars = page.get_by_test_id("stPlotlyChart").first.locator(".bars .point")
    bars.nth(2).wait_for()
    playwright.expect(page.get_by_text("split test")).to_be_visible(timeout=SECONDS)
    page.wait_for_timeout(1000)  # the chart takes clicks a moment after it is drawn
    bars.nth(2).scroll_into_view_if_needed()
    box = bars.nth(2).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    playwright.expect(page.get_by_text("split test; group micro")).to_be_visible(timeout=SECONDS)
    page.wait_for_url("**group=micro*")
    page.get_by_text("Clear all").click()
    playwright.expect(page.get_by_text("All 1,872 rows")).to_be_visible(timeout=SECONDS)
    assert_sound(page)
