"""Where a training run has its tiles from, and what its card states of them."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from lemons_core.base.errors import DataError
from lemons_core.base.progress import Progress
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.splits import assert_disjoint, hold_out
from lemons_core.vision.network.model import LABELS
from lemons_core.vision.record.card import MALIGNANCY, ModelCard
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.backgrounds import Background, read_backgrounds, split_backgrounds
from lemons_core.vision.tiles.constants import EMPTY_CARD, SIMULATED, SIMULATED_SOURCE
from lemons_core.vision.tiles.crops import cut_tiles
from lemons_core.vision.tiles.data import (
    MixedTiles,
    SimulatedTiles,
    StoredTiles,
    TileDataset,
    held_out_tiles,
    target_of,
)
from lemons_core.vision.train.ddp import ProcessGroup

Result = TypeVar("Result")
Backgrounds = tuple[Sequence[Background], ...]  # training, validation, held out
log = logging.getLogger(__name__)

HELD_OUT = 2000  # simulated tiles to measure on
REAL_TILE_PX = 192  # real crops are up to several centimetres wide
PATCHES = 3  # of normal tissue from each view: the hard negatives are there

RESEARCH = "Research and education only, not a medical device."
NO_MALIGNANCY = "Says nothing about benign or malignant."
SIMULATED_LIMITS = (
    "Trained on simulated calcifications only; its figures on real mammograms are unknown.",
    "Made for film; the scores of places in a whole view are calibrated on simulated views.",
    NO_MALIGNANCY,
    RESEARCH,
)
BACKGROUND_LIMIT = (
    "Trained on simulated calcifications in a few normal mammograms; its figures on real lesions are unknown."
)
REAL_LIMITS = (
    "Trained on digitised film of one collection from the 1990s; digital mammograms look different.",
    "Made for crops around a finding, a few centimetres wide.",
)
MALIGNANCY_LIMIT = "Malignancy was learned from case-enriched data: its probability is no risk of a person."


@dataclass(frozen=True)
class Tiles:
    """What a run learns from and is judged by.

    card : of the model to be, without weights and figures
    training : item e * epoch_tiles + i is tile i of epoch e
    epoch_tiles : tiles in an epoch
    validation : chooses the best epoch, temperature and abstain band
    held_out : seen once, at the end; None for a collection, whose test split `evaluate` measures
    positive : (labels,) weight of a positive in the loss
    """

    card: ModelCard
    training: TileDataset
    epoch_tiles: int
    validation: TileDataset
    held_out: TileDataset | None
    positive: Tensor


def open_tiles(data: str | Path, out: Path, recipe: Recipe, *, group: ProcessGroup, progress: Progress) -> Tiles:
    """Tiles of a collection root, cut once into `out`, or simulated ones with data="simulated".

    Raises DataError: the collection has no usable training images, or the folder of backgrounds no usable mammograms
    """

    def report(_: float, text: str) -> None:
        progress(0.0, text)  # the share is that of the steps, and none is done yet

    backgrounds = _backgrounds(out, recipe, group, report)
    if str(data) == SIMULATED:
        return _simulated(recipe, backgrounds)
    return _collection(Path(data), out, recipe, backgrounds=backgrounds, group=group, progress=report)


def _simulated(recipe: Recipe, backgrounds: Backgrounds) -> Tiles:
    total = recipe.tiles * recipe.epochs
    training, validation, held_out = backgrounds
    card = replace(
        EMPTY_CARD,
        name="simulated-resnet34",
        trained_on="simulated calcifications only, no real image",
        limits=SIMULATED_LIMITS,
        training={"source": SIMULATED_SOURCE, "tiles": total},
    )
    if training:
        counts = {"training": len(training), "validation": len(validation), "held_out": len(held_out)}
        card = replace(
            card,
            name="simulated-on-own-backgrounds-resnet34",
            trained_on="simulated calcifications on own backgrounds, no real lesion",
            limits=(BACKGROUND_LIMIT, *SIMULATED_LIMITS[1:]),
            training=card.training | {"backgrounds": counts},
        )
    return Tiles(
        card,
        SimulatedTiles(card, count=total, seed=recipe.seed, backgrounds=training),
        recipe.tiles,
        SimulatedTiles(
            card, count=max(min(recipe.tiles // 4, 1000), 32), seed=recipe.seed + 1_000_003, backgrounds=validation
        ),
        held_out_tiles(card, count=min(total, HELD_OUT), seed=recipe.seed, backgrounds=held_out),
        torch.ones(len(card.labels)),  # simulated groups are drawn in balance
    )


def _collection(
    root: Path, out: Path, recipe: Recipe, *, backgrounds: Backgrounds, group: ProcessGroup, progress: Progress
) -> Tiles:
    collection = read_collection(root, progress=progress)
    rows = collection.with_crops("train")
    rest, held_rows = hold_out(rows, share=0.15, seed=recipe.seed)
    assert_disjoint(rest, held_rows)
    card = _collection_card(simulated=collection.simulated, pathology=bool(rows["pathology"].notna().any()))
    tiles, failed = _once_a_machine(group, lambda: cut_tiles(
        rows, out / "tiles", card, patches=PATCHES, seed=recipe.seed, jobs=_cores(), progress=progress
    ))  # fmt: skip
    held_patients = set(held_rows["patient_id"])
    train_tiles = [tile for tile in tiles if tile.patient_id not in held_patients]
    valid_tiles = [tile for tile in tiles if tile.patient_id in held_patients]
    if not train_tiles or not valid_tiles:
        raise DataError("No crop could be read", where=str(collection.root), todo=failed[0] if failed else "")
    crops = sum(bool(tile.groups) for tile in train_tiles)
    facts = {
        "source": card.trained_on,
        "crops": crops,
        "normal_patches": len(train_tiles) - crops,
        "patients": len({tile.patient_id for tile in train_tiles}),
        "unreadable": len(failed),
    }
    stored = StoredTiles(train_tiles, card, seed=recipe.seed)
    training: StoredTiles | MixedTiles = stored
    if recipe.mix:
        each = round(len(train_tiles) * recipe.mix / (1 - recipe.mix))
        simulated = SimulatedTiles(card, count=each * recipe.epochs, seed=recipe.seed, backgrounds=backgrounds[0])
        training = MixedTiles(stored, simulated, simulated_each=each)
        facts["simulated_tiles_an_epoch"] = each
    targets = [target_of(tile.groups, labels=card.labels, malignant=tile.malignant) for tile in train_tiles]
    return Tiles(
        replace(card, training=facts),
        training,
        len(training),
        StoredTiles(valid_tiles, card, seed=recipe.seed),
        None,
        _weights(torch.stack(targets)),
    )


def _collection_card(*, simulated: bool, pathology: bool) -> ModelCard:
    """What is known of the model before its tiles are cut. pathology : whether the collection knows any."""
    if simulated:
        return replace(EMPTY_CARD, name="demo-resnet34", trained_on="the simulated demo data", limits=SIMULATED_LIMITS)
    return replace(
        EMPTY_CARD,
        name="cbis-ddsm-resnet34",
        trained_on="CBIS-DDSM, official training split",
        simulated=False,
        labels=(*LABELS, MALIGNANCY) if pathology else LABELS,
        tile_px=REAL_TILE_PX,
        limits=(*REAL_LIMITS, MALIGNANCY_LIMIT if pathology else NO_MALIGNANCY, RESEARCH),
    )


def _backgrounds(out: Path, recipe: Recipe, group: ProcessGroup, progress: Progress) -> Backgrounds:
    """Training, validation, held out; all empty without a folder."""
    folder = recipe.background
    if folder is None:
        return (), (), ()
    found, failed = _once_a_machine(
        group, lambda: read_backgrounds(Path(folder), out / "backgrounds", jobs=_cores(), progress=progress)
    )
    for message in failed:
        log.warning("Not used as a background: %s", message)
    return split_backgrounds(found, seed=recipe.seed)


def _once_a_machine(group: ProcessGroup, work: Callable[[], Result]) -> Result:
    """Slow reading that leaves its results on disk: the first process of a machine does it, the others find it done."""
    if group.local:
        group.wait()
    result = work()
    if not group.local:
        group.wait()
    return result


def _cores() -> int:
    return min(os.cpu_count() or 1, 8)  # each holds a whole view in memory


def _weights(targets: Tensor) -> Tensor:
    """(labels,) how often a label is absent for once that it is there, 0.5 to 8; targets (N, labels), nan not known."""
    positive = targets.nansum(0).clamp(min=1)
    absent = (~targets.isnan()).sum(0) - positive
    return (absent / positive).clamp(0.5, 8.0)
