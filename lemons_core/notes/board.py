"""What a page shows of a model: how it did on rows that it did not see, and why it decides as it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.collection import Collection
from lemons_core.metrics.binary import reliability, thresholds
from lemons_core.notes.card import NoteCard
from lemons_core.notes.evaluate import ModelScores, Protocol, out_of_sample, score_subsets
from lemons_core.notes.explain import (
    DESCRIPTORS,
    gain_importance,
    partial_dependence,
    permutation_importance,
    shap_values,
)
from lemons_core.notes.model import NoteModel, fill_in, has_both_outcomes, is_malignant, predict, usable_rows
from lemons_core.notes.store import fit_or_shipped
from lemons_core.notes.text import Features, Note, build_notes


@dataclass(frozen=True)
class Board:
    """A model and how it did on rows that it did not see.

    table : every usable row of the collection
    rows, probabilities : the rows scored, and (N,) their probabilities
    protocol : "official", or "grouped_cv" when the collection has no test split to score
    subsets : figures of evaluate.score_subsets; the first are those of all rows
    curve, reliability : tables of metrics.thresholds and metrics.reliability
    """

    model: NoteModel
    table: pd.DataFrame
    rows: pd.DataFrame
    probabilities: np.ndarray
    protocol: Protocol
    subsets: list[ModelScores]
    curve: pd.DataFrame
    reliability: pd.DataFrame

    @property
    def labels(self) -> np.ndarray:
        return is_malignant(self.rows)

    @property
    def card(self) -> NoteCard:
        assert self.model.card is not None  # build_board takes a model from the disk or trains one
        return self.model.card


@dataclass(frozen=True)
class Reasons:
    """Why a model predicts as it does, over the scored rows.

    gain, permutation : tables of explain.gain_importance and explain.permutation_importance
    shap, matrix : (N, columns of the vectoriser)
    dependence : descriptor to partial dependence with `n`, the rows that hold the value
    """

    gain: pd.DataFrame
    permutation: pd.DataFrame
    shap: np.ndarray
    matrix: np.ndarray
    dependence: dict[str, pd.DataFrame]


def build_board(collection: Collection, features: Features, *, progress: Progress = no_progress) -> Board:
    """The shipped model for the published table, else one trained on the collection (seconds), and its figures.

    Raises DataError: no usable rows
    """
    table = collection.table
    model = fit_or_shipped(table, collection.data, features, progress=progress)
    usable = usable_rows(table)
    rows = usable[usable["split"] == "test"].reset_index(drop=True)
    protocol: Protocol = "official"
    if has_both_outcomes(rows):
        probabilities = predict(model, build_notes(rows))
    else:
        protocol = "grouped_cv"
        rows, probabilities = out_of_sample(usable, features, protocol=protocol)
    labels = is_malignant(rows)
    subsets = score_subsets(rows, probabilities, features=features, protocol=protocol)
    curve, stated = thresholds(labels, probabilities), reliability(labels, probabilities)
    return Board(model, usable, rows, probabilities, protocol, subsets, curve, stated)


def build_reasons(board: Board, *, progress: Progress = no_progress) -> Reasons:
    """Importance, SHAP values and partial dependence of the board's model on the rows that it scored."""
    model, notes = board.model, build_notes(board.rows)
    progress(0.1, "shuffling one descriptor at a time")
    permutation = permutation_importance(model, board.rows)
    progress(0.7, "SHAP values")
    shap, _ = shap_values(model, notes)
    filled, _, owner = fill_in(model, notes)
    first = np.unique(owner, return_index=True)[1]  # one completed note stands for its row in the colours of the plot
    matrix = model.vectoriser.transform([filled[i] for i in first])
    dependence = {}
    for name in permutation["descriptor"]:
        progress(0.8, f"partial dependence of {name}")
        dependence[name] = _count_rows(partial_dependence(model, notes, name), notes, DESCRIPTORS[name])
    return Reasons(gain_importance(model), permutation, shap, matrix, dependence)


def _count_rows(table: pd.DataFrame, notes: Sequence[Note], field: str) -> pd.DataFrame:
    """With `n`, the notes that hold each value; one with several types counts for each, "" means none."""
    held: list[Any] = [getattr(note, field) for note in notes]
    held = [value or ("",) if isinstance(value, tuple) else (value,) for value in held]
    return table.assign(n=[sum(value in values for values in held) for value in table["value"]])
