"""Many pictures: an object for each, written down at once, so that a run that was interrupted goes on."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from lemons_core.base.config import read_settings
from lemons_core.base.errors import ImageError
from lemons_core.base.io import writing
from lemons_core.base.journal import append_record, read_journal, write_journal
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress
from lemons_core.images import Picture, read_image
from lemons_core.vision.detect.analysis import analyse_picture
from lemons_core.vision.network.weights import Model, read_model
from lemons_core.vision.record.describe import describe
from lemons_core.vision.record.findings import Analysis, AnalysisOptions, Refusal


class Writer(Protocol):
    """Makes files of an analysis, such as a report; it must pickle, since worker processes call it."""

    def write(self, analysis: Analysis | Refusal, picture: Picture, model: Model, scan: int) -> None:
        """Write what belongs to an analysis; `scan` is its number, for names that reveal nothing."""

    def is_written(self, record: dict[str, Any]) -> bool:
        """Whether everything that belongs to a record is there already."""


def predict_many(  # noqa: PLR0913 - one call of the command line, every option by keyword
    files: Sequence[Path],
    *,
    model: str | Path | None = None,
    options: AnalysisOptions | None = None,
    journal: Path | None = None,
    writer: Writer | None = None,
    jobs: int = 1,
    dask: str | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """One record a file, in the order of the files; one that cannot be read does not stop the others.

    files : pictures
    model : model folder; None for the one in use
    options : of every picture
    journal : file of JSON lines, a record each, written as they come. What it holds of the same file, unchanged, by
        the same options and model, is not done again. None: nothing is kept
    writer : makes more files of each analysis
    jobs : processes at a time; each reads the model once and takes one core
    dask : address of a Dask cluster whose workers see the same paths, instead of processes here
    progress : called with a share 0-1 and a few words
    Returns what `describe` gives, or `file` and `error`; beside it `scan`, a number from 1 that is kept when a run
    goes on, and `mark`, what the record was made of
    Raises ModelError: no usable model
        DataError: a file cannot be written, no Dask cluster answers, or a worker was killed
    """
    options = options or AnalysisOptions()
    model = Path(model or read_settings().model)  # here, since workers may have another environment
    sha256 = read_model(model).card.sha256
    marks = {str(file): _mark(file, options, sha256) for file in files}
    done = {  # the last record of a file counts
        name: record
        for name, record in {one["file"]: one for one in (read_journal(journal) if journal else ())}.items()
        if "error" not in record and record["mark"] == marks.get(name) and (not writer or writer.is_written(record))
    }
    free = iter(sorted(set(range(1, len(files) + 1)) - {record["scan"] for record in done.values()}))
    tasks = {str(file): (file, next(free)) for file in files if str(file) not in done}
    jobs = min(jobs, len(tasks))
    work = partial(_predict_one, model=model, options=options, writer=writer, alone=jobs == 1 and not dask)
    with writing("The results cannot be written"):
        if journal:
            journal.parent.mkdir(parents=True, exist_ok=True)
        for outcome in run_many(work, tasks, jobs=jobs, prefer="processes", dask=dask):
            name = outcome.name
            if isinstance(outcome.error, ImageError):
                record = {"file": name, "error": str(outcome.error), "scan": tasks[name][1]}
            else:
                record = outcome.get()
            done[name] = {**record, "mark": marks[name]}
            if journal:
                append_record(journal, done[name])
            if progress:
                progress(len(done) / len(files), f"{len(done):,} of {len(files):,} pictures")
        records = [done[str(file)] for file in files]
        if journal:  # in order, and without what another model or older files left
            write_journal(journal, records)
    return records


def _predict_one(
    task: tuple[Path, int], *, model: Path, options: AnalysisOptions, writer: Writer | None, alone: bool
) -> dict[str, Any]:
    """One picture; in a worker when not `alone`, where other workers have the other cores."""
    file, scan = task
    if not alone:
        torch.set_num_threads(1)
    known = read_model(model)
    picture = read_image(file)
    analysis = analyse_picture(picture, options, model=known)
    if writer:
        writer.write(analysis, picture, known, scan)
    return {**describe(analysis, known.card, str(file)), "scan": scan}


def _mark(file: Path, options: AnalysisOptions, sha256: str) -> dict[str, Any]:
    """What a record depends on. A file that is not there cannot be done before."""
    try:
        stat = file.stat()
    except OSError:
        return {}
    return {
        "bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "sha256": sha256,
        "kind": options.kind,
        "spacing_mm": options.spacing_mm,
        "min_score": options.min_score,
        "anyway": options.force,  # the name that journals have had from the beginning
    }
