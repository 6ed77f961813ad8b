"""What the page of the notes computes: the model in use and its figures, once for all windows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lemons_core.dataset.collection import Collection
from lemons_core.metrics.binary import reliability, thresholds
from lemons_core.notes.evaluate import FEATURE_SETS, KINDS, Protocol, evaluate, out_of_sample, score_cuts
from lemons_core.notes.explain import (
    DESCRIPTORS,
    gain_importance,
    partial_dependence,
    permutation_importance,
    shap_values,
)
from lemons_core.notes.leakage import Trick, leakage_lab
from lemons_core.notes.model import NoteModel, fill_in, is_malignant, predict, usable_rows
from lemons_core.notes.store import data_words, read_shipped, train_model
from lemons_core.notes.text import Features, build_notes
from lemons_core.ui.shell import jobs

if TYPE_CHECKING:
    from lemons_core.ui.shell.jobs import Progress

_TELLING = ("case_id", "split", "pathology", "morphology", "distribution", "assessment", "subtlety", "breast_density")


@dataclass(frozen=True)
class Board:
    """A model and how it did on rows that it did not see.

    table : every usable row of the data in use
    rows, probabilities : the rows scored, and (N,) what the model said
    protocol : "official", or "grouped_cv" when the data in use have no test split to score
    cuts : figures of evaluate.score_cuts; the first are those of all rows
    """

    model: NoteModel
    table: pd.DataFrame
    rows: pd.DataFrame
    probabilities: np.ndarray
    protocol: Protocol
    cuts: list[dict[str, Any]]
    curve: pd.DataFrame
    reliability: pd.DataFrame
    simulated: bool

    @property
    def labels(self) -> np.ndarray:
        return is_malignant(self.rows)


@dataclass(frozen=True)
class Reasons:
    """Why a model says what it says, over the scored rows.

    shap, matrix : (N, columns of the vectoriser)
    dependence : descriptor to partial dependence with `n`, the rows that hold the value
    """

    gain: pd.DataFrame
    permutation: pd.DataFrame
    shap: np.ndarray
    matrix: np.ndarray
    dependence: dict[str, pd.DataFrame]


def board(collection: Collection, features: Features, *, simulated: bool) -> Board:
    """The shipped model for simulated data, else one trained on the data in use; seconds, then kept."""
    table, root = collection.table, collection.root

    def work(progress: "Progress") -> Board:
        return _build_board(table, root, features, simulated, progress)

    return jobs.wait_for(("board", *_key(collection), features), "Training on your notes", work)


def reasons(collection: Collection, shown: Board) -> Reasons:
    def work(progress: "Progress") -> Reasons:
        return _build_reasons(shown, progress)

    return jobs.wait_for(("reasons", *_key(collection), shown.model.features), "Asking the model why", work)


def lab(collection: Collection) -> list[Trick]:
    """The leakage lab; needs the mass rows too, which only the cases hold."""
    table = collection.cases.table

    def work(progress: "Progress") -> list[Trick]:
        return leakage_lab(table, progress=progress)

    return jobs.wait_for(("lab", *_key(collection)), "Taking every shortcut", work)


def comparison(collection: Collection) -> list[dict[str, Any]]:
    """Every model, feature set and protocol: evaluate.evaluate."""
    table = collection.table

    def work(progress: "Progress") -> list[dict[str, Any]]:
        return evaluate(table, models=KINDS, features=FEATURE_SETS, progress=progress)

    return jobs.wait_for(("comparison", *_key(collection)), "Comparing the models", work)


def _key(collection: Collection) -> tuple[str, int]:
    """The folder and what its notes say, so that changed tables are never answered with old figures."""
    table = collection.table[list(_TELLING)].astype("string").fillna("")
    return str(collection.root), int(pd.util.hash_pandas_object(table, index=False).sum())


def _build_board(table: pd.DataFrame, root: Path, features: Features, simulated: bool, progress: Progress) -> Board:
    if simulated:
        model = read_shipped(features)
    else:
        words = data_words(root, simulated=False)
        model = train_model(table, features, trained_on=words, simulated=False, progress=progress)
    usable = usable_rows(table)
    rows = usable[usable["split"] == "test"].reset_index(drop=True)
    protocol: Protocol = "official"
    if 0 < is_malignant(rows).sum() < len(rows):
        probabilities = predict(model, build_notes(rows))
    else:
        protocol = "grouped_cv"
        rows, probabilities = out_of_sample(usable, features, protocol)
    labels = is_malignant(rows)
    return Board(
        model,
        usable,
        rows,
        probabilities,
        protocol,
        score_cuts(rows, probabilities),
        thresholds(labels, probabilities),
        reliability(labels, probabilities),
        simulated,
    )


def _build_reasons(shown: Board, progress: Progress) -> Reasons:
    model, notes = shown.model, build_notes(shown.rows)
    progress(0.1, "shuffling one descriptor at a time")
    permutation = permutation_importance(model, shown.rows)
    progress(0.7, "SHAP values")
    shap, _ = shap_values(model, notes)
    filled, _, owner = fill_in(model, notes)
    first = np.unique(owner, return_index=True)[1]  # one completed note stands for its row in the colours of the plot
    matrix = model.vectoriser.transform([filled[i] for i in first])
    dependence = {}
    for name in permutation["descriptor"]:
        progress(0.8, f"partial dependence of {name}")
        table = partial_dependence(model, notes, name)
        held = [getattr(note, DESCRIPTORS[name]) for note in notes]
        dependence[name] = table.assign(n=[_count(held, value) for value in table["value"]])
    return Reasons(gain_importance(model), permutation, shap, matrix, dependence)


def _count(held: list[Any], value: Any) -> int:
    """Rows that hold a value; a row with several types counts for each, "" is for rows with none."""
    return sum(value in own or (value == "" and own == ()) if isinstance(own, tuple) else own == value for own in held)
