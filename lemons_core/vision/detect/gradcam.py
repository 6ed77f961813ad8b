"""Grad-CAM: where a score comes from, for one label, in a crop or around one detection of a whole view.

The network is cut at the explained stage and the map is made of what follows: no hooks in the shared network, no
gradients of weights, little memory.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lemons_core.base.errors import ModelError
from lemons_core.mammogram import film_if_unknown
from lemons_core.vision.detect.classify import check_pixels, result_of
from lemons_core.vision.network.model import CalcificationNet, fuse_logits
from lemons_core.vision.network.preprocess import normalise_image
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.findings import CropResult, Detection

# The stages that can be explained, with what a reader should know of each; mm at the shipped model's 0.1 mm a pixel.
LAYERS: dict[str, str] = {
    "stage 2": "0.8 mm a cell: shows best where; the usual choice",
    "stage 3": "1.6 mm a cell: takes in more of what lies around",
    "stage 4": "3.2 mm a cell: what the last layers look at, only roughly in place",
}
# On 42 simulated crops the peak of the map for "calcification" lay within 1 mm of calcium 42 times with stage 2,
# 41 times with stage 3 and 29 times with stage 4.
DEFAULT_LAYER = "stage 2"
COPIES = 3  # with random weights, to compare a map with
MARGIN_MM = 8.0  # around a detection: as far as the local normalisation looks

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class HeatMap:
    """A Grad-CAM map and the probabilities of the same pass.

    heat : (h, w) float32, 0-1 within this window; all 0 where nothing raised the score
    target : the label whose score the map explains
    layer : the stage of the network that it was taken from, one of LAYERS
    box : row, col, height, width of the window that `heat` covers, in pixels of the image as given
    spacing_mm : pixel spacing of the image as given
    """

    result: CropResult
    heat: np.ndarray
    target: str
    layer: str
    box: Box
    spacing_mm: float

    def on(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) float32: the heat in its place on the whole image, 0 around the window."""
        full = np.zeros(shape, np.float32)
        row, col, height, width = self.box
        full[row : row + height, col : col + width] = self.heat
        return full


def explain_crop(
    pixels: np.ndarray,
    *,
    spacing_mm: float | None,
    target: str,
    layer: str = DEFAULT_LAYER,
    model: Model | None = None,
) -> HeatMap:
    """Heat map of one label for a crop as a whole.

    The map shows which parts raised this score. It is scaled to each picture's own maximum, so it says nothing of how
    high the score is, and it does not outline the finding.

    pixels : (H, W) float32, 0-1
    spacing_mm : pixel spacing, or None when unknown
    target : "calcification" or one of the four groups
    layer : one of LAYERS
    Raises ModelError: an unknown target or layer, or no usable model
        ImageError: pixels that are no grey image

    Source: Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74.
    """
    box = (0, 0, *pixels.shape[:2])
    return _explain(pixels, box, film_if_unknown(spacing_mm), target, layer, model or read_model())


def explain_detection(
    pixels: np.ndarray,
    detection: Detection,
    *,
    spacing_mm: float | None,
    target: str,
    layer: str = DEFAULT_LAYER,
    model: Model | None = None,
) -> HeatMap:
    """Heat map of one label for a detection in a whole view, in a window that reaches MARGIN_MM beyond its box.

    Parameters, Raises and Source as for `explain_crop`; `pixels` is the whole view, and `HeatMap.on` puts the heat
    back in place on it.
    """
    spacing_mm = film_if_unknown(spacing_mm)
    box = window_of(detection, pixels.shape[:2], spacing_mm)
    return _explain(pixels, box, spacing_mm, target, layer, model or read_model())


def randomisation_similarity(
    pixels: np.ndarray, heat_map: HeatMap, *, model: Model | None = None, seed: int = 0
) -> float:
    """Similarity of a map to those of COPIES of the model whose late layers have random weights, their mean.

    Near 0: the map depends on what was learned. Near 1: it would be drawn without that too, from the picture's own
    edges, and explains nothing.

    pixels : (H, W) float32, 0-1, the image that the map explains
    Returns spearman correlation of the maps' cells, -1 to 1; 0 where a map is flat

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps", arXiv:1810.03292.
    """
    model = model or read_model()
    generator = torch.Generator().manual_seed(seed)
    with model.lock:
        rest, features, index = _cut(pixels, heat_map.box, heat_map.spacing_mm, heat_map.target, heat_map.layer, model)
        own = _cam(rest, features, index)[0]
        others = [_cam(_randomised(rest, generator), features, index)[0] for _ in range(COPIES)]
    return float(np.mean([_correlation(own, other) for other in others]))


