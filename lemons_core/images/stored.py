"""Grey values exactly as a DICOM file stores them, for work that must not lose any."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lemons_core.base import config
from lemons_core.base.errors import ImageError
from lemons_core.images.dicom import GREY, check_header, decode
from lemons_core.images.grey import grey_from_stored
from lemons_core.images.header import (
    ELEMENTS,
    floats,
    parse_dicom,
    read_spacing,
    read_syntax,
    read_until_pixels,
    read_window,
    skip_preamble,
    text,
)
from lemons_core.images.picture import decoding


@dataclass(frozen=True, eq=False)
class Stored:
    """One grey picture, before any lookup table or window.

    height, width : pixels
    bits : how many of a value's bits are in use
    plain : whether the values are grey as they stand: unsigned, no rescaling, no modality lookup table
    inverted : MONOCHROME1, the greatest value is black
    spacing_mm : mm per pixel, or None
    window : centre and width that the file asks for, in rescaled values, or None
    """

    path: Path
    height: int
    width: int
    bits: int
    plain: bool
    inverted: bool
    spacing_mm: float | None
    window: tuple[float, float] | None
    _header: Dataset = field(repr=False)
    _pixels: "np.ndarray | _OnDisk" = field(repr=False)

    @cached_property
    def values(self) -> np.ndarray:
        """(H, W) integers as stored."""
        if isinstance(self._pixels, np.ndarray):
            return self._pixels
        return np.concatenate([band.copy() for band in self.bands(1 << 24)])

    def bands(self, size: int) -> Iterator[np.ndarray]:
        """The values from top to bottom, in bands of whole rows of about `size` bytes.

        An uncompressed file is read band by band into the same memory: use each before asking for the next.
        Raises ImageError: the file has become shorter
        """
        pixels = self._pixels
        step = max(1, size // (self.width * pixels.dtype.itemsize))
        if isinstance(pixels, np.ndarray):
            yield from (pixels[start : start + step] for start in range(0, self.height, step))
            return
        buffer = np.empty((min(step, self.height), self.width), pixels.dtype)
        with decoding("The pixel data of the DICOM file", str(self.path)), self.path.open("rb", buffering=0) as file:
            file.seek(pixels.offset)
            for start in range(0, self.height, step):
                band = buffer[: self.height - start]
                if file.readinto(band.data.cast("B")) < band.nbytes:
                    raise EOFError
                yield band

    def grey(self) -> np.ndarray:
        """(H, W) float32, 0-1, through rescaling, window and inversion, as `read_image` gives it."""
        with decoding("The pixel data of the DICOM file", str(self.path)):
            return grey_from_stored(self.values, self._header, [], [])


@dataclass(frozen=True)
class _OnDisk:
    """Where the values of an uncompressed file begin."""

    offset: int
    dtype: np.dtype


def read_stored(path: Path) -> Stored:
    """Read a DICOM file to its stored values; those of an uncompressed file stay on disk until they are used.

    Raises ImageError: as `read_image` does, or it is a colour picture
    """
    where = str(path)
    pixels: np.ndarray | _OnDisk | None
    with decoding("The DICOM file", where):
        ds, syntax, pixels = _read_native(path) or (*parse_dicom(path.read_bytes(), where, config.MAX_PIXELS), None)
        check_header(ds, where, config.MAX_PIXELS)
        spacing, _ = read_spacing(ds, [], [])
        window = read_window(ds, [])
        rescaled = [*floats(ds, "RescaleSlope"), *floats(ds, "RescaleIntercept")] not in ([], [1.0, 0.0])
    if text(ds, "PhotometricInterpretation") not in GREY:
        raise ImageError("A colour picture where a grey one is needed", where=where, todo="Export it as MONOCHROME2.")
    if pixels is None:
        with decoding("The pixel data of the DICOM file", where):
            pixels = decode(ds, syntax, where)
    return Stored(
        path,
        height=ds.Rows,
        width=ds.Columns,
        bits=ds.BitsStored,
        plain=pixels.dtype in (np.uint8, np.uint16) and not rescaled and not ds.get("ModalityLUTSequence"),
        inverted=text(ds, "PhotometricInterpretation") == "MONOCHROME1",
        spacing_mm=spacing,
        window=window and window[:2],
        _header=ds,
        _pixels=pixels,
    )


def _read_native(path: Path) -> tuple[Dataset, UID, _OnDisk] | None:
    """Header of an uncompressed film scan, and where its values begin. None for every other file."""
    with path.open("rb") as file:
        if not skip_preamble(file):
            return None
        syntax = read_syntax(file)
        if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
            return None
        ds, span = read_until_pixels(file, syntax, tags=ELEMENTS)
    bits, size = ds.get("BitsAllocated"), ds.get("Rows", 0) * ds.get("Columns", 0)
    layout = (ds.get("BitsStored"), ds.get("SamplesPerPixel", 1), ds.get("PixelRepresentation", 0))
    if bits not in (8, 16) or layout != (bits, 1, 0) or text(ds, "NumberOfFrames") not in ("", "1"):
        return None
    needed = size * bits // 8
    if not span or span.tag != Tag("PixelData") or not needed <= span.length < 1 << 31:
        return None
    if span.start + needed > path.stat().st_size:
        return None
    ds.PixelData = b""  # it is there, only not here
    return ds, syntax, _OnDisk(span.start, np.dtype(f"<u{bits // 8}"))
