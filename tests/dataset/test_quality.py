"""The report of faults: each kind with its case, what was done, and a count. Layouts are compared in test_sources."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.layouts import read_shots, write_tcia
from support.pairs import write_pairs
from support.rows import record, write

from lemons_core.base.errors import ImageError
from lemons_core.cli import main
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.quality import FaultKind, check_collection, count_areas, pixels


@pytest.fixture(scope="module")
def root(demo, tmp_path_factory) -> Path:
    """A collection with one planted fault of each kind."""
    folder = tmp_path_factory.mktemp("planted") / "tcia"
    write_tcia(folder, demo, read_shots(demo))
    return folder


@pytest.fixture(scope="module")
def report(root):
    return check_collection(read_collection(root))


def only(report, kind):
    return [fault for fault in report.faults if fault.kind == kind]


def test_every_fault_names_its_case_or_file_and_what_was_done(report):
    for fault in report.faults:
        assert fault.what and fault.done
        assert fault.case or fault.file or fault.rows > 1 or fault.kind == FaultKind.MISNAMED, fault


def test_a_file_cut_short_is_named_with_its_case_and_its_row_is_reported(report, root):
    (cut,) = only(report, FaultKind.UNREADABLE)
    assert cut.case and (root / cut.file).is_file() and "cut short" in cut.done
    assert any(
        fault.case == cut.case and "no crop" in fault.what for fault in only(report, FaultKind.ROW_WITHOUT_IMAGE)
    )


def test_duplicated_pixels_are_reported_at_the_second_of_them(report):
    (fault,) = only(report, FaultKind.DUPLICATE)
    first = fault.what.rpartition(" ")[2]
    assert fault.case > first


def test_two_areas_in_a_mask(report):
    (fault,) = only(report, FaultKind.SEVERAL_AREAS)
    assert fault.what == "2 separate areas"


def test_patients_in_both_splits_are_those_that_the_tables_plant(report):
    faults = only(report, FaultKind.BOTH_SPLITS)
    assert len(faults) == 31 == report.counts()[FaultKind.BOTH_SPLITS]
    assert all("do not cross" in fault.done for fault in faults)
    assert not any("is in" in fault.what and "train and" in fault.what for fault in only(report, FaultKind.TABLE))


def test_a_type_without_any_image_is_reported_once(report):
    calc, mass = [fault for fault in only(report, FaultKind.ROW_WITHOUT_IMAGE) if fault.case is None]
    assert mass.what == "none of the mass rows has an image on disk" and mass.rows == 1318 + 378
    assert calc.what == f"{calc.rows:,} of 1,872 calcification rows do not have an image on disk"


def test_a_wrong_description_is_the_only_swap_and_the_order_is_told_once(report):
    (swapped,) = only(report, FaultKind.SWAPPED)
    assert swapped.what == "the series description says the opposite"
    (order,) = only(report, FaultKind.MISNAMED)
    assert order.what.startswith("the tables name crop and mask by number in another order than the archive delivers")


def test_a_case_shows_its_own_faults_and_its_patients(report):
    fault = only(report, FaultKind.SIZE_DIFFERS)[0]
    assert fault in report.of_case(fault.case)
    patient = only(report, FaultKind.BOTH_SPLITS)[0]
    assert patient in report.of_case(f"{patient.case}_L_CC_calc_1")
    assert patient not in report.of_case(fault.case) or fault.case.startswith(patient.case)


def test_pixels_are_decoded_once(root, report, monkeypatch):
    """The second report is the same, and no picture is read for it."""

    def never(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(pixels, "count_areas", never)
    monkeypatch.setattr(pixels, "hash_pixels", never)
    assert check_collection(read_collection(root)) == report


def test_headers_alone_find_the_rest(root, report, monkeypatch):
    monkeypatch.setattr(pixels, "read_image", lambda path: pytest.fail(str(path)))
    quick = check_collection(read_collection(root), pixels=False)
    assert not quick.pixels
    deep = (FaultKind.DUPLICATE, FaultKind.SEVERAL_AREAS)
    assert list(quick.faults) == [fault for fault in report.faults if fault.kind not in deep]


def test_a_file_that_fails_only_when_decoded_becomes_a_fault(root, tmp_path, monkeypatch):
    shutil.copytree(root, tmp_path / "tcia")

    def broken(path: Path) -> int:
        raise ImageError("The pixel data is damaged", where=str(path))

    monkeypatch.setattr(pixels, "count_areas", broken)
    report = check_collection(read_collection(tmp_path / "tcia"))
    assert any("the pixel data is damaged" in fault.done for fault in only(report, FaultKind.UNREADABLE))


def test_the_command_prints_counts_and_json(root, capsys):
    assert main(["check", "--data", str(root), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["counts"]) == set(FaultKind) and printed["images"] > 30
    weighed = {kind: sum(f["rows"] for f in printed["faults"] if f["kind"] == kind) for kind in FaultKind}
    assert weighed == printed["counts"]
    assert set(printed["summary"]) == {"found", "used", "skipped", "wrong", "to_do_next"}
    assert main(["check", "--data", str(root), "--headers-only"]) == 0
    shown = capsys.readouterr().out
    assert all(str(kind) in shown for kind in FaultKind) and "TCIA" in shown


def test_tables_without_any_image_are_reported_too(tmp_path):
    write(tmp_path, [record()])
    report = check_collection(read_collection(tmp_path))
    assert report.images == 0 and report.counts()[FaultKind.ROW_WITHOUT_IMAGE] == 1


@pytest.mark.parametrize("data", ["published", "folder"])
def test_rows_of_which_none_has_an_image_are_one_line_and_no_fault(data, tmp_path):
    write(tmp_path, [record(f"P_9{k:04}") for k in range(20)])
    report = check_collection(read_collection(tmp_path if data == "folder" else data))
    (fault,) = only(report, FaultKind.ROW_WITHOUT_IMAGE)
    assert fault.what == "no row has an image on disk"
    assert fault.rows == report.summary.rows == {"folder": 20, "published": 3568}[data]
    assert FaultKind.ROW_WITHOUT_IMAGE not in report.summary.wrong


def test_what_most_rows_lack_is_one_line_and_the_others_are_listed(tmp_path):
    rows = write_pairs(tmp_path, [True] * 2, others=20)
    lacking = only(check_collection(read_collection(tmp_path)), FaultKind.ROW_WITHOUT_IMAGE)
    assert [(fault.case, fault.what, fault.rows) for fault in lacking] == [
        (None, "20 of 22 calcification rows do not have an image on disk", 20),
        *((f"{row['patient_id']}_L_CC_calc_1", "no view on disk", 1) for row in rows[:2]),
    ]


def test_a_handful_of_rows_is_listed_one_by_one(tmp_path):
    write_pairs(tmp_path, [True] * 9, others=1)
    lacking = only(check_collection(read_collection(tmp_path)), FaultKind.ROW_WITHOUT_IMAGE)
    assert [fault.rows for fault in lacking] == [1] * 10


def test_a_check_without_images_takes_no_half_second():
    collection = read_collection("published")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        check_collection(collection, pixels=False)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


@pytest.mark.parametrize("areas", [0, 1, 2, 3])
def test_areas_are_counted_and_specks_are_not(tmp_path, areas):
    mask = np.zeros((900, 1200), np.uint8)
    for k in range(areas):
        mask[100:300, 100 + 350 * k : 300 + 350 * k] = 255
    if areas:
        mask[600:603, 600:603] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert count_areas(tmp_path / "mask.png") == areas


def test_the_real_tables(real_data):
    report = check_collection(read_collection(real_data / "cbis-ddsm" / "csv"), pixels=False)
    counts = report.counts()
    assert counts[FaultKind.BOTH_SPLITS] == 31
    assert counts[FaultKind.ROW_WITHOUT_IMAGE] == 1872 + 1696
    assert counts[FaultKind.UNREADABLE] == counts[FaultKind.IMAGE_WITHOUT_ROW] == 0
    assert any("439" in fault.what or "distribution" in fault.what for fault in only(report, FaultKind.TABLE))
