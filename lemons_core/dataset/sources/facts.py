"""What one image file says of itself, from its header and one block of its pixels."""

import os
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from lemons_core.base import config
from lemons_core.images.header import ENDLESS, PixelSpan, inflate, read_syntax, read_until_pixels, skip_preamble, text
from lemons_core.images.picture import DECODER_ERRORS

DICOM_SUFFIXES = (".dcm", ".dicom")
JPEG_SUFFIXES = (".jpg", ".jpeg")
PNG_SUFFIXES = (".png",)
TIFF_SUFFIXES = (".tif", ".tiff")
SERIES_FOLDER_SUFFIXES = PNG_SUFFIXES + TIFF_SUFFIXES  # of use only in a folder that names their series
RASTER_SUFFIXES = JPEG_SUFFIXES + SERIES_FOLDER_SUFFIXES  # what is read by read_image and not by read_stored

TWO, MORE = "two", "more"  # grey levels

# Names, identifiers of persons and dates are not parsed, so that the index cannot hold them.
_KEYWORDS = (
    "SeriesInstanceUID", "SeriesDescription", "InstanceNumber", "SamplesPerPixel", "Rows", "Columns", "BitsAllocated",
    "LossyImageCompression",
)  # fmt: skip
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in _KEYWORDS]
_BLOCK = 1 << 16  # bytes from the middle of the pixels: one seek, about thirty rows of a crop
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000)
_IMAGE_DATA = ((273, 279), (324, 325))  # TIFF tags: where strips or tiles begin, and their bytes


class FileFormat(StrEnum):
    """What a file is, as its first bytes say."""

    DICOM = "DICOM"
    JPEG = "JPEG"
    PNG = "PNG"
    TIFF = "TIFF"
    OTHER = "no picture"  # without a suffix that promises one


