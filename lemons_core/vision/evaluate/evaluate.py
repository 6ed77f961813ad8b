"""How well a model does on the crops of one split, or on simulated tiles it never saw, with n and intervals."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.io import rounded
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import GROUPS
from lemons_core.dataset.collection import Collection, read_collection
from lemons_core.dataset.splits import assert_disjoint
from lemons_core.labels.mapping import read_mapping
from lemons_core.metrics.binary import Estimate, reliability, share
from lemons_core.metrics.multilabel import average_labels, score_answers, score_labels, score_single
from lemons_core.vision.evaluate.measure import logits_of, predict_tiles
from lemons_core.vision.network.probabilities import abstains, calibrated, group_columns
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard, read_card, write_card
from lemons_core.vision.tiles.constants import SIMULATED, SIMULATED_SOURCE
from lemons_core.vision.tiles.crops import Tile, cut_tiles
from lemons_core.vision.tiles.data import held_out_tiles, target_of

HELD_OUT = "held_out"  # the split of simulated tiles


class Examples(NamedTuple):
    """What is measured: N crops, lesions or tiles.

    logits, targets : (N, labels); a target is 0, 1 or nan
    patients : (N,) str; single : (N,) index of the single label in GROUPS, -1 without one
    """

    logits: np.ndarray
    targets: np.ndarray
    patients: np.ndarray
    single: np.ndarray


def evaluate(
    data: str | Path,
    model_folder: str | Path,
    *,
    split: str = "test",
    count: int = 2000,
    seed: int = 0,
    workers: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure a model on every crop of one official split, and on one patch of normal tissue from each view.

    Only calcification rows are read, here and in training: a patient whose masses lie in the other split shares no
    picture with it. That no patient has calcifications in both is asserted.

    data : root of a collection, or "simulated": `count` tiles of other seeds than training and validation, with
        `seed` to choose others still
    split : "train" or "test", of a collection
    Returns ready for JSON; a triple is [value, low, high] with a 95 % interval, or None where it is not defined:

    data, split ("train", "test" or "held_out"), simulated, seen (the model was trained on this split), model {name,
    trained_on, sha256}; n, crops (with calcium), normal_patches (without), patients;
    labels {label: positives, the figures of `metrics.score` by calibrated probability (auc, average_precision,
    accuracy triples by bootstrap over patients, sensitivity, specificity, brier, ece ...), temperature,
    abstain {band [low, high] or None, coverage, error}, reliability [{low, high, n, probability, share, share_low,
    share_high}]};
    macro_average, micro_average {auc, average_precision}: over the four groups;
    single_label {n, groups, accuracy (Wilson), accuracy_by_patient [low, high], macro_recall, macro_recall_interval
    [low, high], confusion (rows: reference, columns: the most probable group), coverage, answered_accuracy (without
    the crops of which the model is not sure)}, None without crops of one label;
    lesions {n, two_views, views_differ {type, pathology}, labels, macro_average, micro_average, single_label}: the
    views of a lesion averaged, without normal tissue; where its views differ a lesion has the types of both, and is
    malignant when either is; None for simulated tiles; unreadable [messages]

    With simulated tiles a target that no eye could see takes no part, and tiles of several groups have no single label.
    Raises DataError: no crop of this split is on disk or readable, or a patient is on two sides of the split
        ModelError: the model folder cannot be used
    """
    model = read_model(model_folder)
    card = model.card
    about = {"name": card.name, "trained_on": card.trained_on, "sha256": card.sha256}
    if str(data) == SIMULATED:
        examples = simulated_examples(model, count=count, seed=seed, workers=workers)
        head = {"split": HELD_OUT, "data": "simulated tiles", "simulated": True, "seen": False, "model": about}
        return head | _counts(examples) | score_examples(examples, card) | {"lesions": None, "unreadable": []}
    collection = read_collection(data)
    rows = _rows(collection, split)
    with TemporaryDirectory() as store:
        tiles, failed = cut_tiles(rows, Path(store), card, progress=progress)
        if not any(tile.groups for tile in tiles):
            raise DataError("No crop could be read", where=str(collection.root), todo=failed[0])
        logits = np.stack([logits_of(model, np.load(tile.path)) for tile in tiles])
    examples = _crops(tiles, logits, card)
    lesions, differences = _by_lesion(tiles, examples, rows, card)
    simulated = collection.simulated
    head = {
        "split": split,
        "data": "simulated demo data" if simulated else collection.root.name,
        "simulated": simulated,
        "seen": split == "train" and card.training.get("source") != SIMULATED_SOURCE and card.simulated == simulated,
        "model": about,
    }
    tail = {"lesions": differences | score_examples(lesions, card), "unreadable": failed}
    return head | _counts(examples) | score_examples(examples, card) | tail


def write_metrics(model_folder: str | Path, figures: dict[str, Any]) -> ModelCard:
    """Put figures of `evaluate` into the model's card, as metrics[split], rounded to four places."""
    card = read_card(Path(model_folder))
    kept = {key: value for key, value in figures.items() if key not in ("model", "unreadable")}
    kept["unreadable"] = len(figures["unreadable"])
    card = replace(card, metrics=card.metrics | {figures["split"]: rounded(kept)})
    write_card(Path(model_folder), card)
    return card


