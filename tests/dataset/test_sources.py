"""Every layout gives the same collection; the index is kept, refreshed for what has changed, and leaves no trace."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.layouts import STRANGER, WRITERS, read_shots

from lemons_core.dataset.collection import Collection, read_collection
from lemons_core.dataset.quality import FaultKind, check_collection
from lemons_core.dataset.sources.facts import grey_levels, read_facts
from lemons_core.dataset.sources.index import read_index
from lemons_core.images import read_image


@pytest.fixture(scope="module")
def roots(demo, tmp_path_factory) -> dict[str, Path]:
    shots = read_shots(demo)
    folder = tmp_path_factory.mktemp("layouts")
    for name, write in WRITERS.items():
        write(folder / name, demo, shots)
    return {name: folder / name for name in WRITERS}


@pytest.fixture(scope="module")
def collections(roots) -> dict[str, Collection]:
    return {name: read_collection(root) for name, root in roots.items()}


def without_paths(collection: Collection) -> pd.DataFrame:
    table = collection.table.copy()
    for column in ("view_file", "crop_file", "mask_file"):
        table[column] = table[column].notna()
    return table


@pytest.mark.parametrize("name", WRITERS)
def test_the_layout_is_recognised(collections, name):
    assert [layout.name.lower() for layout in collections[name].layouts] == [name]


def test_all_layouts_give_the_identical_case_table(collections):
    first = without_paths(collections["tcia"])
    assert first[["view_file", "crop_file", "mask_file"]].sum().min() > 10
    for name in WRITERS:
        pd.testing.assert_frame_equal(without_paths(collections[name]), first, obj=name)


def test_all_layouts_give_the_identical_fault_report(collections):
    reports = {name: check_collection(collection) for name, collection in collections.items()}

    def facts(name: str) -> list[tuple[object, ...]]:
        # The path of an image is the layout's own; everything else must be the same, in the same order.
        return [
            (fault.kind, fault.case, fault.what, fault.done, fault.rows, fault.kind == FaultKind.TABLE and fault.file)
            for fault in reports[name].faults
        ]

    counts = reports["tcia"].counts()
    assert {kind for kind, count in counts.items() if count} == set(FaultKind), "every kind of fault is planted"
    assert counts[FaultKind.UNREADABLE] == counts[FaultKind.IMAGE_WITHOUT_ROW] == counts[FaultKind.SEVERAL_AREAS] == 1
    assert counts[FaultKind.DUPLICATE] == counts[FaultKind.SIZE_DIFFERS] == 1
    assert any(STRANGER in fault.what for fault in reports["tcia"].faults)
    for name in WRITERS:
        assert facts(name) == facts("tcia"), name


def test_the_same_pictures_stand_behind_every_row(collections):
    dicom, jpeg = collections["idc"].table, collections["kaggle"].table
    have = dicom["crop_file"].notna() & dicom["mask_file"].notna()
    for column, near in (("crop_file", 0.03), ("mask_file", 0.01)):
        for one, other in zip(dicom.loc[have, column], jpeg.loc[have, column], strict=True):
            difference = read_image(Path(one)).pixels - read_image(Path(other)).pixels
            assert np.abs(difference).mean() < near


def test_series_of_test_regions_without_the_prefix_are_found(collections, roots):
    """Folder names match only part of the regions; the series of the header matches all."""
    odd = [path for path in (roots["tcia"] / "manifest-1700000000000" / "CBIS-DDSM").iterdir() if ".dcm" in path.name]
    assert odd, "the demo plants one PatientID without its prefix"
    files = set(collections["tcia"].table["crop_file"].dropna())
    assert any(str(path) in file for path in odd for file in files)


def test_a_second_start_reads_nothing_and_a_change_only_itself(roots, tmp_path):
    root = tmp_path / "tcia"
    shutil.copytree(roots["tcia"], root)
    first = read_index(root)
    assert first.read_anew == len(first.files) > 30
    again = read_index(root)
    assert again.read_anew == 0
    pd.testing.assert_frame_equal(again.files, first.files)
    paths = sorted(filter(Path.is_file, root.rglob("*.dcm")))
    os.utime(paths[0], ns=(1, 1))
    paths[1].unlink()
    shutil.copy(paths[2], paths[2].with_name("9-9.dcm"))
    third = read_index(root)
    assert third.read_anew == 2
    assert len(third.files) == len(first.files)
    assert third.files["path"].is_monotonic_increasing


def test_a_data_root_that_may_only_be_read_is_enough(roots, tmp_path):
    root = tmp_path / "tcia"
    shutil.copytree(roots["tcia"], root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    check_collection(read_collection(root))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_without_a_cache_folder_everything_still_works(roots, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("LEMONS_CACHE", str(blocked))
    assert read_index(roots["tcia"]).read_anew > 0


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"PAR1" + bytes(400) + b"PAR1"])
def test_a_damaged_index_is_made_anew(roots, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    whole = read_index(roots["idc"]).files
    (kept,) = (tmp_path / "index").iterdir()
    kept.write_bytes(damage)
    pd.testing.assert_frame_equal(read_index(roots["idc"]).files, whole)


def test_the_index_holds_no_name_and_no_date(roots, tmp_path, monkeypatch):
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    root = tmp_path / "some"
    shutil.copytree(roots["idc"] / "csv", root / "csv")
    for number, path in enumerate(sorted(filter(Path.is_file, roots["idc"].rglob("*.dcm")))[:4]):
        shutil.copy(path, root / f"{number}.dcm")
    read_index(root)
    (kept,) = (tmp_path / "index").iterdir()
    stored = kept.read_bytes() + pd.read_parquet(kept).to_csv().encode()
    assert b"Simulated" not in stored and b"Demo" not in stored and b"P_00" not in stored


def test_a_path_of_the_mirror_never_leaves_the_root(roots, tmp_path):
    """A secret beside the root, and rows that point to it in every spelling: nothing is found, nothing is opened."""
    root = tmp_path / "root"
    shutil.copytree(roots["kaggle"] / "csv", root / "csv")
    secret = next((roots["kaggle"] / "jpeg").rglob("*.jpg"))
    (tmp_path / "jpeg" / secret.parent.name).mkdir(parents=True)
    outside = tmp_path / "jpeg" / secret.parent.name / secret.name
    shutil.copy(secret, outside)
    info = root / "csv" / "dicom_info.csv"
    for path in (f"../jpeg/{secret.parent.name}/{secret.name}", str(outside), f"..\\jpeg\\{secret.parent.name}"):
        text = info.read_text()
        info.write_text(text.replace(f"CBIS-DDSM/jpeg/{secret.parent.name}/{secret.name}", path))
        collection = read_collection(root)
        assert collection.index.files.empty
        assert collection.count("view_file") == collection.count("crop_file") == collection.count("mask_file") == 0
        info.write_text(text)


@pytest.mark.parametrize("path", ["../outside/1.2.3/1.2.4/000000.dcm", "/etc/1.2.3/1.2.4/000000.dcm"])
def test_a_path_of_the_tables_never_leaves_the_root(demo, tmp_path, path):
    shutil.copytree(demo / "csv", tmp_path / "root" / "csv")
    picture = next(demo.rglob("1-1.dcm"))
    (tmp_path / "outside" / "1.2.3" / "1.2.4").mkdir(parents=True)
    shutil.copy(picture, tmp_path / "outside" / "1.2.3" / "1.2.4" / "000000.dcm")
    table = tmp_path / "root" / "csv" / "calc_case_description_train_set.csv"
    lines = table.read_bytes().split(b"\r\n")
    fields = lines[1].split(b",")
    fields[11] = path.encode()
    table.write_bytes(b"\r\n".join([lines[0], b",".join(fields), *lines[2:]]))
    collection = read_collection(tmp_path / "root")
    assert collection.count("view_file") == 0
    assert collection.cases.table["image_path"].isna().sum() == 1


def test_two_grey_levels_through_jpeg(roots):
    """Compression gives a mask many grey levels; it stays a mask, and film stays film."""
    shots = pd.read_csv(roots["kaggle"] / "csv" / "dicom_info.csv")
    for row in shots.itertuples():
        facts = read_facts(roots["kaggle"] / row.image_path.removeprefix("CBIS-DDSM/"))
        if facts.fault is None:
            assert (facts.levels == "two") == (row.BitsAllocated == 8), row.image_path


def test_a_flat_block_in_the_middle_is_not_enough_for_a_mask():
    pixels = np.full((200, 200), 9, np.uint16)
    assert grey_levels(pixels) == "two"
    pixels[0, :3] = 1, 2, 3
    assert grey_levels(pixels) == "more"
