"""A real browser against a real server: from the upload of a crop to its heat map, on a desk and on a phone."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from lemons_core import config
from lemons_core.collection import read_collection
from lemons_core.simulate.demo import write_demo

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

ROOT = Path(__file__).parents[2]
SECONDS = 120_000  # milliseconds; the first prediction loads torch


@pytest.fixture(scope="module")
def demo() -> Path:
    return write_demo(config.read_settings().demo, images=12, jobs=1)


@pytest.fixture(scope="module")
def crop(demo) -> Path:
    files = read_collection(demo).table["crop_file"].dropna()
    return Path(files.iloc[0])


@pytest.fixture(scope="module")
def server(demo) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://localhost:{port}"
    for _ in range(300):
        try:
            if urlopen(f"{address}/_stcore/health").status == 200:
                break
        except OSError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desk", "phone"])
def page(browser, request) -> Iterator["playwright.Page"]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    yield page
    context.close()


def assert_sound(page: "playwright.Page") -> None:
    """No error stands on the page, and it does not scroll sideways."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").count() == 0
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


def test_a_crop_is_uploaded_classified_and_explained(server, page, crop):
    page.goto(f"{server}/scan")
    page.locator("input[type=file]").set_input_files(crop)
    page.get_by_text("Your picture").wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    page.get_by_text("Any calcification:").wait_for()
    bars = page.get_by_test_id("stPlotlyChart").locator(".bars .point")
    playwright.expect(bars).to_have_count(5)
    heat = "image => image.alt.startsWith('Heat map') && image.complete && image.naturalWidth > 50"
    page.wait_for_function(f"() => [...document.images].some({heat})")
    assert_sound(page)

    page.get_by_role("radio", name="vascular").last.click()
    page.get_by_text("Grad-CAM for vascular").wait_for()
    assert "class=vascular" in page.url


def test_a_bad_upload_is_told_and_a_good_one_still_works(server, page, crop, tmp_path):
    bad = tmp_path / "letter.dcm"
    bad.write_text("Dear reader, this is no scan.")
    page.goto(f"{server}/scan")
    page.locator("input[type=file]").set_input_files(bad)
    page.get_by_text("The file is not an image").wait_for()
    page.locator("input[type=file]").set_input_files(crop)
    page.get_by_text("Your picture").wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    assert_sound(page)


@pytest.mark.parametrize("path", ["", "dataset", "scan"])
def test_every_page_stands_and_the_data_in_use_is_named(server, page, path):
    page.goto(f"{server}/{path}")
    page.get_by_test_id("stMain").get_by_role("heading", level=1).wait_for()
    # On a phone the sidebar is folded, and opens by its button.
    page.get_by_text("Simulated demo data").first.wait_for(state="attached")
    page.get_by_test_id("stSpinner").first.wait_for(state="detached")
    assert_sound(page)


def test_the_real_crop_is_classified_and_explained(server, page, real_data):
    page.goto(f"{server}/scan")
    page.locator("input[type=file]").set_input_files(next((real_data / "cbis-ddsm" / "crop").glob("*.dcm")))
    page.get_by_text("1,065 x 1,129 pixels").first.wait_for()
    page.get_by_text("Grad-CAM for").wait_for()
    assert_sound(page)
