"""How well notes predict malignancy: every model, feature set and protocol, with n and patient-bootstrap intervals.

official : fitted and chosen on the official training split, scored on the official test split
grouped_cv : five folds by patient inside the training split; the test split is not touched
row_split : rows of both splits shuffled into five folds, complete rows only, deep trees, no calibration, the view
    left out, as in the work that this project follows. Without the view the two rows of one lesion mostly read the
    same, one of them is often in training, and a deep tree remembers it: the figures are too good, and are here to
    show by how much.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import Pathology
from lemons_core.dataset.splits import assert_disjoint, folds
from lemons_core.metrics.binary import Scores, score
from lemons_core.notes.estimators import KINDS, EstimatorKind, Fold, Hyperparameters
from lemons_core.notes.model import THRESHOLD, by_lesion, fit_model, is_malignant, predict, usable_rows
from lemons_core.notes.text import FEATURE_SETS, Features, build_notes

Protocol = Literal["official", "grouped_cv", "row_split"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

# Trees deep enough to remember single rows, as a settings search over rows prefers them.
ROW_SPLIT_SETTINGS = Hyperparameters(
    max_depth=10, rounds=300, min_child_weight=1.0, colsample_bynode=1.0, subsample=1.0, trees=1, monotone=False, leaf=1
)


@dataclass(frozen=True)
class ModelScores:
    """Figures of one model, feature set and protocol.

    subset : "all", or "without_bwc": without rows that were never called back
    unit : "row", or "lesion": both views together; not for row_split, which tears them apart
    """

    model: EstimatorKind
    features: Features
    protocol: Protocol
    subset: str
    unit: str
    scores: Scores

    def to_json(self) -> dict[str, Any]:
        found = dict(vars(self))
        return found | found.pop("scores").to_json()


def evaluate(
    table: pd.DataFrame,
    *,
    models: Collection[EstimatorKind] = KINDS,
    features: Collection[Features] = tuple(FEATURE_SETS),
    protocols: Collection[Protocol] = PROTOCOLS,
    replicates: int = 1000,
    seed: int = 0,
    progress: Progress = no_progress,
) -> list[ModelScores]:
    """Fit and score every combination, each counted as score_subsets does.

    table : the case table; only calcification rows with an outcome are used
    replicates : bootstrap draws behind each interval
    Raises DataError: no usable rows, one outcome only, or no test split for "official"
    """
    rows = usable_rows(table)
    jobs = [(m, f, p) for p in protocols for f in features for m in models]
    result: list[ModelScores] = []
    for done, (kind, feature_set, protocol) in enumerate(jobs):
        progress(done / len(jobs), f"{kind}, {feature_set}, {protocol.replace('_', ' ')}")
        recipe: dict[str, Any] = {"features": feature_set, "protocol": protocol, "kind": kind}
        scored, probabilities = out_of_sample(rows, seed=seed, **recipe)
        result += score_subsets(scored, probabilities, replicates=replicates, seed=seed, **recipe)
    progress(1.0, "done")
    return result


def score_rows(rows: pd.DataFrame, probabilities: np.ndarray, **options: Any) -> Scores:
    """Figures of (N,) probabilities for the N rows; `options` as metrics.score takes them."""
    return score(is_malignant(rows), probabilities, rows["patient_id"], **{"threshold": THRESHOLD} | options)


def score_subsets(
    rows: pd.DataFrame,
    probabilities: np.ndarray,
    *,
    features: Features,
    protocol: Protocol,
    kind: EstimatorKind = "xgboost",
    **draws: int,
) -> list[ModelScores]:
    """The figures of one set of predictions, with and without rows that were never called back, by row and by lesion.

    rows, probabilities : as out_of_sample gives them
    draws : replicates and seed of metrics.score
    """
    called_back = (rows["pathology"] != Pathology.BENIGN_WITHOUT_CALLBACK).to_numpy(dtype=bool)
    found = []
    for subset, mask in (("all", np.ones(len(rows), dtype=bool)), ("without_bwc", called_back)):
        part, p = rows[mask], probabilities[mask]
        if not len(part):
            continue
        found.append(ModelScores(kind, features, protocol, subset, "row", score_rows(part, p, **draws)))
        if protocol != "row_split":
            both = by_lesion(part, p)
            scores = score(both["label"], both["probability"], both["patient_id"], threshold=THRESHOLD, **draws)
            found.append(ModelScores(kind, features, protocol, subset, "lesion", scores))
    return found


def out_of_sample(
    rows: pd.DataFrame, features: Features, *, protocol: Protocol, kind: EstimatorKind = "xgboost", seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows that a protocol scores and their calibrated probabilities, each from a model that did not see them.

    For row_split "did not see" holds for the row only, not for its patient.

    rows : as given by model.usable_rows
    """
    if protocol == "official":
        train, test = (rows[rows["split"] == split] for split in ("train", "test"))
        if not len(train) or not len(test):
            todo = "Add the missing calcification table, or use grouped cross-validation."
            raise DataError("The official split needs training and test rows", where="split", todo=todo)
        assert_disjoint(train, test)
        return test, predict(fit_model(train, features, kind=kind, seed=seed), build_notes(test))
    if protocol == "grouped_cv":
        rows = rows[rows["split"] == "train"]
        pairs = folds(rows, count=5, seed=seed)
        return rows, cross_predict(rows, features, pairs, kind=kind, seed=seed)
    if protocol == "row_split":
        rows = complete_rows(rows)
        pairs = row_folds(len(rows), count=5, seed=seed)
        options: dict[str, Any] = {"settings": ROW_SPLIT_SETTINGS, "calibrated": False, "seed": seed}
        return rows, cross_predict(without_view(rows), features, pairs, kind=kind, **options)
    raise DataError(f"Unknown protocol '{protocol}'", todo=f"Known: {', '.join(PROTOCOLS)}.")


def cross_predict(rows: pd.DataFrame, features: Features, pairs: Sequence[Fold], **options: Any) -> np.ndarray:
    """(N,) probabilities, each from the model whose training rows do not hold that row; `options` as of fit_model."""
    notes = build_notes(rows)
    probabilities = np.full(len(rows), np.nan)
    for train, held in pairs:
        model = fit_model(rows.iloc[train], features, **options)
        probabilities[held] = predict(model, [notes[i] for i in held])
    return probabilities


def complete_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with type and distribution: what a plain dropna leaves."""
    return rows[rows["morphology"].notna() & rows["distribution"].notna()]


def without_view(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the view not given, so that the two rows of a lesion mostly read the same."""
    return rows.assign(view=pd.Series(pd.NA, index=rows.index, dtype="string"))


def row_folds(n: int, *, count: int, seed: int) -> list[Fold]:
    """Folds that ignore patients. Only for showing what that does."""
    parts = np.array_split(np.random.default_rng(seed).permutation(n), count)
    return [(np.concatenate(parts[:k] + parts[k + 1 :]), parts[k]) for k in range(count)]
