"""A note model on disk: XGBoost's own JSON, and a card without which it is refused."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from lemons_core.base.config import DataChoice, Origin
from lemons_core.base.errors import ModelError
from lemons_core.base.io import sha256_of, write_atomic, writing
from lemons_core.base.progress import Progress, no_progress
from lemons_core.metrics.binary import Scores
from lemons_core.notes.calibrate import NoteCalibration
from lemons_core.notes.card import FIELDS, NoteCard, build_card
from lemons_core.notes.estimators import Hyperparameters
from lemons_core.notes.evaluate import Protocol, out_of_sample, score_rows
from lemons_core.notes.model import NoteModel, fit_model, has_both_outcomes, is_malignant, usable_rows
from lemons_core.notes.text import FEATURE_SETS, Features, Vectoriser

SHIPPED = Path(__file__).parent / "shipped"
_CARD, _MODEL = "card.json", "model.json"
_FORMAT = 1
_KEYS = {"format", *FIELDS, "vectoriser", "calibration", "shares", "threshold", "sha256"}


def data_words(data: DataChoice) -> str:
    """What a model was trained on, for its card."""
    return {
        Origin.PUBLISHED: "the published case table of CBIS-DDSM",
        Origin.DEMO: "simulated demo data (invented patients with published frequencies)",
        Origin.FOLDER: f"the case tables in {data.root.resolve().name or 'the root folder'}",
    }[data.origin]


def train_model(
    table: pd.DataFrame,
    features: Features = "assessment",
    *,
    trained_on: str,
    simulated: bool,
    seed: int = 0,
    progress: Progress = no_progress,
) -> NoteModel:
    """Fit on the official training split and write the card, with its figures on the test split.

    table : the case table
    trained_on : one phrase shown beside every number
    simulated : True when no real case was seen
    Raises DataError: no usable training rows
    """
    rows = usable_rows(table)
    train, test = rows[rows["split"] == "train"], rows[rows["split"] == "test"]
    progress(0.0, "fitting on the training split")
    model = fit_model(train, features, seed=seed)
    steps: dict[Protocol, float] = {"official": 0.3, "grouped_cv": 0.4}
    if not has_both_outcomes(test):
        del steps["official"]
    metrics: dict[str, Scores] = {}
    for protocol, done in steps.items():
        progress(done, f"scoring, {protocol.replace('_', ' ')}")
        scored, p = out_of_sample(rows, features, protocol=protocol, seed=seed)
        metrics[protocol] = score_rows(scored, p, seed=seed)
    progress(1.0, "done")
    card = NoteCard(
        features=features,
        settings=Hyperparameters(),
        seed=seed,
        trained_on=trained_on,
        simulated=simulated,
        rows=len(train),
        patients=int(train["patient_id"].nunique()),
        malignant=int(is_malignant(train).sum()),
        created=datetime.now(UTC).date().isoformat(),
        metrics=metrics,
    )
    return replace(model, card=card)


def fit_or_shipped(
    table: pd.DataFrame, data: DataChoice, features: Features, *, progress: Progress = no_progress
) -> NoteModel:
    """The shipped model for the published case table, else one trained on the table given, now; that takes seconds."""
    if data.origin == Origin.PUBLISHED:
        return read_shipped(features)
    simulated = data.origin == Origin.DEMO
    return train_model(table, features, trained_on=data_words(data), simulated=simulated, progress=progress)


def write_model(model: NoteModel, folder: str | Path) -> Path:
    """Write model.json and card.json into `folder`, each whole or not at all; returns the folder.

    Raises ModelError: not an XGBoost model with a card (train_model gives one)
        DataError: the folder cannot be written
    """
    if model.kind != "xgboost" or model.card is None:
        raise ModelError("Only a trained XGBoost note model can be saved", todo="Use `notes train`.")
    folder = Path(folder)
    with writing("The model cannot be saved", folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / _MODEL, bytes(model.estimator.save_raw("json")))
        card = {
            "format": _FORMAT,
            **model.card.to_json(),
            "vectoriser": asdict(model.vectoriser),
            "calibration": asdict(model.calibration),
            "shares": {name: list(some.items()) for name, some in model.shares.items()},
            "threshold": model.threshold,
            "sha256": sha256_of(folder / _MODEL),
        }
        write_atomic(folder / _CARD, (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    return folder


def read_model(folder: str | Path) -> NoteModel:
    """Read a saved model back; it gives the very same probabilities.

    Raises ModelError: missing, damaged, of another version, or the model file is not the one that the card names
    """
    folder = Path(folder)
    card = _read_card(folder / _CARD)
    path = folder / _MODEL
    todo = "Train it again with `python -m lemons_core notes train`."
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise ModelError("The note model is missing", where=str(path), todo=todo) from error
    if digest != card["sha256"]:
        raise ModelError("The note model is not the one that its card names", where=str(path), todo=todo)
    import xgboost

    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(path.read_bytes()))
        booster.set_param({"nthread": 1})
        model = NoteModel(
            "xgboost",
            Vectoriser(**card["vectoriser"] | {"vocabulary": tuple(card["vectoriser"]["vocabulary"])}),
            booster,
            NoteCalibration(*(tuple(card["calibration"][name]) for name in ("raw", "calibrated"))),
            {name: dict(some) for name, some in card["shares"].items()},
            float(card["threshold"]),
            build_card(card),
        )
    except (xgboost.core.XGBoostError, AttributeError, TypeError, KeyError, ValueError) as error:
        raise ModelError("The note model is damaged", where=str(folder), todo=todo) from error
    if booster.num_features() != len(model.vectoriser.names):
        raise ModelError("The note model does not fit its card", where=str(folder), todo=todo)
    return model


def read_shipped(features: Features = "assessment") -> NoteModel:
    """The model that comes with the package, trained on the published case table."""
    if features not in FEATURE_SETS:
        raise ModelError(f"There is no shipped model for '{features}'", todo=f"Known: {', '.join(FEATURE_SETS)}.")
    return read_model(SHIPPED / features)


def read_shipped_card(features: Features = "assessment") -> NoteCard:
    """The card of a shipped model; xgboost is not loaded."""
    return build_card(_read_card(SHIPPED / features / _CARD))


def _read_card(path: Path) -> dict[str, Any]:
    todo = "Give the folder that `python -m lemons_core notes train` wrote."
    try:
        card = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError("There is no card of a note model", where=str(path), todo=todo) from error
    except ValueError as error:
        raise ModelError("The card of the note model is damaged", where=str(path), todo=todo) from error
    if not isinstance(card, dict) or set(card) != _KEYS or card["format"] != _FORMAT:
        raise ModelError("The card of the note model does not fit this version", where=str(path), todo=todo)
    return card
