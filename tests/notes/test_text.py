"""Notes and their vectoriser."""

import numpy as np
import pytest
from support.notes import demo_table

from lemons_core.base.errors import DataError
from lemons_core.notes.text import NO_DISTRIBUTION, Note, build_note, build_notes, fit_vectoriser


def test_order_twins_and_doubles_make_one_note() -> None:
    assert build_note(["PUNCTATE", "PLEOMORPHIC", "PUNCTATE"]) == build_note(["PLEOMORPHIC", "PUNCTATE"])
    notes = set(build_notes(demo_table()))
    assert not any("LUCENT_CENTER" in note.morphology for note in notes)


def test_notes_of_the_table_are_the_table() -> None:
    table = demo_table()
    calc = table[table["abnormality_type"] == "calcification"]
    notes = build_notes(calc)
    assert sum(not note.distribution for note in notes) == calc["distribution"].isna().sum()
    assert [note.assessment for note in notes] == calc["assessment"].tolist()
    assert {note.view for note in notes} == {"CC", "MLO"}


def test_a_mass_lends_its_own_words() -> None:
    table = demo_table()
    mass = table[table["abnormality_type"] == "mass"]
    words = {word for note in build_notes(mass) for word in note.morphology}
    assert words and words <= {token for shape in mass["mass_shape"].dropna() for token in shape.split("-")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"morphology": ["ZEBRA"]},
        {"distribution": ["<b>"]},
        {"morphology": ["COARSE"], "assessment": 6},
        {"morphology": ["COARSE"], "breast_density": "3"},
        {"morphology": ["COARSE"], "view": "ML"},
        {},
        {"breast_density": 2},
    ],
)
def test_a_choice_that_does_not_exist_is_refused(wrong: dict) -> None:
    with pytest.raises(DataError):
        build_note(**wrong)


def test_columns_hold_what_they_are_named_after() -> None:
    notes = [
        Note(("PLEOMORPHIC",), ("CLUSTERED",), 3, 2, "CC", "L", 4),
        Note(("COARSE", "VASCULAR"), (), 1, 5, "MLO", "R", 0),
    ]
    vectoriser = fit_vectoriser(notes, features="assessment")
    column = dict(zip(vectoriser.names, vectoriser.transform(notes).T, strict=True))
    assert column["PLEOMORPHIC"].tolist() == [1, 0]
    assert column[NO_DISTRIBUTION].tolist() == [0, 1]
    assert column["assessment_incomplete"].tolist() == [0, 1]
    assert column["assessment"][0] == 4 and np.isnan(column["assessment"][1])  # 0 is incomplete, not lowest
    assert column["type_suspicion"].tolist() == [3, 0]
    assert len(vectoriser.descriptors) == len(vectoriser.names)
    assert not any("laterality" in name for name in vectoriser.names)


def test_feature_sets_read_no_more_than_they_say() -> None:
    notes = [Note(("PLEOMORPHIC",), ("CLUSTERED",), 3, 2, "CC", "L", 4)]
    read = {name: set(fit_vectoriser(notes, features=name).descriptors) for name in ("descriptors", "context")}
    assert read["descriptors"] == {"type", "distribution"}
    assert read["context"] == {"type", "distribution", "breast_density", "subtlety", "view"}


def test_pairs_of_words_are_counted() -> None:
    notes = [Note(("PLEOMORPHIC",), ("LINEAR",))] * 5 + [Note(("PUNCTATE",), ("LINEAR",))]
    vectoriser = fit_vectoriser(notes, features="descriptors", grades="word", ngrams=2)
    assert "PLEOMORPHIC LINEAR" in vectoriser.vocabulary
    assert "PUNCTATE LINEAR" not in vectoriser.vocabulary  # seen once only
    descriptors = dict(zip(vectoriser.names, vectoriser.descriptors, strict=True))
    assert descriptors["PLEOMORPHIC LINEAR"] == "type + distribution"


def test_unseen_words_are_ignored_and_named() -> None:
    vectoriser = fit_vectoriser([Note(("COARSE",), ("CLUSTERED",))], features="descriptors")
    strange = Note(("ZEBRA",), ("CLUSTERED",))
    assert vectoriser.unseen(strange) == ("ZEBRA",)
    assert vectoriser.transform([strange])[0, vectoriser.names.index("COARSE")] == 0
