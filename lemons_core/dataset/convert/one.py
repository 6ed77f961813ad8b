"""One picture to one PNG. It runs alone in a worker process, on this machine or another."""

import errno
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lemons_core.base.errors import DataError
from lemons_core.base.io import atomic_path
from lemons_core.dataset.sources.facts import RASTER_SUFFIXES
from lemons_core.images import read_image
from lemons_core.images.png import BAND, bands_of, encode_png
from lemons_core.images.stored import read_stored


@dataclass(frozen=True)
class Task:
    """One file to convert.

    source, target : where the picture is and where the PNG goes
    kind : crop, view or mask
    bits : 16 keeps every stored value; 8 is what a screen shows, windowed
    size : pixels of the longer side at most, or None for native resolution
    """

    source: Path
    target: Path
    kind: str
    bits: int = 16
    size: int | None = None


def convert_one(task: Task) -> dict[str, object]:
    """Convert one file. It appears under its name only when it is complete.

    Returns width, height, png_bits, spacing_mm, window_center, window_width, exact (every stored value is kept),
    sha256 (of the grey values, row by row, little endian), bytes
    Raises ImageError: the picture cannot be read
        DataError: the target cannot be written
    """
    picture = _read(task)
    digest, size = _write(task.target, picture)
    return {
        "width": picture.width,
        "height": picture.height,
        "png_bits": picture.bits,
        "spacing_mm": picture.spacing_mm,
        "window_center": picture.window and picture.window[0],
        "window_width": picture.window and picture.window[1],
        "exact": picture.exact,
        "sha256": digest,
        "bytes": size,
    }


_Window = tuple[float, float] | None


@dataclass(frozen=True)
class _Picture:
    """What goes into the PNG. bands : its rows, (h, width) uint8 or uint16 each, from top to bottom."""

    bands: Iterable[np.ndarray]
    height: int
    width: int
    bits: int
    spacing_mm: float | None
    window: _Window
    exact: bool


def _read(task: Task) -> _Picture:
    is_mask, raster = task.kind == "mask", task.source.suffix.lower() in RASTER_SUFFIXES
    if raster:
        picture = read_image(task.source)
        grey = np.rint(picture.pixels) if is_mask else picture.pixels  # gives a mask its two levels back
        deep = picture.header["bits"] == "16" and not is_mask
        return _in_memory(_scaled(grey, task.bits if deep else 8), task, picture.spacing_mm, None)
    stored = read_stored(task.source)
    spacing = stored.spacing_mm
    depth = 8 if stored.bits <= 8 else 16
    if not stored.plain or (task.bits < depth):
        grey = stored.grey()
        window = stored.window or _linear_window(stored.values, grey)
        return _in_memory(_scaled(grey, task.bits), task, spacing, window)
    if stored.inverted:  # PNG knows no MONOCHROME1: bright must be dense
        upright = (2**stored.bits - 1) - stored.values
        return _in_memory(upright, task, spacing, stored.window, exact=True)
    if task.size and max(stored.height, stored.width) > task.size:
        return _in_memory(stored.values, task, spacing, stored.window, exact=True)
    return _Picture(stored.bands(BAND), stored.height, stored.width, depth, spacing, stored.window, True)


def _in_memory(
    pixels: np.ndarray, task: Task, spacing_mm: float | None, window: _Window, *, exact: bool = False
) -> _Picture:
    height, width = pixels.shape
    if task.size and max(height, width) > task.size:
        pixels, exact = _shrunk(pixels, task.size, task.kind == "mask"), False
        spacing_mm = spacing_mm and spacing_mm * max(height, width) / task.size
    bits = 8 * pixels.dtype.itemsize
    height, width = pixels.shape
    return _Picture(bands_of(pixels), height, width, bits, spacing_mm, window, exact)


def _scaled(grey: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(grey * np.float32(2**bits - 1)).astype(f"u{bits // 8}")


def _linear_window(values: np.ndarray, grey: np.ndarray) -> _Window:
    """Centre and width, in stored values, of the straight line to grey that a file without a window is read by."""
    least, most = (np.unravel_index(at, values.shape) for at in (values.argmin(), values.argmax()))
    rise = float(grey[most]) - float(grey[least])
    if not rise:
        return None
    width = (float(values[most]) - float(values[least])) / abs(rise)
    above_black = float(grey[least]) if rise > 0 else 1 - float(grey[least])
    return float(values[least]) + (0.5 - above_black) * width, width


def _shrunk(pixels: np.ndarray, size: int, mask: bool) -> np.ndarray:
    """Averaged over area; a mask keeps its two levels."""
    height, width = pixels.shape
    scale = size / max(height, width)
    shape = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = np.asarray(Image.fromarray(pixels.astype(np.float32)).resize(shape, Image.Resampling.BOX))
    if mask:
        low, high = pixels.min(), pixels.max()
        return np.where(small > (float(low) + float(high)) / 2, high, low).astype(pixels.dtype)
    return np.rint(small).astype(pixels.dtype)


def _write(target: Path, picture: _Picture) -> tuple[str, int]:
    """Hash of the grey values and size of the file."""
    digest = hashlib.sha256()
    bands, height, width = _hashed(picture.bands, digest), picture.height, picture.width
    try:
        with atomic_path(target) as part, part.open("wb") as file:
            encode_png(file, bands, height=height, width=width, bits=picture.bits, spacing_mm=picture.spacing_mm)
            size = file.tell()
    except OSError as error:
        todo = "Free some space." if error.errno == errno.ENOSPC else "Choose a folder that you may write to."
        raise DataError(f"The PNG cannot be written: {error.strerror}", where=str(target), todo=todo) from error
    return digest.hexdigest(), size


def _hashed(bands: Iterable[np.ndarray], digest: "hashlib._Hash") -> Iterator[np.ndarray]:
    """The same bands, each hashed while it is in the processor's cache."""
    for band in bands:
        digest.update(np.ascontiguousarray(band, dtype=band.dtype.newbyteorder("<")).data)
        yield band
