"""Pictures that are no mammogram, and what a reader should know about those that are.

To refuse a mammogram is worse than to take a photograph: every limit lies well beyond what film, digital views and
their crops show, and whoever knows better may go on.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lemons_core.images import COLOUR, LOSSY, Picture
from lemons_core.mammogram.breast import Breast, background, enlarge, find_breast, shrink
from lemons_core.mammogram.spacing import FILM_SPACING_MM, Geometry, find_geometry

COARSE_MM = 0.15  # half of all specks are narrower than two such pixels
MANY_LETTERS = 20  # side, view and number on film make eight or so
GO_ON = "If it is one all the same, go on; the answer will be marked."
# Modalities that are never mammography; CR, DX, OT and SC may be.
_OTHER_MODALITIES = ("CT", "MR", "US", "XA", "RF", "NM", "PT", "XC", "DG")


@dataclass(frozen=True)
class QualityFeatures:
    """What the refusal judges by: figures of a copy of 256 cells along the longer side, brightest grey = 1.

    outlined : there is background beside the breast
    anchored : the breast ends in a straight cut, as at the border of a film
    dark_detail : 1st percentile of grey minus the median around it, below zero
    dark_tail : the same in units of its usual size; 2.3 for Gaussian texture. Calcium is bright, so only objects with
        edges, letters and shadows make it large
    fineness : spread of fine structure (1 cell) to that of coarser (4 cells)
    structure : spread of detail to that of grey
    flat : share of cells without any detail
    grain : mean difference of a pixel from its neighbours, at full size
    white : share of the border that is white and even, with the rest clearly darker
    lungs : how much darker both sides are than the middle and the outer walls
    mirror : likeness of left and right, -1 to 1
    """

    outlined: bool
    anchored: bool
    dark_detail: float
    dark_tail: float
    fineness: float
    structure: float
    flat: float
    grain: float
    white: float
    lungs: float
    mirror: float


def refusal(picture: Picture, breast: Breast | None = None) -> str | None:
    """Why this picture is not taken for a mammogram, in plain words with what to do; None when it may be one.

    picture : as read by read_image
    breast : found in its pixels; sought when None
    """
    if picture.header.get("modality") in _OTHER_MODALITIES:
        return f"The file says that it is no mammogram but {picture.header['modality']}. Choose the mammogram (MG)."
    if COLOUR in picture.warnings:
        return f"This is a colour picture; a mammogram is grey. Give the image as it left the archive. {GO_ON}"
    pixels = picture.pixels
    low, high = float(pixels.min()), float(pixels.max())
    if high - low < 0.004:
        return "The picture is blank: all of it has one grey. Export it again."
    if all(bool(((part == low) | (part == high)).all()) for part in (pixels[::64], pixels)):  # most end at the few rows
        return "The picture has two grey levels only, as a mask or a drawing has. Choose the mammogram itself."
    grey = pixels if high > 0.9 else pixels / np.float32(high)
    features = measure_quality(grey, breast or find_breast(pixels, spacing_mm=picture.spacing_mm))
    found = _reason(features)
    return found and f"{found} {GO_ON}"


def _reason(features: QualityFeatures) -> str | None:
    if features.white > (0.65 if features.outlined else 0.55):
        return "The background is white: a document, or a mammogram shown inverted. Give it with a black background."
    if features.flat > 0.85:
        return "Most of the picture is perfectly even, as in charts and screenshots. Give the image file itself."
    if features.structure < 0.012:
        return "The picture is a smooth gradient without tissue. Choose another file."
    sharp = (features.dark_tail > 9 and features.dark_detail < -0.05) or (
        features.dark_tail > 5.5 and features.dark_detail < -0.085
    )
    if sharp:
        return "Sharp dark edges as in photographs and text, not as in tissue. Choose a mammogram."
    fine = (features.fineness > 0.45 and features.dark_detail < -0.15) or (
        features.fineness > 0.83 and features.dark_detail < -0.06
    )
    if features.grain > 0.07 or fine:
        return "The picture is mostly noise or coarse texture, not tissue. Choose another file."
    if features.lungs > 0.2 and features.mirror > 0.6:
        return "This looks like a chest X-ray: two dark fields beside a bright middle. Choose a mammogram."
    if features.outlined and not features.anchored:
        return "What is bright lies free in the dark; a breast on a mammogram is cut by the border. Choose a mammogram."
    return None


def measure_quality(grey: np.ndarray, breast: Breast) -> QualityFeatures:
    """Measure a picture; grey (H, W) float32, 0 to 1 with 1 reached, breast found in it."""
    small = shrink(grey)
    inner = ndimage.binary_erosion(breast.coarse, iterations=4, border_value=1)
    inner = inner if inner.sum() >= 50 else breast.coarse | (not breast.coarse.any())
    detail = (small - ndimage.median_filter(small, 5))[inner]
    fine, coarse = ((small - ndimage.gaussian_filter(small, sigma))[inner].std() for sigma in (1, 4))
    low = float(np.percentile(detail, 1))
    lungs, mirror = _chest(small)
    return QualityFeatures(
        outlined=breast.outlined,
        anchored=_anchored(breast.coarse),
        dark_detail=low,
        dark_tail=-low / (1.48 * float(np.median(np.abs(detail))) + 0.001),
        fineness=float(fine / (coarse + 1e-6)),
        structure=float((small - ndimage.gaussian_filter(small, 2))[inner].std() / (small[inner].std() + 1e-6)),
        flat=float(np.mean(np.abs(detail) < 2e-4)),
        grain=_grain(grey, inner),
        white=_white(small),
        lungs=lungs,
        mirror=mirror,
    )


def _anchored(mask: np.ndarray) -> bool:
    """Whether the mask ends in a straight cut on any side, as at the border of a film; a disc in the dark does not."""
    rows, cols = np.nonzero(mask)
    if not rows.size:
        return False
    box = mask[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    return bool(max(np.rot90(box, turn)[:2].any(axis=0).mean() for turn in range(4)) > 0.45)


def _grain(grey: np.ndarray, inner: np.ndarray) -> float:
    """Mean difference of a pixel from its four neighbours, inside, on some 256 rows."""
    rows = np.arange(1, len(grey) - 1, max(1, len(grey) // 256))
    around = (grey[rows - 1, 1:-1] + grey[rows + 1, 1:-1] + grey[rows, :-2] + grey[rows, 2:]) / 4
    inside = enlarge(inner, grey.shape)[rows, 1:-1]
    return float(np.abs(grey[rows, 1:-1] - around)[inside].mean()) if inside.any() else 0.0


def _white(small: np.ndarray) -> float:
    """Share of the border that belongs to a white, even background; 0 without one."""
    paper = background(1 - small, np.zeros(small.shape, bool), darkest=0.25)
    if paper is None:
        return 0.0
    return float(np.concatenate([paper[0], paper[-1], paper[:, 0], paper[:, -1]]).mean())


def _chest(small: np.ndarray) -> tuple[float, float]:
    """Depth of two dark fields beside a bright middle, and the likeness of left and right (-1 to 1)."""
    height, width = small.shape
    rows = small[height // 5 : height * 4 // 5]
    uneven = rows - rows.mean(axis=1, keepdims=True)
    mirror = float((uneven * uneven[:, ::-1]).sum() / ((uneven**2).sum() + 1e-6))
    profile = ndimage.gaussian_filter1d(rows.mean(axis=0), width / 40)
    outer_left, left, middle, right, outer_right = np.split(profile, [int(width * f) for f in (0.15, 0.42, 0.58, 0.85)])
    walls = min(outer_left.max(), outer_right.max(), middle.max())
    return float(walls - max(left.min(), right.min())), mirror


def notes_on(picture: Picture, geometry: Geometry | None = None) -> list[str]:
    """What a reader should know before believing an answer for this picture; warnings, not reasons to refuse.

    geometry : found in its pixels; sought when None
    """
    notes = []
    geometry = geometry or find_geometry(picture.pixels, spacing_mm=picture.spacing_mm)
    spacing = geometry.spacing
    if _is_digital(picture, geometry):
        notes.append("A digital mammogram (FFDM); the model was made for film, and its probabilities may be off.")
    if spacing.source == "estimated":
        notes.append(f"The pixel spacing is unknown: {spacing.mm:g} mm is estimated ({spacing.reason}).")
    elif spacing.source == "assumed":
        notes.append(f"The pixel spacing is unknown: {FILM_SPACING_MM:g} mm is assumed, as of film. Give it if known.")
    if spacing.mm > COARSE_MM:
        notes.append(f"At {spacing.mm:.2g} mm a pixel the finest specks are lost. Give the picture at full resolution.")
    if LOSSY in picture.warnings:
        notes.append(LOSSY)
    if _letters(picture.pixels, geometry.breast) >= MANY_LETTERS:
        notes.append("Text is burnt into the picture, as in a screenshot. Give the image as it left the archive.")
    return notes


def _is_digital(picture: Picture, geometry: Geometry) -> bool:
    """By the header; without one, by air that is the same black everywhere, where film shows fog and dust."""
    known = picture.header.get("object", "")
    if known or "presentation intent" in picture.header:
        return "Digital Mammography" in known or "presentation intent" in picture.header
    if geometry.kind == "crop":
        return False
    breast = geometry.breast
    step = -(-max(picture.pixels.shape) // max(breast.coarse.shape))
    rows, cols = (np.arange(0, n, step) for n in picture.pixels.shape)
    highest = np.maximum.reduceat(np.maximum.reduceat(picture.pixels, rows, axis=0), cols, axis=1)
    air = ~ndimage.binary_dilation(breast.coarse, iterations=6)
    return bool(air.sum() > 100 and np.mean(highest[air] == picture.pixels.min()) > 0.96)


def _letters(pixels: np.ndarray, breast: Breast) -> int:
    """How many bright things of the size of letters lie beside the breast."""
    small = shrink(pixels, 2 * max(breast.coarse.shape))
    beside = ~ndimage.binary_dilation(enlarge(breast.coarse, small.shape), iterations=3)
    things, _ = ndimage.label(beside & (small > 0.4 * small.max()))
    sizes = np.bincount(things.ravel())[1:]
    return int(np.count_nonzero((sizes >= 4) & (sizes < 200)))
