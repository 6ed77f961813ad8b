"""Probabilities that mean what they say, and the band in which the honest answer is "not sure".

Both are chosen on validation data, once, at the end of a training run, and go into the model card.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

ERROR = 0.1  # share of answers that may be wrong; below it the model rather says "not sure"
FEWEST = 10  # a label with fewer tiles of either class says too little to choose anything by
COOLEST, WARMEST = 0.25, 4.0


def calibrate(
    logits: np.ndarray, targets: np.ndarray, labels: Sequence[str], *, error: float = ERROR
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Temperature and abstain band of each label, as the card holds them; no band where none is needed.

    A label with fewer than 10 known examples of either class keeps temperature 1 and has no band.

    logits : (N, labels), any finite value
    targets : (N, labels) 0, 1 or nan where not known
    error : 0-1, share of the "yes" answers, and of the "no" answers, that may be wrong

    Source: temperature scaling, Guo et al. 2017, arXiv:1706.04599.
    """
    temperature, abstain = dict.fromkeys(labels, 1.0), {}
    for label, logit, target in zip(labels, np.asarray(logits, float).T, np.asarray(targets, float).T, strict=True):
        known = ~np.isnan(target)
        z, y = logit[known], target[known]
        if min(y.sum(), (1 - y).sum()) < FEWEST:
            continue
        temperature[label] = round(_temperature(z, y), 4)
        band = _band(expit(z / temperature[label]), y, error)
        if band is not None:
            abstain[label] = band
    return temperature, abstain


def _temperature(z: np.ndarray, y: np.ndarray) -> float:
    """The temperature with the lowest negative log likelihood, 0.25 to 4."""

    def loss(log_temperature: float) -> float:
        scaled = z * np.exp(-log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - y * scaled))

    found = minimize_scalar(loss, bounds=np.log([COOLEST, WARMEST]), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))


def _band(p: np.ndarray, y: np.ndarray, error: float) -> list[float] | None:
    """[low, high] around 0.5, or None: below low "no" is wrong for at most a share `error`, above high "yes" is.

    The sides are chosen apart. One bound for all answers would let many easy "no" pay for wrong "yes" of a rare label.
    """
    low, high = _edge(p, y, error), round(1 - _edge(1 - p, 1 - y, error), 3)
    return None if low == high else [low, high]


def _edge(p: np.ndarray, y: np.ndarray, error: float) -> float:
    """The largest value up to 0.5 so that of the rows below it at most a share `error` is positive; 0 without any."""
    levels = np.arange(501) / 1000
    order = np.argsort(p, kind="stable")
    below = np.searchsorted(p[order], levels)
    wrong = np.concatenate([[0], np.cumsum(y[order])])[below]
    # Where no row lies nothing is known, so nothing is answered.
    good = levels[(below > 0) & (wrong <= error * below)]
    return float(good[-1]) if len(good) else 0.0
