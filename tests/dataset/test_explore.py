"""Case table to tables: every row counted, intervals right, every fault of a known kind."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from support.rows import record, write

from lemons_core.dataset import explore
from lemons_core.dataset.cases import ProblemKind
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.quality import check_collection


def rows(*values):
    """A small table: (morphology tokens, groups, split, density, pathology) each."""
    columns = ["morphology_tokens", "calc_groups", "split", "breast_density", "pathology"]
    table = pd.DataFrame(list(values), columns=columns)
    return table.astype({"breast_density": "Int64", "pathology": "string", "split": "string"})


@pytest.fixture
def table():
    return rows(
        (("PLEOMORPHIC",), ("micro",), "train", 1, "MALIGNANT"),
        (("PLEOMORPHIC", "COARSE"), ("macro", "micro"), "train", 4, "BENIGN"),
        (("COARSE",), ("macro",), "test", None, "BENIGN_WITHOUT_CALLBACK"),
        ((), (), "test", 4, "MALIGNANT"),
    )


def counted(frame):
    return {(row.value, row.pathology): row.n for row in frame.itertuples() if row.n}


def test_a_compound_type_counts_once_for_each_token_and_a_missing_one_is_shown(table):
    found = counted(explore.count_by(table, explore.ATTRIBUTES["morphology"]))
    assert found == {
        ("pleomorphic", "MALIGNANT"): 1,
        ("pleomorphic", "BENIGN"): 1,
        ("coarse (popcorn)", "BENIGN"): 1,
        ("coarse (popcorn)", "BENIGN_WITHOUT_CALLBACK"): 1,
        (explore.NOT_STATED, "MALIGNANT"): 1,
    }


def test_values_stand_in_their_own_order_with_the_missing_last(table):
    found = explore.count_by(table, explore.ATTRIBUTES["density"])["value"].unique()
    assert list(found) == ["1 fatty", "4 dense", explore.NOT_STATED]


def test_shares_carry_n_and_wilson_intervals(table):
    shares = explore.malignant_share(table, explore.ATTRIBUTES["group"]).set_index("key")
    assert shares.loc["micro", ["n", "malignant", "share"]].tolist() == [2, 1, 0.5]
    assert shares.loc["micro", "low"] == pytest.approx(0.0945, abs=1e-3)
    assert shares.loc["micro", "high"] == pytest.approx(0.9055, abs=1e-3)
    assert shares.loc["macro", "low"] == 0 and shares.loc["macro", "high"] < 1


def test_a_row_without_pathology_is_not_counted_as_benign(table):
    table.loc[0, "pathology"] = pd.NA
    shares = explore.malignant_share(table, explore.ATTRIBUTES["group"]).set_index("key")
    assert shares.loc["micro", "n"] == 1


def test_filters_keep_rows_of_any_chosen_value_and_of_every_filter(table):
    assert len(explore.filter_rows(table, {})) == 4
    assert len(explore.filter_rows(table, {"group": ["micro"]})) == 2
    assert len(explore.filter_rows(table, {"group": ["micro", "macro"]})) == 3
    assert len(explore.filter_rows(table, {"split": ["test"], "group": ["macro"]})) == 1
    assert len(explore.filter_rows(table, {"split": [], "morphology": ["coarse (popcorn)"]})) == 2
    assert explore.filter_rows(table, {"split": ["test"], "group": ["vascular"]}).empty


def test_a_missing_value_can_be_chosen(table):
    assert explore.filter_rows(table, {"group": [explore.NOT_STATED]})["pathology"].tolist() == ["MALIGNANT"]
    assert explore.filter_rows(table, {"density": [explore.NOT_STATED]}).index.tolist() == [0]
    assert len(explore.filter_rows(table, {"density": [explore.NOT_STATED, "4 dense"]})) == 3


def test_the_image_filter_looks_at_the_files(table):
    table["view_file"] = pd.array(["v", None, "v", None], dtype="string")
    table["crop_file"] = pd.array(["c", None, None, "c"], dtype="string")
    assert len(explore.filter_rows(table, {"images": ["view"]})) == 2
    assert len(explore.filter_rows(table, {"images": ["view", "crop"]})) == 3
    assert len(explore.filter_rows(table, {"images": ["none"]})) == 1


def test_an_address_is_read_without_trust():
    query = {"group": ["micro", "micro", "<script>"], "density": ["9"], "nonsense": ["x"]}
    assert explore.read_filters(query) == {"group": ["micro"]}
    assert explore.filter_words({"split": ["test"], "group": ["micro", "macro"], "view": []}) == (
        "split test; group micro or macro"
    )


def test_every_bar_can_be_filtered_by_its_own_text(real_data):
    """What a click on a chart gives is a filter, and keeps as many rows as the bar counted."""
    table = read_collection(real_data).table
    for name, attribute in explore.ATTRIBUTES.items():
        for value, n in explore.count_by(table, attribute).groupby("value")["n"].sum().items():
            assert explore.read_filters({name: [value]}) == {name: [value]}
            assert len(explore.filter_rows(table, {name: [value]})) == n


def test_values_that_stand_together_are_counted_once_a_row(table):
    both = explore.co_occurrence(table, explore.FILTERS["morphology"])
    assert both.loc["pleomorphic", "coarse (popcorn)"] == both.loc["coarse (popcorn)", "pleomorphic"] == 1
    assert both.loc["pleomorphic", "pleomorphic"] == 2
    assert explore.co_occurrence(table.iloc[[0]], explore.FILTERS["group"]).empty
    groups = explore.co_occurrence(table, explore.FILTERS["group"], every=True)
    assert list(groups.columns) == ["amorphous", "macro", "micro", "vascular"]
    assert groups.loc["vascular"].sum() == 0 and groups.loc["micro", "macro"] == 1


def test_gaps_are_counted_together_and_with_what_they_give_away():
    table = pd.DataFrame(
        {
            "morphology": ["A", None, "A", "A"],
            "distribution": [None, None, "B", None],
            "breast_density": [1, 2, 3, 4],
            "assessment": [2, 2, 4, 2],
            "subtlety": [3, 3, 3, 3],
            "pathology": ["BENIGN", "BENIGN_WITHOUT_CALLBACK", "MALIGNANT", "BENIGN"],
        }
    )
    together = explore.missing_together(table)
    assert together.groupby("value", sort=False)["n"].sum().to_dict() == {
        "calc distribution alone": 2,
        "nothing": 1,
        "calc type + calc distribution": 1,
    }
    missing = explore.missing_values(table).set_index("column")
    assert missing.loc["calc distribution", ["missing", "malignant", "share_missing", "share_stated"]].tolist() == [
        3, 0, 0.0, 1.0,
    ]  # fmt: skip
    assert math.isnan(missing.loc["subtlety", "share_missing"])


def test_a_case_is_described_in_plain_words_and_as_written():
    case = {
        "morphology": "LUCENT_CENTER-PUNCTATE",
        "morphology_tokens": ("LUCENT_CENTERED", "PUNCTATE"),
        "distribution": pd.NA,
        "distribution_tokens": (),
        "assessment": 4,
        "breast_density": 2,
        "subtlety": 1,
        "pathology": "BENIGN_WITHOUT_CALLBACK",
    }
    found = explore.describe_case(case).set_index("field")
    assert found.loc["Type"].tolist() == ["lucent-centred + punctate", "LUCENT_CENTER-PUNCTATE"]
    assert found["words"].tolist()[1:] == [
        explore.NOT_STATED, "4 suspicious", "2 scattered", "1 of 5, hard to see", "benign, no callback",
    ]  # fmt: skip


def test_empty_tables_do_not_raise(table):
    none = table.iloc[:0]
    for attribute in explore.ATTRIBUTES.values():
        if attribute.column in none:
            assert explore.count_by(none, attribute).empty
            assert explore.malignant_share(none, attribute).empty


def test_problems_are_counted_by_kind(tmp_path):
    write(tmp_path, [record(**{"breast density": "0"}), record("P_90002", **{"breast density": "9"})])
    collection = read_collection(tmp_path)
    problems = collection.cases.problems
    assert [problem.kind for problem in problems].count(ProblemKind.OUT_OF_RANGE) == 2
    assert [problem.row is None for problem in problems if problem.kind == ProblemKind.ROW_COUNT] == [True]
    assert problems[0].to_json() == {
        "file": "calc_case_description_train_set.csv",
        "row": 1,
        "column": "breast density",
        "what": "'0' is outside 1-4; taken as missing",
    }
    report = check_collection(collection, pixels=False)
    kinds = explore.fault_table(report)["kind"].value_counts().to_dict()
    assert kinds["number out of range"] == 2
    assert kinds["number of rows differs from the published one"] == 1
    assert explore.fault_table(replace(report, faults=())).empty


def test_the_real_collection_gives_the_published_counts(real_data):
    collection = read_collection(real_data)
    shares = explore.malignant_share(collection.table, explore.ATTRIBUTES["morphology"]).set_index("key")
    assert shares.loc["FINE_LINEAR_BRANCHING", "n"] == 139
    assert shares.loc["FINE_LINEAR_BRANCHING", "share"] == pytest.approx(0.813, abs=5e-4)
    assert shares.loc["LUCENT_CENTERED", ["n", "malignant"]].tolist() == [240, 0]
    missing = explore.missing_values(collection.table).set_index("column")
    assert missing.loc["calc distribution", ["missing", "malignant"]].tolist() == [439, 0]
    assert missing.loc["breast density", "missing"] == 2
    assert all(isinstance(problem.kind, ProblemKind) for problem in collection.cases.problems), "every fault has a kind"
    assert not any(math.isnan(value) for value in shares["share"])
