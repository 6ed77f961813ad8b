"""Probabilities for the rows of a collection that a model never saw, to compare with their labels."""

import pandas as pd

from lemons_core.base.errors import ImageError
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import GROUPS
from lemons_core.images import read_image
from lemons_core.vision.detect.classify import predict_crop
from lemons_core.vision.network.weights import Model
from lemons_core.vision.tiles.constants import SIMULATED_SOURCE


def unseen_rows(table: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Labelled rows with a crop that this model was not trained on.

    A model of simulated tiles has seen no row of any collection; every other one has seen the training split.
    """
    rows = table[table["crop_file"].notna() & table["calc_group"].notna()]
    return rows if model.card.training.get("source") == SIMULATED_SOURCE else rows[rows["split"] == "test"]


def predict_unseen(table: pd.DataFrame, model: Model, *, progress: Progress = no_progress) -> pd.DataFrame:
    """Group probabilities (0-1), index case_id, one column a group; an unreadable crop is left out."""
    rows = unseen_rows(table, model)
    found = {}
    for number, row in enumerate(rows.itertuples(), start=1):
        try:
            picture = read_image(row.crop_file)
            result = predict_crop(picture.pixels, spacing_mm=picture.spacing_mm, model=model)
            found[row.case_id] = result.probabilities
        except ImageError:
            continue
        progress(number / len(rows), row.case_id)
    return pd.DataFrame.from_dict(found, orient="index", columns=[str(group) for group in GROUPS])
