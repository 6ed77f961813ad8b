"""A report in five facts that its reader can act on: found, used, skipped, wrong, to do next."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import pandas as pd

from lemons_core.base.config import Origin, choose_data
from lemons_core.dataset.collection import Collection
from lemons_core.dataset.join import FILE_COLUMNS
from lemons_core.dataset.quality.faults import Fault, FaultKind, count_words
from lemons_core.dataset.sources.layouts import detect_layouts

_PROGRAM = "python -m lemons_core"
_NAMED = 3  # kinds of fault that a line names


class Unused(StrEnum):
    """What was seen and is not used; the first word is the one that has a plural."""

    UNREADABLE = "file that cannot be read"
    NO_ROW = "image without row"
    SPARE = "image beside the one in use"


class NextStep(StrEnum):
    """The most useful thing to do, from nothing there to everything there."""

    GET_TABLES = "get the calcification tables"
    GET_IMAGES = "get images"
    GET_AGAIN = "download unreadable files again"
    GET_CROPS = "get the other crops"
    USE = "train or convert"


@dataclass(frozen=True)
class Summary:
    """Five facts of a collection.

    tables, rows : case tables that are read, and their rows, masses too
    images : image files by layout
    used : calcification rows (`rows`), and how many of them have a `view`, a `crop`, a `mask` on disk
    skipped : what was seen and is not used, by kind
    wrong : faults by kind, the most frequent first; images that were never fetched are none
    step, commands : what to do next, and the commands that do it
    """

    tables: int
    rows: int
    images: Mapping[str, int]
    used: Mapping[str, int]
    skipped: Mapping[str, int]
    wrong: Mapping[FaultKind, int]
    step: NextStep
    commands: tuple[str, ...]

    def lines(self) -> dict[str, str]:
        """The five facts in words, by name."""
        skipped = (_count(n, *kind.split(" ", 1)) for kind, n in self.skipped.items())
        return {
            "found": self._found(),
            "used": self._used(),
            "skipped": ", ".join(skipped) or "nothing",
            "wrong": self._wrong(),
            "to do next": self._to_do(),
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "found": {"tables": self.tables, "rows": self.rows, "images": dict(self.images)},
            "used": dict(self.used),
            "skipped": dict(self.skipped),
            "wrong": {str(kind): n for kind, n in self.wrong.items()},
            "to_do_next": {"step": str(self.step), "commands": list(self.commands)},
        }

    def _found(self) -> str:
        tables = f"{_count(self.rows, 'row')} in {_count(self.tables, 'table')}"
        if not self.images:
            return f"{tables}, no image"
        several = len(self.images) > 1
        layouts = ", ".join(f"{n:,} {layout}" if several else layout for layout, n in self.images.items())
        return f"{tables}, {_count(sum(self.images.values()), 'image')}: {layouts}"

    def _used(self) -> str:
        rows = self.used["rows"]
        if not rows:
            return "nothing: there is no calcification row"
        parts = [f"{n:,} with a {kind}" for kind, n in self.used.items() if kind != "rows"]
        if not any(n for kind, n in self.used.items() if kind != "rows"):
            parts = ["all as text only"]
        return f"{_count(rows, 'calcification row')}, {', '.join(parts)}"

    def _wrong(self) -> str:
        first = dict(islice(self.wrong.items(), _NAMED))
        words = [count_words(kind, n) for kind, n in first.items()]
        rest = sum(self.wrong.values()) - sum(first.values())
        return ", ".join([*words, f"{rest:,} more"] if rest else words) or "nothing"

    def _to_do(self) -> str:
        commands = [f"`{command}`" for command in _short(self.commands)]
        match self.step:
            case NextStep.GET_TABLES:
                return "put the two tables calc_case_description_*_set.csv below this folder"
            case NextStep.GET_IMAGES:
                return f"get one case with {commands[0]}, or all crops with {commands[1]}"
            case NextStep.GET_AGAIN:
                n = self.skipped[Unused.UNREADABLE]
                files = _count(n, "unreadable file")
                return f"download {files} again; {commands[0]} names {'it' if n == 1 else 'them'}"
            case NextStep.GET_CROPS:
                crops = _count(self.used["rows"] - self.used["crop"], "crop")
                return f"get the other {crops} with {commands[0]}"
            case NextStep.USE:
                return f"train a model with {commands[0]}, or write PNG files with {commands[1]}"


def summarise(collection: Collection, rows: pd.DataFrame, faults: Sequence[Fault]) -> Summary:
    """The five facts of a collection.

    rows : all rows of its tables with the columns of join_files
    faults : of these rows
    """
    paths = collection.index.files["path"].tolist()
    layouts = collection.layouts
    if len(layouts) > 1:
        counted = Counter(layout for path in paths for layout in detect_layouts(collection.index.root, [path]))
        images = {str(layout): n for layout, n in counted.most_common()}
    else:
        images = {str(layout): len(paths) for layout in layouts}
    used = {"rows": len(collection.table)}
    used |= {column.removesuffix("_file"): collection.count(column) for column in FILE_COLUMNS}
    skipped = count_skipped(rows, collection, faults)
    # What most rows lack has no case of its own: it was not fetched, which is no fault of the copy.
    wrong = Counter(f.kind for f in faults if not (f.kind == FaultKind.ROW_WITHOUT_IMAGE and f.case is None))
    step = _next_step(used, skipped, collection.origin)
    return Summary(
        tables=rows["source_file"].nunique(),
        rows=len(rows),
        images=images,
        used=used,
        skipped=skipped,
        wrong=dict(wrong.most_common()),
        step=step,
        commands=tuple(f"{_PROGRAM} {words}" for words in _commands(step, collection)),
    )


def count_skipped(rows: pd.DataFrame, collection: Collection, faults: Sequence[Fault]) -> dict[str, int]:
    """What was seen below the root and is not used, by kind; kinds that were not met are left out."""
    kinds = Counter(fault.kind for fault in faults)
    skipped = {
        Unused.UNREADABLE: kinds[FaultKind.UNREADABLE],
        Unused.NO_ROW: kinds[FaultKind.IMAGE_WITHOUT_ROW],
    }
    told = {fault.file for fault in faults if fault.kind in (FaultKind.UNREADABLE, FaultKind.IMAGE_WITHOUT_ROW)}
    used = {path for column in FILE_COLUMNS for path in rows[column].dropna()}
    index = collection.index
    paths = (path for path in index.files["path"].tolist() if path not in told)
    skipped[Unused.SPARE] = sum(str(index.root / path) not in used for path in paths)
    counted = Counter({str(kind): n for kind, n in skipped.items() if n > 0})
    for one in index.skipped:
        counted[str(one.kind)] += one.count
    return dict(counted)


def _next_step(used: Mapping[str, int], skipped: Mapping[str, int], origin: Origin) -> NextStep:
    if not used["rows"]:
        return NextStep.GET_TABLES
    if Unused.UNREADABLE in skipped:
        return NextStep.GET_AGAIN
    if not (used["view"] or used["crop"]):
        return NextStep.GET_IMAGES
    # A part of the collection is enough to work with; less than half of its crops rarely is what somebody wanted.
    if 2 * used["crop"] < used["rows"] and origin != Origin.DEMO:
        return NextStep.GET_CROPS
    return NextStep.USE


def _commands(step: NextStep, collection: Collection) -> list[str]:
    """What `step` needs, as it is typed after `python -m lemons_core`."""
    data = collection.data
    name = shlex.quote(data.name if choose_data(data.name) == data else str(data.root))
    # One case joins the published table by itself; a whole collection is a folder of its own.
    out = f" --out {name}" if data.origin == Origin.FOLDER else ""
    match step:
        case NextStep.GET_TABLES:
            return []
        case NextStep.GET_IMAGES:
            named = collection.table[["patient_id", "laterality", "view"]].dropna()
            case = " ".join(named.iloc[0]) if len(named) else "PATIENT SIDE VIEW"
            return [f"fetch case {case}{out}", f"fetch crops{out}"]
        case NextStep.GET_AGAIN:
            return [f"check --data {name} --json"]
        case NextStep.GET_CROPS:
            return [f"fetch crops{out}"]
        case NextStep.USE:
            return [f"train --data {name}", f"convert --data {name} --out png"]


def _short(commands: Sequence[str]) -> list[str]:
    """The first in full, ready to be copied; of the others only what they are called."""
    return [*commands[:1], *(command.removeprefix(f"{_PROGRAM} ").split(" --")[0] for command in commands[1:])]


def _count(number: int, word: str, rest: str = "") -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'} {rest}".rstrip()
