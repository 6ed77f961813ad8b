"""How the simulation compares with real film, in figures, and how fast it is: `python bench/simulate.py`.

Bright spots are measured the same way as on the real pictures: peak above the local median in grey (0-1), and width at
half maximum in mm; 10, 50 and 90 % of the spots.
"""

import argparse
import time

import numpy as np
from scipy import ndimage

from lemons_core.base.terms import MORPHOLOGY
from lemons_core.simulate.crop import simulate_crop

# Peak contrast in grey and width in mm at 10/50/90 %, measured on real pictures that cannot be shipped.
REAL = {
    "calcium, film at 0.2 mm": ((0.04, 0.06, 0.14), (0.32, 0.50, 1.0)),
    "calcium, film patches": ((0.07, 0.13, 0.23), (0.28, 0.42, 0.73)),
    "calcium, one CBIS-DDSM crop": ((0.13, 0.15, 0.21), (0.24, 0.44, 0.70)),
    "strongest of normal tissue": ((0.02, 0.03, 0.05), None),
}


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


def peaks_of(tokens: tuple[str, ...], *, spacing_mm: float, count: int, seed: int = 0) -> np.ndarray:
    """(N, 2) contrast and width of the strongest spots in simulated crops; of calcium where there is some."""
    found = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        crop = simulate_crop(tokens, rng=rng, size_px=round(16 / spacing_mm), spacing_mm=spacing_mm)
        if bool(tokens) == bool(crop.tokens):
            where = crop.mask if tokens else None
            found.append(measure_peaks(crop.pixels, spacing_mm=spacing_mm, where=where, count=6))
    return np.concatenate(found)


def row(name: str, contrast: np.ndarray | tuple[float, ...], width: np.ndarray | tuple[float, ...] | None) -> str:
    three = "  ".join(f"{value:.2f}" for value in contrast)
    return f"  {name:<42}{three}    " + ("" if width is None else "  ".join(f"{value:.2f}" for value in width))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30, help="crops of each kind")
    count = parser.parse_args().count
    print(f"{'':<44}grey at 10/50/90 %  mm at 10/50/90 %\nreal")
    for name, (contrast, width) in REAL.items():
        print(row(name, contrast, width))
    for spacing in (0.1, 0.2):
        print(f"simulated film at {spacing} mm, {count} crops each")
        for token in (None, *MORPHOLOGY):
            peaks = peaks_of((token,) if token else (), spacing_mm=spacing, count=count)
            contrast, width = np.percentile(peaks, (10, 50, 90), axis=0).T
            print(row(token or "normal tissue", contrast, width))
    start = time.perf_counter()
    for number in range(100):
        simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(number), size_px=128)
    print(f"{100 / (time.perf_counter() - start):.0f} crops of 128 px a second on one core")


if __name__ == "__main__":
    main()
