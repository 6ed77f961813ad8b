"""Each trap of the collection has a test named after it; the rows here are made up."""

import pandas as pd
import pytest
from support.rows import CALC, MASS, record, write

from lemons_core.base.errors import DataError
from lemons_core.dataset.cases import TABLE_COLUMNS, read_cases, split_tokens


def reported(cases, *, column=None):
    """The sentences on single rows, as they are printed."""
    return [p.to_json()["what"] for p in cases.problems if p.row is not None and p.column == column]


def only(cases):
    assert len(cases.table) == 1
    return cases.table.iloc[0]


def test_one_clean_row_has_every_canonical_column(tmp_path):
    write(tmp_path / "any" / "depth", [record()])
    cases = read_cases(tmp_path)
    row = only(cases)
    assert tuple(cases.table.columns) == TABLE_COLUMNS
    assert (row.laterality, row.view, row.split) == ("L", "CC", "train")
    assert (row.breast_density, row.assessment, row.subtlety) == (3, 4, 2)
    assert row.case_id == "P_90001_L_CC_calc_1"
    assert (row.image_series, row.crop_series, row.mask_series) == ("2.25.90001112", "2.25.90001114", "2.25.90001114")
    assert [problem.row for problem in cases.problems] == [None], "only the row count is remarked on"


@pytest.mark.parametrize("missing", ["N/A", "NA", "", " ", "nan"])
def test_missing_values_in_every_spelling(tmp_path, missing):
    write(tmp_path, [record(**{"calc type": missing, "calc distribution": missing, "subtlety": missing})])
    row = only(read_cases(tmp_path))
    assert row[["morphology", "distribution", "subtlety"]].isna().all()
    assert row.morphology_tokens == ()


def test_breast_density_with_underscore_and_mass_columns(tmp_path):
    write(tmp_path, [record(kind="Mass-Training")], "mass_case_description_train_set.csv", MASS)
    row = only(read_cases(tmp_path))
    assert (row.breast_density, row.mass_shape, row.mass_margins) == (3, "OVAL", "SPICULATED")
    assert pd.isna(row.morphology)


def test_crlf_inside_a_quoted_path(tmp_path):
    plain = record()
    write(tmp_path, [plain | {"cropped image file path": plain["cropped image file path"] + "\r\n"}])
    assert only(read_cases(tmp_path)).crop_path == plain["cropped image file path"]


def test_paths_without_the_file_name_and_with_backslashes(tmp_path):
    plain = record()
    paths = {"image file path": plain["image file path"].removesuffix("/000000.dcm")}
    paths["ROI mask file path"] = plain["ROI mask file path"].replace("/", "\\")
    write(tmp_path, [plain | paths])
    row = only(read_cases(tmp_path))
    assert (row.image_series, row.mask_series) == ("2.25.90001112", "2.25.90001114")


def test_bom_and_another_column_order(tmp_path):
    order = CALC[::-1]
    write(tmp_path, [{name: record()[name] for name in order}], columns=order, encoding="utf-8-sig")
    assert only(read_cases(tmp_path)).case_id == "P_90001_L_CC_calc_1"


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "C:\\data\\passwd", "a/../1.2/1.3/x.dcm"])
def test_a_path_that_leaves_the_root_is_not_used(tmp_path, path):
    write(tmp_path, [record(**{"image file path": path})])
    cases = read_cases(tmp_path)
    assert pd.isna(only(cases).image_path)
    assert reported(cases, column="image file path") == ["points outside the data folder; not used"]


def test_density_zero_is_missing_and_assessment_zero_is_incomplete(tmp_path):
    write(tmp_path, [record(**{"breast density": "0", "assessment": "0"})])
    cases = read_cases(tmp_path)
    row = only(cases)
    assert pd.isna(row.breast_density)
    assert row.assessment == 0
    assert reported(cases, column="breast density") == ["'0' is outside 1-4; taken as missing"]
    assert any(p.column == "assessment" and "incomplete" in p.what for p in cases.problems)


@pytest.mark.parametrize(
    ("column", "value", "canonical"),
    [
        ("calc type", "PLEOMORPHIC-SPARKLY", "morphology"),
        ("calc distribution", "EVERYWHERE", "distribution"),
        ("pathology", "CANCER", "pathology"),
        ("image view", "LM", "view"),
        ("left or right breast", "BOTH", "laterality"),
        ("assessment", "4a", "assessment"),
        ("subtlety", "9", "subtlety"),
    ],
)
def test_an_unknown_value_is_listed_with_row_and_column_and_not_guessed(tmp_path, column, value, canonical):
    write(tmp_path, [record("P_90001"), record("P_90002", **{column: value})])
    cases = read_cases(tmp_path)
    assert pd.isna(cases.table.iloc[1][canonical])
    problem = next(p for p in cases.problems if p.column == column)
    assert (problem.file, problem.row) == ("calc_case_description_train_set.csv", 2)
    assert value.split("-")[-1] in problem.what


