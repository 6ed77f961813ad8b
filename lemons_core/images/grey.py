"""Stored values to grey, (H, W) float32, 0-1: the DICOM grey pipeline (PS3.3 C.11), and luma of colour pictures."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from lemons_core.images.header import floats, read_window, text
from lemons_core.images.picture import COLOUR


def grey_from_stored(stored: np.ndarray, ds: Dataset, notes: list[str], warnings: list[str]) -> np.ndarray:
    """Stored values (H, W) to (H, W) float32, 0-1.

    Up to 16 bits every possible value is computed once and the picture is looked up in that table: a full mammogram
    then costs no float64 copy, and each step reads like its formula.
    """
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        values = stored.astype(np.float64)
        return _to_unit(values, np.isfinite(values), ds, notes, warnings)
    index = stored.view(f"u{stored.dtype.itemsize}")
    values = np.arange(1 << 8 * stored.dtype.itemsize, dtype=index.dtype).view(stored.dtype).astype(np.float64)
    seen = np.zeros(values.size, bool)
    for rows in _bands(len(index)):
        seen[index[rows]] = True
    table = _to_unit(values, seen, ds, notes, warnings)
    pixels = np.empty(index.shape, np.float32)
    for rows in _bands(len(index)):
        pixels[rows] = table[index[rows]]
    return pixels


def _to_unit(stored: np.ndarray, seen: np.ndarray, ds: Dataset, notes: list[str], warnings: list[str]) -> np.ndarray:
    """The grey pipeline for stored values (float64, any shape); seen marks those that occur. Returns float32, 0-1."""
    padding = _padding(stored, ds)
    if (seen & padding).any():
        notes.append("padding set to black")
    values, limits = _rescaled(stored, ds, notes)
    unit = _presented(values, limits, ds, notes, warnings, seen & ~padding)
    unit = np.clip(np.nan_to_num(unit, nan=0.0), 0, 1).astype(np.float32)
    if text(ds, "PhotometricInterpretation") == "MONOCHROME1":
        unit = 1 - unit
        notes.append("inverted: MONOCHROME1")
    if not np.isfinite(stored).all():
        padding |= ~np.isfinite(stored)
        notes.append("values that are not numbers set to black")
    unit[padding] = 0
    return unit


def _rescaled(stored: np.ndarray, ds: Dataset, notes: list[str]) -> tuple[np.ndarray, tuple[float, float]]:
    """Values after the modality LUT or rescaling, and the least and greatest that they can have."""
    bits, signed = ds.get("BitsStored", 0), _is_signed(ds)
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    slope, intercept = floats(ds, "RescaleSlope"), floats(ds, "RescaleIntercept")
    if ds.get("ModalityLUTSequence"):
        notes.append("modality lookup table applied")
        values, high = _look_up(stored, ds.ModalityLUTSequence[0], signed, ds)
        return values, (0.0, high)
    if not slope or not intercept or slope[0] == 0:
        return stored, (low, high)
    if (slope[0], intercept[0]) != (1, 0):
        notes.append(f"rescaled: slope {slope[0]:g}, intercept {intercept[0]:g}")
    ends = sorted((low * slope[0] + intercept[0], high * slope[0] + intercept[0]))
    return stored * slope[0] + intercept[0], (ends[0], ends[1])


def _presented(
    values: np.ndarray,
    limits: tuple[float, float],
    ds: Dataset,
    notes: list[str],
    warnings: list[str],
    seen: np.ndarray,
) -> np.ndarray:
    """Values through the VOI LUT or window, or scaled from `limits`; where few of these are seen, from what is seen."""
    low, high = limits
    window = read_window(ds, warnings)
    if ds.get("VOILUTSequence"):
        values, high = _look_up(values, ds.VOILUTSequence[0], _is_signed(ds) or low < 0, ds)
        notes.append("VOI lookup table applied")
        return values / high
    if window:
        notes.append(f"window {window[0]:g}/{window[1]:g} applied")
        return _windowed(values, *window)
    observed = values[seen]
    if observed.size and np.ptp(observed) > 0 and (not ds.get("BitsStored") or np.ptp(observed) < (high - low) / 8):
        low, high = float(observed.min()), float(observed.max())
        notes.append(f"scaled from the least to the greatest value ({low:g} to {high:g}): few grey levels in use")
    return (values - low) / ((high - low) or 1)


def _is_signed(ds: Dataset) -> bool:
    return ds.get("PixelRepresentation", 0) == 1


def _padding(stored: np.ndarray, ds: Dataset) -> np.ndarray:
    """Where stored values are padding outside the picture (PS3.3 C.7.5.1.1.2)."""
    first = ds.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(stored.shape, bool)
    last = ds.get("PixelPaddingRangeLimit")
    ends = np.array([first, last if isinstance(last, int) else first])
    if _is_signed(ds):  # written as unsigned more often than not
        half = 1 << (ds.BitsAllocated - 1)
        ends = (ends + half) % (2 * half) - half
    return (stored >= ends.min()) & (stored <= ends.max())


def _look_up(values: np.ndarray, item: Dataset, signed: bool, ds: Dataset) -> tuple[np.ndarray, float]:
    """Values through a modality or VOI lookup table, and the greatest value of its range (PS3.3 C.11.1.1).

    Not pydicom's own: it wraps indices at 256 for tables with 8 bit entries.
    """
    entries, first, depth = (int(number) for number in item.LUTDescriptor)
    entries = entries or 65536
    if signed and first > 32767:
        first -= 65536
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if ds.original_encoding[1] else ">"
        data = np.frombuffer(data, "u1" if len(data) < 2 * entries else f"{order}u2")
    table = np.asarray(data, np.float64)[:entries]
    if table.size < entries or not 1 <= depth <= 16:
        raise ValueError("lookup table shorter than its descriptor says")
    high = 2.0**depth - 1
    return table[np.clip(np.rint(np.nan_to_num(values)) - first, 0, entries - 1).astype(np.intp)], high


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Values to 0-1 through a window. Source: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)  # a width of 1 is a threshold
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _bands(rows: int, step: int = 256) -> Iterator[slice]:
    """Bands of rows: NumPy's index arrays cost 8 bytes a pixel, so they are made for one band at a time."""
    return (slice(start, start + step) for start in range(0, rows, step))


def grey_from_rgb(rgb: np.ndarray, high: float, notes: list[str], warnings: list[str]) -> np.ndarray:
    """Luma of a colour picture, (H, W, 3) with values 0-high to (H, W) float32 0-1. Source: ITU-R BT.601."""
    step = max(1, min(rgb.shape[:2]) // 256)
    sample = rgb[::step, ::step]
    # Grey scans saved as colour JPEG stray by a grey level or two.
    colourful = float(np.mean(sample.max(axis=2) - sample.min(axis=2))) > 0.015 * high
    notes.append("colour converted to grey" if colourful else "grey picture stored as colour, converted to grey")
    if colourful:
        warnings.append(COLOUR)
    grey = np.zeros(rgb.shape[:2], np.float32)
    for channel, weight in enumerate((0.299, 0.587, 0.114)):
        grey += rgb[..., channel] * np.float32(weight / high)
    return np.minimum(grey, 1, out=grey)
