"""Long work of the page of the notes, once for all windows, with its progress on the page."""

import pandas as pd

from lemons_core.dataset.collection import Collection
from lemons_core.notes.board import Board, Reasons, build_board, build_reasons
from lemons_core.notes.evaluate import ModelScores, evaluate
from lemons_core.notes.leakage import Trick, leakage_lab
from lemons_core.notes.text import Features
from lemons_core.ui.shell import jobs

_HASHED = ("case_id", "split", "pathology", "morphology", "distribution", "assessment", "subtlety", "breast_density")


def board(collection: Collection, features: Features) -> Board:
    key = ("board", *_key(collection), features)
    return jobs.wait_for(key, "Training on your notes", lambda p: build_board(collection, features, progress=p))


def reasons(collection: Collection, shown: Board) -> Reasons:
    key = ("reasons", *_key(collection), shown.model.features)
    return jobs.wait_for(key, "Asking the model why", lambda p: build_reasons(shown, progress=p))


def lab(collection: Collection) -> list[Trick]:
    """The leakage lab; needs the mass rows too, which only the cases hold."""
    table, key = collection.cases.table, ("lab", *_key(collection))
    return jobs.wait_for(key, "Taking every shortcut", lambda p: leakage_lab(table, progress=p))


def comparison(collection: Collection) -> list[ModelScores]:
    table, key = collection.table, ("comparison", *_key(collection))
    return jobs.wait_for(key, "Comparing the models", lambda p: evaluate(table, progress=p))


def _key(collection: Collection) -> tuple[str, int]:
    """The folder and a hash of what its notes hold, so that changed tables never get old figures."""
    table = collection.table[list(_HASHED)].astype("string").fillna("")
    return str(collection.root), int(pd.util.hash_pandas_object(table, index=False).sum())
