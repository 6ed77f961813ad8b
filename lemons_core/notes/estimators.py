"""The learners behind one door: words and grades in, raw log-odds out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from lemons_core.base.errors import DataError
from lemons_core.notes.text import NO_DISTRIBUTION, Features, Note, Vectoriser, fit_vectoriser

EstimatorKind = Literal["xgboost", "logistic", "forest", "majority"]
KINDS: tuple[EstimatorKind, ...] = get_args(EstimatorKind)
Fold = tuple[np.ndarray, np.ndarray]  # positions of the training rows and of those held out


@dataclass(frozen=True)
class Hyperparameters:
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


_PASSED_ON = ("max_depth", "eta", "min_child_weight", "reg_lambda", "colsample_bynode", "subsample")  # to xgboost

# What BI-RADS says the direction must be, and a distribution that nobody cared to write down. The fit may find an
# effect absent, never reversed.
_LOWERS = {
    "VASCULAR", "COARSE", "EGGSHELL", "DYSTROPHIC", "LARGE_RODLIKE", "SKIN", "MILK_OF_CALCIUM", "LUCENT_CENTERED",
    "ROUND_AND_REGULAR", NO_DISTRIBUTION,
}  # fmt: skip
_RAISES = {"FINE_LINEAR_BRANCHING", "LINEAR", "SEGMENTAL", "type_suspicion", "assessment"}


def logit(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def fit_estimator(
    notes: Sequence[Note],
    labels: np.ndarray,
    *,
    features: Features,
    kind: EstimatorKind,
    settings: Hyperparameters,
    seed: int,
) -> tuple[Vectoriser, Any]:
    """Collect the words of these notes and fit one learner on them, uncalibrated.

    Raises DataError: labels of one kind only
    """
    if not 0 < labels.sum() < len(labels):
        raise DataError("A fit needs malignant and benign rows", where=f"{len(labels)} rows")
    linear = kind == "logistic"
    vectoriser = fit_vectoriser(
        notes, features=features, grades="word" if linear else "number", ngrams=2 if linear else settings.ngrams
    )
    matrix = vectoriser.transform(notes)
    if kind == "majority":
        return vectoriser, float(logit(labels.mean()))
    if linear:
        from sklearn.linear_model import LogisticRegression

        return vectoriser, LogisticRegression(C=0.3, solver="liblinear").fit(matrix, labels)
    if kind == "forest":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(100, min_samples_leaf=settings.leaf, n_jobs=1, random_state=seed)
        return vectoriser, forest.fit(np.nan_to_num(matrix, nan=-1), labels)
    import xgboost

    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "num_parallel_tree": settings.trees,
        "seed": seed,
        # So narrow a table gains nothing from threads; on a busy machine threads that wait for each other cost tenfold.
        "nthread": 1,
    } | {name: getattr(settings, name) for name in _PASSED_ON}
    if settings.monotone:
        directions = (-1 if name in _LOWERS else 1 if name in _RAISES else 0 for name in vectoriser.names)
        parameters["monotone_constraints"] = tuple(directions)
    return vectoriser, xgboost.train(parameters, xgboost.DMatrix(matrix, labels, nthread=1), settings.rounds)


def cross_margins(
    notes: Sequence[Note], labels: np.ndarray, pairs: Sequence[Fold], *, kind: EstimatorKind, **fit: Any
) -> np.ndarray:
    """(N,) raw log-odds, each from a fit on the training rows of its fold alone, words included.

    pairs : (training, held out) positions; every row is held out once
    fit : features, settings and seed, as fit_estimator takes them
    """
    raw = np.empty(len(notes))
    for train, held in pairs:
        vectoriser, estimator = fit_estimator([notes[i] for i in train], labels[train], kind=kind, **fit)
        raw[held] = margins(kind, estimator, vectoriser.transform([notes[i] for i in held]))
    return raw


def margins(kind: EstimatorKind, estimator: Any, matrix: np.ndarray) -> np.ndarray:
    """Raw log-odds, (N,)."""
    if kind == "majority":
        return np.full(len(matrix), estimator)
    if kind == "logistic":
        return estimator.decision_function(matrix)
    if kind == "forest":
        return logit(estimator.predict_proba(np.nan_to_num(matrix, nan=-1))[:, 1])
    import xgboost

    return estimator.predict(xgboost.DMatrix(matrix, nthread=1), output_margin=True).astype(float)
