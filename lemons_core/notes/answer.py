"""One note, typed or chosen, to a probability with its reasons: what the page and the command line show."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lemons_core.base.errors import DataError
from lemons_core.notes.explain import DESCRIPTOR_WORDS, NoteExplanation, explain_note
from lemons_core.notes.model import NoteModel
from lemons_core.notes.parsing.parse import ParsedNote
from lemons_core.notes.store import read_shipped
from lemons_core.notes.text import FEATURE_SETS, Features, Note


@dataclass(frozen=True)
class NoteAnswer:
    """The probability that a model gives one note.

    parsed, note : how the text was read, and the note that it gave
    threshold : from this probability on the note is called malignant
    explanation : the calibrated probability, and what moved it
    cautions : sentences that belong beside the number
    trained_on, simulated : from the model's card
    """

    parsed: ParsedNote
    note: Note
    features: Features
    threshold: float
    explanation: NoteExplanation
    cautions: tuple[str, ...]
    trained_on: str
    simulated: bool

    @property
    def probability(self) -> float:
        return self.explanation.probability

    @property
    def malignant(self) -> bool:
        return self.probability >= self.threshold

    def to_json(self) -> dict[str, Any]:
        steps = self.explanation.steps
        return {
            "text": self.parsed.text,
            "note": asdict(self.note),
            "readings": [asdict(mention) for mention in self.parsed.mentions],
            "unknown": [mention.text for mention in self.parsed.unknown],
            "features": self.features,
            "probability": self.probability,
            "malignant": self.malignant,
            "threshold": self.threshold,
            "explanation": {
                "base": self.explanation.base,
                "steps": [{"descriptor": name, "words": words, "log_odds": value} for name, words, value in steps],
            },
            "cautions": list(self.cautions),
            "trained_on": self.trained_on,
            "simulated": self.simulated,
        }


def answer_note(
    parsed: ParsedNote, *, features: Features | None = None, model_of: Callable[[Features], NoteModel] = read_shipped
) -> NoteAnswer:
    """Predict and explain one note.

    parsed : from parse.parse_note, or parse.chosen_note
    features : which model to use; None takes the richest one whose grades the note gives
    model_of : gives the trained model (with card) of a feature set
    Raises DataError: nothing was understood, or nothing is stated to be present: there is no probability to give
    """
    note = parsed.note
    if note is None:
        todo = 'Describe a finding, such as "grouped amorphous calcifications, BI-RADS 4".'
        if not parsed.mentions:
            raise DataError("Nothing understood: this does not read as a finding", where="note", todo=todo)
        raise DataError("There is no finding in this text to give a probability for", where="note", todo=todo)
    features = features or fitting_features(note)
    model = model_of(features)
    return NoteAnswer(
        parsed,
        note,
        features,
        model.threshold,
        explain_note(model, note),
        (*parsed.cautions, *_cautions(model, note)),
        model.card.trained_on if model.card else "",
        bool(model.card and model.card.simulated),
    )


def fitting_features(note: Note) -> Features:
    """The poorest feature set that reads all grades the note gives."""
    given = {name for name in FEATURE_SETS["assessment"].reads if getattr(note, name) is not None}
    return next(features for features, known in FEATURE_SETS.items() if given <= set(known.reads))


def _cautions(model: NoteModel, note: Note) -> list[str]:
    found = []
    words = DESCRIPTOR_WORDS | {"breast_density": "density"}
    unread = [
        words[name]
        for name in ("assessment", "breast_density", "subtlety", "view")
        if getattr(note, name) is not None and name not in FEATURE_SETS[model.features].reads
    ]
    if unread:
        found.append(f"This model does not read what the note says of: {', '.join(unread)}.")
    if not note.distribution:
        found.append(
            "No distribution is given. In this collection that is so for findings that were never called back, so the "
            "probability is too low for a finding that was merely described in brief."
        )
    if not note.morphology:
        found.append("No type is given; the model has seen very few such notes.")
    if model.features == "assessment" and note.assessment is None:
        found.append("No BI-RADS category is given; the answer is averaged over the categories seen in training.")
    if model.features == "assessment" and note.assessment == 1:
        found.append("BI-RADS 1 does not occur in the training data; it is read like the lowest category that does.")
    for word in model.vectoriser.unseen(note):
        found.append(f"The training data hold no '{word.replace('_', ' ').lower()}'.")
    return found
