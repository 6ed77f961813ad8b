"""DICOM to PNG: nothing lost, nothing half done, and after a kill the same bytes as without."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from support.rows import record, write

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.convert import ConversionOptions, Task, convert_collection, convert_one
from lemons_core.images import read_image
from lemons_core.images.png import bands_of, encode_png
from lemons_core.images.stored import read_stored
from lemons_core.simulate.demo.dicom import dicom_bytes, make_uid


@pytest.fixture(scope="module")
def collection(demo):
    return read_collection(demo)


@pytest.fixture(scope="module")
def converted(collection, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("png")
    convert_collection(collection, out)
    return out


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (333, 257)])
def test_png_gives_back_every_value_and_the_spacing(dtype, shape):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    file = io.BytesIO()
    encode_png(file, bands_of(pixels), height=shape[0], width=shape[1], bits=8 * pixels.itemsize, spacing_mm=0.05)
    image = Image.open(file)
    image.verify()
    assert np.array_equal(np.asarray(Image.open(file)), pixels)
    assert image.info["dpi"][0] == pytest.approx(508, abs=0.01)


def test_sixteen_bits_keep_every_stored_value(collection, converted):
    manifest = pd.read_parquet(converted / "manifest.parquet")
    assert manifest["exact"].all() and len(manifest) > 30
    for row in manifest.itertuples():
        stored = pydicom.dcmread(collection.index.root / row.source).pixel_array
        made = np.asarray(Image.open(converted / row.file))
        assert made.dtype == stored.dtype and np.array_equal(made, stored)
        assert row.sha256 == hashlib.sha256(stored.tobytes()).hexdigest()
        assert (row.height, row.width) == stored.shape
        assert row.bytes == (converted / row.file).stat().st_size
        assert read_image(converted / row.file).spacing_mm == pytest.approx(row.spacing_mm, rel=1e-3)


def test_the_manifest_names_case_and_labels(collection, converted):
    manifest = pd.read_parquet(converted / "manifest.parquet")
    table = collection.table.set_index("case_id")
    for row in manifest.itertuples():
        own = table.loc[row.case_id]
        assert list(row.calc_groups) == list(own["calc_groups"]) and row.split == own["split"]
        number = "" if row.kind == "view" else f"_{own['abnormality_id']}"
        assert row.file == f"{row.kind}/{own['patient_id']}_{own['laterality']}_{own['view']}{number}_{row.kind}.png"
    assert len(manifest[manifest["kind"] == "crop"]) == collection.count("crop_file")
    shared = manifest[manifest["kind"] == "view"]["file"]
    assert shared.duplicated().any(), "two abnormalities of one view share its PNG"


def test_a_second_call_converts_nothing_and_changes_no_byte(collection, converted):
    before = tree(converted)
    done = convert_collection(collection, converted)
    assert (done.converted, done.failures) == (0, ()) and done.kept > 30
    assert tree(converted) == before


def test_the_number_of_jobs_changes_no_byte(collection, converted, tmp_path):
    convert_collection(collection, tmp_path / "png", jobs=1)
    assert tree(tmp_path / "png") == tree(converted)


def test_other_settings_convert_anew(collection, tmp_path):
    out = tmp_path / "png"
    first = convert_collection(collection, out, options=ConversionOptions(["crop"]))
    again = convert_collection(collection, out, options=ConversionOptions(["crop"], bits=8))
    assert again.converted == first.converted > 0
    (name,) = sorted((out / "crop").iterdir())[:1]
    assert Image.open(name).mode == "L"
    assert not pd.read_parquet(out / "manifest.parquet")["exact"].any()


def test_a_deleted_or_changed_file_is_made_again(collection, converted, tmp_path):
    out = tmp_path / "png"
    shutil.copytree(converted, out)
    first, second = sorted((out / "crop").iterdir())[:2]
    first.unlink()
    second.write_bytes(b"half")
    assert convert_collection(collection, out).converted == 2
    assert tree(out) == tree(converted)


def test_kinds_converted_one_after_the_other_stay_in_the_manifest(collection, tmp_path):
    for kind in ("crop", "mask"):
        convert_collection(collection, tmp_path, options=ConversionOptions([kind]))
    assert set(pd.read_parquet(tmp_path / "manifest.parquet")["kind"]) == {"crop", "mask"}


def test_killed_in_the_middle_it_ends_in_the_same_bytes(demo, converted, tmp_path):
    """kill -9, as often as it takes to hit the middle, then the same command to the end."""
    out = tmp_path / "png"
    command = [sys.executable, "-m", "lemons_core", "convert", "--data", str(demo), "--out", str(out), "--jobs", "2"]
    whole = len(list(converted.rglob("*.png")))
    for wanted in (3, whole // 2):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            while child.poll() is None and len(list(out.rglob("*.png"))) < wanted:
                time.sleep(0.002)
            os.kill(child.pid, signal.SIGKILL)
        assert 0 < len(list(out.rglob("[!.]*.png"))) < whole, "killed before the end"
        for path in out.rglob("[!.]*.png"):
            Image.open(path).load()  # whatever has its name is whole
    subprocess.run(command, check=True, capture_output=True)
    assert tree(out) == tree(converted)


def test_half_a_line_of_the_journal_is_left_aside(collection, converted, tmp_path):
    out = tmp_path / "png"
    shutil.copytree(converted, out)
    (out / "manifest.parquet").unlink()
    (out / "journal.jsonl").write_bytes(b'\n["crop/x.png", {"source": "a", "sou')
    (out / "crop" / ".left.png.abc.part").write_bytes(b"\x89PNG")
    assert convert_collection(collection, out).kept == 0
    assert tree(out) == tree(converted)


def test_failures_are_listed_and_stop_nothing(demo, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo, data)
    collection = read_collection(data)
    broken = Path(collection.table["crop_file"].dropna().iloc[0])
    broken.write_bytes(broken.read_bytes()[:900])  # after it was indexed
    done = convert_collection(collection, tmp_path / "png")
    assert [file.partition("/")[0] for file, _ in done.failures] == ["crop"]
    assert "damaged or cut short" in done.failures[0][1]
    assert pd.read_csv(tmp_path / "png" / "failures.csv")["file"].tolist() == [done.failures[0][0]]
    assert done.converted == len(list((tmp_path / "png").rglob("*.png")))
    shutil.copy(demo / broken.relative_to(collection.index.root), broken)
    done = convert_collection(read_collection(data), tmp_path / "png")
    assert (done.converted, done.failures) == (1, ())
    assert not (tmp_path / "png" / "failures.csv").exists()


def test_nothing_to_convert_says_what_to_do(tmp_path):
    write(tmp_path, [record()])
    with pytest.raises(DataError, match=r"No crop or view or mask .* is on disk"):
        convert_collection(read_collection(tmp_path), tmp_path / "png")


def test_a_folder_that_cannot_be_written_is_one_message(collection, tmp_path):
    (tmp_path / "png").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        convert_collection(collection, tmp_path / "png")


def test_eight_bits_are_windowed_as_the_reader_shows_it(collection, tmp_path):
    source = Path(collection.table["view_file"].dropna().iloc[0])
    facts = convert_one(Task(source, tmp_path / "a.png", "view", bits=8))
    picture = read_image(source)
    made = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(made, np.rint(picture.pixels * np.float32(255)).astype(np.uint8))
    # The window that was used is written down: with it, the stored values give the same picture.
    stored = read_stored(source).values.astype(float)
    low = float(facts["window_center"]) - float(facts["window_width"]) / 2
    assert np.abs(np.clip((stored - low) / float(facts["window_width"]), 0, 1) - picture.pixels).max() < 1e-3


def test_a_smaller_picture_keeps_its_millimetres_and_a_mask_its_two_levels(collection, tmp_path):
    row = collection.table[collection.table["mask_file"].notna()].iloc[0]
    for kind in ("view", "mask"):
        facts = convert_one(Task(Path(row[f"{kind}_file"]), tmp_path / f"{kind}.png", kind, size=300))
        whole = read_image(Path(row[f"{kind}_file"]))
        made = np.asarray(Image.open(tmp_path / f"{kind}.png"))
        assert max(made.shape) == 300 and not facts["exact"]
        extent = max(whole.pixels.shape) * whole.spacing_mm
        assert 300 * float(facts["spacing_mm"]) == pytest.approx(extent, rel=1e-6)
    assert set(np.unique(made)) == {0, 255}
    assert (made > 0).mean() == pytest.approx((whole.pixels > 0.5).mean(), rel=0.1)


def one_file(tmp_path: Path, pixels: np.ndarray, **header: object) -> Path:
    uid = make_uid("one")
    data = dicom_bytes(pixels, PatientID="c", SeriesDescription="", StudyInstanceUID=uid, SeriesInstanceUID=uid,
                       SOPInstanceUID=uid, InstanceNumber=1, Laterality="L", PatientOrientation="CC")  # fmt: skip
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.update(pydicom.dataset.Dataset())
    for name, value in header.items():
        setattr(ds, name, value)
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    return tmp_path / "one.dcm"


def test_monochrome1_is_turned_so_that_bright_is_dense(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65535, (40, 50), np.uint16)
    facts = convert_one(
        Task(one_file(tmp_path, pixels, PhotometricInterpretation="MONOCHROME1"), tmp_path / "a.png", "crop")
    )
    assert facts["exact"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), 65535 - pixels)


def test_rescaled_values_are_said_to_be_not_exact(tmp_path):
    pixels = np.arange(4000, dtype=np.uint16).reshape(50, 80) * 16
    source = one_file(tmp_path, pixels, RescaleSlope="2", RescaleIntercept="-5")
    facts = convert_one(Task(source, tmp_path / "a.png", "crop"))
    assert facts["exact"] is False
    made = np.asarray(Image.open(tmp_path / "a.png")).astype(float) / 65535
    assert np.abs(made - read_image(source).pixels).max() < 1e-4


def test_names_from_the_tables_cannot_become_paths(tmp_path, demo, collection):
    table = collection.table[collection.table["crop_file"].notna()].head(2).copy()
    table["patient_id"] = ["../../evil", "a/b\\c:d"]
    odd = type(collection)(collection.cases, table, collection.index)
    convert_collection(odd, tmp_path / "png", options=ConversionOptions(["crop"]))
    names = sorted(path.name for path in (tmp_path / "png" / "crop").iterdir())
    assert len(names) == 2 and all("/" not in name and ".." not in name and "\\" not in name for name in names)
    assert {path.parent.name for path in tmp_path.rglob("*.png")} == {"crop"}


def test_the_real_crop_is_exact_and_small(real_data, tmp_path):
    source = next((real_data / "cbis-ddsm" / "crop").glob("*.dcm"))
    facts = convert_one(Task(source, tmp_path / "a.png", "crop"))
    stored = pydicom.dcmread(source).pixel_array
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), stored)
    assert facts["exact"] and facts["spacing_mm"] is None and float(facts["bytes"]) < 0.7 * stored.nbytes


def test_dask_gives_the_same_bytes(collection, converted, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is optional and not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        convert_collection(collection, tmp_path / "png", dask=cluster.scheduler_address)
    assert tree(tmp_path / "png") == tree(converted)


def test_without_dask_the_message_says_how_to_install_it(collection, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LemonsError, match="pip install distributed"):
        convert_collection(collection, tmp_path / "png", dask="tcp://127.0.0.1:1")
