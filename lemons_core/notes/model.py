"""Fit, calibrate and predict. One recipe for every kind of model, so that a comparison compares models only."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType, Pathology
from lemons_core.dataset.splits import folds
from lemons_core.notes.calibrate import NoteCalibration, fit_calibration
from lemons_core.notes.card import NoteCard
from lemons_core.notes.estimators import (
    KINDS,
    EstimatorKind,
    Hyperparameters,
    cross_margins,
    fit_estimator,
    logit,
    margins,
)
from lemons_core.notes.text import FEATURE_SETS, Features, Note, Vectoriser, build_notes

# A calibrated probability of one half. A threshold tuned for accuracy on out-of-fold training predictions gained
# less than 0.003 in nested cross-validation, so the plain one stays.
THRESHOLD = 0.5
_FOLDS = 5


@dataclass(frozen=True)
class NoteModel:
    """A fitted, calibrated model of notes.

    calibration : raw to calibrated log-odds
    shares : for each part of a note how often each value occurs in training; a part not given is averaged over them
    card : its facts; None for a model that is fitted to be scored only
    """

    kind: EstimatorKind
    vectoriser: Vectoriser
    estimator: Any
    calibration: NoteCalibration
    shares: dict[str, dict[Any, float]]
    threshold: float = THRESHOLD
    card: NoteCard | None = None

    @property
    def features(self) -> Features:
        return self.vectoriser.features


def usable_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Calcification rows with patient and outcome, renumbered: the rows that a note model may see.

    Raises DataError: no such row, or all of one outcome
    """
    calc = table["abnormality_type"] == AbnormalityType.CALCIFICATION
    rows = table[calc.fillna(False) & table["pathology"].notna() & table["patient_id"].notna()].reset_index(drop=True)
    if not has_both_outcomes(rows):
        raise DataError(
            "The notes need malignant and benign calcification rows",
            where=f"{len(rows)} usable rows",
            todo="Use both calcification tables of CBIS-DDSM, or the demo data.",
        )
    return rows


def is_malignant(table: pd.DataFrame) -> np.ndarray:
    """(N,) float, 1 malignant, 0 benign of either kind."""
    return (table["pathology"] == Pathology.MALIGNANT).to_numpy(dtype=float, na_value=0.0)


def has_both_outcomes(table: pd.DataFrame) -> bool:
    """Whether malignant and benign rows are there, as a figure needs them."""
    return bool(0 < is_malignant(table).sum() < len(table))


def fit_model(
    table: pd.DataFrame,
    features: Features = "assessment",
    *,
    kind: EstimatorKind = "xgboost",
    settings: Hyperparameters | None = None,
    calibrated: bool = True,
    seed: int = 0,
) -> NoteModel:
    """Fit on every row of `table`, calibrated on out-of-fold predictions of the same rows (folds by patient).

    table : rows with outcome, both outcomes present; nothing of a validation or test row may be in it
    calibrated : False leaves the scores as the fit gives them
    Raises DataError: one outcome only, too few patients, unknown feature set or kind
    """
    if kind not in KINDS:
        raise DataError(f"Unknown model '{kind}'", todo=f"Known: {', '.join(KINDS)}.")
    notes, labels = build_notes(table), is_malignant(table)
    fit: dict[str, Any] = {"features": features, "settings": settings or Hyperparameters(), "seed": seed}
    calibration = NoteCalibration()
    if calibrated and kind != "majority":
        pairs = folds(table, count=_FOLDS, seed=seed)
        calibration = fit_calibration(cross_margins(notes, labels, pairs, kind=kind, **fit), labels)
    vectoriser, estimator = fit_estimator(notes, labels, kind=kind, **fit)
    return NoteModel(kind, vectoriser, estimator, calibration, _shares(notes))


def predict(model: NoteModel, notes: Sequence[Note]) -> np.ndarray:
    """(N,) calibrated probabilities of malignancy, 0-1."""
    return sigmoid(log_odds(model, notes))


def log_odds(model: NoteModel, notes: Sequence[Note]) -> np.ndarray:
    """(N,) calibrated log-odds. A grade or view that is not given is averaged over its values in training."""
    filled, weights, owner = fill_in(model, notes)
    raw = margins(model.kind, model.estimator, model.vectoriser.transform(filled))
    return model.calibration(np.bincount(owner, weights=raw * weights, minlength=len(notes)))


def fill_in(model: NoteModel, notes: Sequence[Note]) -> tuple[list[Note], np.ndarray, np.ndarray]:
    """Complete notes for incomplete ones: (notes, weight of each, index of the note that it stands for).

    Trees send a missing value down a side that training never tried, so it is better to predict for each possible
    value and to weigh the predictions.
    """
    reads = FEATURE_SETS[model.features].reads
    filled: list[Note] = []
    weights: list[float] = []
    owner: list[int] = []
    for index, note in enumerate(notes):
        gaps = [name for name in reads if getattr(note, name) is None and model.shares[name]]
        for values in itertools.product(*(model.shares[name].items() for name in gaps)):
            filled.append(replace(note, **{name: value for name, (value, _) in zip(gaps, values, strict=True)}))
            weights.append(float(np.prod([share for _, share in values])))
            owner.append(index)
    return filled, np.array(weights), np.array(owner, dtype=int)


def by_lesion(table: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """Both views of one abnormality together: mean log-odds, malignant when either row says so.

    Returns one row a lesion: lesion_id, patient_id, label (0 or 1), probability (0-1), views (1 or 2).
    """
    rows = table[["lesion_id", "patient_id"]].astype(object)
    rows = rows.assign(label=is_malignant(table), odds=logit(probabilities))
    groups = rows.groupby("lesion_id", sort=True)
    lesions = groups.agg(
        patient_id=("patient_id", "first"), label=("label", "max"), odds=("odds", "mean"), views=("odds", "size")
    ).reset_index()
    lesions["probability"] = sigmoid(lesions.pop("odds").to_numpy())
    return lesions


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Log-odds to probabilities. Not scipy's `expit`: importing the notes loads no scipy, and its last bit differs."""
    return 1 / (1 + np.exp(-np.asarray(log_odds, dtype=float)))


def _shares(notes: Sequence[Note]) -> dict[str, dict[Any, float]]:
    shares = {}
    for name in FEATURE_SETS["assessment"].reads:
        counts = Counter(getattr(note, name) for note in notes)
        counts.pop(None, None)
        shares[name] = {value: counts[value] / counts.total() for value in sorted(counts)}
    return shares
