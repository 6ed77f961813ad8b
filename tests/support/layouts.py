"""The same cases in the four layouts in which people hold the collection, with the faults of the real one planted.

The pictures come from a demo set. Faults that it does not carry by itself are added here, the same in every layout:
a file cut short, a series that no row names, pixels that occur twice, a mask with two areas, a view and a region that
are missing, a series description that is empty and one that is wrong. File names and their order mean nothing.
"""

import copy
import csv
import io
import random
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import ImplicitVRLittleEndian

from lemons_core.simulate.demo.dicom import make_uid

STRANGER = make_uid("a series that no row names")
INFO_COLUMNS = [  # of the mirror's dicom_info.csv
    "file_path", "image_path", "AccessionNumber", "BitsAllocated", "BitsStored", "BodyPartExamined", "Columns",
    "ContentDate", "ContentTime", "ConversionType", "HighBit", "InstanceNumber", "LargestImagePixelValue", "Laterality",
    "Modality", "PatientBirthDate", "PatientID", "PatientName", "PatientOrientation", "PatientSex",
    "PhotometricInterpretation", "PixelRepresentation", "ReferringPhysicianName", "Rows", "SOPClassUID",
    "SOPInstanceUID", "SamplesPerPixel", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber",
    "SmallestImagePixelValue", "SpecificCharacterSet", "StudyDate", "StudyID", "StudyInstanceUID", "StudyTime",
]  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """One picture with what its header says."""

    ds: pydicom.Dataset
    pixels: np.ndarray
    cut: bool = False

    @property
    def series(self) -> str:
        return str(self.ds.SeriesInstanceUID)

    @property
    def kind(self) -> str:
        word = str(self.ds.get("SeriesDescription", ""))
        return "view" if "full" in word else "mask" if self.pixels.dtype == np.uint8 else "crop"


def read_shots(demo: Path) -> list[Shot]:
    """The pictures of a demo set, with the planted faults."""
    shots = []
    for path in sorted(filter(Path.is_file, demo.rglob("*.dcm"))):  # one case folder ends in .dcm as well
        ds = pydicom.dcmread(path)
        shots.append(Shot(ds, ds.pixel_array))
    crops, masks, views = ([k for k, s in enumerate(shots) if s.kind == kind] for kind in ("crop", "mask", "view"))
    shots[crops[0]] = replace(shots[crops[0]], cut=True)
    shots[crops[1]] = replace(shots[crops[1]], pixels=shots[crops[2]].pixels)
    # An area of its own in the corner that is the farthest from the lesion.
    mask = shots[masks[3]].pixels.copy()
    row, column = np.argwhere(mask)[0]
    rows = slice(60, 260) if row > len(mask) // 2 else slice(-260, -60)
    columns = slice(60, 260) if column > mask.shape[1] // 2 else slice(-260, -60)
    mask[rows, columns] = 255
    shots[masks[3]] = replace(shots[masks[3]], pixels=mask)
    shots[crops[4]].ds.SeriesDescription = ""
    shots[crops[7]].ds.SeriesDescription = "ROI mask images"
    stranger = replace(shots[crops[5]], ds=copy.deepcopy(shots[crops[5]].ds), pixels=shots[crops[5]].pixels[::-1])
    stranger.ds.SeriesInstanceUID = STRANGER
    missing = {shots[views[1]].series, shots[crops[6]].series}
    return [shot for shot in [*shots, stranger] if shot.series not in missing]


def write_tcia(out: Path, demo: Path, shots: list[Shot]) -> None:
    """NBIA Data Retriever: a folder a case, a study and a series named for people, 1-1.dcm and 1-2.dcm."""
    root = out / "manifest-1700000000000"
    for folder, own in _by_series(shots):
        first = own[0].ds
        study = f"08-29-2017-DDSM-NA-{first.StudyInstanceUID[-5:]}"
        series = f"1.000000-{own[0].kind} images-{folder[-5:]}"
        target = root / "CBIS-DDSM" / str(first.PatientID) / study / series
        target.mkdir(parents=True)
        for shot in own:
            (target / f"1-{shot.ds.InstanceNumber}.dcm").write_bytes(_dicom(shot))
    (root / "metadata.csv").write_text("Series UID,Collection\n")
    shutil.copytree(demo / "csv", out / "csv")


