"""Heavy reading in a process of its own, so that its memory goes back when it is done.

The server stays small until someone classifies a scan: pandas and the simulator would double it. Besides, making the
demo data forks, which a threaded server must not do. `python -m lemons_core.ui.shell.worker` speaks JSON, one object a line:
{"progress": [fraction, text]}, then {"overview": ...} or {"error": [what, where, todo]}.
"""

import json
import subprocess
import sys
from pathlib import Path

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.base.progress import Progress
from lemons_core.dataset.overview import Overview, from_json


def read_overview(root: Path, *, make_demo: bool, progress: Progress) -> Overview:
    """Overview of a data root, read in a child process.

    make_demo : write the simulated demo data to `root` first when it is not there

    Raises
    ------
    DataError : as read_collection does, or the child ended without an answer
    """
    command = [sys.executable, "-m", "lemons_core.ui.shell.worker", *(["--make-demo"] if make_demo else []), str(root)]
    home = Path(__file__).parents[3]  # so that the package is found from a plain clone, whatever the working folder
    with subprocess.Popen(
        command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as child:
        assert child.stdout and child.stderr
        for line in child.stdout:
            answer = json.loads(line)
            if "progress" in answer:
                progress(*answer["progress"])
            elif "error" in answer:
                what, where, todo = answer["error"]
                raise DataError(what, where=where, todo=todo)
            else:
                return from_json(answer["overview"])
        last = child.stderr.read().strip().splitlines()[-1:]
    raise DataError(
        f"Reading the data stopped without an answer{f': {last[0][:200]}' if last else ''}",
        where=str(root),
        todo="Try `python -m lemons_core cases` in a terminal to see what it says.",
    )


def _answer(**parts: object) -> None:
    print(json.dumps(parts), flush=True)


def _main(arguments: list[str]) -> None:
    from lemons_core.dataset.collection import read_collection, read_demo_marker
    from lemons_core.dataset.overview import build_overview, to_json
    from lemons_core.simulate.demo.demo import write_demo

    def progress(fraction: float, text: str) -> None:
        _answer(progress=[fraction, text])

    root = Path(arguments[-1])
    try:
        if "--make-demo" in arguments and read_demo_marker(root) is None:
            write_demo(root, progress=progress)
        overview = build_overview(
            read_collection(root, progress=progress), simulated=read_demo_marker(root) is not None
        )
        _answer(overview=to_json(overview))
    except LemonsError as error:
        _answer(error=[error.what, error.where, error.todo])
    except OSError as error:
        _answer(error=[f"The data cannot be read or written: {error.strerror}", str(error.filename or root),
                       "Check that the folder exists, may be written, and that the disk has room."])  # fmt: skip


if __name__ == "__main__":
    _main(sys.argv[1:])
