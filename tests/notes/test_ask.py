"""A question to the shipped models, as the page and the command line put it."""

import pytest

from lemons_core.base.errors import DataError
from lemons_core.notes.ask import ask, fitting_features
from lemons_core.notes.text import Note, build_note


def test_a_sentence_gets_its_probability_and_reasons() -> None:
    answer = ask("Grouped fine pleomorphic calcifications, segmental, BI-RADS 4C, dense breast")
    assert answer.features == "assessment" and answer.simulated
    assert 0.2 < answer.probability < 0.95
    assert answer.malignant == (answer.probability >= answer.threshold)
    assert {name for name, _, _ in answer.explanation.steps} >= {"type", "distribution", "assessment", "calibration"}
    assert any("Dense" in caution for caution in answer.cautions)


def test_suspicious_words_score_higher() -> None:
    suspicious, benign = (ask(text).probability for text in ("segmental fine linear branching calcs", "skin calcs"))
    assert suspicious > 0.5 > benign


@pytest.mark.parametrize("text", ["the weather is fine", "No pleomorphic calcifications.", "dense breasts", "<b>", ""])
def test_no_finding_no_probability(text: str) -> None:
    with pytest.raises(DataError):
        ask(text)


def test_the_model_fits_what_is_given() -> None:
    assert fitting_features(build_note(["SKIN"])) == "descriptors"
    assert fitting_features(build_note(["SKIN"], view="CC")) == "context"
    assert fitting_features(build_note(["SKIN"], assessment=0)) == "assessment"


def test_a_short_note_carries_its_caution() -> None:
    answer = ask(Note(morphology=("PLEOMORPHIC",)), features="assessment")
    assert any("No distribution" in caution for caution in answer.cautions)
    assert any("No BI-RADS category" in caution for caution in answer.cautions)
    whole = ask(build_note(["PLEOMORPHIC"], ["CLUSTERED"], breast_density=3, subtlety=3, view="CC", assessment=4))
    assert whole.cautions == ()
