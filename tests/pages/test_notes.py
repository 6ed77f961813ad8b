"""The page of the notes, as a visitor meets it: figures with n, a note to try, hostile text, every tab."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from support.pages import charts, open_page, words

from lemons_core.base import config
from lemons_core.notes.parsing.parse import parse_note
from lemons_core.ui.notes.view import marked
from lemons_core.ui.shell import state

PAGE = "pages/notes.py"
OURS = {"div", "mark", "span", "small"}


def html_of(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


def taken_apart(html: str) -> tuple[set[str], str]:
    """Tags, and the text as a browser would show it."""
    tags, pieces = set(), []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.add(tag)  # type: ignore[method-assign]
    parser.handle_data = pieces.append  # type: ignore[method-assign]
    parser.feed(html)
    return tags, "".join(pieces)


def write(at: AppTest, text: str) -> AppTest:
    at.text_area(key=state.NOTES_TEXT).set_value(text).run()
    assert not at.exception, at.exception
    return at


def probability(at: AppTest) -> list[str]:
    return [metric.value for metric in at.metric if metric.label.startswith("Calibrated probability")]


@pytest.fixture
def page() -> AppTest:
    return open_page(PAGE)


def test_the_page_shows_its_figures_and_a_first_answer(page):
    assert not page.error
    assert [metric.label for metric in page.metric[:4]] == ["AUC", "Accuracy", "Sensitivity", "Specificity"]
    assert all(" to " in metric.delta for metric in page.metric[:4]), "every figure has its interval"
    text = words(page)
    assert "n = 326 rows" in text and "CBIS-DDSM, published case table" in text and config.NOTICE in text
    assert probability(page) and "not a diagnosis" in text and "simulated" not in text
    assert "most similar patients" in text and "rows malignant" in text
    assert len(charts(page)) == 5, "waterfall, ROC, precision, calibration, confusion"


def test_features_come_from_the_address_and_change_the_model(page):
    seen = {}
    for features in ("descriptors", "context"):
        at = open_page(PAGE, features=features)
        seen[features] = at.metric[0].value
        assert at.query_params["features"] in (features, [features])
        assert "does not read what the note says of" in words(at)
    assert len({*seen.values(), page.metric[0].value}) == 3


def test_a_nonsense_address_falls_back():
    at = open_page(PAGE, features="everything", show="nonsense", way="magic")
    assert probability(at) and not at.error


def test_mentions_are_marked_and_the_rest_is_named(page):
    write(page, "Grouped punctate calcifications, no skin calcifications, BI-RADS 3, wibble")
    marks = html_of(page)
    assert "distribution grouped" in marks and "type punctate" in marks and "BI-RADS category 3" in marks
    assert "type skin absent" in marks and "line-through" in marks
    assert "Not understood: “wibble”" in words(page)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the weather is fine", "Nothing understood"),
        ("No pleomorphic calcifications.", "no finding"),
        ("dense breasts", "no finding"),
        ("   ", "note is empty"),
        ("grouped amorphous calcifications " * 3100, "too long"),
    ],
)
def test_no_finding_no_probability(page, text, message):
    write(page, text)
    assert not probability(page)
    assert message in words(page)
    assert probability(write(page, "skin calcifications")), "and the page goes on"


def test_markup_and_formulas_are_only_characters(page):
    hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> $x^2$ =1+1 [a](http://b.example)"
    write(page, f"{hostile} grouped amorphous calcifications")
    tags, text = taken_apart(html_of(page))
    assert tags <= OURS and hostile in text
    assert "](http" not in "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_every_character_of_a_note_is_kept_and_escaped():
    text = 'round "wibble" & <b>wobble</b>\n<mark onclick=x> calcs; &lt;'
    tags, shown = taken_apart(marked(parse_note(text)))
    assert tags == OURS and shown.replace("type round and regular", "") == text


def test_a_note_by_choice(page):
    page.button_group(key="way").set_value("by choice").run()
    assert not page.exception and probability(page)
    before = probability(page)
    page.multiselect(key=state.NOTES_MORPHOLOGY).set_value(["SKIN"]).run()
    page.selectbox(key=state.NOTES_GRADE + "assessment").set_value(2).run()
    assert probability(page) != before
    for key in (state.NOTES_MORPHOLOGY, state.NOTES_DISTRIBUTION):
        page.multiselect(key=key).set_value([]).run()
    page.selectbox(key=state.NOTES_GRADE + "assessment").set_value(None).run()
    assert "note is empty" in page.error[0].value and not probability(page)


def test_the_threshold_moves_sensitivity_against_specificity(page):
    def rates() -> list[float]:
        cards = [m for m in page.metric if m.label in ("Sensitivity", "Specificity")][2:]
        return [float(card.value.rstrip("%")) for card in cards]

    before = rates()
    page.slider(key=state.NOTES_THRESHOLD).set_value(0.1).run()
    after = rates()
    assert after[0] > before[0] and after[1] < before[1]
    page.slider(key=state.NOTES_THRESHOLD).set_value(0.99).run()
    assert not page.exception


def test_reasons_are_drawn_for_every_descriptor():
    at = open_page(PAGE, show="Why")
    assert len(charts(at)) == 5
    for name in ("type", "distribution", "assessment"):
        at.button_group(key=state.NOTES_DESCRIPTOR).set_value(name).run()
        assert not at.exception
    assert "n = 326 rows" in words(at) and "1,546 training rows" in words(at)


@pytest.fixture
def few(demo, monkeypatch, tmp_path) -> Path:
    """Some rows of each table as a visitor's own collection, for work that takes long on all of them."""
    folder = tmp_path / "few"
    folder.mkdir()
    for file in (demo / "csv").glob("*.csv"):
        pd.read_csv(file, dtype=str, keep_default_na=False).head(200).to_csv(folder / file.name, index=False)
    monkeypatch.setenv("LEMONS_DATA", str(folder))
    return folder


