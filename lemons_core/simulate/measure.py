"""Measure bright spots the same way on real and on simulated pictures, so that the two can be set side by side."""

import numpy as np
from scipy import ndimage


def measure_peaks(
    pixels: np.ndarray, *, spacing_mm: float, where: np.ndarray | None = None, count: int = 20
) -> np.ndarray:
    """The strongest bright spots of a picture.

    Contrast is the smoothed grey at the spot above the median within 3 mm; width is the diameter of the disc whose area
    equals the connected region above half of that contrast.

    pixels : (H, W) float32, 0-1
    where : (H, W) bool, where to look; None for everywhere
    count : how many spots at most, strongest first, no two within 1 mm
    Returns (N, 2) float64 : contrast in grey, width at half maximum in mm
    """
    smooth = ndimage.gaussian_filter(pixels, 0.05 / spacing_mm, truncate=3)
    # The median is taken on a coarse copy: it is a hundred times faster and no different at this size.
    step = max(1, round(0.3 / spacing_mm))
    coarse = ndimage.median_filter(smooth[::step, ::step], size=max(3, round(3 / (step * spacing_mm)) | 1))
    base = np.repeat(np.repeat(coarse, step, 0), step, 1)[: pixels.shape[0], : pixels.shape[1]]
    above = smooth - base
    top = ndimage.maximum_filter(above, size=max(3, round(2 / spacing_mm) | 1)) == above
    rim = max(1, round(1.5 / spacing_mm))  # spots on the border have no surroundings
    top[:rim] = top[-rim:] = False
    top[:, :rim] = top[:, -rim:] = False
    if where is not None:
        top &= ndimage.binary_dilation(where, iterations=2)
    rows, cols = np.nonzero(top)
    order = np.argsort(above[rows, cols])[::-1][:count]
    out = []
    reach = round(3 / spacing_mm)
    for y, x in zip(rows[order], cols[order], strict=True):
        ys, xs = max(y - reach, 0), max(x - reach, 0)
        part = above[ys : y + reach + 1, xs : x + reach + 1] > above[y, x] / 2
        label, _ = ndimage.label(part)
        area = np.count_nonzero(label == label[y - ys, x - xs]) * spacing_mm**2
        out.append((float(above[y, x]), float(np.sqrt(4 * area / np.pi))))
    return np.array(out).reshape(-1, 2)
