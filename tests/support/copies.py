"""A few made-up cases in every layout and state in which people hold them, from one set of pictures.

Nothing of it comes from the demo set: pictures, tables and files are written here, so that reader and writer cannot
share a mistake.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import uid

from support.dicom import compressed, dataset, encoded, file_bytes
from support.rows import record, write

PATIENTS = ("P_90001", "P_90002", "P_90003")
VIEW = (960, 640)


@dataclass(frozen=True)
class Shot:
    """One picture of a row.

    path : as the table names it: case folder, study, series, file
    """

    part: str
    path: str
    pixels: np.ndarray

    @property
    def folders(self) -> list[str]:
        return self.path.split("/")[:-1]

    @property
    def series(self) -> str:
        return self.folders[-1]

    @property
    def number(self) -> int:
        return int(Path(self.path).stem)


def rows() -> list[dict[str, str]]:
    return [record(patient) for patient in PATIENTS]


def shots() -> list[Shot]:
    """View, crop and mask of each row: film of 16 bit, a mask of the size of the view."""
    found = []
    for seed, row in enumerate(rows()):
        rng = np.random.default_rng(seed)
        view = rng.integers(2000, 60000, VIEW, np.uint16)
        mask = np.zeros(VIEW, np.uint8)
        area = slice(320 + 80 * seed, 560 + 80 * seed), slice(160, 320)
        mask[area] = 255
        for part, column, pixels in (
            ("view", "image file path", view),
            ("crop", "cropped image file path", view[area]),
            ("mask", "ROI mask file path", mask),
        ):
            found.append(Shot(part, row[column], np.ascontiguousarray(pixels)))
    return found


def dicom(shot: Shot, pixels: np.ndarray | None = None, **elements: object) -> bytes:
    ds = dataset(shot.pixels if pixels is None else pixels)
    ds.SeriesInstanceUID, ds.InstanceNumber = shot.series, str(shot.number + 1)
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return file_bytes(ds, uid.ImplicitVRLittleEndian)


def rle(shot: Shot) -> bytes:
    ds = dataset(shot.pixels)
    ds.SeriesInstanceUID = shot.series
    return compressed(ds, uid.RLELossless)


def eight_bits(shot: Shot) -> np.ndarray:
    return shot.pixels if shot.pixels.dtype == np.uint8 else (shot.pixels >> 8).astype(np.uint8)


def shrunk(pixels: np.ndarray, side: int = 32) -> np.ndarray:
    """Resized to a square, as for a network, with the two levels of a mask kept."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST))


def tables(root: Path) -> None:
    write(root / "csv", rows())


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_tcia(root: Path) -> None:
    for shot in shots():
        case, study, series = shot.folders
        folder = f"manifest-1/CBIS-DDSM/{case}/08-29-2017-NA-{study[-5:]}/1.000000-{shot.part} images-{series[-5:]}"
        put(root / folder / f"1-{shot.number + 1}.dcm", dicom(shot))


def write_series(root: Path) -> None:
    for shot in shots():
        put(root / "tciaDownload" / shot.series / f"1-{shot.number + 1}.dcm", dicom(shot))


def write_idc(root: Path) -> None:
    for number, shot in enumerate(shots()):
        case, study, series = shot.folders
        put(root / "cbis_ddsm" / case / study / f"MG_{series}" / f"{number:08x}.dcm", dicom(shot))


def write_extensionless(root: Path) -> None:
    """As an archive exports them: named by number or instance UID."""
    for number, shot in enumerate(shots()):
        put(root / "export" / (f"I000{number}", f"1.2.840.{number}", f"{number}.ima")[number % 3], dicom(shot))


def write_png(root: Path) -> None:
    """Converted in place: the tables' paths with another suffix, every value kept."""
    for shot in shots():
        put((root / "CBIS-DDSM" / shot.path).with_suffix(".png"), encoded(shot.pixels, "PNG"))


def write_tiff(root: Path) -> None:
    for shot in shots():
        put((root / "CBIS-DDSM" / shot.path).with_suffix(".tif"), encoded(shot.pixels, "TIFF"))


def write_packed(root: Path) -> None:
    for shot in shots():
        put(root / shot.path, rle(shot))


def write_jpeg(root: Path) -> list[dict[str, str]]:
    """The mirror's folders; returns the rows of its dicom_info.csv."""
    told = []
    words = {"view": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}
    for number, shot in enumerate(shots()):
        path = f"jpeg/{shot.series}/1-{200 - number}.jpg"
        put(root / path, encoded(eight_bits(shot), "JPEG", quality=90))
        told.append(
            {
                "file_path": "",
                "image_path": f"CBIS-DDSM/{path}",
                "InstanceNumber": str(shot.number + 1),
                "SeriesDescription": words[shot.part],
                "SeriesInstanceUID": shot.series,
            }
        )
    return told


def write_info(root: Path, told: list[dict[str, str]], name: str = "dicom_info.csv") -> Path:
    path = root / "csv" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(told[0]))
        writer.writeheader()
        writer.writerows(told)
    return path


LOSSLESS: dict[str, Callable[[Path], None]] = {
    "tcia": write_tcia,
    "tcia_utils": write_series,
    "idc": write_idc,
    "extensionless": write_extensionless,
    "png": write_png,
    "tiff": write_tiff,
    "packed": write_packed,
}


def lay_out(root: Path, *layouts: str) -> Path:
    """The cases in one or several layouts below one root, with their table."""
    tables(root)
    for name in layouts:
        LOSSLESS[name](root / name)
    return root


def by_part(part: str) -> Iterator[Shot]:
    return (shot for shot in shots() if shot.part == part)