_BEGINNINGS = {
    b"\xff\xd8\xff": FileFormat.JPEG,
    b"\x89PNG\r\n\x1a\n": FileFormat.PNG,
    b"II": FileFormat.TIFF,
    b"MM": FileFormat.TIFF,
}
_PROMISED = {
    **dict.fromkeys(DICOM_SUFFIXES, FileFormat.DICOM),
    **dict.fromkeys(JPEG_SUFFIXES, FileFormat.JPEG),
    **dict.fromkeys(PNG_SUFFIXES, FileFormat.PNG),
    **dict.fromkeys(TIFF_SUFFIXES, FileFormat.TIFF),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One image file.

    format : what it is
    series : SeriesInstanceUID, None in all but DICOM, where no header names it
    rows, columns, bits : size in pixels and bits a sample; 0 when not known
    lossy : its compression has changed the pixels
    instance : InstanceNumber, or None
    described : `crop`, `mask`, `view` as SeriesDescription says, or None; it is not to be relied on
    levels : TWO or MORE grey levels in the pixels; None when one block of them does not decide
    sample : hash of that block; pictures with the same pixels in the same encoding have the same
    fault : why the file cannot be used, or None
    passing : the fault is not one of the content, and may be gone the next time
    """

    format: FileFormat = FileFormat.DICOM
    series: str | None = None
    rows: int = 0
    columns: int = 0
    bits: int = 0
    lossy: bool = False
    instance: int | None = None
    described: str | None = None
    levels: str | None = None
    sample: str | None = None
    fault: str | None = None
    passing: bool = False


def read_facts(path: Path) -> Facts:
    """Read the facts of one file, known by its content; what is wrong with it is in `fault`, never raised."""
    promised = _PROMISED.get(path.suffix.lower(), FileFormat.OTHER)
    try:
        with path.open("rb") as file:
            head = file.read(132)
            file.seek(0)
            if head[128:] == b"DICM":
                promised = FileFormat.DICOM
                return _read_dicom(file)
            if promised == FileFormat.OTHER:
                return Facts(promised, fault="no picture")
            if promised == FileFormat.DICOM:
                return Facts(fault="not a DICOM file")
            found = next((kind for mark, kind in _BEGINNINGS.items() if head.startswith(mark)), promised)
            return _RASTERS[found](file)
    except DECODER_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a readable picture"
        return Facts(promised, fault=reason.lower(), passing=is_passing(error))


def is_passing(error: BaseException | None) -> bool:
    """Whether an error lies in the system (rights, network, memory) and not in what the file holds."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            return True
        error = error.__cause__
    return False


def described_as(description: object) -> str | None:
    """`crop`, `mask` or `view` for a SeriesDescription of the collection, None for any other text."""
    known = {"cropped images": "crop", "roi mask images": "mask", "full mammogram images": "view"}
    return known.get(str(description).strip(" \0").lower())


def grey_levels(pixels: np.ndarray, *, lossy: bool = False) -> str:
    """TWO or MORE grey levels.

    Lossy compression puts rings around the edge of a mask: there nearly all pixels, not all, must be close to the
    darkest or the brightest. On film nearly all are in between.
    """
    low, high = pixels.min(), pixels.max()
    if not lossy:
        return TWO if ((pixels == low) | (pixels == high)).all() else MORE
    near = (float(high) - float(low)) * 0.12
    return TWO if np.mean((pixels <= low + near) | (pixels >= high - near)) > 0.985 else MORE


def _read_dicom(file: BinaryIO) -> Facts:
    skip_preamble(file)
    syntax = read_syntax(file)
    source, size = file, os.fstat(file.fileno()).st_size
    if syntax == DeflatedExplicitVRLittleEndian:
        body, _ = inflate(file.read(), max_pixels=config.MAX_PIXELS)
        source, size = BytesIO(body), len(body)
    ds, span = read_until_pixels(source, syntax, tags=_TAGS)
    series = text(ds, "SeriesInstanceUID")
    if not _UID.fullmatch(series) or len(series) > 64:
        return Facts(fault="the header names no series")
    facts = Facts(
        series=series,
        lossy=syntax in _LOSSY or text(ds, "LossyImageCompression") == "01",
        rows=_number(ds, "Rows") or 0,
        columns=_number(ds, "Columns") or 0,
        bits=_number(ds, "BitsAllocated") or 0,
        instance=_number(ds, "InstanceNumber"),
        described=described_as(text(ds, "SeriesDescription")),
    )
    if not (facts.rows and facts.columns and span):
        return replace(facts, fault="the header is there, the pixels are not")
    samples = facts.rows * facts.columns * (_number(ds, "SamplesPerPixel") or 1)
    return _with_pixels(facts, source, span, samples=samples, size=size)


def _with_pixels(facts: Facts, source: BinaryIO, span: PixelSpan, *, samples: int, size: int) -> Facts:
    """The facts with those of the pixels, `samples` values at `span` of a source of `size` bytes."""
    if span.length == ENDLESS:
        bits, length = 0, size - span.start  # compressed: nothing is known of a single pixel
    else:
        bits, length = facts.bits, -(-samples * facts.bits // 8)
    if span.start + length > size:
        return replace(facts, fault="cut short")
    levels, sample = _sample(source, span.start, length, bits, whole=isinstance(source, BytesIO))
    return replace(facts, levels=levels, sample=sample)


def _sample(source: BinaryIO, start: int, length: int, bits: int, *, whole: bool) -> tuple[str | None, str]:
    """Grey levels and hash of the block in the middle; `whole` when all pixels are in memory anyway."""
    block = min(_BLOCK, length)
    source.seek(start + (length - block) // 2 // 2 * 2)
    middle = source.read(block)
    sample = blake2b(middle, digest_size=12).hexdigest()
    if bits not in (8, 16):
        return None, sample
    levels = grey_levels(np.frombuffer(middle[: block // 2 * 2], f"u{bits // 8}"))
    if levels == TWO and block < length:
        if not whole:
            return None, sample
        source.seek(start)
        levels = grey_levels(np.frombuffer(source.read(length // 2 * 2), f"u{bits // 8}"))
    return levels, sample


def _read_jpeg(file: BinaryIO) -> Facts:
    """Decoded at an eighth of its size, which a JPEG allows without reading all of it in detail."""
    image = JpegImageFile(file)
    columns, rows = image.size
    facts = Facts(FileFormat.JPEG, rows=rows, columns=columns, bits=8, lossy=True)
    if rows * columns > config.MAX_PIXELS:
        return replace(facts, fault="too many pixels for one picture")
    image.draft("L", (max(columns // 8, 1), max(rows // 8, 1)))
    try:
        image.load()
    except DECODER_ERRORS as error:
        return replace(facts, fault="cut short", passing=is_passing(error))
    small = np.asarray(image.convert("L"))
    sample = blake2b(small.tobytes(), digest_size=12).hexdigest()
    return replace(facts, levels=grey_levels(small, lossy=True), sample=sample)


def _read_png(file: BinaryIO) -> Facts:
    """The header and the end; grey levels would cost a decoding."""
    head, size = file.read(33), os.fstat(file.fileno()).st_size
    if head[12:16] != b"IHDR":
        return Facts(FileFormat.PNG, fault="not a readable picture")
    columns, rows = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    facts = Facts(FileFormat.PNG, rows=rows, columns=columns, bits=head[24])
    file.seek(max(size - 1024, 0))
    if b"IEND" not in file.read():
        return replace(facts, fault="cut short")
    return _with_block(facts, file, size)


def _read_tiff(file: BinaryIO) -> Facts:
    image = TiffImageFile(file)
    columns, rows = image.size
    tags = image.tag_v2
    bits, lossy = int(tags.get(258, (1,))[0]), "jpeg" in str(image.info.get("compression", ""))
    facts = Facts(FileFormat.TIFF, rows=rows, columns=columns, bits=bits, lossy=lossy)
    size = os.fstat(file.fileno()).st_size
    for begin, length in _IMAGE_DATA:
        if any(sum(span) > size for span in zip(tags.get(begin, ()), tags.get(length, ()), strict=False)):
            return replace(facts, fault="cut short")
    return _with_block(facts, file, size)


def _with_block(facts: Facts, file: BinaryIO, size: int) -> Facts:
    """The facts of a lossless picture with the hash of its middle, packed as it is."""
    if facts.rows * facts.columns > config.MAX_PIXELS:
        return replace(facts, fault="too many pixels for one picture")
    _, sample = _sample(file, 0, size, 0, whole=False)
    return replace(facts, sample=sample)


_RASTERS = {FileFormat.JPEG: _read_jpeg, FileFormat.PNG: _read_png, FileFormat.TIFF: _read_tiff}


def _number(ds: Dataset, keyword: str) -> int | None:
    """A whole number as stored, without pydicom's conversion, which warns of every odd value."""
    item = ds.get_item(keyword) if keyword in ds else None
    value = getattr(item, "value", None)
    if not isinstance(value, bytes):
        return value if isinstance(value, int) else None
    if getattr(item, "VR", None) == "IS" or keyword == "InstanceNumber":
        digits = text(ds, keyword)
        return int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else None
    return int.from_bytes(value[:2], "little" if getattr(item, "is_little_endian", True) else "big")
