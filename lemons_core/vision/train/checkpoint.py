"""The folder of a training run as the training writes it: record, history, checkpoint, and the request to stop.

    run.json        what was requested, how far it is and who works on it; lemons_core.vision.record.runs reads it
    history.jsonl   one line an epoch
    checkpoint.pt   all that the training needs to go on; removed at the end
    STOP            made by whoever wants the run to stop after its step

Every file appears whole or not at all, so that a process can be killed at any moment.
"""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, BinaryIO

import torch

from lemons_core.base.errors import DataError
from lemons_core.base.io import atomic_path, write_atomic
from lemons_core.base.journal import read_journal, write_journal
from lemons_core.vision.record.card import CARD_NAME, WEIGHTS_NAME
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.record.runs import HISTORY_NAME, RUN_NAME, STOP_NAME, is_running, read_object

CHECKPOINT_NAME = "checkpoint.pt"
_OLD_NAMES = {"place": "state"}  # in checkpoints that were written before
_SECONDS = 2.0  # between two updates of the record while an epoch runs


@dataclass
class TrainState:
    """How far a run is.

    epoch, step : epochs done, and steps done in the one after
    loss, seconds : sums over those steps
    best, best_epoch : highest validation score, and when it was reached
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = 0


class RunFolder:
    """The folder of one run. Only the main one of several processes writes to it."""

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        self.record: dict[str, Any] = {}
        self._written = 0.0

    def open(self, data: str, recipe: Recipe, *, restart: bool = False) -> None:
        """Begin a run, or go on with the one that is here.

        Raises DataError: the folder holds another run, or a process is at work on this one
        """
        if not self.writes:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        requested = {"recipe": recipe.facts, "data": data}
        path = self.folder / RUN_NAME
        try:
            before = read_object(path)
        except (OSError, ValueError) as error:
            if not restart:
                raise DataError("The record of the run cannot be read", where=str(path), todo=_OTHER) from error
            before = {}
        if before.get("pid") != os.getpid() and is_running(before, self.folder):
            raise DataError(
                f"Process {before['pid']} is at work on this run",
                where=str(self.folder),
                todo="Stop it first, or choose another folder for --out.",
            )
        (self.folder / STOP_NAME).unlink(missing_ok=True)
        if restart:
            for name in (RUN_NAME, HISTORY_NAME, CHECKPOINT_NAME, CARD_NAME, WEIGHTS_NAME):
                (self.folder / name).unlink(missing_ok=True)
            before = {}
        if not before and (self.folder / CARD_NAME).exists():
            raise DataError("The folder holds a model already", where=str(self.folder), todo=_OTHER)
        other = _differences(before, requested) if before else ""
        if other:
            raise DataError(f"The folder holds another run: {other}", where=str(self.folder), todo=_OTHER)
        self.record = {"started": _now()} | before | requested
        self.record.pop("error", None)
        if not self.finished:
            self.note(state="running", pid=os.getpid())

    @property
    def finished(self) -> bool:
        return self.record.get("state") == "finished"

    def note(self, **facts: Any) -> None:
        """Add to the record and write it."""
        if self.writes:
            self.record |= facts | {"updated": _now()}
            write_atomic(self.folder / RUN_NAME, (json.dumps(self.record, indent=2) + "\n").encode())
            self._written = monotonic()

    def due(self) -> bool:
        """Whether the record has not been written for a while."""
        return monotonic() - self._written > _SECONDS

    def add_epoch(self, line: dict[str, Any]) -> None:
        """One line of history. An epoch that was done before, and lost with its process, does not stand twice."""
        if self.writes:
            path = self.folder / HISTORY_NAME
            write_journal(path, [*islice(read_journal(path), line["epoch"] - 1), line])

    def save(self, state: TrainState, parts: dict[str, Any]) -> None:
        """Write the checkpoint.

        parts : states of network, optimiser and the like
        Raises OSError: it cannot be written
        """
        if self.writes:
            with atomic_path(self.folder / CHECKPOINT_NAME) as part, part.open("wb") as file:
                _save({"state": vars(state), "rng": torch.get_rng_state()} | parts, file)

    def load(self) -> dict[str, Any] | None:
        """The checkpoint, or None at the beginning of a run.

        Raises DataError: it is damaged
        """
        path = self.folder / CHECKPOINT_NAME
        if not path.exists():
            return None
        try:
            held: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError("The checkpoint cannot be read", where=str(path), todo="Begin anew: --restart.") from error
        return {_OLD_NAMES.get(name, name): value for name, value in held.items()}

    def finish(self) -> None:
        (self.folder / CHECKPOINT_NAME).unlink(missing_ok=True)
        self.note(state="finished")


_OTHER = "Choose another folder for --out, or begin anew: --restart."


class StopRequest:
    """Whether someone wants the run to stop: by the file STOP, by SIGTERM, or by Ctrl-C."""

    def __init__(self, folder: Path) -> None:
        self.file, self.signalled = folder / STOP_NAME, False

    def __bool__(self) -> bool:
        return self.signalled or self.file.exists()

    @contextmanager
    def listen(self) -> Iterator["StopRequest"]:
        """Catch the signals meanwhile; a second one ends the process at once, as usual."""
        if threading.current_thread() is not threading.main_thread():  # Python hands signals to the main one only
            yield self
            return
        before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def stop(number: int, frame: FrameType | None) -> None:
            self.signalled = True
            signal.signal(number, before[number])

        for number in before:
            signal.signal(number, stop)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def ignore_signals(worker: int) -> None:
    """For a process that prepares images: it ends with its parent, not by the parent's handlers."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _save(held: dict[str, Any], file: BinaryIO) -> None:
    """torch.save, which tells a full disk as an error of its own: the system's is behind it."""
    try:
        torch.save(held, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _differences(before: dict[str, Any], requested: dict[str, Any]) -> str:
    """Settings in which a run differs from what is requested; one that is younger than the run had its default then."""
    old = {"data": before.get("data")} | Recipe().facts | dict(before.get("recipe") or {})
    new = {"data": requested["data"]} | requested["recipe"]
    return "; ".join(f"{name} {old.get(name)}, not {new.get(name)}" for name in new if old.get(name) != new.get(name))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
