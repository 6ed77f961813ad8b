"""DICOM to PNG: nothing lost, nothing half done, and after a kill the same bytes as without."""

import hashlib
import io
import json
import os
import re
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
from lemons_core.cli import main
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


def case_of(collection, kind: str, path: Path) -> str:
    table = collection.table
    (case,) = table.loc[table[f"{kind}_file"] == str(path), "case_id"]
    return case


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
    (failure,) = done.failures
    assert failure.file == broken.relative_to(collection.index.root).as_posix() and failure.kinds == ("crop",)
    assert failure.cases == (case_of(collection, "crop", broken),) and "damaged or cut short" in failure.reason
    (row,) = pd.read_csv(tmp_path / "png" / "failures.csv").to_dict("records")
    assert row == {"file": failure.file, "kinds": "crop", "cases": failure.cases[0], "reason": failure.reason}
    assert done.converted == len(list((tmp_path / "png").rglob("*.png")))
    shutil.copy(demo / broken.relative_to(collection.index.root), broken)
    done = convert_collection(read_collection(data), tmp_path / "png")
    assert (done.converted, done.failures) == (1, ())
    assert not (tmp_path / "png" / "failures.csv").exists()


@pytest.fixture
def copy(demo, tmp_path) -> Path:
    """The demo data, to be damaged."""
    return shutil.copytree(demo, tmp_path / "data")


def run_convert(data: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lemons_core", "convert", "--data", str(data), "--out", str(out), *more]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("damage", ["cut short", "no header"])
def test_a_file_that_the_index_could_not_read_is_a_failure_and_not_silence(copy, tmp_path, capsys, damage):
    table = read_collection(copy).table
    row = table[table["crop_file"].notna() & table["mask_file"].notna()].iloc[0]
    crop = Path(row["crop_file"])
    crop.write_bytes(crop.read_bytes()[:200] if damage == "no header" else crop.read_bytes()[:-5000])
    status = main(["convert", "--data", str(copy), "--out", str(tmp_path / "png"), "--json"])
    found = json.loads(capsys.readouterr().out)
    (failure,) = found["failures"]
    assert status == 1 and found["converted"] > 30
    assert failure["file"] == crop.relative_to(copy).as_posix() and failure["cases"] == [row["case_id"]]
    assert failure["kinds"] == ["crop"] and failure["reason"]
    assert found["absent"]["crop"] == table["crop_file"].isna().sum(), "rows without a file are no failures"
    (listed,) = pd.read_csv(tmp_path / "png" / "failures.csv").to_dict("records")
    assert (listed["file"], listed["kinds"], listed["cases"]) == (failure["file"], "crop", row["case_id"])
    again = main(["convert", "--data", str(copy), "--out", str(tmp_path / "png")])
    words = capsys.readouterr().out.splitlines()
    absent = ", ".join(f"{count:,} no {kind}" for kind, count in found["absent"].items() if count)
    assert (again, words[1:]) == (
        1,
        [
            f"Rows without a file on disk: {absent}",
            f"1 unreadable file left out, listed in {tmp_path / 'png' / 'failures.csv'}:",
            f"  {failure['file']}: {failure['reason']} (crop of {row['case_id']})",
        ],
    )


def test_nine_unreadable_files_are_nine_failures_whatever_their_folders_are_called(copy, tmp_path):
    collection = read_collection(copy)
    table, whole = collection.table, tmp_path / "flat"
    shutil.copytree(copy / "csv", whole / "csv")
    (whole / "files").mkdir()
    views = table["view_file"].dropna().unique()[:9]
    for number, path in enumerate(sorted(filter(Path.is_file, copy.rglob("*.dcm")))):
        data = b"unreadable" * 99 if str(path) in views else path.read_bytes()
        (whole / "files" / f"{number}.dcm").write_bytes(data)
    done = convert_collection(read_collection(whole), tmp_path / "png")
    assert len(done.failures) == 9, "nothing tells whose they are, and rows lack a picture"
    assert {(failure.kinds, failure.cases) for failure in done.failures} == {((), ())}


def test_a_damaged_copy_of_a_picture_that_is_there_is_no_failure(copy, tmp_path):
    crop = Path(read_collection(copy).table["crop_file"].dropna().iloc[0])
    (crop.parent / "second.dcm").write_bytes(crop.read_bytes()[:-5000])
    assert convert_collection(read_collection(copy), tmp_path / "png").failures == ()


def test_an_unreadable_mass_is_none_of_its_business(copy, tmp_path):
    broken = copy / "CBIS-DDSM" / "Mass-Training_P_00001_LEFT_CC" / "1.dcm"
    broken.parent.mkdir()
    broken.write_bytes(b"unreadable")
    done = convert_collection(read_collection(copy), tmp_path / "png")
    assert done.failures == () and done.absent["view"]


def test_only_unreadable_files_are_failures_and_not_a_disk_without_files(tmp_path):
    rows = [record()]
    write(tmp_path / "data", rows)
    broken = tmp_path / "data" / rows[0]["image file path"]
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"unreadable")
    done = convert_collection(read_collection(tmp_path / "data"), tmp_path / "png")
    assert (done.converted, done.kept) == (0, 0) and dict(done.absent) == {"crop": 1, "view": 0, "mask": 1}
    (failure,) = done.failures
    assert (failure.file, failure.kinds) == (rows[0]["image file path"], ("view",))


