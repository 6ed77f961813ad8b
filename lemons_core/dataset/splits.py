"""Every split goes through here: rows of one patient are on one side, and that is asserted."""

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import Pathology


def assert_disjoint(*parts: pd.DataFrame) -> None:
    """Raise DataError when a patient is in more than one of the tables."""
    seen: set[str] = set()
    for part in parts:
        patients = set(part["patient_id"].dropna())
        shared = sorted(seen & patients)
        if shared:
            raise DataError(
                f"{len(shared)} patients are on two sides of a split, such as {shared[0]}",
                where="patient_id",
                todo="Split by patient.",
            )
        seen |= patients


def hold_out(table: pd.DataFrame, *, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split by patient: (rest, held out), the second with about `share` of the patients.

    share : 0-1, exclusive; at least one patient is held out and one kept
    """
    patients = np.sort(table["patient_id"].dropna().unique())
    if len(patients) < 2:
        raise DataError("A split by patient needs at least two patients", where=f"{len(patients)} found")
    count = min(max(round(len(patients) * share), 1), len(patients) - 1)
    chosen = np.random.default_rng(seed).permutation(patients)[:count]
    held = table["patient_id"].isin(chosen)
    rest, out = table[~held], table[held]
    assert_disjoint(rest, out)
    return rest, out


def folds(table: pd.DataFrame, *, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation by patient, stratified by the worst outcome of each patient.

    table : rows with `patient_id` and `pathology`
    count : number of folds, 2 or more
    Returns `count` pairs (training, held out) of row positions; every row is held out once.
    Raises DataError: a row without patient, or fewer patients than folds
    """
    if table["patient_id"].isna().any():
        raise DataError("A split by patient needs a patient in every row", where="patient_id")
    patients, code = np.unique(table["patient_id"].to_numpy(dtype=str), return_inverse=True)
    if not 2 <= count <= len(patients):
        raise DataError(f"{count} folds need at least {max(count, 2)} patients", where=f"{len(patients)} found")
    worst = np.zeros(len(patients), dtype=int)
    for rank, outcome in enumerate((Pathology.BENIGN, Pathology.MALIGNANT), start=1):
        worst[code[(table["pathology"] == outcome).to_numpy(dtype=bool, na_value=False)]] = rank
    # Patients are shuffled, laid out by outcome, and dealt round like cards: every fold gets its share of each.
    order = np.random.default_rng(seed).permutation(len(patients))
    order = order[np.argsort(worst[order], kind="stable")]
    fold = np.empty(len(patients), dtype=int)
    fold[order] = np.arange(len(patients)) % count
    pairs = [(np.flatnonzero(fold[code] != k), np.flatnonzero(fold[code] == k)) for k in range(count)]
    for train, held in pairs:
        assert_disjoint(table.iloc[train], table.iloc[held])
    return pairs
