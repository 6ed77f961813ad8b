"""The leakage lab: the same notes scored honestly and with one shortcut, so that each trick's gain is a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.splits import folds
from lemons_core.metrics.binary import Scores
from lemons_core.notes.estimators import Fold
from lemons_core.notes.evaluate import (
    ROW_SPLIT_SETTINGS,
    complete_rows,
    cross_predict,
    row_folds,
    score_rows,
    without_view,
)
from lemons_core.notes.model import fit_model, has_both_outcomes, predict, usable_rows
from lemons_core.notes.text import Features, build_notes

_Pair = tuple[Scores | None, Scores | None]  # honest, tricked

# Title and explanation of each shortcut.
TRICKS: dict[str, tuple[str, str]] = {
    "row_split_deep": (
        "Rows shuffled, deep trees",
        "Both rows of a lesion mostly read the same. With one in training, deep trees remember it and its outcome.",
    ),
    "row_split": (
        "Rows shuffled, our model",
        "The same shuffle with shallow, calibrated trees. They cannot remember single rows, so it gains them less.",
    ),
    "missing_distribution": (
        "Rows without a distribution kept",
        "A distribution was written down for findings that were called back. Its absence gives the outcome away.",
    ),
    "assessment": (
        "The BI-RADS assessment as a feature",
        "The assessment is the radiologist's own judgement of the outcome. A model that reads it repeats it.",
    ),
    "mass_and_calc": (
        "Masses and calcifications together",
        "Some patients are in training with a mass and in the test with a calcification. Words of a mass tell little "
        "about a calcification; with pictures the same leak can be large.",
    ),
}


@dataclass(frozen=True)
class Trick:
    """One shortcut.

    name, title, why : identifier, a heading, and in two sentences what happens
    honest, tricked : figures, or None when this data set cannot show the trick
    gain_auc, gain_accuracy : tricked minus honest
    """

    name: str
    title: str
    why: str
    honest: Scores | None
    tricked: Scores | None

    @property
    def gain_auc(self) -> float | None:
        return self._gain("auc")

    @property
    def gain_accuracy(self) -> float | None:
        return self._gain("accuracy")

    def _gain(self, figure: str) -> float | None:
        honest, tricked = getattr(self.honest, figure, None), getattr(self.tricked, figure, None)
        return tricked.value - honest.value if honest and tricked else None

    def to_json(self) -> dict[str, Any]:
        sides = {"honest": self.honest and self.honest.to_json(), "tricked": self.tricked and self.tricked.to_json()}
        return vars(self) | sides | {"gain_auc": self.gain_auc, "gain_accuracy": self.gain_accuracy}


def leakage_lab(
    table: pd.DataFrame,
    *,
    tricks: Sequence[str] = tuple(TRICKS),
    seed: int = 0,
    replicates: int = 1000,
    progress: Progress = no_progress,
) -> list[Trick]:
    """Every trick on this data (XGBoost throughout; folds inside the official training split unless said otherwise).

    table : the case table, with mass rows if there are any
    tricks : which of TRICKS, in any order
    Raises DataError: no usable calcification rows, or an unknown trick
    """
    for name in tricks:
        if name not in TRICKS:
            raise DataError(f"Unknown trick '{name}'", todo=f"Known: {', '.join(TRICKS)}.")
    rows = usable_rows(table)
    train, complete = rows[rows["split"] == "train"], complete_rows(rows)
    by_patient, by_row = folds(complete, count=5, seed=seed), row_folds(len(complete), count=5, seed=seed)
    deep = {"settings": ROW_SPLIT_SETTINGS, "calibrated": False}

    def figures(scored: pd.DataFrame, probabilities: np.ndarray) -> Scores:
        return score_rows(scored, probabilities, replicates=replicates, seed=seed)

    def by_patients(some: pd.DataFrame, features: Features) -> Scores:
        return figures(some, cross_predict(some, features, folds(some, count=5, seed=seed), seed=seed))

    def of_complete(pairs: Sequence[Fold], **options: Any) -> Scores:
        return figures(complete, cross_predict(without_view(complete), "assessment", pairs, seed=seed, **options))

    pairs: dict[str, Callable[[], _Pair]] = {
        "row_split_deep": lambda: (of_complete(by_patient, **deep), of_complete(by_row, **deep)),
        "row_split": lambda: (of_complete(by_patient), of_complete(by_row)),
        "missing_distribution": lambda: (by_patients(complete_rows(train), "context"), by_patients(train, "context")),
        "assessment": lambda: (by_patients(train, "context"), by_patients(train, "assessment")),
        "mass_and_calc": lambda: _mass_and_calc(table, rows, figures, seed),
    }
    result = []
    for done, name in enumerate(tricks):
        progress(done / len(tricks), TRICKS[name][0])
        result.append(Trick(name, *TRICKS[name], *pairs[name]()))
    progress(1.0, "done")
    return result


def _mass_and_calc(
    table: pd.DataFrame, rows: pd.DataFrame, figures: Callable[[pd.DataFrame, np.ndarray], Scores], seed: int
) -> _Pair:
    """Calc test scored by a model of both kinds, without and with the patients that cross."""
    mass = table[(table["abnormality_type"] == AbnormalityType.MASS) & (table["split"] == "train")]
    mass = mass[mass["pathology"].notna() & mass["patient_id"].notna()]
    train, test = rows[rows["split"] == "train"], rows[rows["split"] == "test"]
    crossing = mass["patient_id"].isin(set(test["patient_id"]))
    if not crossing.any() or not has_both_outcomes(test):
        return None, None
    notes = build_notes(test)
    results = []
    for extra in (mass[~crossing], mass):
        both = pd.concat([train, extra], ignore_index=True)
        results.append(figures(test, predict(fit_model(both, "assessment", seed=seed), notes)))
    return results[0], results[1]
