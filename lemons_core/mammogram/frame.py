"""What lies along the borders of a scan and is no film."""

import numpy as np
from scipy import ndimage


def film_frame(small: np.ndarray) -> np.ndarray:
    """(h, w) bool: what lies along the borders and is no film: padding, and strips where the digitiser saw its lamp.

    Whole lines are taken from each side while they are black, or bright and even; then thin bright strips that are
    askew or end within a side.
    """
    height, width = small.shape
    top, bottom, left, right = 0, height, 0, width
    lamp = [0, 0, 0, 0]
    while bottom - top > 8 and right - left > 8:
        film = small[top:bottom, left:right]
        kinds = [_outside(line) for line in (film[0], film[-1], film[:, 0], film[:, -1])]
        lamp = [lines + (kind == "lamp") for lines, kind in zip(lamp, kinds, strict=True)]
        taken = [
            kind == "black" or (kind == "lamp" and lines < size / 6)
            for kind, lines, size in zip(kinds, lamp, (height, height, width, width), strict=True)
        ]
        if not any(taken):
            break
        top, bottom, left, right = top + taken[0], bottom - taken[1], left + taken[2], right - taken[3]
    frame = np.ones(small.shape, bool)
    frame[top:bottom, left:right] = False
    film = small[top:bottom, left:right]
    for turn in range(4):
        _take_strip(np.rot90(film, turn), np.rot90(frame[top:bottom, left:right], turn))
    return ndimage.binary_dilation(frame)  # the next cell may be half film, half border


def _outside(line: np.ndarray) -> str:
    """What a line along the border shows: "black" padding, the "lamp", or "" for film."""
    if line.max() < 0.04:
        return "black"
    low, middle, high = np.percentile(line, (10, 50, 90))
    return "lamp" if middle > 0.6 and high - low < 0.03 else ""


def _take_strip(film: np.ndarray, frame: np.ndarray, most: int = 8) -> None:
    """Mark in `frame`, in place, a bright strip at most 8 cells thin along the upper border."""
    if len(film) <= most + 2:
        return
    bright = film[: most + 1] > max(0.6, 0.8 * film.max())
    depth = np.where(bright.all(axis=0), most + 1, np.argmin(bright, axis=0))
    below = film[np.minimum(depth + 1, most + 2), np.arange(film.shape[1])]
    strip = (depth > 0) & (depth <= most) & (below < 0.75 * film[0])
    if strip.mean() > 0.2:
        frame[: most + 2] |= strip & (np.arange(most + 2)[:, None] <= depth)
