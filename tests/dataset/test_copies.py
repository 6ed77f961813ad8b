"""Copies of the collection that are a little off: every row gets the same pictures, and what is not used is told."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.copies import (
    LOSSLESS,
    PATIENTS,
    by_part,
    dicom,
    eight_bits,
    lay_out,
    put,
    shots,
    shrunk,
    tables,
    write_info,
    write_jpeg,
)
from support.dicom import encoded
from support.rows import record, write

from lemons_core.base.errors import DataError, ImageError
from lemons_core.dataset.collection import Collection, read_collection
from lemons_core.dataset.convert import convert_collection
from lemons_core.dataset.join import FILE_COLUMNS, CopyKind
from lemons_core.dataset.quality import FaultKind, check_collection
from lemons_core.dataset.sources import facts
from lemons_core.dataset.sources.index import read_index
from lemons_core.dataset.sources.mirror import MirrorKind
from lemons_core.dataset.sources.skipped import SkipKind
from lemons_core.images import read_image


@pytest.fixture(autouse=True)
def _own_index(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path_factory.mktemp("cache")))


def pictures(collection: Collection) -> dict[tuple[str, str], np.ndarray]:
    """Grey values by patient and part, of the files that the rows got."""
    found = {}
    for row in collection.table.to_dict("records"):
        for column in FILE_COLUMNS:
            if isinstance(row[column], str):
                found[row["patient_id"], column.removesuffix("_file")] = read_image(row[column]).pixels
    return found


def used(collection: Collection) -> list[str]:
    files = collection.table[list(FILE_COLUMNS)].to_numpy().ravel()
    return sorted(Path(file).relative_to(collection.root).as_posix() for file in files if isinstance(file, str))


def sentences(collection: Collection) -> list[str]:
    return [one.sentence for one in collection.index.skipped]


def expected() -> dict[tuple[str, str], np.ndarray]:
    patients = {shot.path.split("/")[0].split("Training_")[1][:7]: shot for shot in shots()}
    assert set(patients) == set(PATIENTS)
    return {
        (shot.path.split("/")[0].split("Training_")[1][:7], shot.part): shot.pixels
        / np.float32(np.iinfo(shot.pixels.dtype).max)
        for shot in shots()
    }


def assert_all_found(collection: Collection) -> None:
    found, wanted = pictures(collection), expected()
    assert found.keys() == wanted.keys()
    for key, pixels in wanted.items():
        np.testing.assert_allclose(found[key], pixels, atol=1e-6, err_msg=str(key))


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_layout_gives_every_row_the_same_pictures(tmp_path, name):
    collection = read_collection(lay_out(tmp_path, name))
    assert_all_found(collection)
    assert not collection.duplicates and not collection.index.skipped and collection.index.faulty.empty
    again = read_collection(tmp_path)
    assert again.index.read_anew == 0
    assert_all_found(again)


@pytest.mark.parametrize("name", ["tcia", "extensionless", "png"])
def test_check_and_convert_take_every_layout(tmp_path, name):
    collection = read_collection(lay_out(tmp_path / "root", name))
    kinds = {fault.kind for fault in check_collection(collection).faults}
    assert kinds <= {FaultKind.TABLE, FaultKind.ROW_WITHOUT_IMAGE, FaultKind.SWAPPED}
    done = convert_collection(collection, tmp_path / "out")
    assert done.converted == 9 and not done.failures
    for file in (tmp_path / "out" / "crop").glob("*.png"):
        key = (file.name[:7], "crop")
        np.testing.assert_allclose(read_image(file).pixels, expected()[key], atol=1e-6)


# 3. better copies win


@pytest.mark.parametrize("jpeg", ["a", "z"])
def test_jpeg_beside_dicom_does_not_win(tmp_path, jpeg):
    lay_out(tmp_path, "tcia")
    write_info(tmp_path, write_jpeg(tmp_path / jpeg))
    collection = read_collection(tmp_path)
    assert_all_found(collection)
    assert {copy.kind for copy in collection.duplicates} == {CopyKind.LOSSY}
    assert len(collection.duplicates) == 9 and all(copy.other.startswith(jpeg) for copy in collection.duplicates)
    assert sorted(copy.chosen for copy in collection.duplicates) == used(collection)


@pytest.mark.parametrize("folder", ["a", "z"])
@pytest.mark.parametrize("side", [16, 64, 100])
def test_resized_copies_with_the_same_series_do_not_win(tmp_path, folder, side):
    lay_out(tmp_path, "idc")
    for number, shot in enumerate(shots()):
        put(tmp_path / folder / f"{number}.dcm", dicom(shot, shrunk(shot.pixels, side)))
    collection = read_collection(tmp_path)
    assert_all_found(collection)
    assert {copy.other for copy in collection.duplicates} == {f"{folder}/{number}.dcm" for number in range(9)}
    kinds = {copy.kind for copy in collection.duplicates}
    assert kinds <= {CopyKind.SMALLER, CopyKind.VIEW_SIZED} and CopyKind.SMALLER in kinds


def test_resized_copies_alone_are_used(tmp_path):
    tables(tmp_path)
    for number, shot in enumerate(shots()):
        put(tmp_path / f"{number}.dcm", dicom(shot, shrunk(shot.pixels, 64)))
    assert len(pictures(read_collection(tmp_path))) == 9


def test_eight_bits_beside_sixteen_do_not_win(tmp_path):
    lay_out(tmp_path, "tcia_utils")
    for shot in shots():
        if shot.part != "mask":
            put((tmp_path / "a" / shot.path).with_suffix(".png"), encoded(eight_bits(shot), "PNG"))
    collection = read_collection(tmp_path)
    assert_all_found(collection)
    assert [copy.kind for copy in collection.duplicates] == [CopyKind.FEWER_BITS] * 6


def test_the_same_copy_twice_is_used_once_and_told(tmp_path):
    collection = read_collection(lay_out(tmp_path, "tcia", "tcia_utils"))
    assert_all_found(collection)
    assert [copy.kind for copy in collection.duplicates] == [CopyKind.EQUAL] * 9


def test_a_copy_of_the_view_in_the_series_of_the_crop_is_no_crop(tmp_path):
    lay_out(tmp_path, "tcia")
    for view, crop in zip(by_part("view"), by_part("crop"), strict=True):
        put(tmp_path / "more" / f"{crop.series}.dcm", dicom(crop, view.pixels))
    collection = read_collection(tmp_path)
    assert_all_found(collection)
    assert {copy.kind for copy in collection.duplicates} == {CopyKind.VIEW_SIZED}


# 4. what was seen and skipped


def test_files_of_other_kinds_are_counted_by_suffix(tmp_path):
    lay_out(tmp_path, "tcia")
    for name in ("a.txt", "b.TXT", "c.md", "README", "1.2.3.4"):
        (tmp_path / name).write_text("nothing")
    expected_words = [
        "2 files without a suffix are no DICOM and not read, such as 1.2.3.4",
        "1 .md file is no DICOM and not read: c.md",
        "2 .txt files are no DICOM and not read, such as a.txt",
    ]
    assert sentences(read_collection(tmp_path)) == expected_words
    again = read_collection(tmp_path)
    assert sentences(again) == expected_words and again.index.read_anew == 0


def test_a_file_of_another_kind_is_opened_once(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(bytes(200))
    read_index(tmp_path)
    read = []
    monkeypatch.setattr("lemons_core.dataset.sources.index.read_facts", lambda path: read.append(path))
    assert sentences_of(tmp_path) == ["1 .bin file is no DICOM and not read: a.bin"]
    assert not read


def sentences_of(root: Path) -> list[str]:
    return [one.sentence for one in read_index(root).skipped]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.7z", "A.RAR"])
def test_an_archive_lying_there_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"packed")
    assert sentences_of(tmp_path) == [f"{name} is an archive: unpack it to use the pictures in it"]


def test_a_manifest_is_told_not_to_be_the_images(tmp_path):
    (tmp_path / "CBIS.tcia").write_text("downloadServerUrl=...")
    assert sentences_of(tmp_path) == ["CBIS.tcia only lists images to download"]


def test_a_png_elsewhere_is_told_and_not_read(tmp_path):
    for name in ("plots/a.png", "plots/b.png", "scan.tif"):
        put(tmp_path / name, b"whatever it is")
    assert sentences_of(tmp_path) == [
        "2 .png files can be joined to no row, such as plots/a.png",
        "1 .tif file can be joined to no row: scan.tif",
    ]


def test_the_list_of_a_medium_and_hidden_files_are_nothing_to_tell(tmp_path):
    for name in ("DICOMDIR", ".hidden.dcm", "._calc_case_description_test_set.csv", ".unfinished/a.dcm"):
        put(tmp_path / name, bytes(128) + b"DICM")
    index = read_index(tmp_path)
    assert index.files.empty and not index.skipped and not index.csv_files


def test_a_folder_that_may_not_be_entered_is_told(tmp_path, monkeypatch):
    lay_out(tmp_path, "tcia")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    collection = read_collection(tmp_path)
    assert sentences(collection) == ["The folder closed may not be entered"]
    assert_all_found(collection)


def test_a_linked_folder_is_followed(tmp_path):
    lay_out(tmp_path / "disk", "tcia")
    tables(tmp_path / "root")
    (tmp_path / "root" / "images").symlink_to(tmp_path / "disk" / "tcia")
    collection = read_collection(tmp_path / "root")
    assert_all_found(collection)
    assert not collection.index.skipped
    assert convert_collection(collection, tmp_path / "out").converted == 9


def test_a_folder_is_read_once_however_many_links_lead_to_it(tmp_path):
    lay_out(tmp_path / "disk", "tcia")
    root = tmp_path / "root"
    tables(root)
    (root / "a").symlink_to(tmp_path / "disk" / "tcia")
    (root / "b").symlink_to(tmp_path / "disk" / "tcia")
    (root / "c").symlink_to(root / "csv")
    (root / "d").symlink_to(root / "d")
    collection = read_collection(root)
    assert_all_found(collection)
    assert not collection.duplicates
    assert sentences(collection) == [
        "The link d leads nowhere",
        "The link b leads to what is read already",
        "The link c leads to what is read already",
    ]


def test_links_in_a_circle_end(tmp_path):
    root = lay_out(tmp_path / "root", "tcia")
    (root / "tcia" / "self").symlink_to(root / "tcia")
    (root / "tcia" / "top").symlink_to(root)
    (root / "tcia" / "above").symlink_to(tmp_path)
    collection = read_collection(root)
    assert_all_found(collection)
    assert sentences(collection) == [
        "The link tcia/self leads to what is read already",
        "The link tcia/top leads to what is read already",
        "The link tcia/above leads to a folder around the data folder and is not followed",
    ]


def test_a_link_within_a_linked_folder_leads_no_further(tmp_path):
    lay_out(tmp_path / "disk", "tcia")
    put(tmp_path / "secret" / "a.dcm", dicom(shots()[0]))
    (tmp_path / "disk" / "tcia" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "disk" / "tcia" / "out.dcm").symlink_to(tmp_path / "secret" / "a.dcm")
    (tmp_path / "disk" / "tcia" / "back").symlink_to(tmp_path / "disk" / "tcia")
    tables(tmp_path / "root")
    (tmp_path / "root" / "images").symlink_to(tmp_path / "disk" / "tcia")
    collection = read_collection(tmp_path / "root")
    assert_all_found(collection)
    assert sentences(collection) == [
        "The link images/back leads to what is read already",
        "images/out lies in a linked folder and leads out of it: it is not followed",
        "images/out.dcm lies in a linked folder and leads out of it: it is not followed",
    ]


def test_linked_files_are_read_and_those_read_already_are_told(tmp_path):
    lay_out(tmp_path / "disk", "extensionless")
    root = tmp_path / "root"
    tables(root)
    for path in (tmp_path / "disk").rglob("export/*"):
        (root / path.name).symlink_to(path)
    (root / "again.dcm").symlink_to(root / "I0000")
    (root / "gone.dcm").symlink_to(tmp_path / "nothing")
    collection = read_collection(root)
    assert_all_found(collection)
    assert sentences(collection)[0] == "The link gone.dcm leads nowhere"
    assert [one.kind for one in collection.index.skipped] == [SkipKind.BROKEN_LINK, SkipKind.LINK_AGAIN]


# 5. the JPEG mirror


def mirror(root: Path) -> list[dict[str, str]]:
    tables(root)
    return write_jpeg(root)


def assert_mirror_found(collection: Collection) -> None:
    found = pictures(collection)
    for key, pixels in expected().items():
        assert np.abs(found[key] - pixels).mean() < 0.05, key


def problem(collection: Collection) -> tuple[str, ...]:
    (one,) = collection.index.problems
    return str(one.kind), str(one.file), one.what, one.action


def test_a_whole_mirror_has_no_problem(tmp_path):
    write_info(tmp_path, mirror(tmp_path))
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert not collection.index.problems


def test_a_mirror_without_its_table_is_read_by_its_folders(tmp_path):
    mirror(tmp_path)
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert problem(collection) == (
        MirrorKind.MISSING, "None", "there is no dicom_info.csv for 9 JPEG files",
        "the name of the folder is taken as the series",
    )  # fmt: skip


def test_a_mirror_whose_table_was_renamed(tmp_path):
    write_info(tmp_path, mirror(tmp_path), "info (1).csv")
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert problem(collection)[:3] == (
        MirrorKind.RENAMED, "csv/info (1).csv", "this is the mirror's dicom_info.csv under another name",
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
def test_a_mirror_whose_table_is_cut_short(tmp_path, share):
    info = write_info(tmp_path, mirror(tmp_path))
    data = info.read_bytes()
    info.write_bytes(data[: int(len(data) * share)])
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    kind, _, what, action = problem(collection)
    assert kind in (MirrorKind.INCOMPLETE, MirrorKind.NO_COLUMN)
    assert action == "the name of the folder is taken as the series" and ("JPEG files" in what or "column" in what)


def test_a_mirror_whose_table_is_there_twice(tmp_path):
    told = mirror(tmp_path)
    write_info(tmp_path, told[:3])
    write_info(tmp_path, told, "copy/dicom_info.csv")
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert problem(collection)[1:] == (
        "csv/copy/dicom_info.csv", "a second table of the JPEG mirror", "it only adds what csv/dicom_info.csv lacks",
    )  # fmt: skip


@pytest.mark.parametrize("column", ["InstanceNumber", "SeriesInstanceUID", "SeriesDescription", "image_path"])
def test_a_mirror_whose_table_lacks_a_column(tmp_path, column):
    told = [{name: value for name, value in row.items() if name != column} for row in mirror(tmp_path)]
    write_info(tmp_path, told)
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert problem(collection)[:3] == (
        MirrorKind.NO_COLUMN, "csv/dicom_info.csv", f"the column '{column}' is missing"
    )  # fmt: skip


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe" + "image_path,SeriesInstanceUID".encode("utf-16-le"), b"\0\xff" * 99]
)
def test_a_mirror_whose_table_is_no_table(tmp_path, data):
    mirror(tmp_path)
    (tmp_path / "csv" / "dicom_info.csv").write_bytes(data)
    try:
        collection = read_collection(tmp_path)
    except DataError:  # the reader of case tables has a word for this file as well
        index = read_index(tmp_path)
        assert index.problems and index.files["series"].notna().all()
        return
    assert_mirror_found(collection)
    assert problem(collection)[1] == "csv/dicom_info.csv"


def test_a_jpeg_in_no_folder_of_a_series_is_told(tmp_path):
    lay_out(tmp_path, "tcia")
    put(tmp_path / "photo.jpg", encoded(eight_bits(shots()[0]), "JPEG"))
    faults = check_collection(read_collection(tmp_path), pixels=False).faults
    assert "a JPEG whose series neither its folder nor a dicom_info.csv names" in [fault.what for fault in faults]


# 6. PNG at the paths of the tables


def test_png_of_eight_bits_at_the_paths_of_the_tables(tmp_path):
    tables(tmp_path)
    for shot in shots():
        put((tmp_path / shot.path).with_suffix(".png"), encoded(eight_bits(shot), "PNG"))
    collection = read_collection(tmp_path)
    assert_mirror_found(collection)
    assert [layout.name for layout in collection.layouts] == ["PNG"]


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_a_cut_png_is_a_fault_that_is_remembered(tmp_path, name):
    lay_out(tmp_path, name)
    path = next(path for path in (tmp_path / name).rglob("000001.*") if path.is_file())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for anew in (9, 0):
        collection = read_collection(tmp_path)
        assert len(pictures(collection)) == 8 and collection.index.read_anew == anew
        assert collection.index.faulty["path"].tolist() == [path.relative_to(tmp_path).as_posix()]


# 7. errors are not remembered


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("name", ["tcia", "extensionless", "png"])
def test_a_file_that_could_not_be_read_for_a_moment_is_tried_again(tmp_path, monkeypatch, code, name):
    lay_out(tmp_path, name)
    files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
    closed, opened = files[0], Path.open

    def refuse(self, *arguments, **named):
        if self == closed:
            raise OSError(code, os.strerror(code), str(self))
        return opened(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        for anew in (9, 1):
            index = read_index(tmp_path)
            assert index.faulty[["path", "fault"]].to_numpy().tolist() == [
                [closed.relative_to(tmp_path).as_posix(), os.strerror(code).lower()]
            ]
            assert index.read_anew == anew
    collection = read_collection(tmp_path)
    assert collection.index.read_anew == 1 and collection.index.faulty.empty
    assert_all_found(collection)


def test_a_mask_that_could_not_be_decoded_for_a_moment_is_tried_again(tmp_path, monkeypatch):
    lay_out(tmp_path, "png")

    def refuse(path):
        try:
            raise PermissionError(errno.EACCES, "Permission denied")
        except PermissionError as error:
            raise ImageError("The file may not be read", where=str(path)) from error

    with monkeypatch.context() as patched:
        patched.setattr("lemons_core.dataset.join.read_image", refuse)
        collection = read_collection(tmp_path)
        assert collection.count("crop_file") == 0
        assert set(collection.index.faulty["fault"]) == {"the file may not be read"}
    assert_all_found(read_collection(tmp_path))


def test_a_damaged_file_is_remembered(tmp_path):
    lay_out(tmp_path, "tcia")
    path = next(path for path in (tmp_path / "tcia").rglob("1-2.dcm"))
    path.write_bytes(path.read_bytes()[:-100])
    for anew in (9, 0):
        index = read_index(tmp_path)
        assert index.read_anew == anew and index.faulty["fault"].tolist() == ["cut short"]


def test_passing_errors_are_those_of_the_system():
    assert facts.is_passing(PermissionError(errno.EACCES, "no")) and facts.is_passing(MemoryError())
    assert not facts.is_passing(OSError("image file is truncated")) and not facts.is_passing(ValueError("no"))


# 11. names


def test_names_that_are_not_utf8_are_told_and_nothing_crashes(tmp_path, capsys):
    root = lay_out(tmp_path / "root", "tcia")
    shutil.copytree(root / "tcia", root / os.fsdecode(b"caf\xe9"))
    shutil.copy(next(path for path in root.rglob("1-1.dcm")), root / os.fsdecode(b"\xfc.dcm"))
    shutil.copy(next(root.rglob("*.csv")), root / os.fsdecode(b"\xfc.csv"))
    collection = read_collection(root)
    assert sentences(collection) == [
        f"The name {name} is not UTF-8: rename it to use what it holds"
        for name in ("\\xfc.csv", "\\xfc.dcm", "caf\\xe9")
    ]
    assert_all_found(collection)
    print(*sentences(collection), check_collection(collection).to_json())
    assert convert_collection(collection, tmp_path / "out").converted == 9


def test_names_beyond_ascii_are_names(tmp_path):
    collection = read_collection(lay_out(tmp_path / "Bilder – Brüste", "tcia"))
    assert_all_found(collection)
    assert not collection.index.skipped


def test_a_root_that_is_not_utf8_is_refused_in_a_sentence(tmp_path):
    root = lay_out(tmp_path / os.fsdecode(b"\xe9"), "tcia")
    with pytest.raises(DataError, match="The path of the data folder is not UTF-8") as error:
        read_collection(root)
    assert str(error.value).isascii() and "\\xe9" in str(error.value)


# 13. order of work


def test_a_root_without_tables_is_told_before_a_header_is_read(tmp_path, monkeypatch):
    lay_out(tmp_path, "tcia")
    shutil.rmtree(tmp_path / "csv")
    monkeypatch.setattr("lemons_core.dataset.sources.index.read_facts", lambda path: pytest.fail("a header was read"))
    with pytest.raises(DataError, match="No case-description CSV was found"):
        read_collection(tmp_path)


def test_rows_that_share_a_view_share_its_file(tmp_path):
    lay_out(tmp_path, "tcia")
    first = record(PATIENTS[0])
    second = record(PATIENTS[0], number=2) | {"image file path": first["image file path"]}
    write(tmp_path / "csv", [first, second])
    collection = read_collection(tmp_path)
    assert collection.count("view_file") == 2 and collection.table["view_file"].nunique() == 1
    assert not collection.duplicates
