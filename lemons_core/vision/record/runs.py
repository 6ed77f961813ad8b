"""Training runs on disk: what each was asked to do, how far it is and how well it does.

A run is the folder that `train --out` writes. Only its small text files are read here, and no learning library is
loaded, so a page can look at a run that another process is writing.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lemons_core.base import config
from lemons_core.base.errors import ModelError
from lemons_core.base.journal import read_journal
from lemons_core.base.terms import GROUPS
from lemons_core.vision.record.card import CARD_NAME, ModelCard, read_card
from lemons_core.vision.record.recipe import SPEED_ONLY

RUN_NAME = "run.json"
HISTORY_NAME = "history.jsonl"
STOP_NAME = "STOP"  # made by whoever wants the run to stop
LAUNCH_NAME = "launch.json"  # of a run that the app started: its command line and its process
LOG_NAME = "log.txt"  # and what that process printed
_NAMES = (RUN_NAME, HISTORY_NAME, CARD_NAME, LAUNCH_NAME)  # a folder with one of these is a run
SHIPPED = "shipped"  # the key of the model that comes with the product
STATES = ("running", "stopped", "finished", "failed")
# Best first: figures on pictures that chose nothing tell more than those that chose the best epoch.
MEASURED = ("test", "held_out", "validation")
GROUP_MEAN = "mean of the groups"  # instead of a label; not "macro", which is one of the groups
_FRESH_SECONDS = 60  # a run that wrote this lately is alive, whatever its command line says


@dataclass(frozen=True)
class Run:
    """One run, as its folder has it.

    key : unique name, fit for an address
    state : one of STATES
    record : what `run.json` holds: recipe, data, started, epoch, step...; empty for a folder without one
    launch : what `launch.json` holds: arguments, pid, started; empty for a run that the app did not start
    history : the lines of `history.jsonl`, an epoch each
    card : None until an epoch is kept, or when the card cannot be read
    fault : what could not be read, or why the run failed; "" when all is well
    """

    key: str
    folder: Path
    state: str
    record: dict[str, Any] = field(default_factory=dict)
    launch: dict[str, Any] = field(default_factory=dict)
    history: tuple[dict[str, Any], ...] = ()
    card: ModelCard | None = None
    fault: str = ""

    @property
    def recipe(self) -> dict[str, Any]:
        """The settings, from the record, else from the card."""
        found = self.record.get("recipe") or (self.card.training.get("recipe") if self.card else None)
        return {name: found[name] for name in found if name not in SPEED_ONLY} if isinstance(found, dict) else {}

    @property
    def data(self) -> str:
        """What it learns from, in a few words."""
        return self.card.trained_on if self.card else str(self.record.get("data") or "not stated")

    @property
    def epochs(self) -> int:
        """Epochs that were asked for; 0 when nobody wrote it down."""
        return int(self.recipe.get("epochs") or 0)

    @property
    def done(self) -> float:
        """Share of the steps that are done, 0-1."""
        if not self.epochs:
            return float(self.state == "finished")
        part = _number(self.record, "step") / max(_number(self.record, "steps"), 1)
        return min((max(_number(self.record, "epoch"), len(self.history)) + part) / self.epochs, 1.0)

    @property
    def seconds_left(self) -> float | None:
        """How long the steps that are left take at its present speed; None before it has one."""
        speed = _number(self.record, "images_per_second")
        images = self.epochs * _number(self.record, "steps") * _number(self.recipe, "batch")
        return (1 - self.done) * images / speed if speed and images else None

    @property
    def pid(self) -> int | None:
        """The process that works on it, None when none does."""
        return next((held["pid"] for held in (self.record, self.launch) if is_running(held, self.folder)), None)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and is still at work."""
        return self.state == "running" and (self.folder / STOP_NAME).exists()

    @property
    def measured(self) -> tuple[str, dict[str, Any]] | None:
        """The best figures there are, and on what: of the card, else of the last epoch."""
        metrics = self.card.metrics if self.card else {}
        for name in dict.fromkeys((*MEASURED, *metrics)):
            found = metrics.get(name)
            if isinstance(found, dict) and found.get("labels"):
                return name, found
        last = next((line["validation"] for line in reversed(self.history) if line.get("validation")), None)
        return ("validation", last) if last else None


