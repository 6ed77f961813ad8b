"""Whole view or part of one, and the pixel spacing of a view whose file is silent about it."""

from dataclasses import dataclass

import numpy as np

from lemons_core.mammogram.breast import VIEW_MM, Breast, find_breast

# CBIS-DDSM was digitised at 0.042-0.050 mm and its files do not say so.
FILM_SPACING_MM = 0.05
# Spacings in mm that film digitisers and detectors use, each with how often it is met among files that do not say.
SPACINGS_MM = {
    0.042: 0.06, 0.0435: 0.1, 0.05: 0.34, 0.065: 0.04, 0.07: 0.16, 0.085: 0.08, 0.094: 0.06, 0.1: 0.1, 0.2: 0.06,
}  # fmt: skip
# Detectors, and the one collection of film, that are known by their number of pixels alone.
SIZES = {
    (2560, 3328): 0.07, (3328, 4096): 0.07, (3328, 4084): 0.07, (2800, 3518): 0.085, (1914, 2294): 0.094,
    (2394, 3062): 0.094, (2394, 2850): 0.1, (3540, 4740): 0.05, (4728, 5928): 0.05, (1024, 1024): 0.2,
}  # fmt: skip


@dataclass(frozen=True)
class Spacing:
    """A pixel spacing, and how it is known.

    mm : millimetres a pixel
    source : "given" (by the file or the user), "estimated" (from the size of the breast) or "assumed" (as of film)
    reason : what an estimate rests on, in plain words
    """

    mm: float
    source: str
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Geometry:
    """What must be known of an image before it is read.

    kind : "view" (a whole mammogram) or "crop" (a part of one)
    spacing : of its pixels
    breast : where it lies
    """

    kind: str
    spacing: Spacing
    breast: Breast

    @property
    def stated_mm(self) -> float | None:
        """The pixel spacing where the file or the user states it, else None."""
        return self.spacing.mm if self.spacing.source == "given" else None


def find_geometry(
    pixels: np.ndarray, *, spacing_mm: float | None = None, kind: str | None = None, breast: Breast | None = None
) -> Geometry:
    """Kind, pixel spacing and breast of an image: the one place where they are decided.

    pixels : (H, W) float32, 0-1
    spacing_mm : as the file or the user states it; None: estimated for a whole view, assumed as of film for a crop
    kind : "view" or "crop"; None: told from the image
    breast : found in these pixels; sought when None
    """
    breast = breast or find_breast(pixels, spacing_mm=spacing_mm)
    kind = kind or kind_of_pixels(pixels, spacing_mm=spacing_mm, breast=breast)
    if spacing_mm is not None:
        return Geometry(kind, Spacing(spacing_mm, "given"), breast)
    estimate = guess_spacing(pixels, breast) if kind == "view" else None
    return Geometry(kind, estimate or Spacing(FILM_SPACING_MM, "assumed"), breast)


def film_if_unknown(spacing_mm: float | None) -> float:
    """The pixel spacing of a crop in mm; an unknown one is that of film."""
    return FILM_SPACING_MM if spacing_mm is None else spacing_mm


def guess_spacing(pixels: np.ndarray, breast: Breast | None = None) -> Spacing | None:
    """The most plausible pixel spacing of a whole view, or None for a part of one.

    Compressed breasts cover about 130 cm2 on the picture (half of them 95 to 180), and films and detectors are
    18 to 24 cm wide and 24 to 30 cm high. Of the spacings in use the one is taken that fits both best; a picture that
    was scaled fits none and gets the spacing that both ask for.

    pixels : (H, W) float32, 0-1
    breast : what find_breast returned for these pixels
    """
    breast = breast or find_breast(pixels)
    short, long = sorted(pixels.shape)
    if kind_of_pixels(pixels, breast=breast) == "crop":
        return None
    if (short, long) in SIZES:
        reason = f"{short} x {long} pixels: a size in which mammograms are made"
        return Spacing(SIZES[short, long], "estimated", reason)
    cell = long / max(breast.coarse.shape)
    root = float(np.sqrt(breast.coarse.sum())) * cell
    # Logarithms of the spacing that each of the two asks for, and how far it may err.
    by_breast, breast_error = np.log(116 / root), 0.22
    by_film, film_error = np.log(220 / long), 0.2
    known = np.array(list(SPACINGS_MM))
    misfit = ((np.log(known) - by_breast) / breast_error) ** 2 + ((np.log(known) - by_film) / film_error) ** 2
    best = int(np.argmin(misfit / 2 - np.log(list(SPACINGS_MM.values()))))
    if misfit[best] < 4:
        spacing = float(known[best])
    else:
        weights = np.array([breast_error, film_error]) ** -2.0
        spacing = round(float(np.exp(np.average([by_breast, by_film], weights=weights))), 3)
    return Spacing(spacing, "estimated", f"so that the breast covers {(root * spacing) ** 2 / 100:.0f} cm2")


def kind_of_pixels(pixels: np.ndarray, *, spacing_mm: float | None = None, breast: Breast | None = None) -> str:
    """ "view" for a whole mammogram, "crop" for a part of one.

    By its size where the spacing is known. Otherwise a view has background beside the breast, and the breast is cut by
    the border on the chest wall's side and, in an MLO view, above or below; a part of one is cut on more sides.
    """
    if spacing_mm is not None:
        return "view" if max(pixels.shape) * spacing_mm >= VIEW_MM else "crop"
    if tuple(sorted(pixels.shape)) in SIZES:
        return "view"
    breast = breast or find_breast(pixels)
    if max(pixels.shape) < 384 or not breast.outlined or not breast.coarse.any():
        return "crop"
    mask = breast.coarse
    cut = sum(line.mean() > 0.45 for line in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return "view" if cut <= 2 else "crop"
