"""Records written down one by one as JSON lines, so that work that was killed goes on where it stopped."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lemons_core.base.io import naming, write_atomic


def read_journal(path: Path) -> Iterator[Any]:
    """The whole records, in the order in which they were written; nothing without a file."""
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:  # empty, or being written when the process was killed
            continue


def append_record(path: Path, record: Any) -> None:
    """Add one record; the folder must exist.

    Raises OSError: it cannot be written; the error names `path`
    """
    # It begins with a line break, so that half a line of a killed process spoils itself only.
    with naming(path), path.open("ab") as file:
        file.write(b"\n" + json.dumps(record).encode())


def write_journal(path: Path, records: Iterable[Any]) -> None:
    """All records anew, whole or not at all."""
    write_atomic(path, b"".join(json.dumps(record).encode() + b"\n" for record in records))
