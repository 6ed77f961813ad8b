"""Where the CSVs lie below a data root: the one search for tables, whoever asks."""

import os
from pathlib import Path, PurePosixPath


def find_tables(root: Path) -> list[str]:
    """Paths of all CSVs below `root`, the shorter first, then by name.

    Hidden files and folders are passed over: macOS puts a `._name.csv` beside a table that is none. So are names that
    are not UTF-8 and links to nowhere. A linked folder is entered once, so that a link to a folder above ends there.
    """
    found = []
    entered: set[tuple[int, int]] = set()
    for folder, names, files in os.walk(root, followlinks=True):
        facts = Path(folder).stat()
        if (facts.st_dev, facts.st_ino) in entered:
            names.clear()
            continue
        entered.add((facts.st_dev, facts.st_ino))
        names[:] = sorted(filter(_is_seen, names))
        for name in filter(_is_seen, files):
            if name.lower().endswith(".csv") and Path(folder, name).is_file():
                found.append(Path(folder, name).relative_to(root).as_posix())
    return sorted(found, key=by_length)


def by_length(name: str) -> tuple[int, str]:
    """Sort key of a path below the root: fewer folders first, then by name."""
    return len(PurePosixPath(name).parts), name


def _is_seen(name: str) -> bool:
    """Neither hidden nor, by a surrogate for a stray byte, something other than UTF-8."""
    return not name.startswith(".") and not any("\ud800" <= sign <= "\udfff" for sign in name)
