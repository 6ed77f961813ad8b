"""A real browser against a real server."""

import shutil
import subprocess
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

ROOT = Path(__file__).parents[2]
SECONDS = 120_000  # milliseconds; the first prediction loads torch
processes: dict[str, subprocess.Popen] = {}


def assert_sound(page: "playwright.Page") -> None:
    """No error stands on the page, and it does not scroll sideways."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").count() == 0
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


def give(page: "playwright.Page", *files: Path) -> None:
    box = page.locator("input[type=file]")
    # While the page changes, the one before may still stand there.
    playwright.expect(box).to_have_count(1, timeout=SECONDS)
    box.set_input_files(list(files))


def settle(page: "playwright.Page") -> None:
    """Until the page stands: while it runs, parts of the one before may still be there."""
    playwright.expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=SECONDS
    )
