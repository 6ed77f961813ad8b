"""Where the breast lies in a mammogram: without background, labels, tape and film borders.

A whole view is about 24 cm high, so everything here happens on a copy of 256 cells along the longer side: about
1 mm each, whatever the pixel spacing.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from lemons_core.mammogram.frame import film_frame
from lemons_core.mammogram.muscle import find_muscle

CELLS = 256
# Film measures 18 x 24 cm; a picture shorter than this along its longer side is a part of a view.
VIEW_MM = 130.0


@dataclass(frozen=True, eq=False)
class Breast:
    """Where the breast lies in one picture.

    coarse : (h, w) bool, about 256 cells along the longer side, True on breast, muscle included
    muscle : (h, w) bool, the pectoral muscle, None when none could be told
    shape : (H, W) of the picture
    side : "L" or "R", the side of the picture on which the breast is cut by the chest wall (a left breast, as readers
        hang it, has it on the left); None when it cannot be told
    outlined : True when there is background beside the breast; False when tissue fills the picture, as in most crops
    """

    coarse: np.ndarray
    muscle: np.ndarray | None
    shape: tuple[int, int]
    side: str | None
    outlined: bool

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) bool at full size: breast and muscle."""
        return enlarge(self.coarse, self.shape)

    def tissue(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """Breast without muscle, bool, at the size of the picture or at any other."""
        coarse = self.coarse if self.muscle is None else self.coarse & ~self.muscle
        return enlarge(coarse, shape or self.shape)


def find_breast(pixels: np.ndarray, *, spacing_mm: float | None = None) -> Breast:
    """Find the breast in a whole view or in a part of one, on film or digital.

    pixels : (H, W) float32, 0-1, bright is dense
    spacing_mm : mm per pixel; with it, no muscle is sought in a picture too small to be a whole view
    """
    small = shrink(pixels)
    small = small / max(float(small.max()), 1e-6)  # 12 bits stored in 16 make a dark picture
    frame = film_frame(small)
    whole = spacing_mm is None or max(pixels.shape) * spacing_mm >= VIEW_MM
    for darkest in (0.6, 0.12) if whole else (0.12,):
        dark = background(small, frame, darkest)
        if dark is None:
            continue
        mask = _largest(~dark & ~frame)
        side = _side(mask)
        # In a part of a view, fat beside a large calcification is even and dark as well, but not as dark as air.
        if side or darkest == 0.12:
            mask = _close_wall(mask, side)
            muscle = find_muscle(small, mask, side) if side and whole else None
            return Breast(mask, muscle, pixels.shape, side, outlined=True)
    return Breast(~frame, None, pixels.shape, None, outlined=False)


def shrink(pixels: np.ndarray, cells: int = CELLS) -> np.ndarray:
    """(H, W) to (h, w) float32 by the mean of square blocks, at most `cells` along the longer side."""
    step = -(-max(pixels.shape) // cells)
    if step == 1:
        return pixels
    rows, cols = (np.arange(0, n, step) for n in pixels.shape)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0), cols, axis=1)
    heights, widths = np.diff(rows, append=pixels.shape[0]), np.diff(cols, append=pixels.shape[1])
    return (sums / (heights[:, None] * widths)).astype(np.float32)


def enlarge(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) to any larger shape by the nearest cell."""
    rows, cols = (np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(shape, coarse.shape, strict=True))
    return coarse[rows][:, cols]


def background(small: np.ndarray, frame: np.ndarray, darkest: float) -> np.ndarray | None:
    """(h, w) bool: film or air beside the breast; None when tissue fills the picture.

    Background is dark and even, the breast neither: the two are parted where the logarithm of grey falls into two
    classes best, and then the limit is moved down to where the dark class ends, so that the thin rim of the breast
    stays inside.
    """
    values = small[~frame]
    if values.size == 0 or np.ptp(values) < 0.02:
        return None
    floor = np.percentile(values, 1)
    if values.max() - floor < 0.02:  # one grey and a few specks of a darker one, as in the negative of a mask
        return None
    limit = float(np.exp(otsu(np.log(np.maximum(values - floor, 0) + 0.05))) - 0.05 + floor)
    dark, bright = values[values < limit], values[values >= limit]
    if min(dark.size, bright.size) < 0.03 * values.size:
        return None
    low, middle, high = np.percentile(dark, (25, 50, 75))
    gap = np.median(bright) - middle
    evenness = (high - low) / gap  # a class of tissue spreads over half the gap and more
    if middle > darkest * np.median(bright) or evenness > (0.3 if middle < 0.5 * np.median(bright) else 0.12):
        return None
    edge = min(middle + max(2 * (high - low), 0.08 * gap, 0.01), limit)
    return (ndimage.median_filter(small, 3) < edge) & ~frame


def otsu(values: np.ndarray, bins: int = 128) -> float:
    """The limit that parts values into two classes with the greatest variance between them. Source: Otsu 1979."""
    counts, edges = np.histogram(values, bins)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    total, mass = counts.sum(), np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * below / total - mass[:-1]) ** 2 / (below * (total - below))
    return float(edges[1 + int(np.nanargmax(between))])


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest parts of a mask, cut free of what hangs on by a thread, with their holes filled."""
    radius = max(2, max(mask.shape) // 64)
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    # Beyond the picture the breast goes on: an opening must not round its corners at the chest wall.
    wide = np.pad(mask, radius, mode="edge")
    opened = ndimage.binary_opening(wide, disc)[radius:-radius, radius:-radius]
    parts, count = ndimage.label(opened)
    if not count:
        return mask
    sizes = ndimage.sum_labels(opened, parts, range(1, count + 1))
    return ndimage.binary_fill_holes(np.isin(parts, 1 + np.flatnonzero(sizes >= 0.4 * sizes.max())))


def _side(mask: np.ndarray) -> str | None:
    """The side on which the mask ends in a long straight cut."""
    rows, cols = np.nonzero(mask)
    if not rows.size:
        return None
    left, right = cols.min(), cols.max()
    height = np.ptp(rows) + 1
    cuts = (
        mask[:, left : left + 3].any(axis=1).sum() / height,
        mask[:, right - 2 : right + 1].any(axis=1).sum() / height,
    )
    if max(cuts) < 0.4 or abs(cuts[0] - cuts[1]) < 0.15:
        return None
    return "L" if cuts[0] > cuts[1] else "R"


def _close_wall(mask: np.ndarray, side: str | None) -> np.ndarray:
    """Fill dark bays that open to the chest wall: fat behind the gland can be as dark as film."""
    if side is None:
        return mask
    cols = np.nonzero(mask.any(axis=0))[0]
    wall = cols.min() if side == "L" else cols.max()
    rows = np.nonzero(mask[:, wall])[0]
    closed = mask.copy()
    closed[rows.min() : rows.max() + 1, wall] = True
    return ndimage.binary_fill_holes(closed)
