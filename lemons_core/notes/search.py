"""The settings search: every candidate, its cross-validated figures, and the rule that picks one.

Only the training rows are seen, folds keep patients together, and the words are collected inside each fold.
"""

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.splits import folds
from lemons_core.metrics.binary import auc
from lemons_core.notes.estimators import Fold, Hyperparameters, cross_margins
from lemons_core.notes.model import is_malignant, sigmoid, usable_rows
from lemons_core.notes.text import FEATURE_SETS, Note, build_notes

# Learning rate and rounds go together; the rest spans weak to strong regularisation.
_GRID: dict[str, tuple[Any, ...]] = {
    "max_depth": (2, 3, 4),
    "eta_rounds": ((0.1, 50), (0.1, 100), (0.1, 200)),
    "min_child_weight": (1.0, 5.0),
    "reg_lambda": (1.0, 10.0),
    "ngrams": (1, 2),
    "monotone": (True, False),
}
_CLOSE = 0.001  # candidates nearer than this to the best AUC or the lowest log loss differ by chance alone


def candidates() -> list[Hyperparameters]:
    """All settings that the search compares."""
    result = []
    for values in itertools.product(*_GRID.values()):
        chosen = dict(zip(_GRID, values, strict=True))
        chosen["eta"], chosen["rounds"] = chosen.pop("eta_rounds")
        result.append(Hyperparameters(**chosen))
    return result


def search(
    table: pd.DataFrame,
    *,
    settings: list[Hyperparameters] | None = None,
    repeats: int = 2,
    seed: int = 0,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """Cross-validate every candidate on the training split (about 5 minutes on one core for all of them).

    Returns one row a candidate, the chosen one first: its settings, then auc_*, log_loss_* and accuracy_* for each
    feature set (means over `repeats` rounds of five folds by patient, uncalibrated), and the means auc and log_loss.
    """
    train = usable_rows(table[table["split"] == "train"])
    notes, labels = build_notes(train), is_malignant(train)
    rounds = [folds(train, count=5, seed=seed + i) for i in range(repeats)]
    settings = settings or candidates()
    rows = []
    for number, candidate in enumerate(settings, start=1):
        rows.append(asdict(candidate) | _figures(notes, labels, rounds, candidate, seed))
        progress(number / len(settings), f"settings {number} of {len(settings)}")
    result = pd.DataFrame(rows)
    for name in ("auc", "log_loss"):
        result[name] = result[[f"{name}_{features}" for features in FEATURE_SETS]].mean(axis=1)
    return choose(result)


def _figures(
    notes: Sequence[Note], labels: np.ndarray, rounds: Sequence[Sequence[Fold]], settings: Hyperparameters, seed: int
) -> dict[str, float]:
    """Cross-validated figures of one candidate for each feature set, averaged over the rounds."""
    row = {}
    for features in FEATURE_SETS:
        figures = []
        for turn, pairs in enumerate(rounds):
            fit: dict[str, Any] = {"features": features, "settings": settings, "seed": seed + turn}
            p = sigmoid(cross_margins(notes, labels, pairs, kind="xgboost", **fit))
            loss = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
            figures.append((auc(labels, p), loss, np.mean((p >= 0.5) == labels)))
        for name, value in zip(("auc", "log_loss", "accuracy"), np.mean(figures, axis=0), strict=True):
            row[f"{name}_{features}"] = float(value)
    return row


def choose(table: pd.DataFrame) -> pd.DataFrame:
    """Order by the rule: AUC, then log loss, then monotone directions; a lead below 0.001 is a tie."""
    by_auc = table["auc"] >= table["auc"].max() - _CLOSE
    by_loss = by_auc & (table["log_loss"] <= table.loc[by_auc, "log_loss"].min() + _CLOSE)
    rank = (~by_auc).astype(int) + (~by_loss).astype(int)
    order = table.assign(rank=rank, free=~table["monotone"].astype(bool)).sort_values(["rank", "free", "log_loss"])
    return order.drop(columns=["rank", "free"]).reset_index(drop=True)
