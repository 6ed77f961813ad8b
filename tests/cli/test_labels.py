"""The `labels` command: figures, tables and pictures out of one set of rules, the visitor's own among them."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from support.rows import record, write

from lemons_core.cli import main
from lemons_core.dataset.collection import read_collection
from lemons_core.labels.mapping import DEFAULT_MAPPING


def run(capsys, *arguments):
    status = main(["labels", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def tables(tmp_path) -> Path:
    """Four rows: of one group, of two groups, without a type, and one that is worth a second look."""
    kinds = {"P_90001": "PUNCTATE", "P_90002": "COARSE-PLEOMORPHIC", "P_90003": "NA", "P_90004": "SKIN"}
    rows = [record(patient, **{"calc type": kind}) for patient, kind in kinds.items()]
    rows[3]["pathology"] = "MALIGNANT"
    write(tmp_path / "data", rows)
    return tmp_path / "data"


@pytest.fixture
def own_rules(tmp_path) -> Path:
    path = tmp_path / "rules.csv"
    path.write_text(DEFAULT_MAPPING.read_text("utf-8").replace("PUNCTATE,micro", "PUNCTATE,vascular"), "utf-8")
    return path


def test_json_holds_counts_overlap_gaps_and_suspects(capsys, tables):
    status, out, _ = run(capsys, "--data", tables, "--json")
    none = {"amorphous": 0, "macro": 0, "micro": 0, "vascular": 0}
    assert status == 0
    assert json.loads(out) == {
        "counts": {"train": none | {"macro": 1, "micro": 2}, "test": none},
        "multi": {"rows": 1, "share": 0.25, "counts": {"train": none | {"macro": 2, "micro": 2}, "test": none}},
        "uncovered": ["P_90003_L_CC_calc_1"],
        "suspects": 3,
    }


def test_the_text_shows_the_same_counts_and_the_precedence(capsys, tables):
    status, out, _ = run(capsys, "--data", tables)
    assert status == 0
    assert "1 of 4 rows belong to more than one group" in out and "1 rows without a type have no group" in out
    assert "3 rows worth a second look" in out and "benign type, malignant: 1" in out
    assert "SKIN (macro)" in out.rpartition("precedence: ")[2]


def test_own_rules_change_the_labels(capsys, tables, own_rules):
    status, out, _ = run(capsys, "--data", tables, "--mapping", own_rules, "--json")
    assert status == 0
    assert json.loads(out)["counts"]["train"] == {"amorphous": 0, "macro": 1, "micro": 1, "vascular": 1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PUNCTATE,", "SPOTTED,", "Unknown token 'SPOTTED'"),
        ("SKIN,macro", "SKIN,large", "Unknown group 'large' of SKIN"),
    ],
)
def test_bad_rules_are_one_line_with_file_and_row(capsys, tables, own_rules, old, new, message):
    own_rules.write_text(DEFAULT_MAPPING.read_text("utf-8").replace(old, new), "utf-8")
    status, out, err = run(capsys, "--data", tables, "--mapping", own_rules)
    assert (status, out) == (1, "")
    assert message in err and "rules.csv, row " in err and len(err.splitlines()) == 1


def test_rules_that_are_not_there_are_reported(capsys, tables, tmp_path):
    status, _, err = run(capsys, "--data", tables, "--mapping", tmp_path / "none.csv")
    assert status == 1 and "The mapping cannot be read" in err and "none.csv" in err


def test_a_csv_has_one_row_per_abnormality(capsys, tables, own_rules, tmp_path):
    out = tmp_path / "new" / "labels.csv"
    status, printed, _ = run(capsys, "--data", tables, "--mapping", own_rules, "--out", out, "--json")
    assert status == 0 and json.loads(printed)["suspects"] == 3
    labels = pd.read_csv(out, keep_default_na=False).set_index("patient_id")
    assert labels["label"].to_dict() == {"P_90001": "vascular", "P_90002": "micro", "P_90003": "", "P_90004": "macro"}
    assert labels.loc["P_90002", "groups"] == "macro|micro"
    assert labels.loc["P_90002", "rule"] == "PLEOMORPHIC is micro; COARSE is macro"
    assert "benign type, malignant" in labels.loc["P_90004", "suspect"].split("|")
    assert not [path for path in out.parent.iterdir() if path != out]


def test_a_folder_for_the_csv_is_refused(capsys, tables, tmp_path):
    status, _, err = run(capsys, "--data", tables, "--out", tmp_path)
    assert status == 1 and "--out must name a file" in err


def test_crops_go_to_one_folder_a_class(capsys, demo, tmp_path):
    table = read_collection(demo).table
    wanted = table[table["crop_file"].notna() & table["calc_group"].notna()]
    status, out, _ = run(capsys, "--data", demo, "--images", tmp_path / "png")
    assert status == 0 and f"{len(wanted)} pictures in {tmp_path / 'png'}, 0 not readable" in out
    found = {path.relative_to(tmp_path / "png").as_posix() for path in (tmp_path / "png").rglob("*.png")}
    assert found == set(wanted["split"] + "/" + wanted["calc_group"] + "/" + wanted["case_id"] + ".png")


def test_a_crop_that_cannot_be_read_stops_no_other(capsys, demo, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo, data)
    table = read_collection(data).table
    wanted = table[table["crop_file"].notna() & table["calc_group"].notna()]
    damaged = Path(wanted["crop_file"].iloc[0])
    # After it was indexed, and with its old size and time: only decoding it can show the damage.
    stat = damaged.stat()
    damaged.write_bytes(bytes(stat.st_size))
    os.utime(damaged, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    status, out, _ = run(capsys, "--data", data, "--images", tmp_path / "png")
    assert status == 1 and f"{len(wanted) - 1} pictures in {tmp_path / 'png'}, 1 not readable" in out
    assert len(list((tmp_path / "png").rglob("*.png"))) == len(wanted) - 1


def test_images_without_any_crop_say_so(capsys, tables, tmp_path):
    status, _, err = run(capsys, "--data", tables, "--images", tmp_path / "png")
    assert status == 1 and "No row has both a label and a crop on disk" in err
