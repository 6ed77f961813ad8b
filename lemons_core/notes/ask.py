"""One note, typed or chosen, to a probability with its reasons: what the page and the command line show."""

from collections.abc import Callable
from dataclasses import dataclass

from lemons_core.base.errors import DataError
from lemons_core.notes.explain import Explanation, explain_note
from lemons_core.notes.model import NoteModel
from lemons_core.notes.parsing.parse import Parsed, parse_note
from lemons_core.notes.store import read_shipped
from lemons_core.notes.text import Features, Note

_CONTEXT = ("breast_density", "subtlety", "view")
READ: dict[Features, tuple[str, ...]] = {
    "descriptors": (), "context": _CONTEXT, "assessment": (*_CONTEXT, "assessment"),
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a model says of one note.

    note : what was asked
    parsed : how a text was read, or None for a note by choice
    probability : calibrated, 0-1
    malignant : the probability reaches the model's threshold
    explanation : what moved it
    cautions : sentences that belong beside the number
    trained_on, simulated : from the model's card
    """

    note: Note
    parsed: Parsed | None
    features: Features
    probability: float
    malignant: bool
    threshold: float
    explanation: Explanation
    cautions: tuple[str, ...]
    trained_on: str
    simulated: bool


def ask(
    question: str | Note,
    *,
    features: Features | None = None,
    model_of: Callable[[Features], NoteModel] = read_shipped,
) -> Answer:
    """Put a note to the model that fits it.

    Parameters
    ----------
    question : free text, or a note from text.build_note
    features : which model to ask; None takes the richest one whose grades the note gives
    model_of : gives the trained model (with card) of a feature set

    Raises
    ------
    DataError : nothing was understood, or nothing is said to be present: there is no probability to give
    """
    parsed = parse_note(question) if isinstance(question, str) else None
    note = parsed.note if parsed else question
    if not isinstance(note, Note):
        todo = 'Describe a finding, such as "grouped amorphous calcifications, BI-RADS 4".'
        if parsed and not parsed.readings:
            raise DataError("Nothing understood: this does not read as a finding", where="note", todo=todo)
        raise DataError("There is no finding in this text to give a probability for", where="note", todo=todo)
    features = features or fitting_features(note)
    model = model_of(features)
    why = explain_note(model, note)
    cautions = (*(parsed.cautions if parsed else ()), *_cautions(model, note))
    return Answer(
        note,
        parsed,
        features,
        why.probability,
        why.probability >= model.threshold,
        model.threshold,
        why,
        cautions,
        str(model.card.get("trained_on", "")),
        bool(model.card.get("simulated", False)),
    )


def fitting_features(note: Note) -> Features:
    """The richest feature set that the note gives something for."""
    if note.assessment is not None:
        return "assessment"
    return "context" if (note.breast_density or note.subtlety or note.view) else "descriptors"


def _cautions(model: NoteModel, note: Note) -> list[str]:
    found = []
    given = {"assessment": "BI-RADS category", "breast_density": "density", "subtlety": "subtlety", "view": "view"}
    unread = [w for name, w in given.items() if getattr(note, name) is not None and name not in READ[model.features]]
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
