"""The model card: what a model is, what it was trained on, how well it does, and where it ends.

Preprocessing is rebuilt from the card, and weights whose SHA-256 differs from it are refused: no card, no model.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lemons_core.base.errors import ModelError
from lemons_core.base.io import write_atomic

CARD_NAME = "card.json"
MALIGNANCY = "malignancy"  # a sixth label, for models trained on real images with pathology
WEIGHTS_NAME = "weights.safetensors"
_OLD_NAMES = {"place_scale": "detection_platt"}  # in cards that were written before, of a field and of a training fact


@dataclass(frozen=True)
class ModelCard:
    """Facts of one trained image model.

    labels : outputs in their order, "calcification" first, then the groups
    spacing_mm : pixel spacing that every input is resampled to
    tile_px : side of the square tiles seen in training
    background_mm, contrast_mm : Gaussian sigmas of the local normalisation
    trained_on : one phrase shown beside every number
    simulated : True when no real image was seen
    training : settings and the seed
    metrics : held-out results; every entry names its n
    temperature : label -> what its logit is divided by before the sigmoid, fitted on validation data; 1 when absent
    abstain : label -> [low, high], the band of probabilities in which the honest answer is "not sure"; chosen on
        validation data so that the answers outside it are wrong at most as often as `training` states
    detection_platt : slope and offset that turn the logit of "calcification" of a detection in a whole view into that
        of a probability: a candidate was picked by the model itself, and most that are picked hold nothing
    """

    name: str
    architecture: str
    labels: tuple[str, ...]
    spacing_mm: float
    tile_px: int
    background_mm: float
    contrast_mm: float
    trained_on: str
    simulated: bool
    created: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    temperature: dict[str, float] = field(default_factory=dict)
    abstain: dict[str, list[float]] = field(default_factory=dict)
    detection_platt: tuple[float, float] = (1.0, 0.0)
    limits: tuple[str, ...] = ()
    sha256: str = ""


def read_card(directory: Path) -> ModelCard:
    """Read `card.json` of a model folder; raises ModelError when it is missing or damaged."""
    path = Path(directory) / CARD_NAME
    todo = "Give the folder that `python -m lemons_core train --out` wrote."
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError("There is no model card", where=str(path), todo=todo) from error
    except ValueError as error:
        raise ModelError("The model card is damaged", where=str(path), todo=todo) from error
    raw = _renamed(raw) if isinstance(raw, dict) else {}
    if odd := sorted(set(raw) ^ {entry.name for entry in fields(ModelCard)}):
        raise ModelError(f"The model card does not fit this version: {', '.join(odd)}", where=str(path), todo=todo)
    if isinstance(raw["training"], dict):
        raw["training"] = _renamed(raw["training"])
    raw |= {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    return ModelCard(**raw)


def _renamed(held: dict[str, Any]) -> dict[str, Any]:
    return {_OLD_NAMES.get(name, name): value for name, value in held.items()}


def write_card(directory: Path, card: ModelCard) -> None:
    """Write the card beside the weights, whole or not at all."""
    text = json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n"
    write_atomic(Path(directory) / CARD_NAME, text.encode())
