"""Heavy reading in a process of its own, so that its memory goes back when it is done.

The server stays small until someone classifies a scan: pandas and the simulator would double it. Besides, making the
demo data forks, which a threaded server must not do. The process is `python -m lemons_core.ui.shell.worker`.
"""

import sys
from dataclasses import replace
from typing import Any

from lemons_core.base.child import run_child, serve
from lemons_core.base.config import DataChoice, Origin, choose_data
from lemons_core.base.progress import Progress
from lemons_core.dataset.overview import Overview, Share, from_json


def read_overview(data: DataChoice, *, progress: Progress) -> Overview:
    """Overview of the data, read in a child process; the simulated demo data are written first when not there.

    Raises LemonsError: as read_collection does, or the child ended without an answer
    """
    return from_json(run_child("lemons_core.ui.shell.worker", [data.name], progress=progress))


def _read(name: str, progress: Progress) -> Any:
    from lemons_core.dataset.collection import read_collection, read_demo_marker
    from lemons_core.dataset.overview import build_overview, to_json
    from lemons_core.simulate.samples import simulated_samples

    data = choose_data(name)
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


if __name__ == "__main__":
    sys.exit(serve(lambda progress: _read(sys.argv[1], progress)))
