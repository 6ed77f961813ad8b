"""The value that every picture becomes, and what the readers share: size limits, grey from colour, named errors."""

import logging
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image
from pydicom.errors import BytesLengthException

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import Laterality, View

MIN_SIDE = 16
NO_SPACING = "No pixel spacing is known: sizes in millimetres cannot be given."
COLOUR = "A colour picture: a mammogram is grey."
TURNED = "turned as the EXIF orientation asks"
LOSSY = "Lossy compression: fine calcifications may be altered."


@dataclass(frozen=True, eq=False, kw_only=True)
class FileFacts:
    """What is known of a picture beside its pixels.

    spacing_mm : mm per pixel at the detector or film, None when unknown
    spacing_source : the DICOM element or file field it comes from, "unknown" without one
    laterality, view : as the file says, None when it does not
    format : what the file is, for display, such as "DICOM (JPEG 2000)" or "PNG 16 bit"
    header : harmless facts for display, from a fixed list; never names, identifiers, dates or free text
    notes : what was done on reading
    warnings : what a reader of the picture must know
    """

    spacing_mm: float | None
    spacing_source: str
    laterality: Laterality | None
    view: View | None
    format: str
    header: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(FileFacts):
    """A mammogram or a crop of one, ready for display and for a model.

    pixels : (H, W) float32, 0-1, read-only, bright = dense
    """

    pixels: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels, dtype=np.float32).view()
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "header", MappingProxyType(dict(self.header)))

    def __reduce__(self) -> tuple[object, ...]:
        # Caches and worker processes pickle: neither a mapping proxy nor a read-only flag survives that by itself.
        return partial(Picture, **vars(self) | {"header": dict(self.header)}), ()


def check_size(width: int, height: int, frames: int, where: str, max_pixels: int) -> None:
    """Refuse, before anything is decoded, what cannot be one mammogram.

    Raises ImageError: zero size, several frames, more than max_pixels, or a side under 16 pixels
    """
    if width <= 0 or height <= 0:
        what, todo = "The picture has zero size", "Export it again."
    elif frames > 1:
        what = f"The file holds more than one frame ({frames:,})"
        todo = "Tomosynthesis and page stacks are not read: export one 2D view."
    elif width * height > max_pixels:
        what = f"The picture has too many pixels: {width:,} x {height:,}, the limit is {max_pixels:,}"
        todo = "Crop it or scale it down."
    elif min(width, height) < MIN_SIDE:
        what = f"The picture is too small to be a mammogram or a crop: {width} x {height} pixels"
        todo = f"Give one with at least {MIN_SIDE} pixels a side."
    else:
        return
    raise ImageError(what, where=where, todo=todo)


def build_picture(pixels: np.ndarray, notes: list[str], warnings: list[str], **facts: Any) -> Picture:
    """A picture, with the warnings that no format spares it; `facts` are the other fields of FileFacts."""
    if facts["spacing_mm"] is None:
        warnings.append(NO_SPACING)
    if pixels.min() == pixels.max():
        warnings.append("All pixels have the same value: nothing can be seen.")
    return Picture(pixels=pixels, notes=tuple(notes), warnings=tuple(warnings), **facts)


# What pydicom, its decoders and Pillow raise for damaged files, by name, so that an error of our own kind or an
# interrupt is never taken for one. Only calls into those libraries belong inside `decoding`.
DECODER_ERRORS = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    AssertionError, subprocess.SubprocessError, struct.error, zlib.error, BytesLengthException,
    Image.DecompressionBombError,
)  # fmt: skip

_reading: ContextVar[bool] = ContextVar("lemons_reading", default=False)


def _not_ours(record: logging.LogRecord) -> bool:
    return not _reading.get()


# pydicom logs the full traceback of every decoder that gives up, and element values that break a rule. While we read,
# and only in the thread that reads, these are dropped: the ImageError says what a user needs.
for _logger in ("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils"):
    logging.getLogger(_logger).addFilter(_not_ours)


@contextmanager
def decoding(what: str, where: str) -> Iterator[None]:
    """Turn what the decoding libraries raise into one ImageError, and keep their log records to ourselves."""
    token = _reading.set(True)
    try:
        yield
    except DECODER_ERRORS as error:
        todo = "Copy or download it again, or open it in a viewer to see whether it is whole."
        raise ImageError(f"{what} is damaged or cut short", where=where, todo=todo) from error
    except MemoryError as error:
        raise ImageError("The picture does not fit in memory", where=where, todo="Crop or scale it.") from error
    finally:
        _reading.reset(token)
