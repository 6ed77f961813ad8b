import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lemons_core.base.errors import DataError
from lemons_core.cli import _parser, main
from lemons_core.dataset.collection import MARKER, read_collection
from lemons_core.images import write_png
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import simulate_view
from lemons_core.vision.detect.classify import predict_crop
from lemons_core.vision.detect.ood import read_feature_distribution
from lemons_core.vision.network.model import LABELS
from lemons_core.vision.network.weights import read_model
from lemons_core.vision.record.card import MALIGNANCY, read_card
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.record.runs import STOP_NAME, read_run
from lemons_core.vision.tiles.backgrounds import read_backgrounds, split_backgrounds
from lemons_core.vision.tiles.constants import EMPTY_CARD
from lemons_core.vision.tiles.crops import Tile
from lemons_core.vision.tiles.data import MixedTiles, SimulatedTiles, StoredTiles, target_of
from lemons_core.vision.train.batches import Batches
from lemons_core.vision.train.checkpoint import CHECKPOINT_NAME, TrainState
from lemons_core.vision.train.ddp import ProcessGroup
from lemons_core.vision.train.open_tiles import open_tiles
from lemons_core.vision.train.train import stops_early, train

RECIPE = Recipe(epochs=2, seed=3, batch=8, tiles=16, init="scratch", workers=0, views=0)
HOME = Path(__file__).parents[2]


def command(out: Path, *more: object, recipe: Recipe = RECIPE) -> list[str]:
    options = {name: getattr(recipe, name) for name in ("epochs", "seed", "batch", "tiles", "views")}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    words += ["--data", "simulated", "--init", recipe.init, "--workers", str(recipe.workers), "--out", str(out)]
    return ["train", *words, *map(str, more)]


