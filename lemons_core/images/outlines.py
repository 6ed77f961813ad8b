"""The edges of masks as paths that a browser draws sharp at any zoom, and what of a mask lies in a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lemons_core.images import read_image


@dataclass(frozen=True)
class Outline:
    """The edge of a mask.

    path : SVG path in the mask's own pixels
    box : left, top, right, bottom in pixels; None for an empty mask
    size : width and height of the mask
    """

    path: str
    box: tuple[int, int, int, int] | None
    size: tuple[int, int]


def outline_of(inside: np.ndarray) -> Outline:
    """The edge between the pixels (H, W) bool that are inside and those that are not, along the pixels' sides."""
    size = (inside.shape[1], inside.shape[0])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return Outline("", None, size)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    padded = np.pad(inside[top:bottom, left:right], 1).astype(np.int8)
    flat = _runs(np.diff(padded, axis=0)[:, 1:-1])  # a side lies between two rows of pixels
    upright = _runs(np.diff(padded, axis=1)[1:-1].T)
    parts = [f"M{left + start} {top + line}h{length}" for line, start, length in flat]
    parts += [f"M{left + line} {top + start}v{length}" for line, start, length in upright]
    return Outline("".join(parts), (left, top, right, bottom), size)


def _runs(sides: np.ndarray) -> list[tuple[int, int, int]]:
    """Line, start and length of each run of sides in the lines of an array."""
    ends = np.diff(np.pad(sides != 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, start = np.nonzero(ends == 1)
    stop = np.nonzero(ends == -1)[1]
    return list(zip(line.tolist(), start.tolist(), (stop - start).tolist(), strict=True))


def mask_within(files: Sequence[Path], shape: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray | None:
    """What lies inside any of the masks of a view, in a window of it: (h, w) bool; None without a mask that fits.

    files : masks of the view
    shape : (H, W) of the view
    box : row, col, height, width of the window, in pixels of the view
    Raises ImageError: a mask cannot be read
    """
    row, col, height, width = box
    inside = np.zeros((height, width), bool)
    for file in files:
        mask = read_image(file).pixels
        if mask.shape != shape:  # known faults of the collection: such a mask tells no place in the view
            return None
        inside |= mask[row : row + height, col : col + width] > 0.5
    return inside if files else None
