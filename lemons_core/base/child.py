"""Work in a process of its own, which gives its memory back at its end; both sides speak JSON, an object a line.

The child prints {"progress": [share, text]} as often as it likes, then {"result": ...} or {"error": [what, where,
todo]}. Its module ends with `sys.exit(serve(work))`; the parent calls `run_child`.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lemons_core.base.config import HOME
from lemons_core.base.errors import LemonsError
from lemons_core.base.io import file_error
from lemons_core.base.progress import Progress


def run_child(module: str, arguments: Sequence[str], *, progress: Progress) -> Any:
    """Run `python -m module arguments` and return what its `serve` sent.

    Raises LemonsError: as the child's work does, or the child ended without an answer
    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        child = subprocess.Popen(
            command, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except OSError as error:
        raise file_error(error, "No process can be started", where=module) from error
    with child:
        assert child.stdout and child.stderr
        try:
            for line in child.stdout:
                message = _message(line)
                if "progress" in message:
                    progress(*message["progress"])
                elif "error" in message:
                    what, where, todo = message["error"]
                    raise LemonsError(what, where=where, todo=todo)
                elif "result" in message:
                    return message["result"]
            last = child.stderr.read().strip().splitlines()[-1:]
        finally:
            child.terminate()  # it has ended, unless `progress` ended the work
    raise LemonsError(
        f"The process stopped without an answer{f': {last[0][:200]}' if last else ''}",
        where=module,
        todo="Try it again; the terminal of the server may tell more.",
    )


def serve(work: Callable[[Progress], Any]) -> int:
    """The child's side: do the work, send its result or its error; returns the exit status.

    Told to end, it cleans up as after an interruption.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _send(result=work(lambda fraction, text: _send(progress=[fraction, text])))
        return 0
    except LemonsError as error:
        _send(error=[error.what, error.where, error.todo])
    except OSError as error:
        told = file_error(error)
        _send(error=[told.what, told.where, told.todo])
    except KeyboardInterrupt:
        return 130
    return 1


def _send(**parts: object) -> None:
    print(json.dumps(parts), flush=True)


def _message(line: str) -> dict[str, Any]:
    """A line of the child; what a library printed in between is no message."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
