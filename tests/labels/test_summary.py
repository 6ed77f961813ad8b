"""Statistics of the relabelling, suspects and exports."""

import json
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from support.rows import record, write

from lemons_core.base.errors import DataError
from lemons_core.dataset.cases import read_cases
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.explore import ATTRIBUTES, co_occurrence
from lemons_core.dataset.export import label_table, write_class_folders, zip_class_folders
from lemons_core.labels import summary
from lemons_core.labels.mapping import DEFAULT_MAPPING, add_groups, parse_mapping
from lemons_core.labels.review import REASONS, find_suspects


def table_of(tmp_path, *rows):
    write(tmp_path, rows)
    return add_groups(read_cases(tmp_path).calcifications)


def typed(kind, patient="P_90001", view="CC", **changes):
    return record(patient, view, **{"calc type": kind, **changes})


@pytest.fixture(scope="module")
def real(real_data):
    return add_groups(read_cases(real_data).calcifications)


@pytest.fixture(scope="module")
def table(demo):
    return read_collection(demo).table


def test_counts_and_overlaps_of_a_few_rows(tmp_path):
    table = table_of(
        tmp_path,
        typed("PLEOMORPHIC"),
        typed("AMORPHOUS-PLEOMORPHIC", "P_90002"),
        typed("NA", "P_90003"),
        typed("SKIN", "P_90004"),
    )
    single = {"amorphous": 0, "macro": 1, "micro": 2, "vascular": 0}
    assert summary.group_counts(table)["train"] == single
    assert summary.group_counts(table, multi=True)["train"] == single | {"amorphous": 1}
    assert summary.multi_rows(table)["patient_id"].tolist() == ["P_90002"]
    assert summary.uncovered_rows(table)["patient_id"].tolist() == ["P_90003"]
    both = co_occurrence(table, ATTRIBUTES["group"], every=True)
    assert both.loc["amorphous", "micro"] == both.loc["micro", "amorphous"] == 1
    assert both.loc["micro", "micro"] == 2


def test_agreement_of_two_views(tmp_path):
    table = table_of(
        tmp_path,
        typed("COARSE-VASCULAR"), typed("VASCULAR-COARSE", view="MLO"),
        typed("PUNCTATE", "P_90002"), typed("PLEOMORPHIC", "P_90002", "MLO"),
        typed("AMORPHOUS", "P_90003"), typed("NA", "P_90003", "MLO"),
        typed("SKIN", "P_90004"),
    )  # fmt: skip
    found = summary.view_agreement(table).set_index("lesion_id")
    assert found["same_type"].tolist() == [True, False, False]
    assert found["same_group"].tolist() == [True, True, False]
    assert found.loc["P_90003_L_calc_1", "MLO"] == "missing"


def test_class_weights_favour_the_rare_group(tmp_path):
    rows = [typed("PLEOMORPHIC", f"P_9{n:04}") for n in range(30)] + [typed("VASCULAR", "P_80001")]
    weights = summary.class_weights(table_of(tmp_path, *rows)).set_index("group")
    assert weights.loc["vascular", "inverse_frequency"] / weights.loc["micro", "inverse_frequency"] == pytest.approx(30)
    assert weights["inverse_frequency"].mean() == pytest.approx(1)
    assert 1 < weights.loc["vascular", "class_balanced"] / weights.loc["micro", "class_balanced"] < 30
    assert weights.loc["vascular", "effective_number"] == pytest.approx(1)


def test_a_changed_mapping_names_the_rows_that_move(tmp_path):
    before = table_of(tmp_path, typed("PUNCTATE"), typed("PUNCTATE-PLEOMORPHIC", "P_90002"), typed("SKIN", "P_90003"))
    text = DEFAULT_MAPPING.read_text("utf-8").replace("PUNCTATE,micro", "PUNCTATE,macro")
    moved = summary.moved_rows(before, add_groups(before, parse_mapping(text)))
    assert moved["case_id"].tolist() == ["P_90001_L_CC_calc_1", "P_90002_L_CC_calc_1"]
    assert moved[["from", "to"]].to_numpy().tolist() == [["micro", "macro"], ["micro", "micro"]]
    assert moved["groups_to"].tolist() == ["macro", "macro, micro"]
    assert summary.moved_rows(before, before).empty


def test_each_kind_of_suspect_is_found_and_a_clean_row_is_not(tmp_path):
    common = [typed("PLEOMORPHIC", f"P_7{n:04}", pathology="MALIGNANT") for n in range(3)]
    table = table_of(
        tmp_path,
        *common,
        typed("VASCULAR", pathology="MALIGNANT"),
        typed("PLEOMORPHIC", "P_90002", pathology="BENIGN_WITHOUT_CALLBACK"),
        typed("COARSE-PLEOMORPHIC", "P_90003"),
        typed("AMORPHOUS", "P_90004"), typed("PLEOMORPHIC", "P_90004", "MLO", pathology="MALIGNANT"),
        typed("PUNCTATE", "P_90005"), typed("PLEOMORPHIC", "P_90005", "MLO"),
    )  # fmt: skip
    found = find_suspects(table).groupby("reason")["case_id"].agg(set)
    assert found["benign type, malignant"] == {"P_90001_L_CC_calc_1"}
    assert found["suspicious type, no callback"] == {"P_90002_L_CC_calc_1"}
    assert found["benign and suspicious"] == {"P_90003_L_CC_calc_1"}
    assert found["views disagree on group"] == {"P_90004_L_CC_calc_1", "P_90004_L_MLO_calc_1"}
    assert found["views disagree on pathology"] == {"P_90004_L_CC_calc_1", "P_90004_L_MLO_calc_1"}
    assert found["views disagree on type"] == {"P_90005_L_CC_calc_1", "P_90005_L_MLO_calc_1"}
    assert "P_90001_L_CC_calc_1" in found["rare combination"]
    assert not any(case.startswith("P_7") for cases in found for case in cases)
    assert set(found.index) <= set(REASONS)


