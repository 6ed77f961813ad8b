"""A whole image: where calcifications are, what kind, and how sure the model is."""

from collections.abc import Callable
from contextlib import suppress
from itertools import groupby

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError
from scipy.special import expit, logit

from lemons_core.base.progress import Progress, no_progress
from lemons_core.mammogram import Geometry, find_geometry
from lemons_core.vision.detect.candidates import Candidate, calcification_logit_map, find_candidates
from lemons_core.vision.detect.classify import check_pixels, result_of
from lemons_core.vision.network.preprocess import NormalisedImage, normalise_image
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.findings import MIN_SCORE, Detection, DetectionResult

MOST_DETECTIONS = 40  # a diseased breast has a few, a noisy image hundreds
WINDOW_MARGIN_MM, MOST_WINDOW_PX = 4.0, 256
BATCH = 8  # windows that are read together
BOX_MARGIN_MM = 1.0
QUIET_OFFSET = 3.0  # an image without any candidate scores below every image with one


def analyse(
    pixels: np.ndarray,
    *,
    spacing_mm: float | None = None,
    min_score: float = MIN_SCORE,
    kind: str | None = None,
    model: Model | None = None,
    progress: Progress | None = None,
) -> DetectionResult:
    """Find and classify the calcifications of a whole view, or of a crop.

    pixels : (H, W) float32, 0-1, bright is dense
    spacing_mm : pixel spacing; None: estimated from the size of the breast
    min_score : detections with a lower calibrated probability are left out
    kind : "view" or "crop"; None: told from the image
    model : the shipped one when None
    Raises ImageError: pixels that are no grey image
        ModelError: no usable model
    """
    model = model or read_model()
    check_pixels(pixels)
    geometry = find_geometry(pixels, spacing_mm=spacing_mm, kind=kind)
    image = normalise_image(pixels, geometry.spacing.mm, model.card)
    return detect(image, geometry, model, min_score=min_score, progress=progress)


def detect(
    image: NormalisedImage,
    geometry: Geometry,
    model: Model,
    *,
    min_score: float = MIN_SCORE,
    progress: Progress | None = None,
) -> DetectionResult:
    """The same for an image that is normalised already, and whose geometry is known."""
    progress = progress or no_progress
    shape = image.values.shape
    tissue = geometry.breast.tissue(shape) if geometry.kind == "view" else np.ones(shape, bool)
    logit_map = calcification_logit_map(
        image.values, tissue, model, progress=lambda part: progress(0.1 + 0.5 * part, "looking for specks")
    )
    candidates = find_candidates(image.values, logit_map, image.spacing_mm)[:MOST_DETECTIONS]
    windows = [_window(image, candidate, model.card.tile_px) for candidate in candidates]
    logits = _read(windows, model, lambda done: progress(0.6 + 0.4 * done / len(windows), f"{done} findings read"))
    # A crop was chosen by somebody; in a view the model chose the candidate itself, and errs more.
    platt = model.card.detection_platt if geometry.kind == "view" else (1.0, 0.0)
    detections = [
        _detection(candidate, read, image, model, platt) for candidate, read in zip(candidates, logits, strict=True)
    ]
    detections.sort(key=lambda detection: -detection.score)
    # Without a candidate: its highest cell, which lies below what makes one.
    quiet = float(logit_map.max(initial=-20.0)) - QUIET_OFFSET
    return DetectionResult(
        score=detections[0].score if detections else _score(quiet, platt),
        detections=tuple(detection for detection in detections if detection.score >= min_score),
        kind=geometry.kind,
        spacing=geometry.spacing,
    )


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
                logits = model.network(inputs.contiguous(memory_format=torch.channels_last)).logits
            found.update(zip(part, logits, strict=True))
            progress(len(found))
    return [found[number] for number in range(len(windows))]


def _detection(
    candidate: Candidate, logits: torch.Tensor, image: NormalisedImage, model: Model, platt: tuple[float, float]
) -> Detection:
    """A candidate in pixels of the image as given, and what its logits say."""
    found = result_of(logits, model.card)
    margin = BOX_MARGIN_MM / image.spacing_mm
    corners = candidate.specks.min(0) - margin, candidate.specks.max(0) + margin
    full = image.values.shape * image.scale
    (top, left), (bottom, right) = (np.clip(at * image.scale, 0, full).round().astype(int) for at in corners)
    return Detection(
        row=int(top),
        col=int(left),
        height=int(bottom - top),
        width=int(right - left),
        score=_score(float(logit(np.clip(found.calcification, 1e-7, 1 - 1e-7))), platt),
        n_specks=len(candidate.specks),
        extent_mm=_extent(candidate.specks) * image.spacing_mm,
        probabilities=found.probabilities,
        top=found.top,
        abstained=found.abstained,
        malignancy=found.malignancy,
        speck_coords=np.rint(candidate.specks * image.scale).astype(int),
    )


def _window(image: NormalisedImage, candidate: Candidate, least: int) -> np.ndarray:
    """A square around a candidate, moved inside the image; a smaller image is mirrored at its borders."""
    extent = np.ptp(candidate.specks, axis=0).max() + WINDOW_MARGIN_MM / image.spacing_mm
    side = -(-int(np.clip(extent, least, MOST_WINDOW_PX)) // 32) * 32
    centre, shape = np.median(candidate.specks, axis=0), image.values.shape
    lack = [max(side - n, 0) for n in shape]
    corner = [int(np.clip(c - side / 2, 0, max(n - side, 0))) for c, n in zip(centre, shape, strict=True)]
    part = image.values[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    return np.pad(part, [(n // 2, n - n // 2) for n in lack], mode="symmetric") if any(lack) else part


def _extent(points: np.ndarray) -> float:
    """The longest distance between two of the points."""
    if len(points) > 3:
        with suppress(QhullError):  # all on one line: every point may be an end
            points = points[ConvexHull(points).vertices]
    return float(np.hypot(*(points[:, None] - points[None]).T).max())


def _score(raw: float, platt: tuple[float, float]) -> float:
    """A logit as a calibrated probability."""
    slope, offset = platt
    return float(expit(slope * raw + offset))
