"""Reference labels and probabilities to figures, each with the interval that belongs to it.

Only numpy and pandas: a page or the command line can ask for a figure without loading a learning library. Labels are
0 or 1 (1 malignant, or the class in question), probabilities 0-1, both of shape (N,). Intervals are 95 % and come from
drawing whole patients: two views of one lesion are not two independent facts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from lemons_core.base.errors import DataError

_Z95 = 1.959963984540054  # standard normal quantile of a two-sided 95 % interval
Patients: TypeAlias = Sequence[str] | np.ndarray | pd.Series  # (N,), whose row each is
_CHUNK = 4_000_000  # cells of one bootstrap table: 32 MB, whatever the number of patients or scores


class Estimate(NamedTuple):
    """A figure with its 95 % interval; as JSON the list [value, low, high]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """Every figure of one set of predictions; None where it cannot be computed, as with one class only.

    n, patients : how many predictions, of how many patients
    sensitivity, specificity, accuracy : when a row is called positive from `threshold` on
    """

    n: int
    patients: int
    auc: Estimate | None
    average_precision: Estimate | None
    accuracy: Estimate | None
    sensitivity: Estimate | None
    specificity: Estimate | None
    threshold: float
    brier: float
    ece: float

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it: of sensitivity and specificity the interval stands apart."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if name in ("sensitivity", "specificity"):
                found |= {name: value and value.value, f"{name}_interval": value and [value.low, value.high]}
            else:
                found[name] = list(value) if isinstance(value, Estimate) else value
        return found


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, (low, high) in 0-1; (nan, nan) when n is 0.

    Unlike the textbook p +- 1.96 se it stays within 0-1 and holds for shares near 0 or 1.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if n == 0:
        return float("nan"), float("nan")
    share = successes / n
    centre = share + _Z95**2 / (2 * n)
    spread = _Z95 * sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2))
    scale = 1 + _Z95**2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def share(successes: int, n: int) -> Estimate | None:
    """A share with Wilson's 95 % interval; None of nothing."""
    return Estimate(successes / n, *wilson(successes, n)) if n else None


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the ROC curve; ties count half. nan when only one class is present."""
    positive, negative = _by_score(*_checked(labels, probabilities))
    return float(_auc(positive[None], negative[None])[0])


def average_precision(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Precision averaged over the positives, without interpolation; nan without positives."""
    positive, negative = _by_score(*_checked(labels, probabilities))
    return float(_average_precision(positive[None], negative[None])[0])


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of probability and label: 0 perfect, 0.25 for a constant 0.5."""
    labels, probabilities = _checked(labels, probabilities)
    return float(np.mean((probabilities - labels) ** 2))


def ece(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width: mean distance of stated and seen share, 0-1.

    Small tables cannot reach 0: a perfect model scores about 0.03 with 300 rows.

    Source: Guo et al. 2017, arXiv:1706.04599.
    """
    table = reliability(labels, probabilities, bins=bins)
    return float((table["n"] * (table["share"] - table["probability"]).abs()).sum() / table["n"].sum())


def reliability(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10) -> pd.DataFrame:
    """Stated against seen share: one row a non-empty bin of equal width.

    Returns columns low, high (edges), n, probability (mean stated), share (seen), share_low, share_high (Wilson).
    """
    labels, probabilities = _checked(labels, probabilities)
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    n = np.bincount(bin_of, minlength=bins)
    hits = np.bincount(bin_of, weights=labels, minlength=bins)
    stated = np.bincount(bin_of, weights=probabilities, minlength=bins)
    rows = []
    for i in np.flatnonzero(n):
        low, high = wilson(int(hits[i]), int(n[i]))
        rows.append((i / bins, (i + 1) / bins, int(n[i]), stated[i] / n[i], hits[i] / n[i], low, high))
    return pd.DataFrame(rows, columns=["low", "high", "n", "probability", "share", "share_low", "share_high"])


