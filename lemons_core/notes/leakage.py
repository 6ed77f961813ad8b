"""The leakage lab: the same notes scored honestly and with one shortcut, so that each trick's gain is a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.splits import folds
from lemons_core.metrics.binary import score
from lemons_core.notes.evaluate import ROW_SPLIT_SETTINGS, complete_rows, cross_predict, row_folds
from lemons_core.notes.model import fit_model, is_malignant, predict, usable_rows
from lemons_core.notes.text import build_notes

Progress = Callable[[float, str], object]
_Pair = tuple[dict[str, object] | None, dict[str, object] | None]  # figures: honest, tricked

TRICKS = ("row_split_deep", "row_split", "missing_distribution", "assessment", "mass_and_calc")


@dataclass(frozen=True)
class Trick:
    """One shortcut.

    name, title, why : identifier, a heading, and in two sentences what happens
    honest, tricked : figures of metrics.score, or None when this data set cannot show the trick
    gain_auc, gain_accuracy : tricked minus honest
    """

    name: str
    title: str
    why: str
    honest: dict[str, object] | None
    tricked: dict[str, object] | None

    @property
    def gain_auc(self) -> float | None:
        return self._gain("auc")

    @property
    def gain_accuracy(self) -> float | None:
        return self._gain("accuracy")

    def _gain(self, figure: str) -> float | None:
        if not self.honest or not self.tricked or not self.honest[figure] or not self.tricked[figure]:
            return None
        return self.tricked[figure][0] - self.honest[figure][0]  # type: ignore[index]


def leakage_lab(
    table: pd.DataFrame,
    *,
    tricks: Sequence[str] = TRICKS,
    seed: int = 0,
    replicates: int = 1000,
    progress: Progress | None = None,
) -> list[Trick]:
    """Every trick on this data (XGBoost throughout; folds inside the official training split unless said otherwise).

    Parameters
    ----------
    table : the case table, with mass rows if there are any
    tricks : which of TRICKS, in any order

    Raises
    ------
    DataError : no usable calcification rows, or an unknown trick
    """
    for name in tricks:
        if name not in TRICKS:
            raise DataError(f"Unknown trick '{name}'", todo=f"Known: {', '.join(TRICKS)}.")
    rows = usable_rows(table)
    train = rows[rows["split"] == "train"]
    complete = complete_rows(rows)
    blind = complete.assign(view=pd.Series(pd.NA, index=complete.index, dtype="string"))
    by_patient, by_row = folds(complete, count=5, seed=seed), row_folds(len(complete), count=5, seed=seed)
    deep = {"settings": ROW_SPLIT_SETTINGS, "calibrated": False, "seed": seed}
    filled = complete_rows(train)

    def figures(scored: pd.DataFrame, probabilities: np.ndarray) -> dict[str, object]:
        return score(
            is_malignant(scored), probabilities, scored["patient_id"], replicates=replicates, seed=seed
        ).to_json()

    def by_patients(some: pd.DataFrame, features: str) -> dict[str, object]:
        return figures(some, cross_predict(some, features, folds(some, count=5, seed=seed), seed=seed))  # type: ignore[arg-type]

    def rows_split(pairs: list[tuple[np.ndarray, np.ndarray]], **options: object) -> dict[str, object]:
        return figures(complete, cross_predict(blind, "assessment", pairs, **options))  # type: ignore[arg-type]

    recipes: dict[str, tuple[str, str, Callable[[], _Pair]]] = {
        "row_split_deep": (
            "Rows shuffled, deep trees",
            "Both rows of a lesion mostly read the same. With one in training, deep trees remember it and its outcome.",
            lambda: (rows_split(by_patient, **deep), rows_split(by_row, **deep)),
        ),
        "row_split": (
            "Rows shuffled, our model",
            "The same shuffle with shallow, calibrated trees. They cannot remember single rows, so it gains them less.",
            lambda: (rows_split(by_patient, seed=seed), rows_split(by_row, seed=seed)),
        ),
        "missing_distribution": (
            "Rows without a distribution kept",
            "A distribution was written down for findings that were called back. Its absence gives the outcome away.",
            lambda: (by_patients(filled, "context"), by_patients(train, "context")),
        ),
        "assessment": (
            "The BI-RADS assessment as a feature",
            "The assessment is the radiologist's own judgement of the outcome. A model that reads it repeats it.",
            lambda: (by_patients(train, "context"), by_patients(train, "assessment")),
        ),
        "mass_and_calc": (
            "Masses and calcifications together",
            "Some patients are in training with a mass and in the test with a calcification. Words of a mass tell "
            "little about a calcification; with pictures the same leak can be large.",
            lambda: _mass_and_calc(table, rows, figures, seed),
        ),
    }
    result = []
    for done, name in enumerate(tricks):
        title, why, run = recipes[name]
        if progress:
            progress(done / len(tricks), title)
        result.append(Trick(name, title, why, *run()))
    if progress:
        progress(1.0, "done")
    return result


def _mass_and_calc(
    table: pd.DataFrame, rows: pd.DataFrame, figures: Callable[[pd.DataFrame, np.ndarray], dict[str, object]], seed: int
) -> _Pair:
    """Calc test scored by a model of both kinds, without and with the patients that cross."""
    mass = table[(table["abnormality_type"] == AbnormalityType.MASS) & (table["split"] == "train")]
    mass = mass[mass["pathology"].notna() & mass["patient_id"].notna()]
    train, test = rows[rows["split"] == "train"], rows[rows["split"] == "test"]
    crossing = mass["patient_id"].isin(set(test["patient_id"]))
    if not crossing.any() or not 0 < is_malignant(test).sum() < len(test):
        return None, None
    notes = build_notes(test)
    results = []
    for extra in (mass[~crossing], mass):
        both = pd.concat([train, extra], ignore_index=True)
        results.append(figures(test, predict(fit_model(both, "assessment", seed=seed), notes)))
    return results[0], results[1]
