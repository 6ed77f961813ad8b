"""The relabel page: a change of one rule reaches every figure and stays when one comes back."""

import pytest
from support.pages import charts, open_page, words

from lemons_core.labels.mapping import mapping_text, parse_mapping, read_mapping
from lemons_core.ui.shell import state

PAGE = "pages/relabel.py"


def other_rules() -> str:
    return mapping_text(read_mapping()).replace("PUNCTATE,micro", "PUNCTATE,vascular")


@pytest.fixture
def page():
    return open_page(PAGE)


@pytest.fixture
def drawn(demo):
    return open_page(PAGE)


def flow(at):
    """Rows by group of the Sankey's right side."""
    node = next(chart for chart in charts(at) if chart["data"][0]["type"] == "sankey")["data"][0]["node"]
    labels = [label.rsplit(" (", 1) for label in node["label"]]
    return {name: int(n.rstrip(")").replace(",", "")) for name, n in labels[-5:]}


def test_the_page_counts_every_row_once(page):
    assert sum(flow(page).values()) == 1872
    assert "24 rows have no type" in words(page)
    assert "label of the product's own rules" in words(page)


def test_own_rules_reach_the_figures_and_survive_a_change_of_page(page):
    before = flow(page)
    page.session_state[state.RELABEL_RULES] = other_rules()
    page.run()
    after = flow(page)
    moved = after["vascular"] - before["vascular"]
    assert moved > 50
    assert after["micro"] == before["micro"] - moved
    assert "Your own rules are in use" in words(page)
    page.switch_page("pages/dataset.py").run()
    page.switch_page(PAGE).run()
    assert flow(page) == after


def test_back_to_the_products_rules(page):
    before = flow(page)
    page.session_state[state.RELABEL_RULES] = other_rules()
    page.run()
    next(button for button in page.button if button.label.startswith("Back to")).click().run()
    assert flow(page) == before
    assert "Your own rules" not in words(page)


def test_a_rule_that_is_moved_keeps_every_token():
    rules = parse_mapping(other_rules()).rules
    assert len({rule.token for rule in rules}) == 13


def test_suspects_are_filtered_by_the_address():
    at = open_page(PAGE, reason="views disagree on pathology")
    table = next(frame.value for frame in at.dataframe if "detail" in frame.value)
    assert set(table["reason"]) == {"views disagree on pathology"} and len(table) == 6
    assert table["open"].str.endswith("#Get this case").all(), "no image of the published cases is there yet"


def test_the_published_suspects_are_137(page):
    assert "137 of 1,872 rows" in words(page)


def test_the_image_model_can_be_asked(drawn):
    page = drawn
    button = next(button for button in page.button if button.label.startswith("Ask the image model"))
    button.click().run()
    assert not page.exception
    assert "was asked about" in words(page)
    assert not any(button.label.startswith("Ask the image model") for button in page.button)
