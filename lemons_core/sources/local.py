"""Index of the DICOM files below a root folder, from their headers alone."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

_TAGS = ["SeriesInstanceUID", "Rows", "Columns"]
_READERS = 8  # reading headers waits for the disk, not for the processor


@dataclass(frozen=True)
class ImageFile:
    """One DICOM file: where it lies, the series it belongs to, its size in pixels."""

    path: Path
    series: str
    rows: int
    columns: int


def index_images(root: Path, progress: Callable[[float, str], None] | None = None) -> dict[str, list[ImageFile]]:
    """Files by SeriesInstanceUID, each list in order of path; a file that is no DICOM image is left out.

    Folder names and file order are not looked at: in the collection as distributed, both are wrong for some cases.
    """
    paths = sorted(_dicom_paths(root))
    index: dict[str, list[ImageFile]] = {}
    with ThreadPoolExecutor(_READERS) as pool:
        for number, found in enumerate(pool.map(_read_header, paths), start=1):
            if found:
                index.setdefault(found.series, []).append(found)
            if progress and (number % 200 == 0 or number == len(paths)):
                progress(number / len(paths), f"{number:,} of {len(paths):,} image headers read")
    return index


def _dicom_paths(root: Path) -> Iterator[Path]:
    # os.walk does not follow links to folders, so the search stays below the root.
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names if name.lower().endswith(".dcm"))


def _read_header(path: Path) -> ImageFile | None:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return ImageFile(path, str(header.SeriesInstanceUID), int(header.Rows), int(header.Columns))
    except (InvalidDicomError, OSError, AttributeError, ValueError, TypeError, EOFError):
        return None  # not an image or damaged; the row simply has no picture
