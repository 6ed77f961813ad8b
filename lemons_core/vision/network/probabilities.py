"""Logits to the probabilities that a model card promises, and when the honest answer is "not sure"; without torch."""

import numpy as np
from scipy.special import expit

from lemons_core.base.terms import GROUPS
from lemons_core.metrics.bands import in_band
from lemons_core.vision.record.card import ModelCard


def calibrated(logits: np.ndarray, card: ModelCard) -> np.ndarray:
    """(..., labels) logits to probabilities 0-1, float64, by the card's temperatures; 1 where it names none."""
    return expit(np.asarray(logits, float) / [card.temperature.get(label, 1.0) for label in card.labels])


def group_columns(card: ModelCard) -> list[int]:
    """Indices of the groups among the card's labels, in the order of GROUPS."""
    return [card.labels.index(group) for group in GROUPS]


def abstains(probabilities: np.ndarray, card: ModelCard) -> np.ndarray:
    """(N,) bool from (N, labels) calibrated probabilities: whether the honest answer is "not sure".

    It is when the probability of any calcification, or of the most probable group, lies in its abstain band.
    """
    groups = probabilities[:, group_columns(card)]
    unsure = in_band(probabilities[:, card.labels.index("calcification")], card.abstain.get("calcification"))
    for index, group in enumerate(GROUPS):
        unsure = unsure | ((groups.argmax(1) == index) & in_band(groups[:, index], card.abstain.get(group)))
    return unsure