def thresholds(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Counts and rates at every threshold that changes a decision: ROC, precision-recall and slider in one table.

    Returns one row a threshold, falling; a row counts as positive when its probability reaches it. Columns threshold,
    tp, fp, fn, tn, sensitivity, specificity, precision, accuracy. The first row (threshold inf) calls nothing positive.
    """
    labels, probabilities = _checked(labels, probabilities)
    levels = np.unique(probabilities)[::-1]
    positive, negative = (part[::-1] for part in _by_score(labels, probabilities))
    tp = np.concatenate([[0], np.cumsum(positive)]).astype(int)
    fp = np.concatenate([[0], np.cumsum(negative)]).astype(int)
    fn, tn = tp[-1] - tp, fp[-1] - fp
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "threshold": np.concatenate([[np.inf], levels]),
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "tn": tn,
                "sensitivity": tp / (tp + fn),
                "specificity": tn / (tn + fp),
                "precision": np.where(tp + fp > 0, tp / np.maximum(tp + fp, 1), 1.0),
                "accuracy": (tp + tn) / len(labels),
            }
        )


def score(
    labels: np.ndarray,
    probabilities: np.ndarray,
    patients: Patients,
    *,
    threshold: float = 0.5,
    **draws: int,
) -> Scores:
    """Every figure of one set of predictions.

    patients : whose row it is; whole patients are drawn with replacement
    threshold : probability from which a row is called positive
    draws : replicates and seed of `draw_patients`
    Raises DataError: no rows, lengths differ, labels other than 0 and 1, probabilities outside 0-1
    """
    labels, probabilities = _checked(labels, probabilities)
    codes, _ = pd.factorize(np.asarray(patients, dtype=object))
    if len(codes) != len(labels) or (codes < 0).any():
        raise DataError("Every prediction needs a patient", where=f"{len(labels)} predictions")
    people = int(codes.max()) + 1
    low, high = quantiles(replicate(labels, probabilities, codes, people=people, threshold=threshold, **draws))
    positive, negative = _by_score(labels, probabilities)
    values = _figures(positive[None], negative[None], probabilities, threshold)[0]
    names = ("auc", "average_precision", "accuracy", "sensitivity", "specificity")
    estimates = {name: estimate(*found) for name, *found in zip(names, values, low, high, strict=True)}
    return Scores(
        n=len(labels),
        patients=people,
        threshold=float(threshold),
        brier=brier(labels, probabilities),
        ece=ece(labels, probabilities),
        **estimates,
    )


def _checked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels, dtype=float), np.asarray(probabilities, dtype=float)
    if labels.ndim != 1 or labels.shape != probabilities.shape or not len(labels):
        raise DataError("Labels and probabilities do not fit", where=f"{labels.shape} and {probabilities.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise DataError("Labels must be 0 or 1")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise DataError("Probabilities must lie within 0-1")
    return labels, probabilities


def _by_score(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives at each distinct probability, rising; both of shape (U,)."""
    _, level_of = np.unique(probabilities, return_inverse=True)
    return np.bincount(level_of, weights=labels), np.bincount(level_of, weights=1 - labels)


def draw_patients(people: int, *, width: int, replicates: int = 1000, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each patient is drawn in each bootstrap replicate: (B, people) float, some replicates at a time.

    width : cells that each patient's row of figures will take, so that memory stays bounded
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // max(people, width))
    for start in range(0, replicates, step):
        size = min(step, replicates - start)
        drawn = rng.integers(0, people, size=(size, people)) + people * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * people).reshape(size, people).astype(float)


def replicate(
    labels: np.ndarray, probabilities: np.ndarray, codes: np.ndarray, *, people: int, threshold: float, **draws: int
) -> np.ndarray:
    """AUC, average precision, accuracy, sensitivity, specificity of bootstrap draws, (replicates, 5).

    A draw only changes how often each patient counts, so it is one row of a matrix product: times drawn (B, people)
    by counts at each score (people, scores). That is 1000 replicates for the price of a few.

    codes : (N,) whose row it is, 0 to people - 1
    """
    from scipy.sparse import csr_array

    levels, level_of = np.unique(probabilities, return_inverse=True)
    shape = (people, len(levels))
    positive = csr_array((labels, (codes, level_of)), shape=shape).T.tocsr()
    negative = csr_array((1 - labels, (codes, level_of)), shape=shape).T.tocsr()
    drawn = draw_patients(people, width=len(levels), **draws)
    return np.concatenate(
        [_figures((positive @ times.T).T, (negative @ times.T).T, levels, threshold) for times in drawn]
    )


def _figures(positive: np.ndarray, negative: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """AUC, average precision, accuracy, sensitivity, specificity: (B, 5) from counts (B, U) at rising scores."""
    called = np.unique(scores) >= threshold
    tp, tn = positive[:, called].sum(1), negative[:, ~called].sum(1)
    all_positive, all_negative = positive.sum(1), negative.sum(1)
    with np.errstate(invalid="ignore"):
        rates = [(tp + tn) / (all_positive + all_negative), tp / all_positive, tn / all_negative]
    return np.stack([_auc(positive, negative), _average_precision(positive, negative), *rates], axis=1)


def _auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore"):
        return (positive * below).sum(1) / (positive.sum(1) * negative.sum(1))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    tp = np.cumsum(positive[:, ::-1], axis=1)
    called = np.maximum(tp + np.cumsum(negative[:, ::-1], axis=1), 1)
    with np.errstate(invalid="ignore"):
        return (positive[:, ::-1] * tp / called).sum(1) / positive.sum(1)


def quantiles(draws: np.ndarray) -> tuple[list[float], list[float]]:
    """2.5 % and 97.5 % of each column; draws without one of the classes are left out."""
    bounds = []
    for column in draws.T:
        known = column[np.isfinite(column)]
        bounds.append(np.quantile(known, [0.025, 0.975]) if len(known) else np.full(2, np.nan))
    low, high = np.array(bounds).T
    return low.tolist(), high.tolist()


def estimate(value: float, low: float, high: float) -> Estimate | None:
    """A figure with its interval, or None where one of them is not defined."""
    return Estimate(float(value), float(low), float(high)) if np.isfinite([value, low, high]).all() else None
