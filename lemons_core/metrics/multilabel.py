"""Several labels at once: each label, their averages, one label a row, and what is left when the unsure is left out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.metrics.bands import in_band
from lemons_core.metrics.binary import (
    Estimate,
    Patients,
    Scores,
    auc,
    average_precision,
    draw_patients,
    estimate,
    quantiles,
    replicate,
    score,
    share,
)


@dataclass(frozen=True)
class SingleLabelScores:
    """The task of one class a row.

    groups : the classes
    accuracy : with Wilson's interval; accuracy_by_patient : [low, high], by bootstrap over patients
    macro_recall : mean over the classes that are there; macro_recall_interval : [low, high], by bootstrap
    confusion : rows are the reference, columns what was found
    """

    n: int
    groups: list[str]
    accuracy: Estimate | None
    accuracy_by_patient: list[float]
    macro_recall: float
    macro_recall_interval: list[float]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class AbstainScores:
    """What is left when a probability within the band is no answer.

    band : [low, high], or None
    coverage : share of the rows that are answered; error : share of these that are wrong, None without answers
    """

    band: list[float] | None
    coverage: Estimate | None
    error: Estimate | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def score_labels(
    labels: np.ndarray,
    probabilities: np.ndarray,
    patients: Patients,
    names: Sequence[str],
    **options: float,
) -> dict[str, Scores]:
    """`binary.score` for each column of a multi-label table; a label that is known of no row is left out.

    labels : (N, L) of 0, 1, or nan where the label is not known (those rows are left out of that column)
    probabilities : (N, L)
    names : the L labels
    """
    patients = np.asarray(patients, dtype=object)
    result = {}
    for name, label, probability in zip(names, np.asarray(labels, float).T, np.asarray(probabilities).T, strict=True):
        known = ~np.isnan(label)
        if known.any():
            result[name] = score(label[known], probability[known], patients[known], **options)  # type: ignore[arg-type]
    return result


def average_labels(
    labels: np.ndarray,
    probabilities: np.ndarray,
    patients: Patients,
    **draws: int,
) -> dict[str, dict[str, Estimate | None]]:
    """AUC and average precision over all labels, with intervals by bootstrap over patients.

    labels, probabilities : (N, L) as for `score_labels`
    draws : replicates and seed of `draw_patients`
    Returns macro_average : the mean of the labels' figures; a label of one class only takes no part
    micro_average : the figure of all cells together, as if they were one label
    """
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities, float)
    codes, names = pd.factorize(np.asarray(patients, dtype=object))
    known = ~np.isnan(labels)
    mixed = np.flatnonzero((labels == 1).any(0) & (labels == 0).any(0))
    columns = [(labels[known[:, k], k], probabilities[known[:, k], k], codes[known[:, k]]) for k in mixed]
    everything = (labels[known], probabilities[known], np.broadcast_to(codes[:, None], labels.shape)[known])

    def figures(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, Estimate | None]:
        if not parts:
            return {"auc": None, "average_precision": None}
        # The same seed draws the same patients for every label.
        drawn = [replicate(y, p, who, people=len(names), threshold=0.5, **draws)[:, :2] for y, p, who in parts]
        low, high = quantiles(np.mean(drawn, axis=0))
        value = np.mean([[auc(y, p), average_precision(y, p)] for y, p, _ in parts], axis=0)
        return {name: estimate(value[k], low[k], high[k]) for k, name in enumerate(("auc", "average_precision"))}

    return {"macro_average": figures(columns), "micro_average": figures([everything] if len(mixed) else [])}


def score_single(
    reference: np.ndarray,
    found: np.ndarray,
    patients: Patients,
    classes: Sequence[str],
    **draws: int,
) -> SingleLabelScores:
    """The task of one class a row: how often the class found is that of the reference label.

    reference, found : (N,) indices into `classes`; N is 1 or more
    draws : replicates and seed of `draw_patients`
    """
    k = len(classes)
    codes, names = pd.factorize(np.asarray(patients, dtype=object))
    cells = np.zeros((len(names), k * k))
    np.add.at(cells, (codes, np.asarray(reference) * k + np.asarray(found)), 1)
    drawn = draw_patients(len(names), width=k * k, **draws)
    low, high = quantiles(np.concatenate([_of_confusion((times @ cells).reshape(-1, k, k)) for times in drawn]))
    confusion = cells.sum(0).reshape(k, k).astype(int)
    return SingleLabelScores(
        n=len(codes),
        groups=[str(name) for name in classes],
        accuracy=share(int(np.trace(confusion)), len(codes)),
        accuracy_by_patient=[low[0], high[0]],
        macro_recall=float(_of_confusion(confusion[None])[0, 1]),
        macro_recall_interval=[low[1], high[1]],
        confusion=confusion.tolist(),
    )


def _of_confusion(tables: np.ndarray) -> np.ndarray:
    """Accuracy and mean recall of (B, k, k) counts: (B, 2)."""
    right, there = np.diagonal(tables, axis1=1, axis2=2), tables.sum(2)
    recall = np.where(there > 0, right / np.maximum(there, 1), np.nan)
    return np.stack([right.sum(1) / there.sum(1), np.nanmean(recall, axis=1)], axis=1)


def score_answers(labels: np.ndarray, probabilities: np.ndarray, band: Sequence[float] | None) -> AbstainScores:
    """What is left when a probability within the band is no answer.

    labels, probabilities : (N,); rows whose label is nan are left out
    band : [low, high]; below it the answer is no, above it yes; None: every row is answered, yes above 0.5
    """
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities, float)
    known = ~np.isnan(labels)
    y, p = labels[known], probabilities[known]
    answered = ~in_band(p, band)
    wrong = answered & ((p > 0.5) != (y == 1))
    count = int(answered.sum())
    return AbstainScores(
        band=None if band is None else [float(edge) for edge in band],
        coverage=share(count, len(y)),
        error=share(int(wrong.sum()), count),
    )
