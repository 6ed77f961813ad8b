"""The page's board and reasons, built without a page."""

from dataclasses import replace

import numpy as np
import pytest

from lemons_core.base.config import Origin
from lemons_core.dataset.collection import Collection, read_collection
from lemons_core.notes.board import build_board, build_reasons
from lemons_core.notes.explain import DESCRIPTORS
from lemons_core.notes.store import read_shipped_card
from lemons_core.simulate.demo.write import write_demo


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return read_collection(write_demo(tmp_path_factory.mktemp("board") / "demo", images=0, jobs=1))


@pytest.fixture(scope="module")
def published() -> Collection:
    return read_collection("published")


def test_the_published_table_takes_the_shipped_model_and_gives_its_figures(published: Collection) -> None:
    board = build_board(published, "assessment")
    assert board.card == read_shipped_card("assessment") and not board.card.simulated
    assert board.protocol == "official" and set(board.rows["split"]) == {"test"}
    assert board.subsets[0].scores.auc == pytest.approx(board.card.metrics["official"].auc)
    assert board.subsets[0].scores.n == len(board.rows) == len(board.probabilities) == 326
    assert {(s.subset, s.unit) for s in board.subsets} == {
        (subset, unit) for subset in ("all", "without_bwc") for unit in ("row", "lesion")
    }


def test_own_tables_train_their_model_and_tables_without_a_test_split_are_scored_by_folds(
    collection: Collection,
) -> None:
    table = collection.table
    own = replace(collection, table=table[table["split"] == "train"].head(400), origin=Origin.FOLDER)
    board = build_board(own, "descriptors")
    assert not board.card.simulated and board.card.rows == 400 == len(board.rows)
    assert board.protocol == "grouped_cv" and board.subsets[0].protocol == "grouped_cv"


def test_simulated_notes_train_a_model_that_says_so(collection: Collection) -> None:
    few = replace(collection, table=collection.table.groupby("split").head(300))
    board = build_board(few, "descriptors")
    assert board.card.simulated and "simulated" in board.card.trained_on


def test_reasons_count_the_rows_behind_each_value(published: Collection) -> None:
    board = build_board(published, "assessment")
    steps: list[float] = []
    reasons = build_reasons(board, progress=lambda share, text: steps.append(share))
    assert steps == sorted(steps)
    assert reasons.shap.shape == reasons.matrix.shape == (len(board.rows), len(board.model.vectoriser.names))
    assert set(reasons.dependence) == set(DESCRIPTORS) == set(reasons.permutation["descriptor"])
    views = reasons.dependence["view"].set_index("value")["n"]
    assert views.to_dict() == board.rows["view"].value_counts().to_dict()
    unnamed = reasons.dependence["distribution"].set_index("value")["n"][""]
    assert unnamed == board.rows["distribution"].isna().sum() and np.isfinite(reasons.shap).all()
