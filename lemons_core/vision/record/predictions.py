"""A model's predictions for single pictures, as `vision.evaluate.examples` wrote them; read without torch."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lemons_core.base.io import write_atomic
from lemons_core.base.terms import GROUPS

PREDICTIONS_NAME = "answers.json"
NONE = "none"  # instead of a group: no calcification
NAMES = (NONE, *map(str, GROUPS))


class PredictionSet(NamedTuple):
    """A model's predictions for N held-out pictures.

    folder : where `<number>.png` shows what the network saw of some of them
    words : what they are, in a few words
    labels : the L outputs
    targets : (N, L) 0, 1 or nan where not known
    probabilities : (N, L) 0-1, calibrated
    single : the reference label of each where there is one and only one: a group or "none"; else None
    best : group -> numbers of the pictures of this group alone that were predicted best
    worst : numbers of the pictures predicted worst
    """

    folder: Path
    words: str
    labels: list[str]
    targets: np.ndarray
    probabilities: np.ndarray
    single: list[str | None]
    best: dict[str, list[int]]
    worst: list[int]

    def probabilities_of(self, number: int) -> dict[str, float]:
        """Label -> probability of one picture."""
        return dict(zip(self.labels, self.probabilities[number].tolist(), strict=True))

    def reference_of(self, number: int) -> list[str]:
        """The groups that are known to be in one picture."""
        return [group for group in map(str, GROUPS) if self.targets[number, self.labels.index(group)] == 1]

    def known(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Reference (0 or 1) and probability of a label, both (n,), of the pictures where it is known."""
        index = self.labels.index(label)
        sure = ~np.isnan(self.targets[:, index])
        return self.targets[sure, index], self.probabilities[sure, index]


def write_predictions(predictions: PredictionSet) -> None:
    """Write them to their folder, after the pictures: who finds them finds the pictures as well."""
    held = predictions._asdict() | {
        "targets": [[None if np.isnan(value) else int(value) for value in row] for row in predictions.targets],
        "probabilities": np.round(predictions.probabilities, 4).tolist(),
    }
    del held["folder"]
    write_atomic(predictions.folder / PREDICTIONS_NAME, json.dumps(held).encode())


def read_predictions(folder: Path) -> PredictionSet | None:
    """What was written there, or None when there is nothing, or nothing that this version wrote."""
    try:
        held = json.loads((folder / PREDICTIONS_NAME).read_text("utf-8"))
        arrays = {name: np.array(held[name], dtype=float) for name in ("targets", "probabilities")}
        return PredictionSet(folder=folder, **(held | arrays))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def top_name(probabilities: dict[str, float]) -> str:
    """The one class that probabilities amount to: "none" below one half of any calcification, else the top group."""
    if probabilities["calcification"] < 0.5:
        return NONE
    return max(map(str, GROUPS), key=probabilities.__getitem__)


def confusion(predictions: PredictionSet) -> np.ndarray:
    """(5, 5) counts in the order of NAMES, rows reference and columns predicted, of pictures with a single label."""
    counts = np.zeros((len(NAMES), len(NAMES)), int)
    for number, reference in enumerate(predictions.single):
        if reference is not None:
            counts[NAMES.index(reference), NAMES.index(top_name(predictions.probabilities_of(number)))] += 1
    return counts