def test_nothing_to_convert_says_what_to_do(tmp_path):
    write(tmp_path, [record()])
    with pytest.raises(DataError) as caught:
        convert_collection(read_collection(tmp_path), tmp_path / "png")
    assert str(caught.value) == (
        f"No crop or view or mask of a calcification is on disk ({tmp_path}). Of 0 image files below this folder none "
        "belongs to a calcification row. `python -m lemons_core check` tells what is there, docs/data.md how to get "
        "the rest."
    )


def test_a_folder_that_cannot_be_written_is_one_message(collection, tmp_path):
    (tmp_path / "png").write_text("a file")
    with pytest.raises(DataError) as caught:
        convert_collection(collection, tmp_path / "png")
    assert str(caught.value) == (
        f"The conversion cannot be written: not a directory ({tmp_path / 'png' / 'crop'}). Something else has this "
        "name: give another one."
    )


def test_a_full_disk_is_one_sentence_and_leaves_no_parts(demo, make_disk):
    disk = make_disk("size=700k")
    done = disk.run("convert", "--data", demo, "--out", disk.folder / "png", "--jobs", "3")
    (words,) = disk.words(done)
    assert done.returncode == 1
    assert re.fullmatch(
        rf"error: The PNG cannot be written: no space left on device \({disk.folder}/png/\w+/\w+\.png\)\. "
        r"Free some space or choose another place, then run it again\.",
        words,
    )
    assert disk.hidden(done) == []


def test_a_second_run_into_one_folder_says_so_and_harms_nothing(demo, collection, converted, tmp_path):
    out, seen = tmp_path / "png", []

    def second(part: float, text: str) -> None:
        if not seen:
            seen.append(run_convert(demo, out))

    convert_collection(collection, out, progress=second)
    (done,) = seen
    lines = [line for line in done.stderr.splitlines() if "%" not in line]
    assert (done.returncode, lines) == (
        1,
        [
            f"error: Process {os.getpid()} is at work in this folder ({out}). Wait until it has ended, or choose "
            "another folder for --out."
        ],
    )
    assert tree(out) == tree(converted)


def test_the_lock_of_a_process_that_is_dead_is_taken_over(collection, converted, tmp_path):
    (tmp_path / "png").mkdir()
    (tmp_path / "png" / ".lock").write_text(str(os.getpid()))  # even if its number lives again
    convert_collection(collection, tmp_path / "png")
    assert tree(tmp_path / "png") == tree(converted)


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
