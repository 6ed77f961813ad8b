"""Where the CSVs lie below a data root: the one search for tables and images alike, whoever asks."""

from pathlib import Path, PurePosixPath

from lemons_core.dataset.sources.search import find_files


def find_tables(root: Path) -> list[str]:
    """Paths of all CSVs below `root`, the shorter first, then by name; what is passed over, see find_files.

    Raises DataError: the path of the root is not UTF-8
    """
    return sorted(find_files(root).csv_files, key=by_length)


def by_length(name: str) -> tuple[int, str]:
    """Sort key of a path below the root: fewer folders first, then by name."""
    return len(PurePosixPath(name).parts), name
