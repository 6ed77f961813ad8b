"""Processes of their own: one training run at a time, started, stopped and resumed, and a model's predictions.

A run outlives whoever started it; its folder holds all there is to know.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lemons_core.base import config
from lemons_core.base.child import run_child
from lemons_core.base.errors import LemonsError, ModelError
from lemons_core.base.io import write_atomic
from lemons_core.base.progress import Progress
from lemons_core.vision.record.predictions import PredictionSet, read_predictions
from lemons_core.vision.record.recipe import option_of
from lemons_core.vision.record.runs import LAUNCH_NAME, LOG_NAME, STOP_NAME, Run, find_runs

VIEWS = 12  # whole views that calibrate a short run: most of a minute on two cores
TILES = 400  # simulated tiles that a model predicts: half a minute on two cores
_one = threading.Lock()  # or two windows could both find that nothing runs


@dataclass(frozen=True)
class RunRequest:
    """The few settings of a short run on simulated tiles.

    init : "shipped" (go on from the shipped model) or "scratch"
    """

    epochs: int = 2
    tiles: int = 256
    init: str = "shipped"
    learning_rate: float = 3e-4
    batch: int = 32
    seed: int = 0

    def arguments(self, folder: Path) -> list[str]:
        """The same as words of the command line."""
        options = {"data": "simulated", "out": folder} | vars(self) | {"views": VIEWS}
        return ["train", *(word for name, value in options.items() for word in (option_of(name), str(value)))]


def start_run(request: RunRequest) -> Path:
    """Start a run in a fresh folder; returns that folder.

    Raises LemonsError: a run is going on already
    """
    with _one:
        _refuse_a_second()
        parent = config.read_settings().runs
        name, number = f"{datetime.now():%Y-%m-%d-%H%M}", 1
        while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
            number += 1
        folder.mkdir(parents=True)
        _launch(folder, request.arguments(folder.resolve()))
    return folder


def resume_run(run: Run) -> None:
    """Start the same command again; training goes on from its last checkpoint.

    Raises LemonsError: a run is going on already, or the app does not know the command of this one
    """
    arguments = run.launch.get("arguments")
    if not isinstance(arguments, list):
        raise LemonsError(
            "This run was not started here", where=str(run.folder), todo="Give the same command again in a terminal."
        )
    with _one:
        _refuse_a_second()
        _launch(run.folder, [str(word) for word in arguments])


def stop_run(run: Run) -> None:
    """Ask a run to stop after its present step; it can go on later. Nothing happens when it does not run."""
    pid = run.pid
    if pid is None:
        return
    (run.folder / STOP_NAME).touch()
    if os.name != "nt":  # there, the signal would end it at once
        os.kill(pid, signal.SIGTERM)


def running(runs: Sequence[Run]) -> Run | None:
    """The run that is going on, if any."""
    return next((run for run in runs if run.state == "running"), None)


def _refuse_a_second() -> None:
    busy = running(find_runs())
    if busy:
        raise LemonsError(
            f"The run {busy.key} is going on", todo="One run at a time: two would share the same cores. Stop it first."
        )


def _launch(folder: Path, arguments: list[str]) -> None:
    (folder / STOP_NAME).unlink(missing_ok=True)
    with (folder / LOG_NAME).open("w", encoding="utf-8") as log:
        # A session of its own: closing the terminal of the app does not end the training.
        child = subprocess.Popen(
            [sys.executable, "-m", "lemons_core", *arguments],
            cwd=config.HOME,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Someone must ask for its end, or it would stand in the list of processes as if it still lived.
    threading.Thread(target=child.wait, daemon=True).start()
    launch = {"arguments": arguments, "pid": child.pid, "started": datetime.now(UTC).isoformat(timespec="seconds")}
    write_atomic(folder / LAUNCH_NAME, json.dumps(launch, indent=2).encode() + b"\n")


def predictions_folder(run: Run, data: str | None, crops: int) -> Path:
    """Where the predictions of a run's model are kept: by its weights and by the pictures.

    data : the collection as config.choose_data takes it, None for simulated tiles; crops : how many it has on disk
    """
    assert run.card
    about = [run.card.sha256, run.card.temperature, str(data) if data else TILES, crops]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:20]
    return config.read_settings().cache / "answers" / name


def predict_examples(run: Run, data: str | None, out: Path, *, progress: Progress) -> PredictionSet:
    """Predictions of a run's model for simulated tiles, or for the test split of a collection, by a child process.

    Raises LemonsError: as the child's work does, or it wrote nothing
    """
    pictures = ["--data", str(data)] if data else ["--count", str(TILES)]
    arguments = ["--model", str(run.folder), "--out", str(out), *pictures]
    run_child("lemons_core.vision.evaluate.examples", arguments, progress=progress)
    predictions = read_predictions(out)
    if not predictions:
        raise ModelError("The model gave no predictions", where=str(run.folder))
    return predictions
