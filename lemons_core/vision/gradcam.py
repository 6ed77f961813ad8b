"""Grad-CAM: where a score comes from, for one label, from the same pass that gives the probabilities."""

from dataclasses import dataclass

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn.functional import interpolate

from lemons_core.errors import ModelError
from lemons_core.vision.predict import CropResult, check_pixels, result_of
from lemons_core.vision.preprocess import prepare
from lemons_core.vision.weights import Model, read_model


@dataclass(frozen=True)
class Explanation:
    """A heat map and the probabilities of the same pass.

    heat : (H, W) float32, 0-1 within this picture, on the pixel grid of the input
    target : the label whose score the map explains
    """

    result: CropResult
    heat: np.ndarray
    target: str


def explain_crop(
    pixels: np.ndarray, *, spacing_mm: float | None, target: str, model: Model | None = None
) -> Explanation:
    """Heat map of one label.

    The map shows which parts raised this score. It is scaled to each picture's own maximum, so it says nothing of how
    high the score is, and it does not outline the finding.

    Parameters
    ----------
    pixels : (H, W) float32, 0-1
    spacing_mm : pixel spacing, or None when unknown
    target : "calcification" or one of the four groups

    Raises
    ------
    ModelError : an unknown target, or no usable model
    ImageError : pixels that are no grey image

    Source: Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74.
    """
    model = model or read_model()
    if target not in model.card.labels:
        raise ModelError(f"Unknown label '{target}'", todo=f"Known: {', '.join(model.card.labels)}.")
    inputs = prepare(check_pixels(pixels), spacing_mm=spacing_mm, card=model.card)
    inputs = inputs.to(memory_format=torch.channels_last)
    # Hooks sit in the shared network while the map is made, and every other pass would run through them.
    with model.lock:
        cam = GradCAM(model=model.network, target_layers=[model.network.heat_layer])
        try:
            heat = cam(inputs, targets=[ClassifierOutputTarget(model.card.labels.index(target))])[0]
            logits = cam.outputs[0].detach()
        finally:
            cam.activations_and_grads.release()
            model.network.zero_grad(set_to_none=True)
    full = interpolate(torch.from_numpy(heat)[None, None].float(), size=pixels.shape, mode="bilinear")[0, 0]
    return Explanation(result_of(logits, model.card), full.clamp(0, 1).numpy(), target)
