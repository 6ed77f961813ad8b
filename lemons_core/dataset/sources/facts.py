"""What one image file says of itself, from its header and one block of its pixels."""

import os
import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lemons_core.base import config
from lemons_core.images.header import ENDLESS, PixelSpan, inflate, read_syntax, read_until_pixels, skip_preamble, text
from lemons_core.images.picture import DECODER_ERRORS

DICOM_SUFFIXES = (".dcm", ".dicom")
JPEG_SUFFIXES = (".jpg", ".jpeg")

TWO, MORE = "two", "more"  # grey levels

# Names, identifiers of persons and dates are not parsed, so that the index cannot hold them.
_KEYWORDS = (
    "SeriesInstanceUID", "SeriesDescription", "InstanceNumber", "SamplesPerPixel", "Rows", "Columns", "BitsAllocated",
)  # fmt: skip
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in _KEYWORDS]
_BLOCK = 1 << 16  # bytes from the middle of the pixels: one seek, about thirty rows of a crop
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Facts:
    """One image file.

    series : SeriesInstanceUID, None in a JPEG, which has none
    rows, columns, bits : size in pixels and bits a sample; 0 when not known
    instance : InstanceNumber, or None
    described : `crop`, `mask`, `view` as SeriesDescription says, or None; it is not to be relied on
    levels : TWO or MORE grey levels in the pixels; None when one block of them does not decide
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
    """Read the facts of one DICOM or JPEG file; what is wrong with it is in `fault`, never raised."""
    try:
        with path.open("rb") as file:
            return _read_jpeg(file) if path.suffix.lower() in JPEG_SUFFIXES else _read_dicom(file)
    except DECODER_ERRORS as error:
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
    if not skip_preamble(file):
        return Facts(fault="not a DICOM file")
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
        series,
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
    if rows * columns > config.MAX_PIXELS:
        return Facts(rows=rows, columns=columns, bits=8, fault="too many pixels for one picture")
    image.draft("L", (max(columns // 8, 1), max(rows // 8, 1)))
    try:
        image.load()
    except DECODER_ERRORS:
        return Facts(rows=rows, columns=columns, bits=8, fault="cut short")
    small = np.asarray(image.convert("L"))
    sample = blake2b(small.tobytes(), digest_size=12).hexdigest()
    return Facts(rows=rows, columns=columns, bits=8, levels=grey_levels(small, lossy=True), sample=sample)


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
