"""All pictures of a collection to PNG: what is to do, who does it, and the record of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lemons_core.base.errors import DataError, ImageError
from lemons_core.base.io import atomic_path, write_atomic, writing
from lemons_core.base.journal import append_record, read_journal
from lemons_core.base.lock import only_one
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.collection import Collection
from lemons_core.dataset.convert.missing import Failure, find_missing
from lemons_core.dataset.convert.one import Task, convert_one

KINDS = ("crop", "view", "mask")
MANIFEST, JOURNAL, FAILURES = "manifest.parquet", "journal.jsonl", "failures.csv"
_UNFINISHED = ".*.part"  # what atomic_path calls a file until it is complete
RECIPE = 1  # raise it when the same picture gives another PNG, so that old ones are made anew

# Facts of one PNG: what convert_one returns, then what it was made from and how.
_FACTS = {
    "width": "int64", "height": "int64", "png_bits": "int64", "spacing_mm": "float64", "window_center": "float64",
    "window_width": "float64", "exact": "bool", "sha256": "str", "bytes": "int64", "source": "str",
    "source_bytes": "int64", "source_mtime_ns": "int64", "asked_bits": "int64", "asked_size": "Int64",
    "recipe": "int64",
}  # fmt: skip
_LABELS = (
    "case_id", "patient_id", "split", "laterality", "view", "abnormality_id", "lesion_id", "image_id", "morphology",
    "distribution", "breast_density", "assessment", "pathology", "subtlety", "calc_group", "calc_groups",
)  # fmt: skip

_Record = dict[str, Any]


@dataclass(frozen=True)
class ConversionOptions:
    """Which pictures to convert, and to what.

    kinds : some of KINDS
    bits : 16 keeps every stored value; 8 is windowed as the file asks, else over the range of its bits
    size : pixels of the longer side at most; None for native resolution
    """

    kinds: Sequence[str] = KINDS
    bits: int = 16
    size: int | None = None


LOSSLESS = ConversionOptions()


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    manifest : path of the manifest, one row for each case and kind
    converted, kept : PNGs made this time, and PNGs that were there already
    failures : files that should have been converted and were not; also in failures.csv
    absent : by kind, the rows that have no file on disk, which is no failure
    """

    manifest: Path
    converted: int
    kept: int
    failures: tuple[Failure, ...] = ()
    absent: Mapping[str, int] = field(default_factory=dict)

    @property
    def failure_list(self) -> Path:
        """Where the failures are listed, when there are any."""
        return self.manifest.with_name(FAILURES)


def convert_collection(
    collection: Collection,
    out: str | Path,
    *,
    options: ConversionOptions = LOSSLESS,
    jobs: int = 2,
    dask: str | None = None,
    progress: Progress = no_progress,
) -> Conversion:
    """Convert the pictures of the calcification rows to PNG below `out`.

    One folder a kind, names that a person can read: `crop/P_00038_L_CC_1_crop.png`. Each PNG appears under its name
    only when it is complete, and each is recorded at once, so that the same call after an interruption
    goes on and ends in the same bytes. A picture that is needed by two rows is converted once.

    collection : as read_collection gives it
    out : folder to write to; made when missing
    options : which pictures, how many bits, which size
    jobs : threads on this machine; they bound the memory, at a few times the largest picture each and far less at
        native 16 bit
    dask : address of a running Dask cluster whose workers see the same paths, instead of threads here
    progress : called with a share 0-1 and a few words
    Raises DataError: nothing to convert, another process converts to `out`, or it cannot be written
        LemonsError: `dask` is given and dask.distributed is not installed
    """
    out = Path(out).resolve()
    wanted = _plan(collection, out, options)
    failures, absent = find_missing(collection, options.kinds)
    if not wanted and not failures:
        raise _nothing_there(collection, options)
    with writing("The conversion cannot be written", out):
        for kind in options.kinds:
            (out / kind).mkdir(parents=True, exist_ok=True)
        with only_one(out):
            for part in out.rglob(_UNFINISHED):  # of a run that was killed
                part.unlink(missing_ok=True)
            done = _done_before(out)
            tasks = {file: task for file, task in wanted.items() if not _holds(done.get(file), task, collection)}
            kept = len(wanted) - len(tasks)
            # Threads do: packing, hashing and reading leave Python's lock to the others, and no process has to start.
            with closing(run_many(convert_one, tasks, jobs=jobs, dask=dask)) as outcomes:
                for number, outcome in enumerate(outcomes, start=1):
                    file, error = outcome.name, outcome.error
                    if isinstance(error, ImageError):
                        failures.append(_failure(tasks[file], error, collection))
                        done.pop(file, None)
                    else:
                        done[file] = {**_made_from(tasks[file], collection), **outcome.get()}
                        append_record(out / JOURNAL, [file, done[file]])
                    progress((kept + number) / len(wanted), f"{kept + number:,} of {len(wanted):,} pictures")
            failures.sort(key=lambda failure: (failure.file, failure.kinds))
            _write_manifest(collection, out, wanted, done)
            _write_failures(out / FAILURES, failures)
            (out / JOURNAL).unlink(missing_ok=True)
    converted = sum(file in done for file in tasks)
    return Conversion(out / MANIFEST, converted, kept, tuple(failures), absent)