def find_runs() -> list[Run]:
    """The shipped model, then the runs below LEMONS_RUNS (or `runs` in the cache) and `./runs`, last written first."""
    settings = config.read_settings()
    found = [settings.model.resolve()] if settings.model != config.SHIPPED_MODEL and _is_run(settings.model) else []
    for parent in (settings.runs, Path("runs")):
        found += [child.resolve() for child in parent.iterdir() if _is_run(child)] if parent.is_dir() else []
    runs, taken = [read_run(config.SHIPPED_MODEL, key=SHIPPED)], {SHIPPED}
    for folder in sorted(dict.fromkeys(found), key=_touched, reverse=True):
        key, number = folder.name, 2
        while key in taken:
            key, number = f"{folder.name}-{number}", number + 1
        taken.add(key)
        runs.append(read_run(folder, key=key))
    return runs


def read_run(folder: Path, *, key: str | None = None) -> Run:
    """One run; a damaged file is named in `fault`, and the rest is read all the same."""
    faults: list[str] = []
    held: list[dict[str, Any]] = []
    for name in (RUN_NAME, LAUNCH_NAME):
        try:
            held.append(read_object(folder / name))
        except (OSError, ValueError):
            held.append({})
            faults.append(f"{name} cannot be read.")
    record, launch = held
    card = None
    if (folder / CARD_NAME).is_file():
        try:
            card = read_card(folder)
        except ModelError as error:
            faults.append(str(error))
    state = _state_of(folder, record, launch, has_card=card is not None)
    if state == "failed":
        faults.append(str(record.get("error") or "The process ended before its first step; its log says why."))
    # An epoch's line may be half written.
    lines = (line for line in read_journal(folder / HISTORY_NAME) if isinstance(line, dict) and "epoch" in line)
    return Run(key or folder.name, folder, state, record, launch, tuple(lines), card, " ".join(faults))


def _state_of(folder: Path, record: dict[str, Any], launch: dict[str, Any], *, has_card: bool) -> str:
    if is_running(record, folder) or is_running(launch, folder):
        return "running"
    if launch and not record:
        return "stopped" if (folder / STOP_NAME).exists() else "failed"
    state = str(record.get("state"))
    if state in STATES and state != "running":
        return state
    return "stopped" if record or not has_card else "finished"  # a process that was killed could not say so


def is_running(record: dict[str, Any], folder: Path) -> bool:
    """Whether the process that the record names is alive and is this run, not another that got its number since."""
    pid = record.get("pid")
    if not isinstance(pid, int) or record.get("state", "running") != "running":
        return False
    words = command_of(pid)
    ours = "lemons_core" in words and "train" in words and ("--out" not in words or folder.name in words)
    return ours or (bool(words) and _age(record) < _FRESH_SECONDS)


def command_of(pid: int) -> str:
    """The command line of a living process, "" when there is none.

    A process that has ended, but that its parent has not asked for yet, counts as none.
    """
    if os.name == "nt":
        query = f'(Get-CimInstance Win32_Process -Filter "ProcessId={pid}").CommandLine'
        command = ["powershell", "-NoProfile", "-Command", query]
    elif Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    else:
        command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def auc_of(figures: dict[str, Any], label: str) -> list[float] | None:
    """The AUC of one label, [value, low, high] in 0-1; None when it was not measured.

    GROUP_MEAN is the mean of the groups that were measured, [value].
    """
    if label != GROUP_MEAN:
        row = figures.get("labels", {}).get(label) or {}
        return row.get("auc") or None
    known = [found[0] for group in GROUPS if (found := auc_of(figures, str(group)))]
    return [sum(known) / len(known)] if known else None


def recipe_differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Setting -> its value in each run (None: not stated), for those settings in which the runs differ."""
    recipes = [{"data": run.data} | run.recipe for run in runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    table = {name: [recipe.get(name) for recipe in recipes] for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def log_of(run: Run) -> str:
    """The last twelve lines that the process of a run said, "" when nothing is kept."""
    try:
        text = (run.folder / LOG_NAME).read_text("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-12:])


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _NAMES)


def _touched(folder: Path) -> float:
    return max((folder / name).stat().st_mtime for name in _NAMES if (folder / name).is_file())


def _number(held: dict[str, Any], name: str) -> float:
    value = held.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, {} when there is none; raises OSError or ValueError when it cannot be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no JSON object")
    return found


def _age(record: dict[str, Any]) -> float:
    """Seconds since the run last wrote its record; infinite when it does not say."""
    try:
        when = datetime.fromisoformat(str(record["updated"]))
    except (KeyError, ValueError):
        return float("inf")
    return (datetime.now(UTC) - when.replace(tzinfo=when.tzinfo or UTC)).total_seconds()