def test_the_lab_shows_each_gain_and_the_claim(few):
    at = open_page(PAGE, show="Leakage lab")
    text = words(at)
    assert all(f"Rows shuffled, {what}: " in text for what in ("deep trees", "our model")) and "0.79 ± 0.02" in text
    assert "every patient on one side only" in text and "Here (your folder few)" in text


def test_all_models_wait_for_the_button(few):
    at = open_page(PAGE, show="All models")
    drawn = len(charts(at))
    next(button for button in at.button if button.label.startswith("Compare all models")).click().run()
    assert not at.exception and len(charts(at)) == drawn + 1
    assert "n = 200 rows, official test split" in words(at)
    at.button_group(key=state.NOTES_PROTOCOL).set_value("row_split").run()
    assert not at.exception and "too good" in words(at)


def test_a_note_is_answered_without_any_data(monkeypatch, tmp_path):
    monkeypatch.setenv("LEMONS_DATA", str(tmp_path / "nowhere"))
    at = open_page(PAGE)
    assert "data folder does not exist" in at.error[0].value
    assert probability(at) and "published case table" in words(at)


def test_tables_without_a_test_split_are_scored_by_folds(demo, monkeypatch, tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    for file in (demo / "csv").glob("calc*train*.csv"):
        shutil.copy(file, folder)
    monkeypatch.setenv("LEMONS_DATA", str(folder))
    at = open_page(PAGE)
    assert not at.error and probability(at)
    assert "five folds by patient" in words(at) and "your folder half" in words(at)
    assert "simulated" not in words(at)


def test_real_notes_train_their_own_model(real_data: Path, monkeypatch):
    monkeypatch.setenv("LEMONS_DATA", str(real_data))
    at = open_page(PAGE)
    assert float(at.metric[0].value) >= 0.865
    assert "simulated" not in words(at) and "your folder" in words(at)
