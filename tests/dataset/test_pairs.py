"""Crop and mask, told apart by their pixels: what is told of names that say otherwise."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.dicom import ramp
from support.pairs import CROP, MASK, write_pairs
from support.rows import record, write

from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.quality import FaultKind, check_collection

ORDER = "the tables name crop and mask by number in another order than the archive delivers them"


def faults_of(root: Path, kind: FaultKind) -> list[tuple[str | None, str, str]]:
    faults = check_collection(read_collection(root), pixels=False).faults
    return [(fault.case, fault.what, fault.done) for fault in faults if fault.kind == kind]


@pytest.mark.parametrize("layout", ["tcia", "tcia_utils", "idc", "old"])
def test_an_order_that_the_whole_collection_has_is_told_once(tmp_path, layout):
    write_pairs(tmp_path, [False] * 6, layout=layout)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == []
    assert faults_of(tmp_path, FaultKind.MISNAMED) == [
        (None, f"{ORDER}: 6 of 6 calcification rows", "the pixels decide")
    ]


@pytest.mark.parametrize("layout", ["tcia", "tcia_utils", "idc", "old"])
def test_an_order_that_is_the_tables_own_is_not_told(tmp_path, layout):
    write_pairs(tmp_path, [True] * 6, layout=layout)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == faults_of(tmp_path, FaultKind.MISNAMED) == []


def test_the_tables_of_the_masses_agree_where_those_of_the_calcifications_do_not(tmp_path):
    """The crop comes first in every series, as the archive has it."""
    write_pairs(tmp_path / "calc", [False] * 4)
    write_pairs(tmp_path / "mass", [True] * 4, kind="Mass-Training")
    assert faults_of(tmp_path, FaultKind.SWAPPED) == []
    assert [what for _, what, _ in faults_of(tmp_path, FaultKind.MISNAMED)] == [f"{ORDER}: 4 of 4 calcification rows"]


@pytest.mark.parametrize(
    ("usual", "what"),
    [
        (True, "the files are numbered in another order than the table's, unlike those of other calcification rows"),
        (False, "the files are numbered in the order of the table, unlike those of other calcification rows"),
    ],
)
def test_a_row_whose_order_differs_from_that_of_the_others_is_listed(tmp_path, usual, what):
    write_pairs(tmp_path, [usual, usual, not usual, usual])
    assert faults_of(tmp_path, FaultKind.SWAPPED) == [("P_90002_L_CC_calc_1", what, "told apart by their pixels")]
    told = [] if usual else [f"{ORDER}: 3 of 4 calcification rows"]
    assert [what for _, what, _ in faults_of(tmp_path, FaultKind.MISNAMED)] == told


def test_where_the_order_is_by_chance_no_row_is_odd(tmp_path):
    write_pairs(tmp_path, [True, False] * 6)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == []
    assert [what for _, what, _ in faults_of(tmp_path, FaultKind.MISNAMED)] == [f"{ORDER}: 6 of 12 calcification rows"]


def test_without_numbers_the_names_of_the_archive_are_compared(tmp_path):
    write_pairs(tmp_path, [False] * 3, numbered=False)
    assert [what for _, what, _ in faults_of(tmp_path, FaultKind.MISNAMED)] == [f"{ORDER}: 3 of 3 calcification rows"]


def test_where_no_numbers_can_be_compared_nothing_is_said(tmp_path):
    write_pairs(tmp_path, [False] * 3, layout="idc", numbered=False)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == faults_of(tmp_path, FaultKind.MISNAMED) == []


def test_a_table_that_names_folders_alone_gives_no_number(tmp_path):
    rows = write_pairs(tmp_path, [False] * 3)
    for row in rows:
        for column in ("cropped image file path", "ROI mask file path"):
            row[column] = row[column].rpartition("/")[0]
    write(tmp_path, rows)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == faults_of(tmp_path, FaultKind.MISNAMED) == []


@pytest.mark.parametrize("number", ["1", ""])
def test_names_of_the_jpeg_mirror_are_random_and_its_table_is_compared(tmp_path, number):
    row = record()
    series = row["cropped image file path"].split("/")[-2]
    write(tmp_path, [row])
    folder = tmp_path / "jpeg" / series
    folder.mkdir(parents=True)
    mask = np.zeros((96, 128), np.uint8)
    mask[16:48, 32:64] = 255
    for name, pixels in (("1-10.jpg", (ramp() >> 8).astype(np.uint8)), ("1-5.jpg", mask)):
        Image.fromarray(pixels).save(folder / name, quality=95)
    with (tmp_path / "dicom_info.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image_path", "SeriesInstanceUID", "SeriesDescription", "InstanceNumber"])
        for name, value in (("1-10.jpg", number), ("1-5.jpg", number and "2")):
            writer.writerow([f"CBIS-DDSM/jpeg/{series}/{name}", series, "", value])
    collection = read_collection(tmp_path)
    assert collection.count("crop_file") == collection.count("mask_file") == 1
    told = [f"{ORDER}: 1 of 1 calcification rows"] if number else []
    assert [what for _, what, _ in faults_of(tmp_path, FaultKind.MISNAMED)] == told


def test_one_file_named_for_both_is_odd_whatever_the_others_are(tmp_path):
    rows = write_pairs(tmp_path, [False] * 4)
    rows[1]["cropped image file path"] = rows[1]["ROI mask file path"]
    write(tmp_path, rows)
    (fault,) = faults_of(tmp_path, FaultKind.SWAPPED)
    assert fault == ("P_90001_L_CC_calc_1", "the table names one file for both", "told apart by their pixels")


def test_crop_and_mask_in_each_others_series_are_odd(tmp_path):
    rows = write_pairs(tmp_path, [False] * 3)
    case, study, _, name = rows[0]["cropped image file path"].split("/")
    rows[0]["cropped image file path"] = f"{case}/{study}/2.25.77/{name}"
    write(tmp_path, rows)
    (fault,) = faults_of(tmp_path, FaultKind.SWAPPED)
    assert fault[:2] == ("P_90000_L_CC_calc_1", "crop and mask do not lie in the series that the table names")


def test_a_description_that_contradicts_the_pixels_is_odd_where_others_are_right(tmp_path):
    right, wrong = (CROP, MASK), (MASK, CROP)
    write_pairs(tmp_path, [True] * 4, descriptions=[right, right, wrong, ("", "")])
    (fault,) = faults_of(tmp_path, FaultKind.SWAPPED)
    assert fault[:2] == ("P_90002_L_CC_calc_1", "the series description says the opposite")


def test_one_description_for_both_is_told_once(tmp_path):
    write_pairs(tmp_path, [True] * 4, descriptions=[(MASK, MASK)] * 4)
    assert faults_of(tmp_path, FaultKind.SWAPPED) == []
    (fault,) = faults_of(tmp_path, FaultKind.MISNAMED)
    assert fault[1] == "the series descriptions call crops masks, or masks crops: 4 of 4 calcification rows"
