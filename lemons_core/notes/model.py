"""Fit, calibrate and predict. One recipe for every kind of model, so that a comparison compares models only."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from lemons_core.errors import DataError
from lemons_core.notes.calibrate import Calibration, fit_calibration
from lemons_core.notes.text import (
    NO_DISTRIBUTION,
    Features,
    Note,
    Vectoriser,
    build_notes,
    fit_vectoriser,
)
from lemons_core.splits import folds
from lemons_core.terms import AbnormalityType, Pathology

Kind = Literal["xgboost", "logistic", "forest", "majority"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# A calibrated probability of one half. A threshold tuned for accuracy on out-of-fold training predictions gained
# less than 0.003 in nested cross-validation, so the plain one stays.
THRESHOLD = 0.5
_FOLDS = 5


@dataclass(frozen=True)
class Settings:
    """XGBoost settings. The defaults are the choice of `search.search` on the official training split.

    Of 144 candidates the best forty lie within 0.003 of each other in mean AUC: the data, not the settings, set the
    limit. Among equals the rule takes the lower log loss and then monotone directions, so that no explanation can run
    against BI-RADS. Cross-validated AUC: descriptors 0.822, context 0.820, assessment 0.866.

    trees : trees grown side by side in each round and averaged, which steadies the row and column draws
    leaf : least rows in a leaf of the random forest
    """

    max_depth: int = 3
    eta: float = 0.1
    rounds: int = 50
    min_child_weight: float = 5.0
    reg_lambda: float = 1.0
    colsample_bynode: float = 0.3
    subsample: float = 0.7
    trees: int = 4
    ngrams: int = 1
    monotone: bool = True
    leaf: int = 10


# What BI-RADS says the direction must be; the fit may find an effect absent, never reversed.
_LOWERS = {
    "VASCULAR", "COARSE", "EGGSHELL", "DYSTROPHIC", "LARGE_RODLIKE", "SKIN", "MILK_OF_CALCIUM", "LUCENT_CENTERED",
    "ROUND_AND_REGULAR", NO_DISTRIBUTION,
}  # fmt: skip
_RAISES = {"FINE_LINEAR_BRANCHING", "LINEAR", "SEGMENTAL", "type_suspicion", "assessment"}


@dataclass(frozen=True)
class NoteModel:
    """A fitted, calibrated model of notes.

    calibration : raw to calibrated log-odds
    shares : for each part of a note how often each value occurs in training; a part not given is averaged over them
    card : facts for people and files; see store.write_model
    """

    kind: Kind
    vectoriser: Vectoriser
    estimator: Any
    calibration: Calibration
    shares: dict[str, dict[Any, float]]
    threshold: float = THRESHOLD
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> Features:
        return self.vectoriser.features


def usable_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Calcification rows with patient and outcome, renumbered: the rows that a note model may see.

    Raises
    ------
    DataError : no such row, or all of one outcome
    """
    calc = table["abnormality_type"] == AbnormalityType.CALCIFICATION
    rows = table[calc.fillna(False) & table["pathology"].notna() & table["patient_id"].notna()].reset_index(drop=True)
    if is_malignant(rows).sum() in (0, len(rows)):
        raise DataError(
            "The notes need malignant and benign calcification rows",
            where=f"{len(rows)} usable rows",
            todo="Use both calcification tables of CBIS-DDSM, or the demo data.",
        )
    return rows


def is_malignant(table: pd.DataFrame) -> np.ndarray:
    """(N,) float, 1 malignant, 0 benign of either kind."""
    return (table["pathology"] == Pathology.MALIGNANT).to_numpy(dtype=float, na_value=0.0)


def fit_model(
    table: pd.DataFrame,
    features: Features = "assessment",
    *,
    kind: Kind = "xgboost",
    settings: Settings | None = None,
    calibrated: bool = True,
    seed: int = 0,
) -> NoteModel:
    """Fit on every row of `table`, calibrated on out-of-fold predictions of the same rows (folds by patient).

    Parameters
    ----------
    table : rows with outcome, both outcomes present; nothing of a validation or test row may be in it
    calibrated : False leaves the scores as the fit gives them

    Raises
    ------
    DataError : one outcome only, too few patients, unknown feature set or kind
    """
    if kind not in KINDS:
        raise DataError(f"Unknown model '{kind}'", todo=f"Known: {', '.join(KINDS)}.")
    notes, labels = build_notes(table), is_malignant(table)
    settings = settings or Settings()
    calibration = Calibration()
    if calibrated and kind != "majority":
        raw = np.empty(len(table))
        for train, held in folds(table, count=_FOLDS, seed=seed):
            vectoriser, estimator = _fit([notes[i] for i in train], labels[train], features, kind, settings, seed)
            raw[held] = _margin(kind, estimator, vectoriser.transform([notes[i] for i in held]))
        calibration = fit_calibration(raw, labels)
    vectoriser, estimator = _fit(notes, labels, features, kind, settings, seed)
    return NoteModel(kind, vectoriser, estimator, calibration, _shares(notes))


def predict(model: NoteModel, notes: Sequence[Note]) -> np.ndarray:
    """(N,) calibrated probabilities of malignancy, 0-1."""
    return sigmoid(log_odds(model, notes))