def test_spelling_twins_and_doubled_tokens():
    assert split_tokens("LUCENT_CENTER-LUCENT_CENTERED") == ("LUCENT_CENTERED",)
    assert split_tokens("REGIONAL-REGIONAL") == ("REGIONAL",)
    assert split_tokens("PUNCTATE-PLEOMORPHIC") == ("PUNCTATE", "PLEOMORPHIC")
    assert split_tokens(None) == split_tokens(pd.NA) == ()


def test_a_file_cut_in_the_middle_of_a_row_keeps_the_rows_before(tmp_path):
    path = write(tmp_path, [record("P_90001"), record("P_90002")])
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"P_90002") - 60])
    cases = read_cases(tmp_path)
    assert cases.table["patient_id"].tolist() == ["P_90001"]
    assert any(problem.row == 2 and "cut off" in problem.what for problem in cases.problems)


def test_a_file_cut_inside_quotes_is_reported(tmp_path):
    path = write(tmp_path, [record("P_90001"), record("P_90002", **{"calc type": 'A,"B'})])
    path.write_bytes(path.read_bytes().partition(b'""B')[0])
    cases = read_cases(tmp_path)
    assert len(cases.table) == 1
    assert any(problem.row == 2 and "not readable as CSV" in problem.what for problem in cases.problems)


@pytest.mark.parametrize("column", ["pathology", "calc type", "ROI mask file path"])
def test_a_missing_column_names_file_and_column(tmp_path, column):
    columns = [name for name in CALC if name != column]
    write(tmp_path, [{name: record()[name] for name in columns}], columns=columns)
    with pytest.raises(DataError, match=rf"(?i){column}.*calc_case_description_train_set"):
        read_cases(tmp_path)


def test_no_folder_and_no_csv_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_cases(tmp_path / "nowhere")
    (tmp_path / "metadata.csv").write_text("Series UID,Collection\n1.2,CBIS-DDSM\n")
    with pytest.raises(DataError, match="Put calc_case_description_train_set"):
        read_cases(tmp_path)


def test_patients_in_train_and_test_across_calc_and_mass_are_reported(tmp_path):
    write(tmp_path, [record()])
    write(tmp_path, [record(kind="Mass-Test")], "mass_case_description_test_set.csv", MASS)
    crossing = reported(read_cases(tmp_path), column="patient_id")
    assert len(crossing) == 1
    assert "P_90001 is in calcification train and mass test" in crossing[0]


def test_views_of_one_lesion_that_disagree_are_reported(tmp_path):
    other = record(view="MLO", **{"calc type": "AMORPHOUS", "pathology": "MALIGNANT"})
    write(tmp_path, [record(), other, record("P_90002"), record("P_90002", view="MLO")])
    cases = read_cases(tmp_path)
    start = "the views of lesion P_90001_L_calc_1 disagree: "
    assert reported(cases, column="calc type") == [start + "PLEOMORPHIC against AMORPHOUS"]
    assert reported(cases, column="pathology") == [start + "BENIGN against MALIGNANT"]


def test_real_collection_counts_and_faults(real_data):
    cases = read_cases(real_data)
    summary = cases.summary()
    assert summary["rows"] == {"calc_train": 1546, "calc_test": 326, "mass_train": 1318, "mass_test": 378}
    assert len(cases.calcifications["patient_id"].unique()) == 753
    assert cases.calcifications["lesion_id"].nunique() == 1045
    assert cases.table["case_id"].is_unique
    assert len(reported(cases, column="breast density")) == 2
    assert summary["missing"]["calc"]["distribution"] == 439
    assert sum(what == "missing" for what in reported(cases, column="calc type")) == 24
    assert sum("token twice" in what for what in reported(cases, column="calc type")) == 1
    assert sum("token twice" in what for what in reported(cases, column="calc distribution")) == 1
    assert len(reported(cases, column="patient_id")) == 31
    assert sum("disagree" in what for what in reported(cases, column="calc type")) == 50
    assert sum("disagree" in what for what in reported(cases, column="pathology")) == 3
    assert not any("'LEFT'" in problem.what for problem in cases.problems)
