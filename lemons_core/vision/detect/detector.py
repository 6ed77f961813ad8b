"""A whole scan: where calcifications are, what kind, and how sure the model is."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError
from scipy.special import expit, logit

from lemons_core.base.progress import Progress
from lemons_core.mammogram import FILM_SPACING_MM, Breast, find_breast, guess_spacing, kind_of_pixels
from lemons_core.vision.detect.candidates import Candidate, calcification_logit_map, find_candidates
from lemons_core.vision.detect.classify import check_pixels, result_of
from lemons_core.vision.network.preprocess import normalise, resample
from lemons_core.vision.network.weights import Model, read_model

# A region below this probability is left out.
MIN_SCORE = 0.05
# From which score the app shows regions at first: about one false one a simulated view. In a crop the place was chosen.
SHOWN_FROM = {"view": 0.15, "crop": 0.5}
MOST_DETECTIONS = 40  # a diseased breast has a few, a noisy picture hundreds
WINDOW_MARGIN_MM, MOST_WINDOW_PX = 4.0, 256
BATCH = 8  # windows that are read together
BOX_MARGIN_MM = 1.0
QUIET_OFFSET = 3.0  # a picture without any place scores below every picture with one


@dataclass(frozen=True)
class Detection:
    """Calcifications in one part of an image. Probabilities, not a diagnosis.

    row, col, height, width : box in pixels of the image as given
    score : 0-1, calibrated probability that there is calcification at all
    n_specks : how many specks were told apart
    extent_mm : longest distance between specks
    probabilities : 0-1 for each group if there is calcification, not summing to one; top : the most probable group
    abstained : the honest answer to "which kind" is "not sure"
    malignancy : 0-1, or None for a model trained without pathology
    speck_coords : (n_specks, 2) row and column of each speck, in pixels of the image as given
    """

    row: int
    col: int
    height: int
    width: int
    score: float
    n_specks: int
    extent_mm: float
    probabilities: dict[str, float]
    top: str
    abstained: bool
    malignancy: float | None
    speck_coords: np.ndarray


@dataclass(frozen=True)
class DetectionResult:
    """What the model finds in one image.

    score : 0-1, that the image holds any calcification
    regions : by falling score
    kind : "view" (a whole mammogram) or "crop" (a part of one)
    spacing_mm : pixel spacing that was used
    spacing_source : "given" (by the caller, from a header or by hand), "estimated" (from the breast's size) or
        "assumed" (film, 0.05 mm)
    breast : (H, W) bool at full size, where was looked
    """

    score: float
    regions: tuple[Detection, ...]
    kind: str
    spacing_mm: float
    spacing_source: str
    breast: np.ndarray


def analyse(
    pixels: np.ndarray,
    *,
    spacing_mm: float | None = None,
    min_score: float = MIN_SCORE,
    kind: str | None = None,
    breast: Breast | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
) -> DetectionResult:
    """Find and classify the calcifications of a whole view, or of a crop.

    Parameters
    ----------
    pixels : (H, W) float32, 0-1, bright is dense
    spacing_mm : pixel spacing; None: estimated from the size of the breast
    min_score : regions with a lower calibrated probability are left out
    kind : "view" or "crop"; None: told from the picture
    breast : found in these pixels; sought when None
    model : the shipped one when None

    Raises
    ------
    ImageError : pixels that are no grey image
    ModelError : no usable model
    """
    model = model or read_model()
    progress = progress or (lambda fraction, text: None)
    check_pixels(pixels)
    progress(0.0, "finding the breast")
    breast = breast or find_breast(pixels, spacing_mm=spacing_mm)
    kind = kind or kind_of_pixels(pixels, spacing_mm=spacing_mm, breast=breast)
    spacing, source = _spacing(pixels, spacing_mm, kind, breast)
    small = resample(pixels, spacing, model.card.spacing_mm)
    scale = np.array(pixels.shape) / small.shape
    normalised = normalise(small, model.card)
    tissue = breast.tissue(small.shape) if kind == "view" else np.ones(small.shape, bool)
    spots = calcification_logit_map(
        normalised, tissue, model, progress=lambda part: progress(0.1 + 0.5 * part, "looking for specks")
    )
    used = model.card.spacing_mm if scale[0] == 1 else spacing * float(scale[0])
    places = find_candidates(normalised, spots, used)[:MOST_DETECTIONS]
    windows = [_window(normalised, place, used, model.card.tile_px) for place in places]
    logits = _read(windows, model, lambda done: progress(0.6 + 0.4 * done / len(places), f"{done} places read"))
    regions = [
        _region(place, read, normalised.shape, scale, used, model, kind)
        for place, read in zip(places, logits, strict=True)
    ]
    regions.sort(key=lambda region: -region.score)
    return DetectionResult(
        score=regions[0].score if regions else _score(_quiet(spots), kind, model),
        regions=tuple(region for region in regions if region.score >= min_score),
        kind=kind,
        spacing_mm=spacing,
        spacing_source=source,
        breast=breast.mask if kind == "view" else np.ones(pixels.shape, bool),
    )


def _spacing(pixels: np.ndarray, given: float | None, kind: str, breast: Breast) -> tuple[float, str]:
    if given is not None:
        return given, "given"
    guess = guess_spacing(pixels, breast) if kind == "view" else None
    return (guess.spacing_mm, "estimated") if guess else (FILM_SPACING_MM, "assumed")


def _read(windows: list[np.ndarray], model: Model, progress: Callable[[int], None]) -> list[torch.Tensor]:
    """Logits of each window by the whole network, those of one size together.

    Flips averaged over do not pay: on 60 simulated views 1, 2 and 4 looks found the same lesions.
    """
    found: dict[int, torch.Tensor] = {}
    order = sorted(range(len(windows)), key=lambda number: len(windows[number]))
    for _, group in groupby(order, key=lambda number: len(windows[number])):
        same = list(group)
        for part in (same[start : start + BATCH] for start in range(0, len(same), BATCH)):
            inputs = torch.from_numpy(np.stack([windows[number] for number in part]))[:, None]
            with model.lock, torch.inference_mode():
                logits = model.network(inputs.contiguous(memory_format=torch.channels_last))
            found.update(zip(part, logits, strict=True))
            progress(len(found))
    return [found[number] for number in range(len(windows))]


def _region(
    place: Candidate,
    logits: torch.Tensor,
    shape: tuple[int, ...],
    scale: np.ndarray,
    spacing_mm: float,
    model: Model,
    kind: str,
) -> Detection:
    """A place in pixels of the image as given, and what its logits say."""
    found = result_of(logits, model.card)
    margin = BOX_MARGIN_MM / spacing_mm
    corners = place.specks.min(0) - margin, place.specks.max(0) + margin
    (top, left), (bottom, right) = (np.clip(at * scale, 0, shape * scale).round().astype(int) for at in corners)
    return Detection(
        row=int(top),
        col=int(left),
        height=int(bottom - top),
        width=int(right - left),
        score=_score(float(logit(np.clip(found.calcification, 1e-7, 1 - 1e-7))), kind, model),
        n_specks=len(place.specks),
        extent_mm=_extent(place.specks) * spacing_mm,
        probabilities=found.probabilities,
        top=found.top,
        abstained=found.abstained,
        malignancy=found.malignancy,
        speck_coords=np.rint(place.specks * scale).astype(int),
    )


def _window(picture: np.ndarray, place: Candidate, spacing_mm: float, least: int) -> np.ndarray:
    """A square around a place, moved inside the picture; a smaller picture is mirrored at its borders."""
    extent = np.ptp(place.specks, axis=0).max() + WINDOW_MARGIN_MM / spacing_mm
    side = -(-int(np.clip(extent, least, MOST_WINDOW_PX)) // 32) * 32
    centre = np.median(place.specks, axis=0)
    lack = [max(side - n, 0) for n in picture.shape]
    corner = [int(np.clip(c - side / 2, 0, max(n - side, 0))) for c, n in zip(centre, picture.shape, strict=True)]
    part = picture[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    return np.pad(part, [(n // 2, n - n // 2) for n in lack], mode="symmetric") if any(lack) else part


def _extent(points: np.ndarray) -> float:
    """The longest distance between two of the points."""
    if len(points) > 3:
        with suppress(QhullError):  # all on one line: every point may be an end
            points = points[ConvexHull(points).vertices]
    return float(np.hypot(*(points[:, None] - points[None]).T).max())


def _quiet(spots: np.ndarray) -> float:
    """The logit of a picture without a place: its warmest cell, which lies below what makes a place."""
    return float(spots.max(initial=-20.0)) - QUIET_OFFSET


def _score(raw: float, kind: str, model: Model) -> float:
    """A logit as a probability. In a crop somebody else chose the place; in a view the model did, and errs more."""
    slope, offset = model.card.detection_platt if kind == "view" else (1.0, 0.0)
    return float(expit(slope * raw + offset))