def heat_inside(heat: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Share of the heat that lies inside a mask, and the share of the area that the mask takes, both 0-1.

    heat : (h, w) float, 0-1
    mask : (h, w) bool, on the same grid
    """
    total = float(heat.sum())
    return (float(heat[mask].sum()) / total if total else 0.0), float(mask.mean())


def window_of(detection: Detection, shape: tuple[int, int], spacing_mm: float) -> Box:
    """The box of a detection with MARGIN_MM around it, within an image of `shape`: row, col, height, width."""
    margin = round(MARGIN_MM / spacing_mm)
    top, left = max(detection.row - margin, 0), max(detection.col - margin, 0)
    bottom = min(detection.row + detection.height + margin, shape[0])
    right = min(detection.col + detection.width + margin, shape[1])
    return top, left, bottom - top, right - left


def _explain(pixels: np.ndarray, box: Box, spacing_mm: float, target: str, layer: str, model: Model) -> HeatMap:
    with model.lock:  # one pass at a time: memory for one
        cells, logits = _cam(*_cut(pixels, box, spacing_mm, target, layer, model))
    heat = interpolate(cells[None, None], size=box[2:], mode="bilinear")[0, 0].numpy()
    return HeatMap(result_of(logits, model.card), heat, target, layer, box, spacing_mm)


class _Rest(nn.Module):
    """What of the network follows a stage: from its features to the logits. `entry` is where the map is taken."""

    def __init__(self, network: CalcificationNet, stage: int, early: Tensor) -> None:
        super().__init__()
        self.entry = nn.Identity()
        self.blocks = nn.Sequential(*(network.layer3, network.layer4, network.head)[stage - 2 :])
        self.spots = network.spots
        self.early = None if stage == 2 else early

    def forward(self, features: Tensor) -> Tensor:
        features = self.entry(features)
        return fuse_logits(self.blocks(features), self.spots(features if self.early is None else self.early))


@torch.no_grad()
def _cut(
    pixels: np.ndarray, box: Box, spacing_mm: float, target: str, layer: str, model: Model
) -> tuple[_Rest, Tensor, int]:
    """The rest of the network after a stage, the features that enter it, and the index of the label to explain."""
    if target not in model.card.labels:
        raise ModelError(f"Unknown label '{target}'", todo=f"Known: {', '.join(model.card.labels)}.")
    if layer not in LAYERS:
        raise ModelError(f"Unknown layer '{layer}'", todo=f"Known: {', '.join(LAYERS)}.")
    row, col, height, width = box
    window = check_pixels(pixels[row : row + height, col : col + width])
    network, stage = model.network, list(LAYERS).index(layer) + 2
    early = features = network.early(normalise_image(window, spacing_mm, model.card).to_input())
    for block in (network.layer3, network.layer4)[: stage - 2]:
        features = block(features)
    return _Rest(network, stage, early), features, model.card.labels.index(target)


def _cam(rest: _Rest, features: Tensor, index: int) -> tuple[Tensor, Tensor]:
    """Cells of the map (h, w), 0-1, and the logits (labels,) of the same pass."""
    with GradCAM(model=rest, target_layers=[rest.entry]) as cam:
        # With every weight frozen, the features are what a gradient is asked for.
        cells = cam(features.clone().requires_grad_(), targets=[ClassifierOutputTarget(index)])[0]
        logits = cam.outputs[0].detach()
    return torch.from_numpy(cells), logits


@torch.no_grad()
def _randomised(rest: _Rest, generator: torch.Generator) -> _Rest:
    """A copy whose weights are random, with the mean and the spread that each tensor had."""
    fresh = deepcopy(rest)
    fresh.train()  # normalised by this picture: the statistics learned with the old weights would silence the new
    for weights in fresh.parameters():
        mean, spread = float(weights.mean()), float(weights.std(correction=0))
        weights.copy_(torch.normal(mean, spread, weights.shape, generator=generator))
    return fresh


def _correlation(one: Tensor, other: Tensor) -> float:
    first, second = one.flatten().numpy(), other.flatten().numpy()
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)
