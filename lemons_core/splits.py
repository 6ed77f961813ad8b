"""Every split goes through here: rows of one patient are on one side, and that is asserted."""

import numpy as np
import pandas as pd

from lemons_core.errors import DataError


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
