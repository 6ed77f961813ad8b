"""A network on held-out tiles: its predictions, and the figures that training watches."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from lemons_core.base.io import rounded
from lemons_core.metrics.multilabel import score_labels
from lemons_core.vision.network.model import CalcificationNet
from lemons_core.vision.network.probabilities import calibrated
from lemons_core.vision.network.weights import Model
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.tiles.data import StoredTiles, TileDataset


class Predictions(NamedTuple):
    """A network's logits for N tiles, beside what is known of them.

    logits : (N, labels) float
    targets : (N, labels) 0, 1 or nan
    patients : (N,) whose tile it is; each simulated tile is a patient of its own
    """

    logits: np.ndarray
    targets: np.ndarray
    patients: np.ndarray


@torch.inference_mode()
def predict_tiles(network: CalcificationNet, items: TileDataset, *, workers: int = 0) -> Predictions:
    """One pass over the items, in their order."""
    network.eval()
    device = next(network.parameters()).device
    logits, targets = [], []
    for inputs, known, _ in DataLoader(items, 64, num_workers=workers):
        logits.append(network(inputs.to(device, memory_format=torch.channels_last)).logits.float().cpu())
        targets.append(known)
    count = sum(map(len, targets))
    patients = [tile.patient_id for tile in items.tiles] if isinstance(items, StoredTiles) else range(count)
    return Predictions(
        torch.cat(logits).numpy(), torch.cat(targets).numpy(), np.array([str(patient) for patient in patients])
    )


def figures_of(predictions: Predictions, card: ModelCard) -> dict[str, Any]:
    """Held-out figures: n, and for each label positives, auc and average_precision as [value, low, high], and ece.

    Intervals are 95 %, by bootstrap over patients. A figure is None where all reference labels are alike; a label that
    is known of no tile is left out. The card gives the labels and their temperatures.
    """
    targets, probabilities = predictions.targets, calibrated(predictions.logits, card)
    scores = score_labels(targets, probabilities, predictions.patients, card.labels, replicates=500)
    rows = {
        label: {"positives": int(np.nansum(target))}
        | {name: rounded(getattr(scores[label], name)) for name in ("auc", "average_precision", "ece")}
        for label, target in zip(card.labels, targets.T, strict=True)
        if label in scores
    }
    return {"n": len(targets), "labels": rows}


@torch.inference_mode()
def logits_of(model: Model, normalised: np.ndarray) -> np.ndarray:
    """(labels,) of one normalised picture (H, W), whatever its size."""
    inputs = torch.from_numpy(normalised.astype(np.float32))[None, None]
    with model.lock:
        return model.network(inputs.to(memory_format=torch.channels_last)).logits[0].numpy()
