"""Heavy reading in a process of its own, so that its memory goes back when it is done.

The server stays small until someone classifies a scan: pandas and the simulator would double it. Besides, making the
demo data forks, which a threaded server must not do. The process is `python -m lemons_core.ui.shell.worker`.
"""

import sys
from pathlib import Path
from typing import Any

from lemons_core.base.child import run_child, serve
from lemons_core.base.progress import Progress
from lemons_core.dataset.overview import Overview, from_json


def read_overview(root: Path, *, make_demo: bool, progress: Progress) -> Overview:
    """Overview of a data root, read in a child process.

    make_demo : write the simulated demo data to `root` first when it is not there
    Raises LemonsError: as read_collection does, or the child ended without an answer
    """
    arguments = [*(["--make-demo"] if make_demo else []), str(root)]
    return from_json(run_child("lemons_core.ui.shell.worker", arguments, progress=progress))


def _read(arguments: list[str], progress: Progress) -> Any:
    from lemons_core.dataset.collection import read_collection, read_demo_marker
    from lemons_core.dataset.overview import build_overview, to_json

    root = Path(arguments[-1])
    if "--make-demo" in arguments and read_demo_marker(root) is None:
        from lemons_core.simulate.demo.write import write_demo

        write_demo(root, progress=progress)
    return to_json(build_overview(read_collection(root, progress=progress)))


if __name__ == "__main__":
    sys.exit(serve(lambda progress: _read(sys.argv[1:], progress)))
