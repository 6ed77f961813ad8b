"""Pixels, or files, to probabilities."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lemons_core.card import ModelCard
from lemons_core.errors import ImageError
from lemons_core.images import NO_SPACING, Picture, read_image
from lemons_core.terms import GROUPS
from lemons_core.vision.preprocess import FILM_SPACING_MM, MOST_PIXELS, prepare
from lemons_core.vision.weights import Model, read_model

# Mammography film measures 18 x 24 cm or 24 x 30 cm; no crop of CBIS-DDSM comes near.
VIEW_MM = 130.0


@dataclass(frozen=True)
class CropResult:
    """What the model makes of one picture. Probabilities, not a diagnosis.

    calcification : 0-1, that there is any calcification
    probabilities : 0-1 for each group; a picture can hold several groups, so they need not sum to one
    top : the most probable group
    """

    calcification: float
    probabilities: dict[str, float]
    top: str


def predict_crop(pixels: np.ndarray, *, spacing_mm: float | None, model: Model | None = None) -> CropResult:
    """Probabilities for one crop.

    Parameters
    ----------
    pixels : (H, W) float32, 0-1, bright is dense
    spacing_mm : pixel spacing; None is taken as film, 0.05 mm
    model : the shipped one when None

    Raises
    ------
    ImageError : pixels that are no grey image
    ModelError : no usable model
    """
    model = model or read_model()
    inputs = prepare(check_pixels(pixels), spacing_mm=spacing_mm, card=model.card)
    with model.lock, torch.inference_mode():
        return result_of(model.network(inputs.to(memory_format=torch.channels_last))[0], model.card)


def result_of(logits: Tensor, card: ModelCard) -> CropResult:
    """(labels,) logits to a result."""
    by_label = dict(zip(card.labels, torch.sigmoid(logits).tolist(), strict=True))
    groups = {str(group): by_label[group] for group in GROUPS}
    return CropResult(by_label["calcification"], groups, max(groups, key=groups.__getitem__))


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """The pixels, or ImageError when they are not (H, W), finite and 0-1."""
    if pixels.ndim != 2 or min(pixels.shape) < 1:
        raise ImageError(f"A grey image (H, W) is needed, not an array of shape {pixels.shape}")
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high) and low >= -1e-3 and high <= 1 + 1e-3):
        raise ImageError(f"Pixels must lie in 0-1, these lie in {low:g} to {high:g}", todo="Scale them first.")
    return pixels


def kind_of(picture: Picture) -> str:
    """ "view" for a whole mammogram, "crop" for a part of one: by its size, or by the black film around the breast."""
    height, width = picture.pixels.shape
    if max(height, width) * (picture.spacing_mm or FILM_SPACING_MM) >= VIEW_MM:
        return "view"
    coarse = picture.pixels[:: max(height // 64, 1), :: max(width // 64, 1)]
    empty = (coarse < 0.05 * max(float(coarse.max()), 1e-6)).mean()
    return "view" if empty > 0.25 and max(height, width) >= 512 else "crop"


def warnings_of(picture: Picture, card: ModelCard) -> list[str]:
    """What a reader must know before believing a probability for this picture."""
    assumed = f"No pixel spacing is known: {FILM_SPACING_MM} mm a pixel is assumed, as for film scans."
    found = [assumed if warning == NO_SPACING else warning for warning in picture.warnings]
    if kind_of(picture) == "view":
        found.append("This looks like a whole view; the model was made for a crop around a finding.")
    scale = (picture.spacing_mm or FILM_SPACING_MM) / card.spacing_mm
    if picture.pixels.size * scale**2 > MOST_PIXELS:
        found.append("The picture is very large: it was reduced below the model's spacing, and small specks are lost.")
    return found


def describe(picture: Picture, result: CropResult, card: ModelCard, file: str) -> dict[str, Any]:
    """One object of `predict --json`."""
    height, width = picture.pixels.shape
    return {
        "file": file,
        "kind": kind_of(picture),
        "width": width,
        "height": height,
        "spacing_mm": picture.spacing_mm,
        "laterality": picture.laterality and str(picture.laterality),
        "view": picture.view and str(picture.view),
        "calcification": round(result.calcification, 4),
        "probabilities": {group: round(value, 4) for group, value in result.probabilities.items()},
        "top": result.top,
        "warnings": warnings_of(picture, card),
        "model": {"name": card.name, "trained_on": card.trained_on, "sha256": card.sha256},
        "regions": [],
    }


def predict_files(
    files: Iterable[Path],
    *,
    model: Model | None = None,
    each: Callable[[Path, Picture, CropResult], None] | None = None,
) -> list[dict[str, Any]]:
    """One object a file; a file that cannot be read gives `file` and `error`, and the others go on.

    each : called with the path, picture and result of each file that was read, such as to write a heat map
    """
    model = model or read_model()
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            picture = read_image(file)
            result = predict_crop(picture.pixels, spacing_mm=picture.spacing_mm, model=model)
            if each:
                each(file, picture, result)
            found.append(describe(picture, result, model.card, str(file)))
        except ImageError as error:
            found.append({"file": str(file), "error": str(error)})
    return found