def write_tcia_utils(out: Path, demo: Path, shots: list[Shot]) -> None:
    """tcia_utils: a folder a series."""
    for folder, own in _by_series(shots):
        target = out / "tciaDownload" / folder
        target.mkdir(parents=True)
        for shot in own:
            (target / f"1-{shot.ds.InstanceNumber}.dcm").write_bytes(_dicom(shot))
    shutil.copytree(demo / "csv", out / "csv")


def write_idc(out: Path, demo: Path, shots: list[Shot]) -> None:
    """idc-index: names without an order; and a copy of the tables that writes N/A."""
    chance = random.Random(0)
    for folder, own in _by_series(shots):
        first = own[0].ds
        target = out / "cbis_ddsm" / str(first.PatientID) / str(first.StudyInstanceUID) / f"MG_{folder}"
        target.mkdir(parents=True)
        for shot in own:
            (target / f"{uuid.UUID(int=chance.getrandbits(128))}.dcm").write_bytes(_dicom(shot))
    _copy_tables(demo, out, lambda text: text.replace(",NA,", ",N/A,").replace(",NA,", ",N/A,"))


def write_kaggle(out: Path, demo: Path, shots: list[Shot]) -> None:
    """JPEG mirror: 8 bit, lossy, numbered at random; series and description only in dicom_info.csv."""
    chance = random.Random(1)
    rows = []
    for folder, own in _by_series(shots):
        target = out / "jpeg" / folder
        target.mkdir(parents=True)
        for shot, number in zip(own, chance.sample(range(10, 300), len(own)), strict=True):
            (target / f"1-{number}.jpg").write_bytes(_jpeg(shot))
            row = {name: str(shot.ds.get(name, "")) for name in INFO_COLUMNS}
            row |= {
                "file_path": f"CBIS-DDSM/dicom/{folder}/1-{number}.dcm",
                "image_path": f"CBIS-DDSM/jpeg/{folder}/1-{number}.jpg",
            }
            rows.append(row)
    chance.shuffle(rows)
    _copy_tables(demo, out, lambda text: text)
    with (out / "csv" / "dicom_info.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, INFO_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (out / "csv" / "meta.csv").write_text("SeriesInstanceUID,StudyInstanceUID,Modality,SeriesDescription\n")


WRITERS: dict[str, Callable[[Path, Path, list[Shot]], None]] = {
    "tcia": write_tcia,
    "tcia_utils": write_tcia_utils,
    "idc": write_idc,
    "kaggle": write_kaggle,
}


def _by_series(shots: list[Shot]) -> Iterator[tuple[str, list[Shot]]]:
    series = dict.fromkeys(shot.series for shot in shots)
    return ((uid, [shot for shot in shots if shot.series == uid]) for uid in series)


def _dicom(shot: Shot) -> bytes:
    """Uncompressed, as the collection is."""
    ds = copy.deepcopy(shot.ds)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.Rows, ds.Columns = shot.pixels.shape
    data = np.ascontiguousarray(shot.pixels).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True, implicit_vr=True, little_endian=True)
    return buffer.getvalue()[: -len(data) // 3 if shot.cut else None]


def _jpeg(shot: Shot) -> bytes:
    grey = shot.pixels if shot.pixels.dtype == np.uint8 else (shot.pixels >> 8).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grey)).save(buffer, "JPEG", quality=85)
    data = buffer.getvalue()
    return data[: len(data) // 2] if shot.cut else data


def _copy_tables(demo: Path, out: Path, change: Callable[[str], str]) -> None:
    (out / "csv").mkdir(parents=True)
    for path in (demo / "csv").glob("*.csv"):
        (out / "csv" / path.name).write_bytes(change(path.read_bytes().decode()).encode())
