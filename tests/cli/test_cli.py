"""The command line as users and scripts meet it: output contracts, exit status, no traceback."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.rows import record, write

from lemons_core.cli import main
from lemons_core.images import write_png
from lemons_core.simulate.crop import simulate_crop

ROOT = Path(__file__).parents[2]


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def crop_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("crop") / "crop.png"
    crop = simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(2), size_px=224)
    write_png(path, crop.pixels, spacing_mm=0.1)
    return path


def test_help_names_every_command_and_the_notice(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for word in ("demo", "cases", "train", "evaluate", "predict", "Not a medical device"):
        assert word in out


def test_cases_json_contract(capsys, tmp_path):
    write(tmp_path, [record(**{"breast density": "0"})])
    status, out, _ = run(capsys, "cases", "--data", tmp_path, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["rows"] == {"calc_train": 1, "calc_test": 0, "mass_train": 0, "mass_test": 0}
    assert found["patients"]["calc_train"] == 1
    assert {"file", "row", "column", "what"} == set(found["problems"][0])
    assert ("calc_case_description_train_set.csv", 1, "breast density") in [
        (problem["file"], problem["row"], problem["column"]) for problem in found["problems"]
    ]


def test_a_wrong_folder_is_one_line_and_status_1(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lemons_core", "cases", "--data", str(tmp_path / "nowhere")],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: The data folder does not exist")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_lemons_data_is_the_default_root(capsys, tmp_path, monkeypatch):
    write(tmp_path, [record(), record("P_90002")])
    monkeypatch.setenv("LEMONS_DATA", str(tmp_path))
    _, out, _ = run(capsys, "cases")
    assert "calc_train        2         2" in out


def test_demo_writes_a_set_and_does_not_overwrite(capsys, tmp_path, monkeypatch):
    out = tmp_path / "demo"
    out.mkdir()
    (out / "mine.txt").write_text("keep me")
    status, _, err = run(capsys, "demo", "--out", out)
    assert status == 1
    assert "error:" in err
    assert (out / "mine.txt").read_text() == "keep me"


def test_predict_json_contract(capsys, crop_file, tmp_path):
    bad = tmp_path / "notes.dcm"
    bad.write_text("not an image")
    heat = tmp_path / "heat"
    status, out, _ = run(capsys, "predict", bad, crop_file, "--heatmap", heat, "--json")
    assert status == 1, "one file could not be read"
    failed, found = json.loads(out)
    assert set(failed) == {"file", "error"}
    assert set(found) == {
        *("file", "kind", "width", "height", "spacing_mm", "laterality", "view", "calcification", "probabilities"),
        *("top", "warnings", "model", "regions"),
        *("refused", "spacing_source", "spacing_used_mm", "abstained"),
    }
    assert found["kind"] == "crop"
    assert (found["width"], found["height"]) == (224, 224)
    assert found["refused"] is None
    for region in found["regions"]:
        assert {
            *("row", "col", "height", "width", "score", "spots", "extent_mm", "probabilities", "top", "abstained"),
        } == set(region)
    assert set(found["probabilities"]) == {"amorphous", "macro", "micro", "vascular"}
    assert set(found["model"]) == {"name", "trained_on", "sha256"}
    assert "simulated" in found["model"]["trained_on"]
    (picture,) = heat.iterdir()
    assert Image.open(picture).size == (224, 224)


def test_predict_text_names_what_the_model_was_trained_on(capsys, crop_file):
    status, out, _ = run(capsys, "predict", crop_file)
    assert status == 0
    assert "any calcification" in out
    assert "simulated" in out
    assert "Not a medical device" in out


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_a_model_that_cannot_be_used_is_told(capsys, crop_file, tmp_path, damage):
    if damage == "garbage":
        (tmp_path / "card.json").write_text("[]")
    status, _, err = run(capsys, "predict", crop_file, "--model", tmp_path)
    assert status == 1
    assert str(tmp_path) in err


def test_real_crop(capsys, real_data):
    crop = next((real_data / "cbis-ddsm" / "crop").glob("*.dcm"))
    status, out, _ = run(capsys, "predict", crop, "--json")
    (found,) = json.loads(out)
    assert status == 0
    assert (found["kind"], found["width"], found["height"]) == ("crop", 1065, 1129)
    assert (found["laterality"], found["view"], found["spacing_mm"]) == ("L", "MLO", None)
    assert any("0.05 mm is assumed" in warning for warning in found["warnings"])
