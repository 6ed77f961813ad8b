"""The free-text parser against sentences as radiologists write them."""

import csv
import time
from pathlib import Path

import pytest

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY
from lemons_core.notes.parsing.lexicon import read_lexicon
from lemons_core.notes.parsing.parse import MAX_CHARS, parse_note
from lemons_core.notes.text import FIELD_WORDS, Note

with (Path(__file__).parent / "sentences.csv").open(encoding="utf-8", newline="") as file:
    SENTENCES = list(csv.DictReader(file))


def test_there_are_enough_sentences() -> None:
    assert len(SENTENCES) >= 100
    said = {token for row in SENTENCES for token in row["morphology"].split("-") + row["distribution"].split("-")}
    assert said >= {*MORPHOLOGY, *DISTRIBUTION}


@pytest.mark.parametrize("row", SENTENCES, ids=lambda row: row["sentence"][:50])
def test_every_descriptor_of_a_sentence(row: dict[str, str]) -> None:
    note = parse_note(row["sentence"]).note or Note()
    read = {name: "" if getattr(note, name) is None else str(getattr(note, name)) for name in list(FIELD_WORDS)[2:]}
    for name in ("morphology", "distribution"):
        assert set(getattr(note, name)) == set(filter(None, row[name].split("-"))), name
    assert read == {name: row[name] for name in list(FIELD_WORDS)[2:]}


def test_mentions_point_at_the_words() -> None:
    text = "No pleomorphic forms; Clusterd ﬁne-linear branching calcs of unknown vintage, BI-RADS 4C"
    parsed = parse_note(text)
    assert [(r.text, r.field, r.value, r.negated) for r in parsed.mentions] == [
        ("pleomorphic", "morphology", "PLEOMORPHIC", True),
        ("Clusterd", "distribution", "CLUSTERED", False),
        ("ﬁne-linear branching", "morphology", "FINE_LINEAR_BRANCHING", False),
        ("BI-RADS 4C", "assessment", "4", False),
    ]
    assert [word.text for word in parsed.unknown] == ["unknown", "vintage"]
    assert all(text[r.start : r.end] == r.text for r in (*parsed.mentions, *parsed.unknown))


@pytest.mark.parametrize(
    "text",
    [
        "the weather is fine",
        "Regional elections are scattered across the linear segment of the left coast",
        "Category 5 hurricane approaching the left coast",
        "dense fog in the city",
        "<script>alert('x')</script>",
        '=HYPERLINK("http://example.org")',
        "'; DROP TABLE notes; --",
        "\u0000\u202e\ufeff 🍋",
        "12 34 56",
    ],
)
def test_other_subjects_give_nothing(text: str) -> None:
    parsed = parse_note(text)
    assert parsed.note is None
    assert parsed.mentions == ()
    assert "Nothing was understood" in parsed.cautions[0]


def test_a_denied_finding_gives_no_note() -> None:
    parsed = parse_note("No suspicious pleomorphic, linear or branching calcifications.")
    assert parsed.note is None
    assert all(r.negated for r in parsed.mentions) and len(parsed.mentions) == 2


def test_contradictions_are_left_open_with_a_caution() -> None:
    parsed = parse_note("Grouped punctate calcifications on CC and MLO, BI-RADS 3, then BI-RADS 4")
    assert parsed.note is not None
    assert parsed.note.view is None and parsed.note.assessment == 4
    assert any("CC and MLO" in caution for caution in parsed.cautions)
    assert any("the highest, 4" in caution for caution in parsed.cautions)


def test_present_once_is_present() -> None:
    parsed = parse_note("No pleomorphic calcifications on the left. Pleomorphic calcifications on the right.")
    assert parsed.note is not None and parsed.note.morphology == ("PLEOMORPHIC",)


@pytest.mark.parametrize("text", ["", "   \n", None, 7, b"clustered"])
def test_an_empty_note_is_refused(text: object) -> None:
    with pytest.raises(DataError, match="empty"):
        parse_note(text)  # type: ignore[arg-type]


def test_too_long_a_note_is_refused_and_the_longest_is_quick() -> None:
    with pytest.raises(DataError, match="too long"):
        parse_note("pleomorphic " * 10_000)
    shapes = ["grouped amorphous ", "no mass, ", ", not seen", "pleomorphid, ", "x", "(", "no or and "]
    start = time.perf_counter()
    for shape in shapes:
        parse_note((shape * MAX_CHARS)[:MAX_CHARS])
    different = " ".join(f"pleomo{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}ic" for i in range(1600))
    parse_note(different)
    assert time.perf_counter() - start < 20  # seconds here; a quadratic step would take minutes


def test_lexicon_names_only_what_exists() -> None:
    roles = {"noun", "filler", "negation", "negation_after", "end", "or", "and"}
    values = {"morphology": MORPHOLOGY, "distribution": DISTRIBUTION, "view": ("CC", "MLO"), "laterality": ("L", "R")}
    for phrase, entries in read_lexicon()[0].items():
        for entry in entries:
            assert entry.field in (*FIELD_WORDS, *roles), phrase
            if entry.field in values:
                assert entry.value in values[entry.field], phrase
