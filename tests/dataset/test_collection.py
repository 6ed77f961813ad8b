"""Rows joined to files: by series, crop against mask by content, and never by names or order."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.rows import record, write

from lemons_core.base.errors import DataError
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.sources.facts import TWO, grey_levels
from lemons_core.images import read_image


@pytest.fixture(scope="module")
def collection(demo):
    return read_collection(demo)


def is_mask(path):
    return grey_levels(read_image(path).pixels) == TWO


def test_every_imaged_row_gets_view_crop_and_mask(collection):
    rows = collection.table
    assert len(rows) == 1872
    imaged = rows[rows["crop_file"].notna()]
    assert len(imaged) >= 12
    assert imaged[["view_file", "mask_file"]].notna().all(axis=None)
    assert collection.count("crop_file") == len(imaged)


def test_crop_and_mask_are_told_apart_by_content_not_by_name(collection):
    imaged = collection.table[collection.table["crop_file"].notna()]
    assert not any(is_mask(Path(file)) for file in imaged["crop_file"])
    assert all(is_mask(Path(file)) for file in imaged["mask_file"])
    assert {Path(file).name for file in imaged["mask_file"]} == {"1-1.dcm", "1-2.dcm"}, "both orders occur"


def test_a_partial_download_keeps_the_rows(demo, tmp_path):
    some = tmp_path / "some"
    shutil.copytree(demo, some)
    folders = sorted((some / "CBIS-DDSM").iterdir())
    for folder in folders[::2]:
        shutil.rmtree(folder)
    table = read_collection(some).table
    assert len(table) == 1872
    assert 0 < table["crop_file"].notna().sum() < 12 * 2


def test_a_mask_alone_is_not_taken_for_a_crop(collection, tmp_path):
    row = collection.table[collection.table["mask_file"].notna()].iloc[0]
    shutil.copytree(collection.root / "csv", tmp_path / "csv")
    shutil.copy(row["mask_file"], tmp_path / "one.dcm")
    found = read_collection(tmp_path).table.set_index("case_id").loc[row["case_id"]]
    assert Path(found["mask_file"]).name == "one.dcm"
    assert not isinstance(found["crop_file"], str)


def test_damaged_files_leave_the_rows_without_image(demo, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(demo, broken)
    rng = np.random.default_rng(0)
    for path in filter(Path.is_file, broken.rglob("*.dcm")):
        path.write_bytes(rng.bytes(300))
    assert read_collection(broken).count("crop_file") == 0


def test_without_images_training_rows_say_what_to_do(tmp_path):
    write(tmp_path, [record()])
    with pytest.raises(DataError, match="No train row has both a crop on disk"):
        read_collection(tmp_path).with_crops("train")


def test_real_csvs_without_images(real_data):
    collection = read_collection(real_data / "cbis-ddsm" / "csv")
    assert len(collection.table) == 1872
    assert collection.count("view_file") == collection.count("crop_file") == 0
