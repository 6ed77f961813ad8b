"""What one image file says of itself, from its header and one block of its pixels."""

import os
import re
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from lemons_core.base import config

DICOM_SUFFIXES = (".dcm", ".dicom")
JPEG_SUFFIXES = (".jpg", ".jpeg")

TWO, MORE = "two", "more"  # grey levels

# Names, identifiers of persons and dates are not parsed, so that the index cannot hold them.
_KEYWORDS = (
    "SeriesInstanceUID", "SeriesDescription", "InstanceNumber", "SamplesPerPixel", "Rows", "Columns", "BitsAllocated",
)  # fmt: skip
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in _KEYWORDS]
_META: list[BaseTag | int] = [Tag("TransferSyntaxUID")]
_PIXEL_TAGS = {int(Tag("PixelData")), int(Tag("FloatPixelData")), int(Tag("DoubleFloatPixelData"))}
_ENDLESS = 0xFFFFFFFF  # the length of compressed pixels
_BLOCK = 1 << 16  # bytes from the middle of the pixels: one seek, about thirty rows of a crop
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_DAMAGED = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    InvalidDicomError, BytesLengthException, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """One image file.

    series : SeriesInstanceUID, None in a JPEG, which cannot tell
    rows, columns, bits : size in pixels and bits a sample; 0 when not known
    instance : InstanceNumber, or None
    described : `crop`, `mask`, `view` as SeriesDescription says, or None; it is not to be relied on
    levels : TWO or MORE grey levels in the pixels; None when one block of them cannot tell
    sample : hash of that block; pictures with the same pixels have the same
    fault : why the file cannot be used, or None
    """

    series: str | None = None
    rows: int = 0
    columns: int = 0
    bits: int = 0
    instance: int | None = None
    described: str | None = None
    levels: str | None = None
    sample: str | None = None
    fault: str | None = None


def read_facts(path: Path) -> Facts:
    """Read the facts of one DICOM or JPEG file; what is wrong with it is told in `fault`, never raised."""
    try:
        with path.open("rb") as file:
            return _read_jpeg(file) if path.suffix.lower() in JPEG_SUFFIXES else _read_dicom(file)
    except _DAMAGED as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a readable picture"
        return Facts(fault=reason.lower())


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
    if file.read(132)[128:] != b"DICM":
        return Facts(fault="not a DICOM file")
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2, specific_tags=_META)
    syntax = str(meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    source, size = file, os.fstat(file.fileno()).st_size
    if syntax == DeflatedExplicitVRLittleEndian:
        body = _inflate(file.read())
        source, size = BytesIO(body), len(body)
    implicit = syntax == ImplicitVRLittleEndian
    at: list[int] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if int(tag) in _PIXEL_TAGS:
            at[:] = [source.tell(), length]
        return bool(at)

    ds = read_dataset(source, implicit, syntax != ExplicitVRBigEndian, stop_when=at_pixels, specific_tags=_TAGS)
    series = _text(ds, "SeriesInstanceUID")
    rows, columns = _number(ds, "Rows") or 0, _number(ds, "Columns") or 0
    bits = _number(ds, "BitsAllocated") or 0
    instance, described = _number(ds, "InstanceNumber"), described_as(_text(ds, "SeriesDescription"))
    levels = sample = fault = None
    if not _UID.fullmatch(series) or len(series) > 64:
        return Facts(fault="the header names no series")
    if not (rows and columns and at):
        fault = "the header is there, the pixels are not"
    else:
        start, length = at
        raw = length != _ENDLESS
        samples = rows * columns * (_number(ds, "SamplesPerPixel") or 1)
        length = -(-samples * bits // 8) if raw else size - start
        if start + length > size:
            fault = "cut short"
        else:
            levels, sample = _look(source, start, length, bits if raw else 0, whole=source is not file)
    return Facts(series, rows, columns, bits, instance, described, levels, sample, fault)


def _look(source: BinaryIO, start: int, length: int, bits: int, *, whole: bool) -> tuple[str | None, str]:
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
    if rows * columns > config.MAX_PIXELS:
        return Facts(rows=rows, columns=columns, bits=8, fault="too many pixels for one picture")
    image.draft("L", (max(columns // 8, 1), max(rows // 8, 1)))
    try:
        image.load()
    except _DAMAGED:
        return Facts(rows=rows, columns=columns, bits=8, fault="cut short")
    small = np.asarray(image.convert("L"))
    sample = blake2b(small.tobytes(), digest_size=12).hexdigest()
    return Facts(rows=rows, columns=columns, bits=8, levels=grey_levels(small, lossy=True), sample=sample)


def _inflate(body: bytes) -> bytes:
    limit = 4 * config.MAX_PIXELS + (1 << 24)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return inflater.decompress(body, limit)


def _text(ds: Dataset, keyword: str) -> str:
    """Text as stored, without pydicom's conversion, which warns of every odd value."""
    value = ds.get_item(keyword).value if keyword in ds else None
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value or "")


def _number(ds: Dataset, keyword: str) -> int | None:
    item = ds.get_item(keyword) if keyword in ds else None
    value = getattr(item, "value", None)
    if isinstance(value, bytes):
        if getattr(item, "VR", None) == "IS" or keyword == "InstanceNumber":
            text = value.decode("ascii", "replace").strip(" \0")
            return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
        little = getattr(item, "is_little_endian", True)
        return int.from_bytes(value[:2], "little" if little else "big")
    return value if isinstance(value, int) else None