def _nothing_there(collection: Collection, options: ConversionOptions) -> DataError:
    return DataError(
        f"No {' or '.join(options.kinds)} of a calcification is on disk",
        where=str(collection.root),
        todo=f"Of {len(collection.index.files):,} image files below this folder none belongs to a calcification row. "
        "`python -m lemons_core check` tells what is there, docs/data.md how to get the rest.",
    )


def _plan(collection: Collection, out: Path, options: ConversionOptions) -> dict[str, Task]:
    """Tasks by the name of their PNG below `out`."""
    tasks: dict[str, Task] = {}
    for kind, row in _pictures(collection, options.kinds):
        source = Path(row[f"{kind}_file"])
        stem = _stem(row, kind)
        number, file = 1, f"{kind}/{stem}.png"
        while file in tasks and tasks[file].source != source:  # two pictures that the table calls alike
            number += 1
            file = f"{kind}/{stem}_{number}.png"
        tasks[file] = Task(source, out / file, kind, options.bits, options.size)
    return tasks


def _pictures(collection: Collection, kinds: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, row) of every picture on disk, in the order of the table."""
    rows = collection.table.to_dict("records")
    return ((kind, row) for kind in kinds for row in rows if isinstance(row[f"{kind}_file"], str))


def _stem(row: dict[str, Any], kind: str) -> str:
    """Patient, side, view, abnormality, kind; nothing that a file system could take for a path."""
    names = ["patient_id", "laterality", "view", *(["abnormality_id"] if kind != "view" else [])]
    parts = ["unknown" if pd.isna(row[name]) else str(row[name]) for name in names]
    return re.sub(r"[^A-Za-z0-9_-]", "-", "_".join([*parts, kind]))


def _failure(task: Task, error: ImageError, collection: Collection) -> Failure:
    """What to say of a file that turned out to be unreadable."""
    rows = collection.table
    cases = rows.loc[rows[f"{task.kind}_file"] == str(task.source), "case_id"]
    return Failure(_below_root(task.source, collection), (task.kind,), tuple(cases), error.what)


def _below_root(source: Path, collection: Collection) -> str:
    return source.relative_to(collection.index.root).as_posix()


def _made_from(task: Task, collection: Collection) -> _Record:
    stat = task.source.stat()
    return {
        "source": _below_root(task.source, collection),
        "source_bytes": stat.st_size,
        "source_mtime_ns": stat.st_mtime_ns,
        "asked_bits": task.bits,
        "asked_size": task.size,
        "recipe": RECIPE,
    }


def _holds(record: _Record | None, task: Task, collection: Collection) -> bool:
    """Whether the PNG on disk is the one that the task asks for."""
    if record is None or not task.target.is_file():
        return False
    try:
        made_from = _made_from(task, collection)
    except OSError:  # deleted since it was indexed: the conversion will report it
        return False
    same = all(record[name] == value for name, value in made_from.items())
    return same and task.target.stat().st_size == record["bytes"]


def _done_before(out: Path) -> dict[str, _Record]:
    """What earlier calls have converted, by name: the manifest, then the journal of a call that did not end."""
    done: dict[str, _Record] = {}
    if (out / MANIFEST).is_file():
        try:
            rows = pd.read_parquet(out / MANIFEST, columns=["file", *_FACTS]).drop_duplicates("file")
        except (OSError, ValueError, KeyError) as error:
            todo = "Remove it: the pictures are then converted again."
            raise DataError("The manifest cannot be read", where=str(out / MANIFEST), todo=todo) from error
        rows = rows.astype(object).where(rows.notna(), None)
        done = {row.pop("file"): row for row in rows.to_dict("records")}
    return done | dict(read_journal(out / JOURNAL))


def _write_manifest(collection: Collection, out: Path, wanted: dict[str, Task], done: dict[str, _Record]) -> None:
    """One row for each case and kind, of this call and of earlier ones whose PNG is still there."""
    names = {(task.kind, str(task.source)): file for file, task in wanted.items()}
    earlier = {
        (file.partition("/")[0], str(collection.index.root / record["source"])): file
        for file, record in done.items()
        if file not in wanted and (out / file).is_file()
    }
    names = earlier | names
    rows = [
        {"file": file, "kind": kind, **done[file], **{name: row[name] for name in _LABELS}}
        for kind, row in _pictures(collection, KINDS)
        if (file := names.get((kind, row[f"{kind}_file"]))) in done
    ]
    table = pd.DataFrame(rows, columns=["file", "kind", *_LABELS, *_FACTS]).astype(_FACTS)
    with atomic_path(out / MANIFEST) as part, part.open("wb") as target:
        table.to_parquet(target, index=False)


def _write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """The list of failures, `|` between kinds and between cases; no file when there is none."""
    if not failures:
        path.unlink(missing_ok=True)
        return
    rows = [(one.file, "|".join(one.kinds), "|".join(one.cases), one.reason) for one in failures]
    text = pd.DataFrame(rows, columns=["file", "kinds", "cases", "reason"]).to_csv(index=False, lineterminator="\r\n")
    write_atomic(path, text.encode())