def test_a_confident_model_that_disagrees_makes_a_suspect(tmp_path):
    rows = [typed("SKIN" if n % 2 else "PLEOMORPHIC", f"P_9{n:04}") for n in range(10)]
    table = table_of(tmp_path, *rows)
    p = pd.DataFrame(0.05, index=table["case_id"], columns=["amorphous", "macro", "micro", "vascular"])
    for case, group in zip(table["case_id"], table["calc_group"], strict=True):
        p.loc[case, group] = 0.9
    wrong = table["case_id"].iloc[4]
    p.loc[wrong, ["micro", "macro"]] = [0.02, 0.97]
    found = find_suspects(table, probabilities=p)
    doubts = found[found["reason"] == "model disagrees"]
    assert doubts["case_id"].tolist() == [wrong]
    assert doubts["detail"].iloc[0] == "labelled micro, model macro 97%"


def test_labels_csv_round_trips(tmp_path):
    table = table_of(tmp_path, typed("VASCULAR-COARSE", pathology="MALIGNANT"), typed("NA", "P_90002"))
    labels = label_table(table, find_suspects(table))
    labels.to_csv(tmp_path / "labels.csv", index=False)
    read = pd.read_csv(tmp_path / "labels.csv", dtype="string", keep_default_na=False)
    read["abnormality_id"] = read["abnormality_id"].astype("Int64")
    read[["morphology", "label"]] = read[["morphology", "label"]].replace("", pd.NA)
    pd.testing.assert_frame_equal(read, labels, check_dtype=False)
    first = labels.iloc[0]
    assert (first["groups"], first["label"]) == ("macro|vascular", "vascular")
    assert first["rule"] == "VASCULAR is vascular; COARSE is macro"
    assert "benign type, malignant" in first["suspect"].split("|")


def test_class_folders_load_with_torchvision(table, tmp_path):
    from torchvision.datasets import ImageFolder

    outcomes = write_class_folders(table, tmp_path)
    assert not any(outcome.error for outcome in outcomes)
    assert (
        len(outcomes)
        == table["crop_file"].notna().sum() - (table["crop_file"].notna() & table["calc_group"].isna()).sum()
    )
    loaded = ImageFolder(tmp_path / "train")
    assert set(loaded.classes) <= {"amorphous", "macro", "micro", "vascular"}
    picture, label = loaded[0]
    assert np.asarray(picture).std() > 5, "neither black nor clipped to white"
    case = loaded.imgs[0][0].rsplit("/", 1)[-1].removesuffix(".png")
    assert table.set_index("case_id").loc[case, "calc_group"] == loaded.classes[label]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    write_class_folders(table, tmp_path)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}, "nothing is written twice"


def test_the_zip_holds_the_same_files_and_stops_at_its_limit(table):
    names = zipfile.ZipFile(BytesIO(zip_class_folders(table))).namelist()
    assert len(names) == len(set(names)) > 8
    assert all(name.split("/")[0] in ("train", "test") for name in names)
    with pytest.raises(DataError, match="labels --images DIR"):
        zip_class_folders(table, limit=10_000)


def test_an_empty_set_says_so(tmp_path):
    write(tmp_path, [record()])
    with pytest.raises(DataError, match="No row has both a label and a crop"):
        zip_class_folders(read_collection(tmp_path).table)


def test_real_counts_by_group_and_split(real):
    # Counted from the CSVs with grep, token by token, most suspicious token first.
    assert summary.group_counts(real) == {
        "train": {"amorphous": 154, "macro": 298, "micro": 978, "vascular": 96},
        "test": {"amorphous": 45, "macro": 45, "micro": 224, "vascular": 8},
    }
    multi = summary.group_counts(real, multi=True)
    assert {group: multi["train"][group] + multi["test"][group] for group in multi["test"]} == {
        "amorphous": 220, "macro": 429, "micro": 1216, "vascular": 106
    }  # fmt: skip
    figures = summary.summarise(real, 0)
    assert len(figures["uncovered"]) == 24
    assert json.loads(json.dumps(figures)) == figures


def test_real_views_disagree_on_fifty_lesions(real):
    pairs = summary.view_agreement(real)
    assert len(pairs) == 827
    assert (~pairs["same_type"]).sum() == 50


def test_the_original_counts_cannot_come_from_the_type(real):
    compared = summary.against_original(real)
    assert compared["original"].sum() == compared["here"].sum() == 322
    assert ((compared["original"] < compared["at_least"]) | (compared["original"] > compared["at_most"])).all()
