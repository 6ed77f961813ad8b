import pytest

from lemons_core.base.errors import DataError
from lemons_core.base.terms import MORPHOLOGY, Group
from lemons_core.dataset.cases import read_cases, split_tokens
from lemons_core.labels.mapping import DEFAULT_MAPPING, add_groups, mapping_text, parse_mapping, read_mapping


@pytest.mark.parametrize(
    ("raw", "groups", "single"),
    [
        ("PLEOMORPHIC", {Group.MICRO}, Group.MICRO),
        ("PLEOMORPHIC-PLEOMORPHIC", {Group.MICRO}, Group.MICRO),
        ("PUNCTATE-PLEOMORPHIC", {Group.MICRO}, Group.MICRO),
        ("VASCULAR-COARSE-LUCENT_CENTERED", {Group.VASCULAR, Group.MACRO}, Group.VASCULAR),
        ("ROUND_AND_REGULAR-LUCENT_CENTER", {Group.MACRO}, Group.MACRO),
        ("AMORPHOUS-PLEOMORPHIC", {Group.AMORPHOUS, Group.MICRO}, Group.MICRO),
        ("PUNCTATE-AMORPHOUS", {Group.AMORPHOUS, Group.MICRO}, Group.AMORPHOUS),
        (None, set(), None),
    ],
)
def test_compound_types_belong_to_every_group_they_name(raw, groups, single):
    label = read_mapping().label(split_tokens(raw))
    assert set(label.groups) == groups
    assert len(label.groups) == len(groups)
    assert label.single == single


def test_a_label_carries_the_rules_that_led_to_it():
    label = read_mapping().label(split_tokens("COARSE-VASCULAR"))
    assert [rule.token for rule in label.rules] == ["VASCULAR", "COARSE"]
    assert all(rule.reason and rule.birads for rule in label.rules)


def test_the_order_of_the_rows_decides_the_single_label():
    head, *rows = DEFAULT_MAPPING.read_text("utf-8").splitlines()
    turned = parse_mapping("\n".join([head, *reversed(rows)]))
    assert turned.label(("AMORPHOUS", "PLEOMORPHIC")).single == Group.AMORPHOUS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("PUNCTATE,", "SPOTTED,"), "Unknown token 'SPOTTED'"),
        (lambda text: text.replace("SKIN,macro", "SKIN,large"), "Unknown group 'large' of SKIN"),
        (lambda text: text + "SKIN,macro,2,low,again\n", "SKIN stands twice"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "No rule for SKIN"),
        (lambda text: text.replace("token,group", "token,class"), "column 'group' is missing"),
        (lambda text: "", "column 'token' is missing"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(change, message):
    with pytest.raises(DataError, match=message):
        parse_mapping(change(DEFAULT_MAPPING.read_text("utf-8")))


def test_a_mapping_round_trips_as_text():
    mapping = read_mapping()
    assert parse_mapping(mapping_text(mapping)) == mapping


def test_every_token_has_a_rule():
    assert {rule.token for rule in read_mapping().rules} == set(MORPHOLOGY)


def test_real_rows_all_get_a_group_where_they_have_a_type(real_data):
    table = add_groups(read_cases(real_data).calcifications)
    typed = table["morphology"].notna()
    assert typed.sum() == 1848
    assert table.loc[typed, "calc_group"].notna().all()
    assert table.loc[~typed, "calc_group"].isna().all()
    assert table.loc[~typed, "calc_groups"].map(len).eq(0).all()
