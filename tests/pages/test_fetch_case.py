"""A real case by one click, against an archive on this machine that answers as Imaging Data Commons does."""

import shutil
import sys
import time

import numpy as np
import pytest
import streamlit as st
from support.archive import Server, index_package
from support.dicom import dataset, file_bytes
from support.pages import open_page, words

from lemons_core.base import config
from lemons_core.cli import main
from lemons_core.dataset import fetch
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.published import read_published

CASE, IMAGE = "P_00060_R_CC_calc_1", "P_00060_R_CC"


@pytest.fixture(autouse=True)
def _nothing_read_before():
    for cache in (st.cache_resource, st.cache_data):
        cache.clear()
    yield
    for cache in (st.cache_resource, st.cache_data):
        cache.clear()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Film of real size with the real UIDs of one case in the archive; the cache folder is this test's own."""
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path / "cache"))
    table = read_published(tmp_path).table
    plan = fetch.plan_case(table, IMAGE)
    rng = np.random.default_rng(0)
    film = (rng.random((4560, 2864)) * 65535).astype(np.uint16)
    mask = np.zeros((4560, 2864), np.uint8)
    mask[2000:2300, 900:1250] = 255
    rows = table[table["image_id"].str.startswith("P_00060")]
    pictures = {}
    for uid in plan.series:
        whole = (rows["image_series"] == uid).any()
        parts = [film] if whole else [film[1950:2350, 850:1300], mask]
        pictures[uid] = []
        for number, pixels in enumerate(parts):
            header = dataset(pixels, SeriesInstanceUID=uid, InstanceNumber=number + 1)
            path = tmp_path / "archive" / f"{uid}-{number}.dcm"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file_bytes(header))
            pictures[uid].append(path)
    server = Server()
    catalogue = server.add_bucket(pictures)
    monkeypatch.setitem(sys.modules, "idc_index_data", index_package(tmp_path, catalogue))
    monkeypatch.setattr("lemons_core.dataset.fetch.images.IDC_ADDRESS", server.address)
    yield server
    server.close()


def button(at, label):
    return next(button for button in at.button if button.label.startswith(label))


def test_one_click_brings_the_case_and_shows_it(archive):
    at = open_page("pages/case.py", case=CASE)
    assert "No image of this breast is on disk" in words(at)
    assert not archive.requests, "nothing is fetched without a click"
    size = sum(answer.stat().st_size for answer in archive.answers.values() if not isinstance(answer, bytes))
    assert button(at, "Get this case").label == f"Get this case ({size / 1e6:,.0f} MB)"
    button(at, "Get this case").click().run()
    assert not at.exception and not at.error
    assert "on disk" not in "".join(info.value for info in at.info) and "No image of this breast" not in words(at)
    assert any(one.label == "Classify this crop" for one in at.button)
    row = read_collection("published").table.set_index("case_id").loc[CASE]
    assert row[["view_file", "crop_file", "mask_file"]].notna().all()
    assert str(config.read_settings().fetched) in row["view_file"] and "MG_" in row["view_file"]


def test_a_dead_archive_is_one_sentence_and_the_button_stays(archive):
    archive.close()
    at = open_page("pages/case.py", case=CASE)
    start = time.monotonic()
    button(at, "Get this case").click().run()
    assert time.monotonic() - start < 15
    assert "The download failed" in at.error[0].value and "Check the connection" in at.error[0].value
    at.run()
    assert button(at, "Get this case")


def test_without_the_package_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    assert "pip install idc-index==0.13.4" in words(open_page("pages/case.py", case=CASE))


def test_the_command_line_gets_the_same_case_once(archive, capsys):
    assert main(["fetch", "case", "P_00060", "R", "CC"]) == 0
    assert "Fetched to" in capsys.readouterr().out
    asked = dict(archive.requests)
    assert main(["fetch", "case", "p_00060", "r", "cc"]) == 0
    assert "are there already" in capsys.readouterr().out and dict(archive.requests) == asked
    lost = next(config.read_settings().fetched.rglob("*.dcm"))
    shutil.rmtree(lost.parent)
    assert main(["fetch", "case", "P_00060", "R", "CC"]) == 0
    assert lost.is_file() and archive.requests[next(p for p in asked if p.endswith(lost.name))] >= 1


@pytest.mark.parametrize("wrong", [["case"], ["case", "P_00060"], ["crops", "P_00060", "R", "CC"]])
def test_a_case_is_named_whole_and_nothing_else_is(archive, wrong, capsys):
    assert main(["fetch", *wrong]) == 1
    assert "patient, side, view" in capsys.readouterr().err


def test_a_case_that_the_table_does_not_have_is_told(archive, capsys):
    assert main(["fetch", "case", "P_99999", "R", "CC"]) == 1
    assert "describes no calcification in P_99999_R_CC" in capsys.readouterr().err
