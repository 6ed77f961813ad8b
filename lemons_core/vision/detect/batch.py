"""Many pictures: an object for each, written down at once, so that a run that was interrupted goes on."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from lemons_core.base.config import read_settings
from lemons_core.base.errors import DataError, ImageError
from lemons_core.base.io import write_atomic
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress
from lemons_core.images import read_image
from lemons_core.vision.detect.analysis import Answer, answer_for, describe_answer
from lemons_core.vision.detect.detector import MIN_SCORE
from lemons_core.vision.network.weights import Model, read_model


@dataclass(frozen=True)
class Asked:
    """What is asked of every picture.

    kind : "view" or "crop"; None: told from the picture
    spacing_mm : pixel spacing of pictures that do not state one; None: estimated
    anyway : go on with a picture that is refused
    """

    kind: str | None = None
    spacing_mm: float | None = None
    min_score: float = MIN_SCORE
    anyway: bool = False


class Writer(Protocol):
    """Makes files of an answer, such as a report; it must pickle, since worker processes call it."""

    def write(self, answer: Answer, model: Model, scan: int) -> None:
        """Write what belongs to an answer; `scan` is its number, for names that tell nothing."""

    def is_written(self, record: dict[str, Any]) -> bool:
        """Whether everything that belongs to a record is there already."""


def predict_many(
    files: Sequence[Path],
    *,
    model: str | Path | None = None,
    asked: Asked | None = None,
    journal: Path | None = None,
    writer: Writer | None = None,
    jobs: int = 1,
    dask: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """One record a file, in the order of the files; one that cannot be read does not stop the others.

    Parameters
    ----------
    files : pictures
    model : model folder; None for the one in use
    asked : of every picture
    journal : file of JSON lines, a record each, written as they come. What it holds of the same file, unchanged, asked
        the same of the same model, is not done again. None: nothing is kept
    writer : makes more files of each answer
    jobs : processes at a time; each reads the model once and takes one core
    dask : address of a Dask cluster whose workers see the same paths, instead of processes here
    progress : called with a share 0-1 and a few words

    Returns
    -------
    what `describe` gives, or `file` and `error`; beside it `scan`, a number from 1 that is kept when a run goes on,
    and `mark`, what the record was made of

    Raises
    ------
    ModelError : no usable model
    DataError : a file cannot be written, no Dask cluster answers, or a worker was killed
    """
    asked = asked or Asked()
    model = Path(model or read_settings().model)  # here, since workers may have another environment
    sha256 = read_model(model).card.sha256
    marks = {str(file): _mark(file, asked, sha256) for file in files}
    done = {
        name: record
        for name, record in _read_journal(journal).items()
        if "error" not in record and record["mark"] == marks.get(name) and (not writer or writer.is_written(record))
    }
    free = iter(sorted(set(range(1, len(files) + 1)) - {record["scan"] for record in done.values()}))
    tasks = {str(file): (file, next(free)) for file in files if str(file) not in done}
    jobs = min(jobs, len(tasks))
    work = partial(_predict_one, model=model, asked=asked, writer=writer, alone=jobs == 1 and not dask)
    try:
        if journal:
            journal.parent.mkdir(parents=True, exist_ok=True)
        for outcome in run_many(work, tasks, jobs=jobs, prefer="processes", dask=dask):
            name, record = outcome.name, outcome.get()
            done[name] = {**record, "mark": marks[name]}
            if journal:
                _append(journal, done[name])
            if progress:
                progress(len(done) / len(files), f"{len(done):,} of {len(files):,} pictures")
        records = [done[str(file)] for file in files]
        if journal:  # in order, and without what another model or older files left
            write_atomic(journal, b"".join(json.dumps(record).encode() + b"\n" for record in records))
    except OSError as error:
        raise DataError(
            f"It cannot be written: {error.strerror}", where=str(error.filename), todo="Choose another place."
        ) from error
    return records


def _predict_one(
    task: tuple[Path, int], *, model: Path, asked: Asked, writer: Writer | None, alone: bool
) -> dict[str, Any]:
    """One picture; in a worker when not `alone`, where other workers have the other cores."""
    file, scan = task
    if not alone:
        torch.set_num_threads(1)
    known = read_model(model)
    try:
        answer = answer_for(read_image(file), model=known, **asdict(asked))
    except ImageError as error:
        return {"file": str(file), "error": str(error), "scan": scan}
    if writer:
        writer.write(answer, known, scan)
    return {**describe_answer(answer, known.card, str(file)), "scan": scan}


def _mark(file: Path, asked: Asked, sha256: str) -> dict[str, Any]:
    """What a record depends on. A file that is not there cannot be done before."""
    try:
        stat = file.stat()
    except OSError:
        return {}
    return {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256, **asdict(asked)}


def _read_journal(journal: Path | None) -> dict[str, dict[str, Any]]:
    """Records by file; the last of a file counts."""
    found = {}
    lines = journal.read_bytes().split(b"\n") if journal and journal.is_file() else []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:  # empty, or being written when the run was killed
            continue
        found[record["file"]] = record
    return found


def _append(journal: Path, record: dict[str, Any]) -> None:
    # It begins with a line break, so that half a line of a killed run spoils itself only.
    with journal.open("ab") as file:
        file.write(b"\n" + json.dumps(record).encode())
