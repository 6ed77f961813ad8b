"""A note put to the shipped models, as the page and the command line do it."""

import pytest

from lemons_core.base.errors import DataError
from lemons_core.notes.answer import NoteAnswer, answer_note, fitting_features
from lemons_core.notes.parsing.parse import chosen_note, parse_note
from lemons_core.notes.text import Note, build_note


def answer_text(text: str) -> NoteAnswer:
    return answer_note(parse_note(text))


def test_a_sentence_gets_its_probability_and_reasons() -> None:
    answer = answer_text("Grouped fine pleomorphic calcifications, segmental, BI-RADS 4C, dense breast")
    assert answer.features == "assessment" and not answer.simulated
    assert 0.2 < answer.probability < 0.95
    assert answer.malignant == (answer.probability >= answer.threshold)
    assert {name for name, _, _ in answer.explanation.steps} >= {"type", "distribution", "assessment", "calibration"}
    assert any("Dense" in caution for caution in answer.cautions)


def test_suspicious_words_score_higher() -> None:
    suspicious, benign = (
        answer_text(text).probability for text in ("segmental fine linear branching calcs", "skin calcs")
    )
    assert suspicious > 0.5 > benign


@pytest.mark.parametrize("text", ["the weather is fine", "No pleomorphic calcifications.", "dense breasts", "<b>", ""])
def test_no_finding_no_probability(text: str) -> None:
    with pytest.raises(DataError):
        answer_text(text)


def test_the_model_fits_what_is_given() -> None:
    assert fitting_features(build_note(["SKIN"])) == "descriptors"
    assert fitting_features(build_note(["SKIN"], view="CC")) == "context"
    assert fitting_features(build_note(["SKIN"], assessment=0)) == "assessment"


def test_a_short_note_carries_its_caution() -> None:
    answer = answer_note(chosen_note(Note(morphology=("PLEOMORPHIC",))), features="assessment")
    assert any("No distribution" in caution for caution in answer.cautions)
    assert any("No BI-RADS category" in caution for caution in answer.cautions)
    whole = build_note(["PLEOMORPHIC"], ["CLUSTERED"], breast_density=3, subtlety=3, view="CC", assessment=4)
    answer = answer_note(chosen_note(whole))
    assert answer.cautions == ()
    assert answer.to_json()["text"] == str(whole), "a note by choice is shown in its own words"
