"""Abstain bands. Without pandas: a prediction needs no more than this of the metrics."""

from collections.abc import Sequence

import numpy as np


def in_band(probabilities: np.ndarray, band: Sequence[float] | None) -> np.ndarray:
    """(N,) bool, whether the honest answer is "not sure"; both edges belong to the band."""
    if band is None:
        return np.zeros(len(probabilities), bool)
    return (probabilities >= band[0]) & (probabilities <= band[1])
