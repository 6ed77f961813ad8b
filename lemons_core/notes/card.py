"""The card of a note model: what it learned from, how well it does, and where it ends."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from lemons_core.metrics.binary import Estimate, Scores
from lemons_core.notes.estimators import Hyperparameters
from lemons_core.notes.text import FEATURE_SETS, Features

LIMITS = (
    "Research and education only. Not a medical device.",
    "Learned from case-enriched film mammograms read in the 1990s: its probabilities hold for such cases, not for "
    "screening.",
    "A note without a distribution scores low, because in CBIS-DDSM almost only findings that were never called back "
    "lack one.",
)


@dataclass(frozen=True)
class NoteCard:
    """Facts of one trained note model.

    trained_on : one phrase shown beside every number
    simulated : True when no real case was seen
    rows, patients, malignant : what it was fitted on
    created : day, as YYYY-MM-DD
    metrics : protocol of notes.evaluate -> figures on rows that it did not see
    """

    features: Features
    settings: Hyperparameters
    seed: int
    trained_on: str
    simulated: bool
    rows: int
    patients: int
    malignant: int
    created: str
    metrics: dict[str, Scores]
    limits: tuple[str, ...] = LIMITS

    def to_json(self) -> dict[str, Any]:
        """As the file holds it, without what belongs to the fitted model (see store.write_model)."""
        metrics = {protocol: scores.to_json() for protocol, scores in self.metrics.items()}
        return vars(self) | {"settings": asdict(self.settings), "metrics": metrics, "limits": list(self.limits)}


FIELDS = tuple(field.name for field in fields(NoteCard))
_PLAIN = {field.name: field.type for field in fields(NoteCard) if field.type in (bool, int, str)}


def build_card(raw: dict[str, Any]) -> NoteCard:
    """The card from the values of its file, strictly.

    Raises KeyError, TypeError, ValueError : a value is missing, unknown, or of another kind
    """
    odd = [name for name, kind in _PLAIN.items() if type(raw[name]) is not kind]
    if odd or raw["features"] not in FEATURE_SETS or set(raw["settings"]) != set(asdict(Hyperparameters())):
        raise ValueError(f"unknown values in the card: {', '.join(odd or ('features or settings',))}")
    return NoteCard(
        **{name: raw[name] for name in FIELDS}
        | {
            "settings": Hyperparameters(**raw["settings"]),
            "metrics": {protocol: _build_scores(figures) for protocol, figures in raw["metrics"].items()},
            "limits": tuple(raw["limits"]),
        }
    )


def _build_scores(raw: dict[str, Any]) -> Scores:
    """The inverse of Scores.to_json."""
    figures: dict[str, Any] = dict(raw)
    for name in ("sensitivity", "specificity"):
        interval = figures.pop(f"{name}_interval")
        figures[name] = interval and [figures[name], *interval]
    estimates = {name: Estimate(*value) for name, value in figures.items() if isinstance(value, list)}
    return Scores(**figures | estimates)
