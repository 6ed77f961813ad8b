"""The guard against leakage: a model is compared with labels only on rows that it was not trained on."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from lemons_core.vision.evaluate.unseen import unseen_rows
from lemons_core.vision.tiles.constants import EMPTY_CARD, SIMULATED_SOURCE

TABLE = pd.DataFrame(
    {
        "case_id": ["a", "b", "c", "d", "e"],
        "split": ["train", "test", "test", "test", None],
        "crop_file": ["a.png", "b.png", None, "d.png", "e.png"],
        "calc_group": ["macro", "micro", "micro", None, "macro"],
    }
)


def rows_of(**training: object) -> list[str]:
    model = SimpleNamespace(card=replace(EMPTY_CARD, training=training))
    return unseen_rows(TABLE, model)["case_id"].tolist()


@pytest.mark.parametrize("training", [{"source": "CBIS-DDSM, official training split"}, {"source": "another"}, {}])
def test_a_model_trained_on_a_collection_gets_test_rows_only(training: dict[str, object]) -> None:
    assert rows_of(**training) == ["b"], "with a crop and a label; a row of no known split counts as seen"


def test_a_model_of_simulated_tiles_has_seen_no_row() -> None:
    assert rows_of(source=SIMULATED_SOURCE) == ["a", "b", "e"]
