"""The case table within the product is the published one: its facts, its faults, its bytes."""

import hashlib
import shutil
import zipfile

import pytest
from support.dicom import dataset, file_bytes, ramp

from lemons_core.base import config
from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.dataset.cases import PUBLISHED_ROWS, read_cases
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.published import PACKED, SOURCE, read_published, read_source
from lemons_core.dataset.published.pack import write_packed


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return read_published(tmp_path_factory.mktemp("none"))


@pytest.fixture
def unpacked(tmp_path):
    with zipfile.ZipFile(PACKED) as archive:
        archive.extractall(tmp_path / "csv")
    return tmp_path / "csv"


def test_the_published_counts(published):
    assert published.rows == PUBLISHED_ROWS
    calc = published.calcifications
    assert calc["pathology"].value_counts().to_dict() == {
        "MALIGNANT": 673, "BENIGN": 658, "BENIGN_WITHOUT_CALLBACK": 541,
    }  # fmt: skip
    assert (calc["patient_id"].nunique(), calc["lesion_id"].nunique()) == (753, 1045)
    assert calc["distribution"].isna().sum() == 439
    assert published.table[["image_series", "crop_series", "mask_series"]].notna().all(axis=None)


def test_table_faults_and_bytes_are_those_of_the_downloaded_tables(published, real_data, tmp_path):
    real = read_cases(real_data / "cbis-ddsm" / "csv")
    assert published.table.equals(real.table)
    assert published.problems == real.problems
    write_packed(real_data / "cbis-ddsm", tmp_path)
    with zipfile.ZipFile(tmp_path / PACKED.name) as mine, zipfile.ZipFile(PACKED) as shipped:
        assert {n: mine.read(n) for n in mine.namelist()} == {n: shipped.read(n) for n in shipped.namelist()}


def test_packing_what_was_unpacked_gives_the_same_facts_and_always_the_same_bytes(unpacked, tmp_path):
    first = write_packed(unpacked, tmp_path / "one").read_bytes()
    assert write_packed(unpacked, tmp_path / "two").read_bytes() == first
    assert read_published(tmp_path, packed=tmp_path / "one" / PACKED.name).table.equals(read_cases(unpacked).table)


def test_a_part_of_the_tables_is_not_packed(unpacked, tmp_path):
    (unpacked / "mass_case_description_test_set.csv").unlink()
    with pytest.raises(DataError, match="mass_test has 0 usable rows, 378 are published"):
        write_packed(unpacked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_source_names_whose_the_facts_are(published):
    source = read_source()
    assert source["doi"] in source["citations"][0] and source["licence"].startswith("CC BY 3.0")
    assert source["sha256"] == hashlib.sha256(PACKED.read_bytes()).hexdigest()
    assert PACKED.stat().st_size < 700_000


def test_a_damaged_or_missing_table_is_refused(tmp_path):
    for name in (PACKED, SOURCE):
        shutil.copy(name, tmp_path)
    copy = tmp_path / PACKED.name
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="SHA-256"):
        read_published(tmp_path, packed=copy)
    copy.unlink()
    with pytest.raises(DataError, match="missing"):
        read_published(tmp_path, packed=copy)


def test_images_that_were_fetched_are_joined_to_the_published_rows(demo):
    """Without any, the rows stand alone; images of other series in the folder are not theirs."""
    collection = read_collection("published")
    assert (len(collection.table), collection.count(), collection.simulated) == (1872, 0, False)
    row = collection.table.iloc[7]
    folder = config.read_settings().fetched / "cbis_ddsm" / "case" / "1.2.3"
    for kind, uid in (("view", row.image_series), ("stranger", "1.2.3.4")):
        header = dataset(ramp(), SeriesInstanceUID=uid)
        write_atomic(folder / kind / "1.dcm", file_bytes(header))
    fetched = read_collection("published").table
    assert fetched["view_file"].notna().sum() == (fetched["image_series"] == row.image_series).sum() > 0
    shutil.rmtree(folder)
