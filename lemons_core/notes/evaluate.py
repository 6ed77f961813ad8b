"""How well notes tell malignancy: every model, feature set and protocol, with n and patient-bootstrap intervals.

official : fitted and chosen on the official training split, scored on the official test split
grouped_cv : five folds by patient inside the training split; the test split is not touched
row_split : rows of both splits shuffled into five folds, complete rows only, deep trees, no calibration, the view
    left out, as in the work that this project follows. Without the view the two rows of one lesion mostly read the
    same, one of them is often in training, and a deep tree remembers it: the figures are too good, and are here to
    show by how much.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import Pathology
from lemons_core.dataset.splits import assert_disjoint, folds
from lemons_core.metrics.binary import score
from lemons_core.notes.estimators import KINDS, EstimatorKind, Hyperparameters
from lemons_core.notes.model import THRESHOLD, by_lesion, fit_model, is_malignant, predict, usable_rows
from lemons_core.notes.text import FEATURE_SETS, Features, build_notes

Protocol = Literal["official", "grouped_cv", "row_split"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
Progress = Callable[[float, str], object]

# Trees deep enough to remember single rows, as a settings search over rows prefers them.
ROW_SPLIT_SETTINGS = Hyperparameters(
    max_depth=10, rounds=300, min_child_weight=1.0, colsample_bynode=1.0, subsample=1.0, trees=1, monotone=False, leaf=1
)


def evaluate(
    table: pd.DataFrame,
    *,
    models: Sequence[EstimatorKind] = KINDS,
    features: Sequence[Features] = FEATURE_SETS,
    protocols: Sequence[Protocol] = PROTOCOLS,
    replicates: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[dict[str, object]]:
    """Fit and score every combination.

    Parameters
    ----------
    table : the case table; only calcification rows with an outcome are used
    replicates : bootstrap draws behind each interval
    progress : called with (0-1, what is being done)

    Returns
    -------
    One object per model, feature set, protocol, subset ("all", "without_bwc": without rows that were never called
    back) and unit ("row"; "lesion": both views together, not for row_split, which tears them apart): these five, then
    the figures of metrics.score.

    Raises
    ------
    DataError : no usable rows, one outcome only, or no test split for "official"
    """
    rows = usable_rows(table)
    jobs = [(m, f, p) for p in protocols for f in features for m in models]
    result: list[dict[str, object]] = []
    for done, (model, feature_set, protocol) in enumerate(jobs):
        if progress:
            progress(done / len(jobs), f"{model}, {feature_set}, {protocol.replace('_', ' ')}")
        scored, probabilities = out_of_sample(rows, feature_set, protocol, kind=model, seed=seed)
        head = {"model": model, "features": feature_set, "protocol": protocol}
        cuts = score_cuts(scored, probabilities, lesions=protocol != "row_split", replicates=replicates, seed=seed)
        result += [head | cut for cut in cuts]
    if progress:
        progress(1.0, "done")
    return result


def score_cuts(
    rows: pd.DataFrame, probabilities: np.ndarray, *, lesions: bool = True, replicates: int = 1000, seed: int = 0
) -> list[dict[str, object]]:
    """The figures of one set of predictions, with and without rows that were never called back, by row and by lesion.

    Parameters
    ----------
    probabilities : (N,) for the N rows, each from a model that did not see its row
    lesions : False when the two views of a lesion were not predicted by one model
    """
    return [
        {"subset": subset, "unit": unit}
        | score(labels, p, patients, threshold=THRESHOLD, replicates=replicates, seed=seed).to_json()
        for subset, unit, labels, p, patients in _cuts(rows, probabilities, lesions=lesions)
    ]


def out_of_sample(
    rows: pd.DataFrame, features: Features, protocol: Protocol, *, kind: EstimatorKind = "xgboost", seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows that a protocol scores and their calibrated probabilities, each from a model that did not see them.

    For row_split "did not see" holds for the row only, not for its patient.

    Parameters
    ----------
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
        blind = rows.assign(view=pd.Series(pd.NA, index=rows.index, dtype="string"))
        pairs = row_folds(len(rows), count=5, seed=seed)
        p = cross_predict(blind, features, pairs, kind=kind, settings=ROW_SPLIT_SETTINGS, calibrated=False, seed=seed)
        return rows, p
    raise DataError(f"Unknown protocol '{protocol}'", todo=f"Known: {', '.join(PROTOCOLS)}.")


def cross_predict(
    rows: pd.DataFrame,
    features: Features,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    kind: EstimatorKind = "xgboost",
    settings: Hyperparameters | None = None,
    calibrated: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """(N,) probabilities, each from the model whose training rows do not hold that row."""
    notes = build_notes(rows)
    probabilities = np.full(len(rows), np.nan)
    for train, held in pairs:
        model = fit_model(rows.iloc[train], features, kind=kind, settings=settings, calibrated=calibrated, seed=seed)
        probabilities[held] = predict(model, [notes[i] for i in held])
    return probabilities


def complete_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with type and distribution: what a plain dropna leaves."""
    return rows[rows["morphology"].notna() & rows["distribution"].notna()]


def row_folds(n: int, *, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds that ignore patients. Only for showing what that does."""
    parts = np.array_split(np.random.default_rng(seed).permutation(n), count)
    return [(np.concatenate(parts[:k] + parts[k + 1 :]), parts[k]) for k in range(count)]


def _cuts(
    rows: pd.DataFrame, probabilities: np.ndarray, *, lesions: bool
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, np.ndarray]]:
    called_back = (rows["pathology"] != Pathology.BENIGN_WITHOUT_CALLBACK).to_numpy(dtype=bool)
    for subset, mask in (("all", np.ones(len(rows), dtype=bool)), ("without_bwc", called_back)):
        part, p = rows[mask], probabilities[mask]
        if not len(part):
            continue
        yield subset, "row", is_malignant(part), p, part["patient_id"].to_numpy(dtype=object)
        if lesions:
            both = by_lesion(part, p)
            label, probability, patient = (both[name].to_numpy() for name in ("label", "probability", "patient_id"))
            yield subset, "lesion", label, probability, patient