@pytest.fixture
def start():
    """Start the command line in a process of its own, with a launcher before it or none; none is left behind."""
    children = []

    def begin(arguments: list[str], *launcher: str) -> subprocess.Popen:
        child = subprocess.Popen(
            [sys.executable, *launcher, "-m", "lemons_core", *arguments],
            cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        children.append(child)
        return child

    yield begin
    for child in children:
        child.terminate()
        child.communicate(timeout=60)


def wait_for(what, child: subprocess.Popen, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert child.poll() is None, child.stdout.read()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run that nobody disturbs, its card, and the shares it told on the way."""
    folder, told = tmp_path_factory.mktemp("runs") / "undisturbed", []
    card = train("simulated", folder, RECIPE, progress=lambda fraction, text: told.append(fraction))
    return folder, card, told


def weights_of(folder):
    return {name: value.clone() for name, value in read_model(folder).network.state_dict().items()}


def assert_same_end(folder, other):
    """Same figures and, up to the rounding of stored weights, the same weights."""
    assert read_card(folder).metrics == read_card(other).metrics
    for name, value in weights_of(folder).items():
        torch.testing.assert_close(value, weights_of(other)[name], atol=1e-5, rtol=1e-3, msg=name)


def test_a_run_leaves_a_model_its_curve_and_its_record(undisturbed):
    folder, card, told = undisturbed
    assert told == sorted(told)
    assert told[-1] == 1
    assert card.simulated
    assert card.metrics["validation"]["n"] == 32
    assert card.metrics["held_out"]["n"] == RECIPE.tiles * RECIPE.epochs
    assert set(card.temperature) == set(card.labels)
    assert card.training["recipe"]["seed"] == RECIPE.seed
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {"loss", "learning_rate", "seconds", "images_per_second", "validation"} <= set(lines[0])
    assert read_run(folder).state == "finished"
    assert not (folder / CHECKPOINT_NAME).exists()
    assert read_feature_distribution(folder, card).limit > 0
    crop = simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(5), size_px=200).pixels
    assert 0 <= predict_crop(crop, spacing_mm=0.1, model=read_model(folder)).calcification <= 1


def test_a_run_that_was_killed_and_resumed_ends_like_the_undisturbed_one(undisturbed, tmp_path, start):
    folder = tmp_path / "killed"
    child = start(command(folder))
    wait_for((folder / CHECKPOINT_NAME).exists, child)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert read_run(folder).state == "stopped"
    assert len(read_run(folder).history) == 1
    assert train("simulated", folder, RECIPE) is not None
    assert_same_end(folder, undisturbed[0])
    assert len(read_run(folder).history) == 2


@pytest.mark.parametrize("way", ["file", "signal"])
def test_a_run_that_is_asked_to_stop_does_so_within_its_epoch_and_goes_on_later(undisturbed, tmp_path, way):
    folder = tmp_path / "stopped"

    def ask(fraction, text):
        if "images/s" in text:  # after the first step
            if way == "file":
                (folder / STOP_NAME).touch()
            else:
                os.kill(os.getpid(), signal.SIGTERM)

    assert train("simulated", folder, RECIPE, progress=ask) is None
    assert read_run(folder).state == "stopped"
    checkpoint = torch.load(folder / CHECKPOINT_NAME, weights_only=True)
    assert (checkpoint["state"]["epoch"], checkpoint["state"]["step"]) == (0, 1)
    if way == "file":
        assert train("simulated", folder, RECIPE) is not None
        assert_same_end(folder, undisturbed[0])


def test_a_folder_with_another_run_is_refused_unless_told_to_restart(undisturbed):
    folder, card, _ = undisturbed
    other = replace(RECIPE, epochs=1, seed=4)
    with pytest.raises(DataError, match=r"epochs 2, not 1.*--restart"):
        train("simulated", folder, other)
    assert read_card(folder).sha256 == card.sha256
    assert train("simulated", folder, RECIPE).sha256 == card.sha256, "a finished run is not trained again"


def test_a_run_that_another_process_works_on_is_left_alone(tmp_path, start):
    folder = tmp_path / "busy"
    child = start(command(folder))
    wait_for((folder / "run.json").exists, child)
    with pytest.raises(DataError, match=f"Process {child.pid} is at work"):
        train("simulated", folder, RECIPE)
    child.kill()
    child.communicate()


def test_parts_and_processes_share_a_step_without_overlap():
    recipe = replace(RECIPE, batch=8, accumulate=2)
    alone = np.array(list(Batches(20, recipe, ProcessGroup())))
    assert alone.shape == (4, 4)
    assert len(set(alone.flat)) == 16
    pair = np.array([list(Batches(20, recipe, ProcessGroup(rank, 2))) for rank in (0, 1)])
    for step in (slice(0, 2), slice(2, 4)):
        assert set(pair[:, step].flat) == set(alone[step].flat)
    later = Batches(20, recipe, ProcessGroup())
    later.epoch, later.skip = 3, 1
    assert all(60 <= number < 80 for part in later for number in part)
    assert len(list(later)) == len(later) == 2
    with pytest.raises(DataError, match="does not divide"):
        Batches(20, replace(recipe, batch=9), ProcessGroup())


def test_simulated_tiles_are_seeded_and_the_target_follows_what_is_visible():
    tiles = SimulatedTiles(EMPTY_CARD, count=40, seed=7)
    one, again = tiles[3].inputs, SimulatedTiles(EMPTY_CARD, count=40, seed=7)[3].inputs
    assert one.shape == (1, EMPTY_CARD.tile_px, EMPTY_CARD.tile_px)
    assert torch.equal(one, again)
    assert not torch.equal(one, SimulatedTiles(EMPTY_CARD, count=40, seed=8)[3].inputs)
    targets = torch.stack([tiles[i].targets for i in range(40)])
    known = targets[~targets.isnan().any(1)]
    assert ((known[:, 1:].sum(1) > 0) == (known[:, 0] > 0)).all()
    assert 0.3 < known[:, 0].mean() < 0.9


def test_target_of_groups_and_pathology():
    assert target_of(()).tolist() == [0, 0, 0, 0, 0]
    assert target_of(("macro", "vascular")).tolist() == [1, 0, 1, 0, 1]
    six = (*LABELS, MALIGNANCY)
    assert [float(target_of(("micro",), labels=six, malignant=known)[-1]) for known in (True, False)] == [1, 0]
    assert np.isnan(float(target_of((), labels=six)[-1]))


def test_stored_tiles_have_one_size_and_are_seen_anew_each_epoch(tmp_path):
    rng = np.random.default_rng(0)
    for number, size in enumerate([(40, 300), (128, 128), (500, 90), (400, 400)]):
        np.save(tmp_path / f"{number}.npy", rng.normal(size=size).astype(np.float16))
    tiles = [Tile(tmp_path / f"{n}.npy", str(n), "p", ("micro",), "micro") for n in range(4)]
    items = StoredTiles(tiles, EMPTY_CARD, seed=0)
    assert {items[n].inputs.shape for n in range(4)} == {(1, EMPTY_CARD.tile_px, EMPTY_CARD.tile_px)}
    assert not torch.equal(items[3].inputs, items[7].inputs), "the same tile, one epoch later"
    assert torch.equal(items[7].inputs, StoredTiles(tiles, EMPTY_CARD, seed=0)[7].inputs)


def test_early_stopping_counts_epochs_since_the_best():
    assert not stops_early(TrainState(epoch=4, best_epoch=3), replace(RECIPE, patience=2))
    assert stops_early(TrainState(epoch=5, best_epoch=3), replace(RECIPE, patience=2))
    assert not stops_early(TrainState(epoch=50, best_epoch=3), RECIPE), "0 never stops early"


def test_a_collection_is_learnt_killed_resumed_evaluated_and_used(demo, tmp_path, capsys, monkeypatch, start):
    folder = tmp_path / "run"
    words = ["train", "--data", str(demo), "--out", str(folder), "--epochs", "2", "--batch", "8"]
    words += ["--init", "scratch", "--workers", "0", "--views", "3"]
    child = start(words)
    wait_for((folder / CHECKPOINT_NAME).exists, child)
    child.kill()
    child.communicate()
    assert main(words) == 0
    assert "trained on the simulated demo data" in capsys.readouterr().out
    card = read_card(folder)
    assert "malignancy" not in card.labels, "simulated pathology is worth nothing"
    assert card.training["normal_patches"] > card.training["crops"]
    assert card.training["detection_platt"]["views"] == 3
    assert main(["evaluate", "--data", str(demo), "--model", str(folder), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["simulated"] is True
    assert figures["n"] == figures["crops"] + figures["normal_patches"]
    assert sum(map(sum, figures["single_label"]["confusion"])) == figures["single_label"]["n"] == figures["crops"] > 0
    assert set(figures["labels"]) == set(LABELS)
    crop = next(iter(read_collection(demo).with_crops("test")["crop_file"]))
    monkeypatch.setenv("LEMONS_MODEL", str(folder))
    assert main(["predict", crop, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["model"]["name"] == "demo-resnet34"


def test_with_pathology_malignancy_is_learnt_of_calcifications_only(demo, tmp_path):
    real = shutil.copytree(demo, tmp_path / "real")  # without its marker it passes for the real collection
    (real / MARKER).unlink()
    recipe = replace(RECIPE, epochs=1, mix=0.2)
    tiles = open_tiles(real, tmp_path / "run", recipe, group=ProcessGroup(), progress=lambda fraction, text: None)
    assert tiles.card.labels[-1] == MALIGNANCY
    assert not tiles.card.simulated
    assert isinstance(tiles.training, MixedTiles)
    for number, tile in enumerate(tiles.training.stored.tiles):
        wanted = None if not tile.groups else tile.malignant
        target = float(tiles.training[number].targets[-1])
        assert np.isnan(target) if wanted is None else target == wanted
    simulated = tiles.training[tiles.epoch_tiles - 1]
    assert np.isnan(float(simulated.targets[-1]))
    assert simulated.inputs.shape == tiles.training[0].inputs.shape
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "tiles").iterdir()}
    card = train(real, tmp_path / "run", recipe)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "tiles").iterdir()} == before, "cut once"
    crop = simulate_crop((), rng=np.random.default_rng(5), size_px=200).pixels
    assert 0 <= predict_crop(crop, spacing_mm=0.1, model=read_model(tmp_path / "run")).malignancy <= 1
    assert card.training["patients"] > 1


@pytest.fixture(scope="module")
def mammograms(tmp_path_factory):
    """Normal views of four patients, in a folder each."""
    folder = tmp_path_factory.mktemp("mammograms")
    for number in range(4):
        view = simulate_view([], rng=np.random.default_rng(number), laterality="L", view="CC", spacing_mm=0.3)
        (folder / str(number)).mkdir()
        write_png(folder / str(number) / "view.png", view.pixels, spacing_mm=0.3)
    (folder / "broken.png").write_text("no picture")
    return folder


def test_backgrounds_are_read_once_and_no_patient_is_in_two_parts(mammograms, tmp_path):
    found, failed = read_backgrounds(mammograms, tmp_path)
    assert len(found) == 4
    assert "broken.png" in failed[0]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert read_backgrounds(mammograms, tmp_path)[0] == found
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    parts = [{one.patient for one in part} for part in split_backgrounds(found, seed=0)]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert set.union(*parts) == {"0", "1", "2", "3"}
    window = found[0].draw(np.random.default_rng(0), size_px=90, spacing_mm=0.15)
    assert window.shape == (90, 90)
    assert 0.1 < window.mean() < 1, "a window lies in the breast"
    with pytest.raises(DataError, match="at least three patients"):
        split_backgrounds(found[:2], seed=0)
    with pytest.raises(DataError, match="No background"):
        read_backgrounds(tmp_path / "nowhere", tmp_path)


def test_several_processes_train_one_model_on_own_backgrounds(mammograms, tmp_path, start):
    folder = tmp_path / "pair"
    recipe = replace(RECIPE, epochs=1)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    child = start(command(folder, "--background", mammograms, "--accumulate", 2, recipe=recipe), *launcher)
    output, _ = child.communicate(timeout=900)
    assert child.returncode == 0, output
    assert output.count("Model written to") == 1
    card = read_model(folder).card
    assert "own backgrounds" in card.trained_on
    assert card.training["backgrounds"] == {"training": 2, "validation": 1, "held_out": 1}
    assert len(read_run(folder).history) == 1


def test_every_command_and_option_of_the_training_page_exists():
    text = (HOME / "docs" / "training.md").read_text()
    lines = [line.partition("-m lemons_core ")[2] for line in text.splitlines() if "-m lemons_core " in line]
    assert {line.split()[0] for line in lines} >= {"train", "evaluate", "predict", "fetch", "check"}
    for line in lines:
        _parser().parse_args(line.split())  # ends the test where a word is unknown
    options = {name: set(re.findall(r"--[a-z-]+", help_of(name))) for name in ("train", "predict")}
    assert set(re.findall(r"`(--[a-z-]+)`", text)) - {"--node-rank"} <= options["train"] | options["predict"]
    assert options["train"] - {"--help"} <= set(re.findall(r"--[a-z-]+", text)), "all are told"


def help_of(name):
    words = [sys.executable, "-m", "lemons_core", name, "--help"]
    return subprocess.run(words, cwd=HOME, capture_output=True, text=True, check=True).stdout