def _rows(collection: Collection, split: str) -> pd.DataFrame:
    """Rows of one split with a crop, each case once."""
    assert_disjoint(*(collection.table[collection.table["split"] == side] for side in ("train", "test")))
    rows = collection.with_crops(split)
    return rows[rows["case_id"].notna()].drop_duplicates("case_id").reset_index(drop=True)


def simulated_examples(model: Model, *, count: int, seed: int = 0, workers: int = 0) -> Examples:
    """Held-out simulated tiles; a tile of several groups, or with hidden ones, has no single label."""
    with model.lock:
        found = predict_tiles(model.network, held_out_tiles(model.card, count=count, seed=seed), workers=workers)
    groups = found.targets[:, group_columns(model.card)]
    one = (groups.sum(1) == 1) & ~np.isnan(groups).any(1)  # nan: something drawn that no eye could see
    return Examples(*found, np.where(one, np.nan_to_num(groups).argmax(1), -1))


def _crops(tiles: list[Tile], logits: np.ndarray, card: ModelCard) -> Examples:
    targets = [target_of(tile.groups, labels=card.labels, malignant=tile.malignant).numpy() for tile in tiles]
    patients = np.array([tile.patient_id for tile in tiles])
    return Examples(logits, np.stack(targets), patients, np.array([_single_index(tile.single) for tile in tiles]))


def _single_index(group: str | None) -> int:
    return GROUPS.index(group) if group else -1


def _by_lesion(
    tiles: list[Tile], examples: Examples, rows: pd.DataFrame, card: ModelCard
) -> tuple[Examples, dict[str, Any]]:
    """The views of each lesion averaged, and how many lesions have two views, and how many of these differ."""
    mapping = read_mapping()
    index_of = {tile.case_id: index for index, tile in enumerate(tiles) if tile.groups}
    lesions = [views for _, views in rows[rows["case_id"].isin(set(index_of))].groupby("lesion_id", sort=False)]
    averaged = []
    for views in lesions:
        at = [index_of[case] for case in views["case_id"]]
        known = [tiles[index].malignant for index in at if tiles[index].malignant is not None]
        label = mapping.label(list(chain.from_iterable(views["morphology_tokens"])))
        target = target_of(label.groups, labels=card.labels, malignant=any(known) if known else None)
        patient = examples.patients[at[0]]
        averaged.append((examples.logits[at].mean(0), target.numpy(), patient, _single_index(label.single)))
    differences = {
        "type": sum(views["morphology_tokens"].map(frozenset).nunique() > 1 for views in lesions),
        "pathology": sum(views["pathology"].nunique() > 1 for views in lesions),
    }
    counts = {"n": len(lesions), "two_views": sum(len(views) > 1 for views in lesions), "views_differ": differences}
    return Examples(*(np.array(part) for part in zip(*averaged, strict=True))), counts


def _counts(examples: Examples) -> dict[str, int]:
    crops = int((examples.targets[:, 0] == 1).sum())
    normal = int((examples.targets[:, 0] == 0).sum())
    patients = len(set(examples.patients))
    return {"n": len(examples.targets), "crops": crops, "normal_patches": normal, "patients": patients}


def score_examples(examples: Examples, card: ModelCard) -> dict[str, Any]:
    """Figures of any examples: labels, macro_average, micro_average, single_label as `evaluate` describes them."""
    p = calibrated(examples.logits, card)
    y, patients, groups = examples.targets, examples.patients, group_columns(card)
    scores = score_labels(y, p, patients, card.labels)
    labels = {}
    for label, target, probability in zip(card.labels, y.T, p.T, strict=True):
        if label not in scores:
            continue
        known = ~np.isnan(target)
        labels[label] = {
            "positives": int(np.nansum(target)),
            **scores[label].to_json(),
            "temperature": card.temperature.get(label, 1.0),
            "abstain": score_answers(target, probability, card.abstain.get(label)).to_json(),
            "reliability": reliability(target[known], probability[known]).to_dict("records"),
        }
    averages = average_labels(y[:, groups], p[:, groups], patients)
    return _as_json({"labels": labels, **averages, "single_label": _single_label(examples, p, card)})


def _as_json(value: Any) -> Any:
    """The same with every estimate as the list [value, low, high]."""
    if isinstance(value, dict):
        return {key: _as_json(part) for key, part in value.items()}
    return list(value) if isinstance(value, Estimate) else value


def _single_label(examples: Examples, p: np.ndarray, card: ModelCard) -> dict[str, Any] | None:
    """The four-way task: the most probable group against the single label, with and without the unsure."""
    rows = np.flatnonzero(examples.single >= 0)
    if not len(rows):
        return None
    reference, found = examples.single[rows], p[rows][:, group_columns(card)].argmax(1)
    sure = ~abstains(p[rows], card)
    return {
        **score_single(reference, found, examples.patients[rows], GROUPS).to_json(),
        "coverage": share(int(sure.sum()), len(rows)),
        "answered_accuracy": share(int((sure & (reference == found)).sum()), int(sure.sum())),
    }


def interval_text(triple: list[float] | None) -> str:
    """A figure with its interval, such as "0.981 (0.970-0.990)"."""
    return "not defined" if triple is None else f"{triple[0]:.3f} ({triple[1]:.3f}-{triple[2]:.3f})"
