"""Run folders as they are found: running, killed, failed, half written, and with another process's number."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from lemons_core.base import config
from lemons_core.vision.record.card import read_card, write_card
from lemons_core.vision.record.predictions import (
    NAMES,
    PredictionSet,
    confusion,
    read_predictions,
    top_name,
    write_predictions,
)
from lemons_core.vision.record.runs import (
    GROUP_MEAN,
    SHIPPED,
    auc_of,
    command_of,
    find_runs,
    is_running,
    read_run,
    recipe_differences,
)
from lemons_core.vision.train.checkpoint import CHECKPOINT_NAME, RunFolder, TrainState

RECIPE = {"epochs": 4, "batch": 32, "learning_rate": 0.001, "tiles": 256}


def line(epoch, **aucs):
    labels = {label: {"auc": [value, value - 0.1, min(value + 0.1, 1)]} for label, value in aucs.items()}
    return {"epoch": epoch, "loss": 1 / epoch, "seconds": 10.0, "validation": {"n": 64, "labels": labels}}


@pytest.fixture
def write(tmp_path):
    """Makes a run folder from a record and epochs."""

    def make(name, record=None, epochs=0, launch=None):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        if record is not None:
            (folder / "run.json").write_text(json.dumps({"recipe": RECIPE, "data": "simulated"} | record))
        if epochs:
            lines = [json.dumps(line(n, micro=0.6, macro=0.8)) for n in range(1, epochs + 1)]
            (folder / "history.jsonl").write_text("\n".join(lines) + "\n")
        if launch is not None:
            (folder / "launch.json").write_text(json.dumps(launch))
        return folder

    return make


@pytest.fixture
def process():
    """Starts processes that only sleep, with any words on their command line."""
    started = []

    def start(*words):
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", *map(str, words)]))
        while not command_of(started[-1].pid).count("sleep"):
            time.sleep(0.01)
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()


def test_a_run_is_running_only_while_its_own_process_lives(write, process):
    folder = write("mine", {"state": "running"})
    child = process("-m", "lemons_core", "train", "--out", folder)
    record = {"state": "running", "pid": child.pid}
    assert is_running(record, folder)
    assert not is_running(record, folder.parent / "other"), "the process works on another folder"
    assert not is_running(record | {"state": "stopped"}, folder)
    child.kill()
    deadline = time.monotonic() + 5
    while is_running(record, folder) and time.monotonic() < deadline:  # ended, though nobody has waited for it
        time.sleep(0.01)
    assert not is_running(record, folder)


def test_a_process_that_got_the_number_later_does_not_count(write, process):
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    folder = write("killed", {"state": "running", "pid": process("something else").pid, "updated": old}, epochs=2)
    run = read_run(folder)
    assert run.state == "stopped" and run.pid is None and run.done == 0.5


def test_a_run_of_a_notebook_is_known_by_its_fresh_record(write, process):
    now = datetime.now(UTC).isoformat()
    folder = write("notebook", {"state": "running", "pid": process("notebook").pid, "updated": now})
    assert read_run(folder).state == "running"


def test_states_of_runs_that_nobody_works_on(write):
    assert read_run(write("done", {"state": "finished"}, epochs=4)).state == "finished"
    failed = read_run(write("bad", {"state": "failed", "error": "no crop could be read"}))
    assert failed.state == "failed" and "no crop could be read" in failed.fault
    early = read_run(write("early", launch={"pid": 2**22 + 1, "arguments": []}))
    assert early.state == "failed" and "log" in early.fault, "it ended before it could write its record"
    assert read_run(write("old", epochs=2)).state == "stopped", "a folder of an older version without a record"


def test_damaged_files_are_told_and_the_rest_is_read(write):
    folder = write("torn", epochs=2)
    (folder / "run.json").write_text("{half")
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    (folder / "card.json").write_text("[]")
    run = read_run(folder)
    assert "run.json" in run.fault and "model card" in run.fault
    assert [row["epoch"] for row in run.history] == [1, 2] and run.measured[1]["n"] == 64


def test_progress_and_time_left(write):
    steps = {"epoch": 1, "step": 4, "steps": 8, "images_per_second": 16.0}
    run = read_run(write("half", {"state": "stopped"} | steps, epochs=1))
    assert run.done == pytest.approx(1.5 / 4)
    assert run.seconds_left == pytest.approx(2.5 * 8 * 32 / 16)
    assert read_run(write("fresh", {"state": "stopped"})).seconds_left is None


def test_runs_are_found_newest_first_with_unique_names(write, tmp_path, monkeypatch):
    write("a", {"state": "finished"})
    time.sleep(0.02)
    write("b", {"state": "finished"})
    twin = tmp_path / "elsewhere" / "a"
    twin.mkdir(parents=True)
    (twin / "history.jsonl").write_text(json.dumps(line(1, micro=0.7)) + "\n")
    (tmp_path / "runs" / "empty").mkdir()
    monkeypatch.setenv("LEMONS_RUNS", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    runs = find_runs()
    assert [run.key for run in runs] == [SHIPPED, "a", "b", "a-2"]
    assert runs[0].card and runs[0].state == "finished" and runs[0].measured[1]["labels"]


def test_figures_that_chose_nothing_go_first(write):
    folder = write("both", {"state": "finished"}, epochs=1)
    card = read_card(config.SHIPPED_MODEL)
    validation, held_out = line(1, micro=0.9)["validation"], line(1, micro=0.8)["validation"]
    object.__setattr__(card, "metrics", {"validation": validation, "held_out": held_out})
    write_card(folder, card)
    name, figures = read_run(folder).measured
    assert name == "held_out" and auc_of(figures, "micro")[0] == 0.8


def test_the_mean_is_of_the_groups_that_were_measured():
    figures = line(1, micro=0.6, macro=0.8, calcification=1.0)["validation"]
    assert auc_of(figures, GROUP_MEAN) == [pytest.approx(0.7)]
    assert auc_of(figures, "macro")[0] == 0.8 and auc_of(figures, "vascular") is None
    assert auc_of({}, GROUP_MEAN) is None


def test_recipes_differ_in_what_differs_only(write):
    one = read_run(write("one", {"state": "finished"}))
    two = read_run(write("two", {"state": "finished", "recipe": RECIPE | {"epochs": 9, "patience": 2}}))
    assert recipe_differences([one, two]) == {"epochs": [4, 9], "patience": [None, 2]}
    assert recipe_differences([one]) == {}


def test_predictions_come_back_as_they_were_written_and_are_counted(tmp_path):
    labels = ["calcification", *NAMES[1:]]
    targets = np.array([[0, 0, 0, 0, 0], [1, 0, 0, 1, 0], [1, np.nan, 1, 1, 0]])
    p = np.array([[0.2, 0.9, 0.1, 0.1, 0.1], [0.9, 0.1, 0.6, 0.3, 0.1], [0.8, 0.2, 0.3, 0.4, 0.1]])
    write_predictions(
        PredictionSet(tmp_path, "three", labels, targets, p, ["none", "micro", None], {"micro": [1]}, [1, 0])
    )
    back = read_predictions(tmp_path)
    np.testing.assert_array_equal(back.targets, targets)
    assert top_name(back.probabilities_of(0)) == "none", "whatever a group says, below one half there is none"
    assert back.reference_of(2) == ["macro", "micro"]
    assert [len(part) for part in back.known("amorphous")] == [2, 2], "what is not known is not counted"
    counts = confusion(back)
    assert counts.sum() == 2 and counts[0, 0] == 1 and counts[NAMES.index("micro"), NAMES.index("macro")] == 1
    (tmp_path / "answers.json").write_text('{"labels": []}')
    assert read_predictions(tmp_path) is None


def test_a_run_folder_and_a_card_of_the_first_version_still_load(write):
    old = {"state": "stopped", "epoch": 1, "step": 2, "steps": 8, "best_epoch": 1, "started": "2026-01-02T03:04:05"}
    folder = write("first", old, epochs=1, launch={"arguments": ["train", "--out", "first"], "pid": 2**22 + 1})
    held = json.loads((config.SHIPPED_MODEL / "card.json").read_text())
    held["place_scale"] = held.pop("detection_platt")
    held["training"]["place_scale"] = held["training"].pop("detection_platt")
    (folder / "card.json").write_text(json.dumps(held))
    run = read_run(folder)
    assert run.state == "stopped" and not run.fault and run.launch["arguments"][0] == "train"
    assert run.card == read_card(config.SHIPPED_MODEL), "an old name of a field is read as the new one"
    place = {"epoch": 1, "step": 2, "loss": 1.5, "seconds": 9.0, "best": 0.7, "best_epoch": 1}
    torch.save({"place": place, "rng": torch.get_rng_state(), "network": {}}, folder / CHECKPOINT_NAME)
    checkpoint = RunFolder(folder).load()
    assert TrainState(**checkpoint["state"]) == TrainState(1, 2, 1.5, 9.0, 0.7, 1) and "place" not in checkpoint
