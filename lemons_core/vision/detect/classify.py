"""Pixels to probabilities."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import GROUPS
from lemons_core.vision.network.model import MALIGNANCY
from lemons_core.vision.network.preprocess import prepare
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard


@dataclass(frozen=True)
class CropResult:
    """What the model makes of one picture. Probabilities, not a diagnosis.

    calcification : 0-1, that there is any calcification
    probabilities : 0-1 for each group; a picture can hold several groups, so they need not sum to one
    top : the most probable group
    abstained : the honest answer is "not sure": the probability of any calcification, or of the top group, lies in the
        band that the model card names
    malignancy : 0-1, or None for a model that was trained without pathology
    """

    calcification: float
    probabilities: dict[str, float]
    top: str
    abstained: bool = False
    malignancy: float | None = None


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
    temperatures = logits.new_tensor([card.temperature.get(label, 1.0) for label in card.labels])
    by_label = dict(zip(card.labels, torch.sigmoid(logits / temperatures).tolist(), strict=True))
    groups = {str(group): by_label[group] for group in GROUPS}
    top = max(groups, key=groups.__getitem__)
    return CropResult(
        by_label["calcification"],
        groups,
        top,
        abstained=any(_unsure(by_label[label], card.abstain.get(label)) for label in ("calcification", top)),
        malignancy=by_label.get(MALIGNANCY),
    )


def _unsure(probability: float, band: list[float] | None) -> bool:
    return band is not None and band[0] <= probability <= band[1]


def check_pixels(pixels: np.ndarray) -> np.ndarray:
    """The pixels, or ImageError when they are not (H, W), finite and 0-1."""
    if pixels.ndim != 2 or min(pixels.shape) < 1:
        raise ImageError(f"A grey image (H, W) is needed, not an array of shape {pixels.shape}")
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high) and low >= -1e-3 and high <= 1 + 1e-3):
        raise ImageError(f"Pixels must lie in 0-1, these lie in {low:g} to {high:g}", todo="Scale them first.")
    return pixels