def log_odds(model: NoteModel, notes: Sequence[Note]) -> np.ndarray:
    """(N,) calibrated log-odds. A grade or view that is not given is averaged over its values in training."""
    filled, weights, owner = fill_in(model, notes)
    raw = _margin(model.kind, model.estimator, model.vectoriser.transform(filled))
    return model.calibration(np.bincount(owner, weights=raw * weights, minlength=len(notes)))


def fill_in(model: NoteModel, notes: Sequence[Note]) -> tuple[list[Note], np.ndarray, np.ndarray]:
    """Complete notes for incomplete ones: (notes, weight of each, index of the note that it stands for).

    Trees send a missing value down a side that training never tried, so it is better to ask what the model says for
    each possible value and to weigh the answers.
    """
    read = {
        "descriptors": (),
        "context": ("breast_density", "subtlety", "view"),
        "assessment": ("breast_density", "subtlety", "view", "assessment"),
    }[model.features]
    filled: list[Note] = []
    weights: list[float] = []
    owner: list[int] = []
    for index, note in enumerate(notes):
        gaps = [name for name in read if getattr(note, name) is None and model.shares[name]]
        for values in itertools.product(*(model.shares[name].items() for name in gaps)):
            filled.append(replace(note, **{name: value for name, (value, _) in zip(gaps, values, strict=True)}))
            weights.append(float(np.prod([share for _, share in values])))
            owner.append(index)
    return filled, np.array(weights), np.array(owner, dtype=int)


def by_lesion(table: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """Both views of one abnormality together: mean log-odds, malignant when either row says so.

    Returns
    -------
    One row a lesion: lesion_id, patient_id, label (0 or 1), probability (0-1), views (1 or 2).
    """
    rows = pd.DataFrame(
        {
            "lesion_id": table["lesion_id"].to_numpy(dtype=object),
            "patient_id": table["patient_id"].to_numpy(dtype=object),
            "label": is_malignant(table),
            "odds": logit(probabilities),
        }
    )
    groups = rows.groupby("lesion_id", sort=True)
    lesions = groups.agg(
        patient_id=("patient_id", "first"), label=("label", "max"), odds=("odds", "mean"), views=("odds", "size")
    ).reset_index()
    lesions["probability"] = sigmoid(lesions.pop("odds").to_numpy())
    return lesions


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(log_odds, dtype=float)))


def logit(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def fit_raw(
    notes: Sequence[Note], labels: np.ndarray, features: Features, settings: Settings, *, seed: int
) -> tuple[Vectoriser, Any]:
    """An uncalibrated XGBoost fit, as the settings search compares them by the hundred."""
    return _fit(notes, labels, features, "xgboost", settings, seed)


def _fit(
    notes: Sequence[Note], labels: np.ndarray, features: Features, kind: Kind, settings: Settings, seed: int
) -> tuple[Vectoriser, Any]:
    if not 0 < labels.sum() < len(labels):
        raise DataError("A fit needs malignant and benign rows", where=f"{len(labels)} rows")
    linear = kind == "logistic"
    vectoriser = fit_vectoriser(
        notes,
        features=features,
        grades="word" if linear else "number",
        ngrams=2 if linear else settings.ngrams,
    )
    matrix = vectoriser.transform(notes)
    if kind == "majority":
        return vectoriser, float(logit(labels.mean()))
    if linear:
        from sklearn.linear_model import LogisticRegression

        return vectoriser, LogisticRegression(C=0.3, max_iter=1000).fit(matrix, labels)
    if kind == "forest":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(100, min_samples_leaf=settings.leaf, n_jobs=1, random_state=seed)
        return vectoriser, forest.fit(np.nan_to_num(matrix, nan=-1), labels)
    import xgboost

    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": settings.max_depth,
        "eta": settings.eta,
        "min_child_weight": settings.min_child_weight,
        "reg_lambda": settings.reg_lambda,
        "colsample_bynode": settings.colsample_bynode,
        "subsample": settings.subsample,
        "num_parallel_tree": settings.trees,
        "seed": seed,
        # Below this the work is handed out for longer than it takes.
        "nthread": 1 if len(labels) < 20_000 else 0,
    }
    if settings.monotone:
        directions = (-1 if name in _LOWERS else 1 if name in _RAISES else 0 for name in vectoriser.names)
        parameters["monotone_constraints"] = tuple(directions)
    return vectoriser, xgboost.train(parameters, xgboost.DMatrix(matrix, labels), settings.rounds)


def _margin(kind: Kind, estimator: Any, matrix: np.ndarray) -> np.ndarray:
    """Raw log-odds, (N,)."""
    if kind == "majority":
        return np.full(len(matrix), estimator)
    if kind == "logistic":
        return estimator.decision_function(matrix)
    if kind == "forest":
        return logit(estimator.predict_proba(np.nan_to_num(matrix, nan=-1))[:, 1])
    import xgboost

    return estimator.predict(xgboost.DMatrix(matrix), output_margin=True).astype(float)


def _shares(notes: Sequence[Note]) -> dict[str, dict[Any, float]]:
    shares = {}
    for name in ("breast_density", "subtlety", "view", "assessment"):
        counts = Counter(getattr(note, name) for note in notes)
        counts.pop(None, None)
        shares[name] = {value: counts[value] / counts.total() for value in sorted(counts)}
    return shares
