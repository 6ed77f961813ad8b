"""Pixels to probabilities."""

import numpy as np
import torch
from torch import Tensor

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import GROUPS
from lemons_core.mammogram import film_if_unknown
from lemons_core.vision.network.preprocess import NormalisedImage, normalise_image
from lemons_core.vision.network.probabilities import abstains, calibrated
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import MALIGNANCY, ModelCard
from lemons_core.vision.record.findings import CropResult


def predict_crop(pixels: np.ndarray, *, spacing_mm: float | None = None, model: Model | None = None) -> CropResult:
    """Probabilities for one crop.

    pixels : (H, W) float32, 0-1, bright is dense
    spacing_mm : pixel spacing; None is taken as film, 0.05 mm
    model : the shipped one when None
    Raises ImageError: pixels that are no grey image
        ModelError: no usable model
    """
    model = model or read_model()
    return classify(normalise_image(check_pixels(pixels), film_if_unknown(spacing_mm), model.card), model)


def classify(image: NormalisedImage, model: Model) -> CropResult:
    """The same for a crop that is normalised already."""
    with model.lock, torch.inference_mode():
        return result_of(model.network(image.to_input()).logits[0], model.card)


def result_of(logits: Tensor, card: ModelCard) -> CropResult:
    """(labels,) logits to a result."""
    probabilities = calibrated(logits.numpy(), card)
    by_label = dict(zip(card.labels, probabilities.tolist(), strict=True))
    groups = {str(group): by_label[group] for group in GROUPS}
    return CropResult(
        by_label["calcification"],
        groups,
        top=max(groups, key=groups.__getitem__),
        abstained=bool(abstains(probabilities[None], card)[0]),
        malignancy=by_label.get(MALIGNANCY),
    )


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """The pixels, or ImageError when they are not (H, W), finite and 0-1."""
    if pixels.ndim != 2 or min(pixels.shape) < 1:
        raise ImageError(f"A grey image (H, W) is needed, not an array of shape {pixels.shape}")
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high) and low >= -1e-3 and high <= 1 + 1e-3):
        raise ImageError(f"Pixels must lie in 0-1, these lie in {low:g} to {high:g}", todo="Scale them first.")
    return pixels
