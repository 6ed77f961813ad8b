"""How far a picture lies from the tiles that a model was trained on, in the space of its early features.

A second line behind the plain checks of `mammogram.validity`: those look at borders, edges and grey levels, this asks
whether the network's own filters see what they see in tissue. It knows noise, text and foreign textures; an ordinary
photograph, normalised to local contrast, is too much like tissue for it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from scipy import ndimage
from torch import Tensor
from torch.utils.data import DataLoader

from lemons_core.base.errors import ModelError
from lemons_core.base.io import write_atomic
from lemons_core.mammogram import Breast, find_breast
from lemons_core.vision.network.model import CalcificationNet
from lemons_core.vision.network.preprocess import normalise, resample
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard

if TYPE_CHECKING:  # drawing tiles needs pandas and the simulator, measuring a picture does not
    from lemons_core.vision.tiles.data import TileDataset

FEATURES_NAME = "typical.safetensors"
TILES = 2500
SEED = 3_000_003  # tiles that neither training nor validation draws
# The limit: this quantile of the distances of tiles that were not used for the fit, and room for film, detectors and
# wrong spacings that no simulation has seen. Of 338 mammograms and parts of them none exceeded 0.9 of it.
QUANTILE, MARGIN = 0.99, 1.5
SHRINKAGE = 0.1
MOST_WINDOWS = 8


@dataclass(frozen=True, eq=False)
class FeatureDistribution:
    """Where typical tiles lie.

    mean : (C,) of the features of a tile; precision : (C, C), inverse of their shrunken covariance
    limit : the distance beyond which a picture is unlike them
    """

    mean: Tensor
    precision: Tensor
    limit: float

    def distance(self, features: Tensor) -> Tensor:
        """(N, C) features to (N,) Mahalanobis distances."""
        off = features - self.mean
        return ((off @ self.precision) * off).sum(1).clamp(min=0).sqrt()


def fit_feature_distribution(network: CalcificationNet, items: "TileDataset") -> FeatureDistribution:
    """Mean and precision from four fifths of the items, the limit from the others."""
    device = next(network.parameters()).device
    found = [features_of(network, inputs.to(device)).cpu() for inputs, *_ in DataLoader(items, batch_size=64)]
    features = torch.cat(found)
    fitted, held = features[: len(features) * 4 // 5], features[len(features) * 4 // 5 :]
    spread = fitted.std(0) + 1e-6
    correlation = torch.corrcoef(((fitted - fitted.mean(0)) / spread).T).nan_to_num()
    shrunken = (1 - SHRINKAGE) * correlation + SHRINKAGE * torch.eye(len(spread))
    unscaled = FeatureDistribution(fitted.mean(0), torch.linalg.inv(shrunken) / (spread[:, None] * spread[None]), 1.0)
    return replace(unscaled, limit=MARGIN * float(torch.quantile(unscaled.distance(held), QUANTILE)))


def features_of(network: CalcificationNet, inputs: Tensor) -> Tensor:
    """(N, 1, H, W) network inputs to (N, C) early features, averaged over each picture.

    Their spread over a picture tells photographs from film more sharply, but a large calcification changes it too much.
    """
    with torch.inference_mode():
        return network.early(inputs.to(memory_format=torch.channels_last)).float().mean((2, 3))


def add_feature_distribution(directory: str | Path, items: "TileDataset | None" = None) -> FeatureDistribution:
    """Fit for the model in `directory` and write the result beside its weights.

    items : what the model was trained on; simulated tiles when None
    Raises ModelError: no usable model there
    """
    from lemons_core.vision.tiles.data import SimulatedTiles

    model = read_model(directory)
    with model.lock:
        known = fit_feature_distribution(model.network, items or SimulatedTiles(model.card, count=TILES, seed=SEED))
    tensors = {"mean": known.mean, "precision": known.precision, "limit": torch.tensor([known.limit])}
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"weights": model.card.sha256})
    write_atomic(Path(directory) / FEATURES_NAME, data)
    return known


def read_feature_distribution(directory: str | Path, card: ModelCard) -> FeatureDistribution | None:
    """What add_feature_distribution wrote; None when there is nothing, or it was fitted for other weights.

    Raises ModelError: the file is damaged
    """
    path = Path(directory) / FEATURES_NAME
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("weights") != card.sha256:
                return None
            mean, precision, limit = (file.get_tensor(name) for name in ("mean", "precision", "limit"))
    except (SafetensorError, OSError) as error:
        raise ModelError("The file of typical features is damaged", where=str(path), todo="Delete it.") from error
    return FeatureDistribution(mean, precision, float(limit))


def ood_distance(pixels: np.ndarray, *, spacing_mm: float, model: Model, breast: Breast | None = None) -> float | None:
    """How unlike its training tiles a model finds a picture: above 1 it is no tissue that the model knows.

    The median over a few windows on the breast, in units of the limit; None without typical features for these weights.

    pixels : (H, W) float32, 0-1
    spacing_mm : pixel spacing
    breast : found in these pixels; sought when None
    """
    known = read_feature_distribution(model.folder, model.card)
    if known is None:
        return None
    inputs = [
        normalise(resample(part, spacing_mm, model.card.spacing_mm), model.card)
        for part in _windows(pixels, spacing_mm, model.card, breast)
    ]
    with model.lock:
        features = features_of(model.network, torch.from_numpy(np.stack(inputs))[:, None])
    return float(known.distance(features).median()) / known.limit


def _windows(pixels: np.ndarray, spacing_mm: float, card: ModelCard, breast: Breast | None) -> list[np.ndarray]:
    """Squares of the size of a tile, spread over the breast; the whole picture where it is smaller than one."""
    side = round(card.tile_px * card.spacing_mm / spacing_mm)
    if min(pixels.shape) <= side:
        return [pixels]
    breast = breast or find_breast(pixels, spacing_mm=spacing_mm)
    tissue = breast.coarse if breast.muscle is None else breast.coarse & ~breast.muscle
    cell = np.array(pixels.shape) / tissue.shape
    room = ndimage.distance_transform_cdt(np.pad(tissue, 1))[1:-1, 1:-1]
    places = np.argwhere(room >= min(side / 2 / cell.min(), room.max()))
    chosen = places[np.unique(np.linspace(0, len(places) - 1, MOST_WINDOWS).astype(int))]
    corners = np.clip((chosen + 0.5) * cell - side / 2, 0, np.array(pixels.shape) - side).astype(int)
    return [pixels[row : row + side, col : col + side] for row, col in corners]
