"""Heavy reading in a process of its own, so that its memory goes back when it is done.

The server stays small until someone classifies a scan: pandas and the simulator would double it. Besides, making the
demo data forks, which a threaded server must not do. The process is `python -m lemons_core.ui.shell.worker`.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lemons_core.base.child import run_child, serve
from lemons_core.base.config import DataChoice, Origin, choose_data
from lemons_core.base.io import write_atomic
from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.film import film_files
from lemons_core.dataset.overview import Overview, Share, from_json

# What a reading of the published case table gives before any image was fetched; a test proves that it is. Made by
# `python -m lemons_core.ui.shell.worker`.
READY = Path(__file__).with_name("published.json")


def read_overview(data: DataChoice, *, progress: Progress) -> Overview:
    """Overview of the data, read in a child process; the simulated demo data are written first when not there.

    Raises LemonsError: as read_collection does, or the child ended without an answer
    """
    ready, files = from_json(json.loads(READY.read_text("utf-8"))), film_files()
    if data.origin == Origin.PUBLISHED and not data.root.is_dir():
        # Nothing was fetched yet: the first page that a newcomer sees waits for nothing.
        seen = replace(ready, root=str(data.root))
    else:
        seen = from_json(run_child("lemons_core.ui.shell.worker", [data.name], progress=progress))
    films = (replace(film, file=str(files[film.case_id])) for film in ready.films if film.case_id in files)
    return replace(seen, films=tuple(films))


def _read(data: DataChoice, progress: Progress) -> dict[str, Any]:
    from lemons_core.dataset.collection import read_collection, read_demo_marker
    from lemons_core.dataset.overview import build_overview, to_json
    from lemons_core.simulate.samples import simulated_samples

    if data.origin == Origin.DEMO and read_demo_marker(data.root) is None:
        from lemons_core.simulate.demo.write import write_demo

        write_demo(data.root, progress=progress)
    seen = build_overview(read_collection(data, progress=progress))
    if seen.origin == Origin.PUBLISHED:
        crops, views = simulated_samples()
        seen = replace(seen, drawn=crops, drawn_views=views, notes_auc=_notes_auc())
    return to_json(seen)


def _notes_auc() -> Share | None:
    """Of the shipped note model that reads everything, on the official test split."""
    from lemons_core.notes.store import read_shipped_card

    scores = read_shipped_card("assessment").metrics["official"]
    return Share(*scores.auc, scores.n) if scores.auc else None


def write_ready(path: Path = READY) -> None:
    """Write what stands in READY; no path of this machine is in it."""
    from lemons_core.dataset.overview import film_samples
    from lemons_core.dataset.published import read_published

    with TemporaryDirectory() as empty:
        raw = _read(DataChoice(Origin.PUBLISHED, Path(empty)), no_progress)
        films = film_samples(read_published(Path(empty)).table)
    raw |= {"root": "", "films": [asdict(film) | {"file": ""} for film in films]}
    write_atomic(path, (json.dumps(raw, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    if not sys.argv[1:]:
        write_ready()
    else:
        sys.exit(serve(lambda progress: _read(choose_data(sys.argv[1]), progress)))
