"""The training page, as a visitor meets it: figures with n, runs compared, the simulator, a run started and stopped."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.pages import ROOT, charts, open_page, words

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.base.progress import no_progress
from lemons_core.images import painting
from lemons_core.ui.training import simulator
from lemons_core.ui.training.start import duration
from lemons_core.vision.evaluate.examples import examples_of_simulated
from lemons_core.vision.network.weights import read_model
from lemons_core.vision.record import process
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.process import RunRequest
from lemons_core.vision.record.runs import log_of, read_run

PAGE = "pages/training.py"


@pytest.fixture
def places(monkeypatch, tmp_path) -> Path:
    """An empty folder of runs; returns it."""
    monkeypatch.setenv("LEMONS_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def write_run(places: Path, name: str, *, state: str = "finished", epochs: int = 2, **recipe: object) -> Path:
    """A run with the shipped model's card and made-up curves."""
    folder = places / name
    folder.mkdir(parents=True)
    shutil.copy(config.SHIPPED_MODEL / "card.json", folder)
    asked = {"epochs": epochs, "batch": 32, "learning_rate": 0.001} | recipe
    (folder / "run.json").write_text(json.dumps({"state": state, "recipe": asked, "data": "simulated"}))
    labels = {label: {"auc": [0.8, 0.7, 0.9]} for label in ("calcification", "amorphous", "macro", "micro")}
    rows = [{"epoch": n, "loss": 2 / n, "validation": {"n": 64, "labels": labels}} for n in range(1, epochs + 1)]
    (folder / "history.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception, at.exception
    return at


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_the_shipped_model_stands_first_with_n_and_intervals(demo, places):
    at = open_page(PAGE)
    assert not at.error
    assert [metric.label for metric in at.metric] == ["Any calcification", "Amorphous", "Macro", "Micro", "Vascular"]
    assert all(" to " in metric.delta for metric in at.metric)
    card = read_card(config.SHIPPED_MODEL)
    n = card.metrics["held_out"]["n"]
    assert f"n = {n:,} simulated held-out pictures" in words(at) and config.NOTICE in words(at)
    assert card.sha256[:12] in words(at) and "No curve" in at.info[0].value and not charts(at)


def test_a_run_of_the_address_shows_its_curves(demo, places):
    write_run(places, "evening")
    at = open_page(PAGE, run="evening")
    assert "Run evening" in words(at) and "2 of 2 epochs" in words(at)
    loss, auc = charts(at)
    assert [len(figure["data"]) for figure in (loss, auc)] == [1, 5]
    assert len({trace["marker"]["symbol"] for trace in auc["data"]}) == 5, "told apart without colour"
    at = open_page(PAGE, run="../../etc/passwd")
    assert "The model that comes with the app" in words(at) and not at.error


def test_runs_are_compared_by_figures_and_by_recipe(demo, places):
    write_run(places, "one")
    write_run(places, "two", learning_rate=0.003)
    at = open_page(PAGE, run="one", **{"with": "two"})
    assert [len(figure["data"]) for figure in charts(at)] == [2, 2], "one line a run"
    figures, recipe = (table.value for table in at.table[:2])
    assert list(figures.columns)[1:] == ["one", "two"] and "mean of the groups" in figures["AUC"].tolist()
    assert recipe["Setting"].tolist() == ["learning rate"] and recipe["two"].tolist() == ["0.003"]


def test_a_run_that_was_killed_is_shown_as_stopped(demo, places):
    folder = write_run(places, "killed", state="running", epochs=4)
    (folder / "card.json").unlink()
    (folder / "history.jsonl").write_text("")
    at = open_page(PAGE, run="killed")
    assert "stopped" in words(at) and "ended before the end of its first epoch" in at.info[0].value
    at = open_page(PAGE, run="killed", show="Train")
    assert "give the same command again" in words(at) and "Resume" not in labels(at), "nobody here knows its command"
    assert "Start training" in labels(at)


def test_the_simulator_draws_what_is_chosen_and_names_it(demo, places):
    at = open_page(PAGE, show="Simulator")
    before = shown(at)
    assert "pleomorphic, group micro" in html(at) and "Simulated: pleomorphic" in caption(at)
    press(at, "Draw another")
    assert f"seed {simulator.SEED + 1}" in caption(at) and not np.array_equal(shown(at), before)
    at.multiselect(key="kind").set_value([]).run()
    assert "Nothing was drawn" in words(at) and "normal tissue" in caption(at)
    at = open_page(PAGE, show="Simulator", kind="vascular", spacing="0.2", seed="7")
    assert "vascular" in caption(at) and "0.20 mm a pixel, seed 7" in caption(at), "a picture can be linked to"


def test_noise_changes_the_grain_and_nothing_else():
    quiet, loud = (
        simulator.draw(simulator.Drawing(("COARSE",), "CLUSTERED", 2, "digital", 0.1, 12, noise, 3))
        for noise in (0.0, 0.03)
    )
    difference = loud.pixels - quiet.pixels
    assert 0.01 < difference.std() < 0.06 and abs(difference.mean()) < 0.003
    assert quiet.tokens == ("COARSE",)


def shown(at: AppTest) -> np.ndarray:
    url = at.get("image")[0].proto.imgs[0].url
    assert url
    if url.startswith("data:"):
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    return np.frombuffer(url.encode(), np.uint8)  # a hash of the picture


def caption(at: AppTest) -> str:
    return at.get("image")[0].proto.imgs[0].caption


def html(at: AppTest) -> str:
    return "\n".join(element.proto.body for element in at.get("html"))


@pytest.mark.parametrize("spacing", [0.05, 0.1, 0.22])
def test_the_bar_is_five_millimetres_long_and_the_outline_hides_no_calcium(spacing):
    size = round(20 / spacing)
    mask = np.zeros((size, size), bool)
    mask[size // 2 :, : size // 3] = True
    flat = np.full((size, size), 0.4, np.float32)
    plain, outlined = (painting.paint(flat, spacing, shown) for shown in (None, mask))
    times = len(plain) // size
    white = np.flatnonzero((plain == 255).all(axis=2).any(axis=0))
    assert (white[-1] - white[0]) / times * spacing == pytest.approx(painting.BAR_MM, abs=0.3)
    changed = (plain != outlined).any(axis=2)
    assert changed.any() and not changed[np.kron(mask, np.ones((times, times), bool))].any()


def test_a_model_is_asked_and_its_answers_are_shown(demo, places, monkeypatch):
    monkeypatch.setattr(process, "TILES", 24)
    at = open_page(PAGE, show="Answers")
    assert "has not been asked yet" in words(at) and not charts(at)
    place = process.predictions_folder(read_run(config.SHIPPED_MODEL), None, 0)
    examples_of_simulated(read_model(), place, count=24)
    at = open_page(PAGE, show="Answers")
    confusion, calibration = charts(at)
    assert confusion["data"][0]["y"] == ["none", "amorphous", "macro", "micro", "vascular"]
    assert calibration["data"][1]["error_y"], "every share has its interval"
    text = words(at)
    assert "n = 24 held-out simulated tiles, drawn by a program" in text and "Worst errors" in text
    tiles = at.get("image")
    assert len(tiles) >= 12 and all(element.proto.imgs[0].alt for element in tiles), "every picture has its words"


def test_a_model_that_cannot_be_asked_says_why(places):
    folder = write_run(places, "cardonly")
    with pytest.raises(LemonsError, match="weights are missing"):
        process.predict_examples(read_run(folder), None, places / "out", progress=no_progress)


def wait_for(what, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.skipif(os.name == "nt", reason="the run is stopped by a signal")
def test_a_run_is_started_watched_stopped_and_resumed(demo, places):
    at = press(open_page(PAGE, show="Train"), "Start training")
    folder = next(places.iterdir())
    try:
        assert "running" in words(at) and "Stop" in labels(at) and "Start training" not in labels(at)
        with pytest.raises(LemonsError, match="going on"):
            process.start_run(RunRequest())
        at = open_page(PAGE, show="Train")
        assert "Stop" in labels(at), "another visit finds the same run"
        wait_for(lambda: read_run(folder).record.get("step") or read_run(folder).state != "running")
        assert read_run(folder).state == "running", log_of(read_run(folder))
        press(at, "Stop")
        wait_for(lambda: read_run(folder).state != "running")
        assert read_run(folder).record["state"] == "stopped", "it said so itself"
        steps = read_run(folder).record["step"]

        press(open_page(PAGE, show="Train"), "Resume")
        assert read_run(folder).state == "running"
        wait_for(lambda: read_run(folder).record.get("step", 0) > steps or read_run(folder).state != "running")
        assert read_run(folder).state == "running", log_of(read_run(folder))
    finally:
        process.stop_run(read_run(folder))
        wait_for(lambda: read_run(folder).state != "running")


def test_the_page_loads_no_learning_library(demo, places):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "at = AppTest.from_file('app.py', default_timeout=120).run()\n"
        "at.switch_page('pages/training.py').run()\n"
        "assert not at.exception and at.metric\n"
        "print([m for m in ('torch', 'torchvision', 'xgboost', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_seconds_in_words():
    assert [duration(s) for s in (4.4, 61, 3 * 3600 + 120)] == ["4 s", "1 min 1 s", "3 h 2 min"]
