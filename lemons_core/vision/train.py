"""Training: a plain loop that a reader can follow from the data to the model card."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, Dataset

from lemons_core.card import ModelCard, write_card
from lemons_core.collection import read_collection
from lemons_core.errors import DataError
from lemons_core.metrics import score_labels
from lemons_core.simulate.demo import read_demo_marker
from lemons_core.splits import assert_disjoint, hold_out
from lemons_core.vision.data import SimulatedTiles, StoredTiles, cut_tiles, target_of
from lemons_core.vision.model import LABELS, CalcificationNet, build_network
from lemons_core.vision.weights import read_model, write_model

SIMULATED = "simulated"  # the value of --data that trains on tiles made on the way
SIMULATED_SOURCE = "lemons_core.simulate"  # in a card: the model has seen no row of any collection
HISTORY_NAME = "history.jsonl"
HELD_OUT = 1000  # simulated tiles to measure on

Progress = Callable[[float, str], None]
Items = Dataset[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """Settings of one run; they go into the model card.

    tiles : simulated tiles an epoch (a collection has as many as it has)
    init : "imagenet" (where reachable), "shipped" or "scratch"
    """

    epochs: int = 12
    seed: int = 0
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    tiles: int = 4000
    init: str = "imagenet"
    workers: int = max(1, min(4, (os.cpu_count() or 2) - 1))


EMPTY_CARD = ModelCard(
    name="",
    architecture="ResNet34 (torchvision), one grey channel, log-mean-exp pooling",
    labels=LABELS,
    spacing_mm=0.1,
    tile_px=128,
    background_mm=1.5,
    contrast_mm=4.0,
    trained_on="",
    simulated=True,
)


def train(data: str | Path, out: Path, recipe: Recipe, *, progress: Progress | None = None) -> ModelCard:
    """Train on a collection root, or on simulated tiles with data="simulated"; write the best epoch to `out`.

    One line of JSON an epoch goes to `history.jsonl`. The best epoch is the one with the highest macro AUC on
    validation data: patients held out from the training split, or simulated tiles of another seed.

    Raises
    ------
    DataError : the collection has no usable training images
    """
    tell = progress or (lambda fraction, text: None)
    torch.manual_seed(recipe.seed)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    card, epoch_items, validation = _sources(data, out, recipe, tell)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if recipe.init == "shipped":
        shipped = read_model()
        # A copy: the model that is read once a process must stay as it is.
        network = deepcopy(shipped.network)
        start = {"sha256": shipped.card.sha256, "training": shipped.card.training}
        card = replace(card, training=card.training | {"started_from": start})
    else:
        network = build_network(init=recipe.init)
    network.requires_grad_(True)
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    first = epoch_items(0)
    steps = max(len(first) // recipe.batch, 1)  # type: ignore[arg-type]
    optimiser = AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps, pct_start=0.2)
    loss_of = nn.BCEWithLogitsLoss(pos_weight=_class_weights(first).to(device))
    best = -1.0
    history = out / HISTORY_NAME
    history.unlink(missing_ok=True)
    for epoch in range(recipe.epochs):
        network.train()
        total = 0.0
        order = torch.Generator().manual_seed(recipe.seed * 1000 + epoch)
        loader = DataLoader(
            epoch_items(epoch),
            recipe.batch,
            shuffle=True,
            drop_last=steps > 1,
            num_workers=recipe.workers,
            generator=order,
        )
        for step, (inputs, targets) in enumerate(loader, start=1):
            inputs = inputs.to(device, memory_format=torch.channels_last)
            loss = loss_of(network(inputs), targets.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            if schedule.last_epoch < recipe.epochs * steps:
                schedule.step()
            total += float(loss.detach())
            tell((epoch + step / steps) / recipe.epochs, f"epoch {epoch + 1}/{recipe.epochs}, loss {total / step:.3f}")
        figures = measure(network, validation, workers=recipe.workers)
        line = {"epoch": epoch + 1, "loss": round(total / step, 4), "validation": figures}
        with history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        score = _macro(figures["labels"])
        tell((epoch + 1) / recipe.epochs, f"epoch {epoch + 1}/{recipe.epochs}, validation macro AUC {score:.3f}")
        if score > best:
            best = score
            kept = replace(
                card,
                created=datetime.now(UTC).date().isoformat(),
                training=card.training | {"recipe": asdict(recipe) | {"workers": 0}, "best_epoch": epoch + 1},
                metrics={"validation": figures},
            )
            card = write_model(out, network, kept)
    if str(data) == SIMULATED:
        # The best epoch was chosen on the validation tiles: these are seen once, at the end.
        held_out = held_out_tiles(card, count=min(recipe.tiles, HELD_OUT), seed=recipe.seed)
        figures = measure(read_model(out).network, held_out, workers=recipe.workers)
        card = replace(card, metrics=card.metrics | {"held_out": figures})
        write_card(out, card)
    return card


def held_out_tiles(card: ModelCard, *, count: int, seed: int) -> SimulatedTiles:
    """Simulated tiles that neither training nor validation of this seed draws."""
    return SimulatedTiles(card, count=count, seed=seed + 2_000_003)


def _sources(
    data: str | Path, out: Path, recipe: Recipe, tell: Progress
) -> tuple[ModelCard, Callable[[int], Items], Items]:
    """The card, a function from epoch to training items, and the validation items."""
    if str(data) == SIMULATED:
        card = replace(
            EMPTY_CARD,
            name="simulated-resnet34",
            trained_on="simulated calcifications only, no real image",
            limits=SIMULATED_LIMITS,
            training={"source": SIMULATED_SOURCE, "tiles": recipe.tiles * recipe.epochs},
        )

        def items(epoch: int) -> Items:
            return SimulatedTiles(card, count=recipe.tiles, seed=recipe.seed, start=epoch * recipe.tiles)

        held = max(min(recipe.tiles // 4, 1000), 64)
        return card, items, SimulatedTiles(card, count=held, seed=recipe.seed + 1_000_003)

    collection = read_collection(data, progress=lambda fraction, text: tell(0.0, text))
    rows = collection.with_crops("train")
    rest, held_rows = hold_out(rows, share=0.15, seed=recipe.seed)
    simulated = read_demo_marker(collection.root) is not None
    card = replace(
        EMPTY_CARD,
        name="demo-resnet34" if simulated else "cbis-ddsm-resnet34",
        trained_on="the simulated demo data" if simulated else "CBIS-DDSM, official training split",
        simulated=simulated,
        limits=SIMULATED_LIMITS if simulated else REAL_LIMITS,
    )
    tiles, failed = cut_tiles(rows, out / "tiles", card, seed=recipe.seed, progress=lambda f, text: tell(0.0, text))
    held_patients = set(held_rows["patient_id"])
    train_tiles = [tile for tile in tiles if tile.patient_id not in held_patients]
    valid_tiles = [tile for tile in tiles if tile.patient_id in held_patients]
    if not train_tiles or not valid_tiles:
        raise DataError("No crop could be read", where=str(collection.root), todo=failed[0] if failed else "")
    assert_disjoint(rest, held_rows)
    card = replace(
        card,
        training={
            "source": card.trained_on,
            "crops": sum(bool(tile.groups) for tile in train_tiles),
            "normal_patches": sum(not tile.groups for tile in train_tiles),
            "patients": len({tile.patient_id for tile in train_tiles}),
            "unreadable": len(failed),
        },
    )

    def stored(epoch: int) -> Items:
        return StoredTiles(train_tiles, card, seed=recipe.seed, epoch=epoch)

    return card, stored, StoredTiles(valid_tiles, card, seed=recipe.seed)


SIMULATED_LIMITS = (
    "Trained on simulated calcifications only; its figures on real mammograms are unknown.",
    "Made for crops of film mammograms around a finding, a few centimetres wide.",
    "Says nothing about benign or malignant.",
    "Research and education only, not a medical device.",
)
REAL_LIMITS = (
    "Trained on digitised film of one collection from the 1990s; digital mammograms look different.",
    "Made for crops around a finding, a few centimetres wide.",
    "Says nothing about benign or malignant.",
    "Research and education only, not a medical device.",
)


def _class_weights(items: Items) -> Tensor:
    """(labels,) weight of a positive: how often it is absent for once that it is there, 0.5 to 8."""
    if isinstance(items, StoredTiles):
        targets = torch.stack([target_of(tile.groups) for tile in items.tiles])
        positive = targets.sum(0).clamp(min=1)
        return ((len(targets) - positive) / positive).clamp(0.5, 8.0)
    return torch.ones(len(LABELS))  # simulated groups are drawn in balance


def measure(network: CalcificationNet, items: Items, *, workers: int = 0) -> dict[str, Any]:
    """Held-out figures: n, and for each label positives, auc and average_precision as [value, low, high], and ece.

    Intervals are 95 %, by bootstrap over patients; each simulated tile counts as a patient of its own. A figure is None
    where all reference labels are alike.
    """
    network.eval()
    device = next(network.parameters()).device
    y, p = [], []
    with torch.no_grad():
        for inputs, targets in DataLoader(items, 64, num_workers=workers):
            p.append(torch.sigmoid(network(inputs.to(device, memory_format=torch.channels_last))).cpu())
            y.append(targets)
    truth, found = torch.cat(y).numpy(), torch.cat(p).numpy()
    patients = [str(number) for number in range(len(truth))]
    if isinstance(items, StoredTiles):
        patients = [tile.patient_id for tile in items.tiles]
    figures = score_labels(truth, found, patients, LABELS, replicates=500)
    kept = ("auc", "average_precision", "ece")
    labels = {
        label: {"positives": int(truth[:, place].sum())} | {name: _rounded(figures[label][name]) for name in kept}
        for place, label in enumerate(LABELS)
    }
    return {"n": len(truth), "labels": labels}


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [round(part, 4) for part in value]
    return None if value is None else round(value, 4)


def _macro(labels: dict[str, dict[str, Any]]) -> float:
    values = [row["auc"][0] for row in labels.values() if row["auc"] is not None]
    return float(np.mean(values)) if values else 0.0
