"""How well a model does on the crops of one split, with n and intervals beside every figure."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from lemons_core.collection import Collection, read_collection
from lemons_core.errors import DataError
from lemons_core.metrics import score_labels, wilson
from lemons_core.simulate.demo import read_demo_marker
from lemons_core.terms import GROUPS
from lemons_core.vision.data import Tile, cut_tiles, target_of
from lemons_core.vision.model import LABELS
from lemons_core.vision.weights import Model, read_model

Progress = Callable[[float, str], None]


def evaluate(
    root: str | Path, model_folder: str | Path, *, split: str = "test", progress: Progress | None = None
) -> dict[str, Any]:
    """Measure a model on every crop of one official split, and on one patch of normal tissue from each view.

    Returns
    -------
    split, data, simulated, model {...}; n, crops, normal_patches, patients; labels: for each output the figures of
    `metrics.score` (intervals by bootstrap over patients); single_label: accuracy [value, low, high] (Wilson),
    macro_recall, confusion (rows: reference, columns: predicted, in the order of `groups`); unreadable [messages]

    Raises
    ------
    DataError : no crop of this split is on disk or readable
    ModelError : the model folder cannot be used
    """
    model = read_model(model_folder)
    collection = read_collection(root)
    rows = collection.with_crops(split)
    with TemporaryDirectory() as store:
        tiles, failed = cut_tiles(rows, Path(store), model.card, progress=progress)
        if not tiles:
            raise DataError("No crop could be read", where=str(collection.root), todo=failed[0])
        probabilities = np.stack([_probabilities(model, tile) for tile in tiles])
    return _figures(collection, model, split, tiles, probabilities, failed)


@torch.inference_mode()
def _probabilities(model: Model, tile: Tile) -> np.ndarray:
    """(labels,) for the whole tile, whatever its size; the tile is normalised already."""
    inputs = torch.from_numpy(np.load(tile.path).astype(np.float32))[None, None]
    with model.lock:
        return torch.sigmoid(model.network(inputs.to(memory_format=torch.channels_last))[0]).numpy()


def _figures(
    collection: Collection, model: Model, split: str, tiles: list[Tile], p: np.ndarray, failed: list[str]
) -> dict[str, Any]:
    y = torch.stack([target_of(tile.groups) for tile in tiles]).numpy()
    patients = np.array([tile.patient_id for tile in tiles], dtype=object)
    crops = np.array([bool(tile.groups) for tile in tiles])
    simulated = read_demo_marker(collection.root) is not None
    card = model.card
    return {
        "split": split,
        "data": "simulated demo data" if simulated else collection.root.name,
        "simulated": simulated,
        "model": {"name": card.name, "trained_on": card.trained_on, "sha256": card.sha256},
        "n": len(tiles),
        "crops": int(crops.sum()),
        "normal_patches": int((~crops).sum()),
        "patients": len(set(patients)),
        "labels": {
            label: {"positives": int(y[:, place].sum())} | figures
            for place, (label, figures) in enumerate(score_labels(y, p, patients, LABELS).items())
        },
        "single_label": _single_label([tile.single for tile in tiles if tile.groups], p[crops, 1:]),
        "unreadable": failed,
    }


def _single_label(reference: list[str | None], p: np.ndarray) -> dict[str, Any]:
    """The four-way task of one label a crop: the most probable group against the reference label."""
    truth = np.array([GROUPS.index(label) for label in reference])
    confusion = np.zeros((len(GROUPS), len(GROUPS)), int)
    np.add.at(confusion, (truth, p.argmax(1)), 1)
    right, n = int(np.trace(confusion)), len(truth)
    present = confusion.sum(1) > 0
    recall = confusion.diagonal()[present] / confusion.sum(1)[present]
    return {
        "n": n,
        "groups": [str(group) for group in GROUPS],
        "accuracy": [right / n, *wilson(right, n)],
        "macro_recall": float(recall.mean()),
        "confusion": confusion.tolist(),
    }


def text_of(figures: dict[str, Any]) -> str:
    """The figures as a short table for a terminal."""
    single = figures["single_label"]
    lines = [
        f"{figures['data']}, {figures['split']} split: {figures['crops']} crops, "
        f"{figures['normal_patches']} patches of normal tissue, {figures['patients']} patients",
        f"model {figures['model']['name']}, trained on {figures['model']['trained_on']}",
        "",
        f"{'label':<15}{'positive':>9}  {'AUC (95 % interval)':<22}average precision",
    ]
    for label, row in figures["labels"].items():
        figures_of = f"{interval_text(row['auc']):<22}{interval_text(row['average_precision'])}"
        lines.append(f"{label:<15}{row['positives']:>9}  {figures_of}")
    lines += [
        "",
        f"one label a crop: accuracy {interval_text(single['accuracy'])}, macro recall {single['macro_recall']:.3f}",
    ]
    lines += [
        f"(n = {single['n']}); rows reference, columns predicted:",
        " " * 12 + "".join(f"{g:>11}" for g in GROUPS),
    ]
    for group, counts in zip(GROUPS, single["confusion"], strict=True):
        lines.append(f"{group:<12}" + "".join(f"{count:>11}" for count in counts))
    lines += [f"not readable: {message}" for message in figures["unreadable"]]
    return "\n".join(lines)


def interval_text(triple: list[float] | None) -> str:
    """A figure with its interval, such as "0.981 (0.970-0.990)"."""
    return "not defined" if triple is None else f"{triple[0]:.3f} ({triple[1]:.3f}-{triple[2]:.3f})"
