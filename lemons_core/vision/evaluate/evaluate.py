"""How well a model does on the crops of one split, or on simulated tiles it never saw, with n and intervals."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.io import rounded
from lemons_core.base.progress import Progress
from lemons_core.base.terms import GROUPS
from lemons_core.dataset.collection import Collection, read_collection
from lemons_core.dataset.splits import assert_disjoint
from lemons_core.labels.mapping import read_mapping
from lemons_core.metrics.binary import reliability, share
from lemons_core.metrics.multilabel import average_labels, in_band, score_answers, score_labels, score_single
from lemons_core.vision.evaluate.calibrate import calibrated
from lemons_core.vision.evaluate.measure import logits_of, predict_tiles
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.card import ModelCard, read_card, write_card
from lemons_core.vision.tiles.constants import SIMULATED, SIMULATED_SOURCE
from lemons_core.vision.tiles.crops import Tile, cut_tiles
from lemons_core.vision.tiles.data import held_out_tiles, target_of

HELD_OUT = "held_out"  # the split of simulated tiles


class Examples(NamedTuple):
    """What is measured: N crops, lesions or tiles.

    logits, targets : (N, labels); a target is 0, 1 or nan
    patients : (N,) str; single : (N,) place of the single label in GROUPS, -1 without one
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
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a model on every crop of one official split, and on one patch of normal tissue from each view.

    Only calcification rows are read, here and in training: a patient whose masses lie in the other split shares no
    picture with it. That no patient has calcifications in both is asserted.

    Parameters
    ----------
    data : root of a collection, or "simulated": `count` tiles of other seeds than training and validation, with
        `seed` to choose others still
    split : "train" or "test", of a collection

    Returns
    -------
    Ready for JSON; a triple is [value, low, high] with a 95 % interval, or None where it is not defined:

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

    Raises
    ------
    DataError : no crop of this split is on disk or readable, or a patient is on two sides of the split
    ModelError : the model folder cannot be used
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
    simulated = collection.simulated
    examples = _crops(tiles, logits, card)
    head = {
        "split": split,
        "data": "simulated demo data" if simulated else collection.root.name,
        "simulated": simulated,
        "seen": split == "train" and card.training.get("source") != SIMULATED_SOURCE and card.simulated == simulated,
        "model": about,
    }
    lesions, facts = _by_lesion(tiles, examples, rows, card)
    return (
        head
        | _counts(examples)
        | score_examples(examples, card)
        | {"lesions": facts | score_examples(lesions, card), "unreadable": failed}
    )


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
    """Answers for held-out simulated tiles; a tile of several groups, or with hidden ones, has no single label."""
    with model.lock:
        answers = predict_tiles(model.network, held_out_tiles(model.card, count=count, seed=seed), workers=workers)
    groups = answers.targets[:, _group_places(model.card)]
    one = (groups.sum(1) == 1) & ~np.isnan(groups).any(1)  # nan: something drawn that no eye could see
    return Examples(*answers, np.where(one, np.nan_to_num(groups).argmax(1), -1))


def _crops(tiles: list[Tile], logits: np.ndarray, card: ModelCard) -> Examples:
    targets = [target_of(tile.groups, labels=card.labels, malignant=tile.malignant).numpy() for tile in tiles]
    single = [GROUPS.index(tile.single) if tile.single else -1 for tile in tiles]
    return Examples(logits, np.stack(targets), np.array([tile.patient_id for tile in tiles]), np.array(single))


def _by_lesion(
    tiles: list[Tile], examples: Examples, rows: pd.DataFrame, card: ModelCard
) -> tuple[Examples, dict[str, Any]]:
    """The views of each lesion averaged, and how many lesions have two views, and how many of these differ."""
    mapping = read_mapping()
    places = {tile.case_id: place for place, tile in enumerate(tiles) if tile.groups}
    crops = rows[rows["case_id"].isin(set(places))]
    lesions, two, types, pathologies = [], 0, 0, 0
    for _, views in crops.groupby("lesion_id", sort=False):
        at = [places[case] for case in views["case_id"]]
        malignant = [tiles[place].malignant for place in at if tiles[place].malignant is not None]
        label = mapping.label([token for tokens in views["morphology_tokens"] for token in tokens])
        target = target_of(label.groups, labels=card.labels, malignant=any(malignant) if malignant else None)
        single = GROUPS.index(label.single) if label.single else -1
        lesions.append((examples.logits[at].mean(0), target.numpy(), examples.patients[at[0]], single))
        two += len(views) > 1
        types += len({frozenset(tokens) for tokens in views["morphology_tokens"]}) > 1
        pathologies += views["pathology"].nunique() > 1
    facts = {"n": len(lesions), "two_views": two, "views_differ": {"type": types, "pathology": pathologies}}
    return Examples(*(np.array(part) for part in zip(*lesions, strict=True))), facts


def _counts(examples: Examples) -> dict[str, int]:
    crops = int((examples.targets[:, 0] == 1).sum())
    normal = int((examples.targets[:, 0] == 0).sum())
    patients = len(set(examples.patients))
    return {"n": len(examples.targets), "crops": crops, "normal_patches": normal, "patients": patients}


def score_examples(examples: Examples, card: ModelCard) -> dict[str, Any]:
    """Figures of any examples: labels, macro_average, micro_average, single_label as `evaluate` describes them."""
    p = calibrated(examples.logits, card.labels, card.temperature)
    y, patients, groups = examples.targets, examples.patients, _group_places(card)
    scores = score_labels(y, p, patients, card.labels)
    labels = {}
    for place, label in enumerate(card.labels):
        if label not in scores:
            continue
        known = ~np.isnan(y[:, place])
        labels[label] = {
            "positives": int(np.nansum(y[:, place])),
            **scores[label].to_json(),
            "temperature": card.temperature.get(label, 1.0),
            "abstain": score_answers(y[:, place], p[:, place], card.abstain.get(label)).to_json(),
            "reliability": reliability(y[known, place], p[known, place]).to_dict("records"),
        }
    averages = average_labels(y[:, groups], p[:, groups], patients)
    return {"labels": labels, **averages, "single_label": _single_label(examples, p, card)}


def _single_label(examples: Examples, p: np.ndarray, card: ModelCard) -> dict[str, Any] | None:
    """The four-way task: the most probable group against the single label, with and without the unsure."""
    rows = np.flatnonzero(examples.single >= 0)
    if not len(rows):
        return None
    groups = p[rows][:, _group_places(card)]
    reference, found = examples.single[rows], groups.argmax(1)
    sure = ~in_band(p[rows, 0], card.abstain.get(card.labels[0]))
    for place, group in enumerate(GROUPS):
        sure &= ~((found == place) & in_band(groups[:, place], card.abstain.get(group)))
    return {
        **score_single(reference, found, examples.patients[rows], GROUPS).to_json(),
        "coverage": share(int(sure.sum()), len(rows)),
        "answered_accuracy": share(int((sure & (reference == found)).sum()), int(sure.sum())),
    }


def _group_places(card: ModelCard) -> list[int]:
    return [card.labels.index(group) for group in GROUPS]


def interval_text(triple: list[float] | None) -> str:
    """A figure with its interval, such as "0.981 (0.970-0.990)"."""
    return "not defined" if triple is None else f"{triple[0]:.3f} ({triple[1]:.3f}-{triple[2]:.3f})"
