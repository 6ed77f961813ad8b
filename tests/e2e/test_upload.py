"""A real browser against a real server: from upload to heat map and files, on a desk and on a phone, two at once."""

import re
from pathlib import Path

import pytest
from support.browser import CHROMIUM, SECONDS, assert_sound, give, playwright, processes, settle

from lemons_core.dataset.collection import read_collection
from lemons_core.images import read_image
from lemons_core.vision.detect.analysis import analyse_picture

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def crop(demo) -> Path:
    """Not the one that the page shows by itself."""
    files = read_collection(demo).table["crop_file"].dropna()
    return Path(files.iloc[-1])


@pytest.fixture(scope="module")
def views(demo) -> list[str]:
    table = read_collection(demo).table
    return table[table["view_file"].notna()]["image_id"].drop_duplicates().tolist()


def test_a_crop_is_uploaded_classified_and_explained(server, page, crop):
    page.goto(f"{server}/scan")
    give(page, crop)
    page.get_by_text("1 of your own").wait_for()
    page.get_by_text("Any calcification:").wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    bars = page.get_by_test_id("stPlotlyChart").locator(".bars .point")
    playwright.expect(bars).to_have_count(5)
    heat = "image => image.alt.startsWith('Heat map') && image.complete && image.naturalWidth > 50"
    page.wait_for_function(f"() => [...document.images].some({heat})")
    assert_sound(page)

    page.get_by_role("radio", name="vascular").last.click()
    # A crop without vessels may hold nothing that speaks for them, and then the page says so.
    page.get_by_text(re.compile("(Grad-CAM|raised the score) for vascular")).wait_for()
    assert "class=vascular" in page.url


def test_a_bad_upload_is_told_and_a_good_one_still_works(server, page, crop, tmp_path):
    bad = tmp_path / "letter.dcm"
    bad.write_text("Dear reader, this is no scan.")
    page.goto(f"{server}/scan")
    give(page, bad)
    page.get_by_text("The file is not an image").wait_for()
    give(page, crop)
    page.get_by_text("2 of your own").wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    assert_sound(page)


def test_places_of_a_whole_view_are_chosen_by_click_and_by_keyboard(server, page, views):
    page.goto(f"{server}/scan?sample={views[0]}")
    page.get_by_text("like calcification").first.wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    decoded = "async image => { await image.decode(); return image.naturalHeight }"
    assert page.locator(".stage img").evaluate(decoded) > 1500, "full resolution"
    settle(page)
    boxes = page.locator(".choice")
    if boxes.count() < 2:
        pytest.skip("the model finds fewer than two places here")
    second = page.locator(".choice:not(.chosen)").first
    number = second.locator("text").text_content()
    second.locator("text").scroll_into_view_if_needed()
    box = second.locator("text").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**region={number}*")
    page.get_by_text(f"A close look at place {number}").wait_for()
    playwright.expect(page.locator(".choice.chosen text")).to_have_text(number)

    third = page.locator(".choice:not(.chosen)").first
    number = third.locator("text").text_content()
    third.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**region={number}*")
    page.get_by_text(f"A close look at place {number}").wait_for()
    assert_sound(page)


def test_two_visitors_at_once_get_each_their_own_answer(server, browser, demo):
    crops = read_collection(demo).table.drop_duplicates("calc_group")["crop_file"].dropna().map(Path).tolist()[:2]
    pictures = [read_image(file) for file in crops]
    expected = [analyse_picture(picture).crop for picture in pictures]
    pages = [browser.new_context().new_page() for _ in crops]
    for page in pages:
        page.set_default_timeout(SECONDS)
        page.goto(f"{server}/scan")
        page.locator("input[type=file]").wait_for(state="attached")
    for page, file in zip(pages, crops, strict=True):
        give(page, file)
    for page, picture, answer in zip(pages, pictures, expected, strict=True):
        page.get_by_text("1 of your own").wait_for()
        page.get_by_text("Grad-CAM for").wait_for()
        height, width = picture.pixels.shape
        page.get_by_text(f"{width:,} x {height:,} pixels").wait_for()
        assert (
            page.get_by_role("heading", name="Any calcification").text_content().endswith(f"{answer.calcification:.0%}")
        )
        labels = page.get_by_test_id("stPlotlyChart").locator(".bartext").all_text_contents()
        assert labels[1:] == [f"{value:.0%}" for value in answer.probabilities.values()]
        page.context.close()


def test_a_report_is_made_when_its_button_is_pressed(server, page, crop):
    page.goto(f"{server}/scan")
    give(page, crop)
    page.get_by_text("1 of your own").wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (PDF)").click()
    assert download.value.suggested_filename == "scan-1.pdf"
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


def test_files_as_large_as_may_be_are_told_and_the_server_stays_small(server, browser, tmp_path):
    page = browser.new_page()
    page.set_default_timeout(SECONDS)
    with (tmp_path / "more.dcm").open("wb") as file:
        file.truncate(201 * 2**20)
    with (tmp_path / "large.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(190 * 2**20)
    page.goto(f"{server}/scan")
    give(page, tmp_path / "more.dcm")
    page.get_by_text("File must be 200.0MB or smaller").wait_for()
    before = memory_of(server)
    give(page, tmp_path / "large.png")
    page.get_by_text("is damaged or cut short").wait_for()
    assert memory_of(server) - before < 600, "MB: the file itself, and what the transfer needs"
    page.close()


def memory_of(server: str) -> float:
    """Resident memory of the server, MB."""
    return int(Path(f"/proc/{processes[server].pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.parametrize("path", ["", "dataset", "scan"])
def test_every_page_stands_and_the_data_in_use_is_named(server, page, path):
    page.goto(f"{server}/{path}")
    page.get_by_test_id("stMain").get_by_role("heading", level=1).wait_for()
    # On a phone the sidebar is folded, and opens by its button.
    page.get_by_text("Simulated demo").first.wait_for(state="attached")
    page.get_by_test_id("stSpinner").first.wait_for(state="detached")
    assert_sound(page)


def test_the_data_of_the_address_stay_in_use_through_the_pages(server, page):
    page.goto(f"{server}/dataset?data=published")
    page.get_by_text("Malignant: 673 rows").wait_for()
    if page.viewport_size["width"] < 600:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Relabel").click()
    page.get_by_text("137 of 1,872 rows").wait_for()
    assert "data=published" in page.url
    assert_sound(page)


def test_real_film_is_the_first_picture_and_is_answered(server, page):
    page.goto(f"{server}/scan?data=published")
    page.get_by_text("no calcification is described").first.wait_for()
    page.get_by_text(re.compile("like calcification")).first.wait_for()
    page.get_by_text("2,624 x 4,736 pixels").first.wait_for()
    assert_sound(page)


def test_the_real_crop_is_classified_and_explained(server, page, real_data):
    page.goto(f"{server}/scan")
    give(page, next((real_data / "cbis-ddsm" / "crop").glob("*.dcm")))
    page.get_by_text("1,065 x 1,129 pixels").first.wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    assert_sound(page)


def test_the_real_view_is_searched(server, page, real_data):
    page.goto(f"{server}/scan")
    give(page, next((real_data / "cbis-ddsm" / "view").glob("*.png")))
    page.get_by_text("2,864 x 4,560 pixels").first.wait_for()
    assert page.locator(".choice").count() >= 1, "the finding is in a box"
    page.get_by_text("Grad-CAM for").wait_for()
    assert_sound(page)
