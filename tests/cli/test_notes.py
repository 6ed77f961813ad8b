"""The command line of the notes: the contract of its JSON, exit statuses, and no number without a finding."""

import json
from pathlib import Path

import pytest
from support.notes import KEYS

from lemons_core.cli import main
from lemons_core.simulate.demo.write import write_demo

FINDING = "Grouped fine pleomorphic calcifications, BI-RADS 4C"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("notes") / "demo", images=0, jobs=1)


def output(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> str:
    assert main(["notes", *map(str, arguments)]) == status
    return capsys.readouterr().out


def test_evaluate_prints_the_agreed_list(capsys, tables):
    rows = json.loads(output(capsys, "evaluate", "--data", tables, "--features", "descriptors", "--json"))
    assert all(set(row) >= KEYS for row in rows)
    assert {row["features"] for row in rows} == {"descriptors"}
    assert {row["protocol"] for row in rows} == {"official", "grouped_cv", "row_split"}
    assert {row["model"] for row in rows} == {"xgboost", "logistic", "forest", "majority"}
    assert {(row["subset"], row["unit"]) for row in rows if row["protocol"] == "official"} == {
        (subset, unit) for subset in ("all", "without_bwc") for unit in ("row", "lesion")
    }
    assert all(len(row["auc"]) == 3 and 0 <= row["ece"] <= 1 for row in rows)


def test_a_trained_model_is_saved_and_used(capsys, tables, tmp_path):
    folder = tmp_path / "model"
    card = json.loads(output(capsys, "train", "--data", tables, "--features", "context", "--out", folder, "--json"))
    assert card["features"] == "context" and card["simulated"] and card["metrics"]["official"]["n"] == 326
    answer = json.loads(output(capsys, "predict", "--model", folder, "--text", FINDING, "--json"))
    assert answer["features"] == "context" and 0 < answer["probability"] < 1
    assert answer["note"]["assessment"] == 4 and any("does not read" in caution for caution in answer["cautions"])
    assert {step["descriptor"] for step in answer["explanation"]["steps"]} >= {"type", "distribution", "calibration"}
    assert main(["notes", "predict", "--model", str(folder), "--features", "assessment", "--text", FINDING]) == 1


def test_one_note_is_answered_in_words(capsys):
    text = output(capsys, "predict", "--text", FINDING + ", wibble")
    assert "probability of malignancy 0." in text and "the published case table of CBIS-DDSM" in text
    assert "not a diagnosis" in text and "not understood: wibble" in text


@pytest.mark.parametrize("text", ["the weather is fine", "", "No pleomorphic calcifications.", "x" * 100_000])
def test_no_finding_no_probability(capsys, text):
    assert main(["notes", "predict", "--text", text]) == 1
    shown = capsys.readouterr()
    assert not shown.out and shown.err.startswith("error:")
    if text.startswith("the"):
        assert "nothing understood" in shown.err.lower()


@pytest.mark.parametrize(("unit", "n"), [("row", 326), ("lesion", None)])
def test_the_test_split_is_predicted_by_row_and_by_lesion(capsys, tables, unit, n):
    found = json.loads(output(capsys, "predict", "--data", tables, "--unit", unit, "--json"))
    assert len(found) == n or (n is None and 150 < len(found) < 326)
    assert all(0 <= row["probability"] <= 1 and row["label"] in (0, 1) for row in found)
    assert f"{len(found)} {unit}s" in output(capsys, "predict", "--data", tables, "--unit", unit)


def test_the_lab_is_printed(capsys, tables):
    tricks = json.loads(output(capsys, "leakage", "--data", tables, "--trick", "mass_and_calc", "--json"))
    assert [trick["name"] for trick in tricks] == ["mass_and_calc"]
    assert tricks[0]["gain_auc"] == pytest.approx(tricks[0]["tricked"]["auc"][0] - tricks[0]["honest"]["auc"][0])
    assert "gain AUC" in output(capsys, "leakage", "--data", tables, "--trick", "mass_and_calc")
    assert main(["notes", "leakage", "--data", str(tables), "--trick", "magic"]) == 1


def test_one_file_alone_trains_and_says_what_it_lacks(capsys, tables, tmp_path):
    (train,) = tables.rglob("calc*train*.csv")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / train.name).write_bytes(train.read_bytes())
    card = json.loads(output(capsys, "train", "--data", tmp_path / "half", "--out", tmp_path / "m", "--json"))
    assert list(card["metrics"]) == ["grouped_cv"] and not card["simulated"]
    assert card["trained_on"] == "the case tables in half", "the card gives the folder's name, not its path"
    assert main(["notes", "predict", "--data", str(tmp_path / "half")]) == 1
