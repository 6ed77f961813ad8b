"""Pictures that cannot say themselves which series they are of: their folder says it, or the JPEG mirror's table."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pandas as pd

from lemons_core.dataset.sources.facts import FileFormat, described_as
from lemons_core.dataset.sources.search import series_of_folder

INFO = "dicom_info.csv"
_NEEDED = ("image_path", "SeriesInstanceUID")  # by these the table is known under any name
_HINTS = ("SeriesDescription", "InstanceNumber")
_LONGEST_HEADER = 1 << 14


class MirrorKind(StrEnum):
    """What is wrong with the table of the JPEG mirror."""

    MISSING = "table of the JPEG mirror is missing"
    RENAMED = "table of the JPEG mirror has another name"
    DOUBLED = "second table of the JPEG mirror"
    NO_COLUMN = "table of the JPEG mirror lacks a column"
    UNREADABLE = "table of the JPEG mirror cannot be read"
    INCOMPLETE = "table of the JPEG mirror lacks pictures"


@dataclass(frozen=True, slots=True)
class MirrorProblem:
    """One fault of the JPEG mirror's table; it never stops the reading.

    kind : what it is
    file : the table, below the data root; None where there is none
    what : what is wrong
    action : what was done about it
    """

    kind: MirrorKind
    file: str | None
    what: str
    action: str


@dataclass(frozen=True, slots=True)
class _Info:
    """What one row of the table says of a picture."""

    series: str | None = None
    described: str | None = None
    instance: int | None = None


def add_series(
    files: pd.DataFrame, root: Path, csv_files: Iterable[str]
) -> tuple[pd.DataFrame, tuple[MirrorProblem, ...]]:
    """Fill in the series of JPEG, PNG and TIFF files: the name of their folder, or what the mirror's table says.

    The paths of the table begin at the mirror's own root. They are never opened: a file found below `root` is matched
    by folder and name, so that no path can lead anywhere else.
    Returns the table of files, and what is wrong with the mirror's table
    """
    rasters = files["format"] != str(FileFormat.DICOM)
    if not rasters.any():
        return files, ()
    jpeg = files["format"] == str(FileFormat.JPEG)
    problems: list[MirrorProblem] = []
    table = _read_tables(root, csv_files, problems) if jpeg.any() else {}
    facts = [_facts_of(path, table) for path in files.loc[rasters, "path"]]
    problems.extend(_left_out(files.loc[jpeg, "path"].tolist(), table, problems))
    files = files.copy()
    for column, kind in (("series", "string"), ("described", "string"), ("instance", "Int64")):
        files.loc[rasters, column] = pd.array([getattr(fact, column) for fact in facts], dtype=kind)
    return files, tuple(problems)


def _facts_of(path: str, table: dict[str, _Info]) -> _Info:
    """The table's word for the series, unless it is missing or breaks off in the middle of the folder's name."""
    info, folder = table.get(_key(path), _Info()), series_of_folder(path)
    named = folder if folder and (info.series is None or folder.startswith(info.series)) else info.series
    return _Info(named, info.described, info.instance)


def _key(path: str) -> str:
    """Folder and name, all that a path of the table and a path on disk have in common."""
    return "/".join(path.replace("\\", "/").lower().split("/")[-2:])


def _read_tables(root: Path, csv_files: Iterable[str], problems: list[MirrorProblem]) -> dict[str, _Info]:
    """What the tables of the mirror say, by folder and name of a picture; the first has the last word."""
    found: dict[str, _Info] = {}
    first = None
    named = sorted(csv_files, key=lambda path: (_name(path) != INFO, path.count("/"), path))
    for file in named:
        try:
            header = _read_header(root / file)
            if _name(file) != INFO and not set(_NEEDED) <= set(header):
                continue
            if missing := [column for column in (*_NEEDED, *_HINTS) if column not in header]:
                problems.append(_without(file, missing[0]))
            if _NEEDED[0] not in header:
                continue
            rows = dict(_read_rows(root / file))
        except (OSError, csv.Error) as error:
            if _name(file) == INFO:
                what = getattr(error, "strerror", None) or "it is no CSV"
                problems.append(_by_folder(MirrorKind.UNREADABLE, file, f"it cannot be read: {what.lower()}"))
            continue
        if first is not None:
            what, action = "a second table of the JPEG mirror", f"it only adds what {first} lacks"
            problems.append(MirrorProblem(MirrorKind.DOUBLED, file, what, action))
        elif _name(file) != INFO:
            what, action = f"this is the mirror's {INFO} under another name", "it is used"
            problems.append(MirrorProblem(MirrorKind.RENAMED, file, what, action))
        first = first or file
        found = rows | found
    return found


def _without(file: str, column: str) -> MirrorProblem:
    what = f"the column '{column}' is missing"
    if column in _NEEDED:
        return _by_folder(MirrorKind.NO_COLUMN, file, what)
    return MirrorProblem(MirrorKind.NO_COLUMN, file, what, "it is not needed to find the pictures")


def _left_out(paths: list[str], table: dict[str, _Info], known: list[MirrorProblem]) -> Iterator[MirrorProblem]:
    """One word for all JPEG files that a missing or incomplete table does not name and their folder does."""
    missing = [path for path in paths if _key(path) not in table and series_of_folder(path)]
    if not missing or (known and not table):  # the one who reads it has said why there is none
        return
    if not table:
        yield _by_folder(MirrorKind.MISSING, None, f"there is no {INFO} for {len(missing):,} JPEG files")
    else:
        what = f"{len(missing):,} of {len(paths):,} JPEG files are not in the mirror's {INFO}, such as {missing[0]}"
        yield _by_folder(MirrorKind.INCOMPLETE, None, what)


def _by_folder(kind: MirrorKind, file: str | None, what: str) -> MirrorProblem:
    return MirrorProblem(kind, file, what, "the name of the folder is taken as the series")


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _read_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv.reader([file.readline(_LONGEST_HEADER)]), [])


def _read_rows(path: Path) -> Iterator[tuple[str, _Info]]:
    """Rows of a table that may break off anywhere, by folder and name of the picture."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            series, number = ((row.get(name) or "").strip() for name in ("SeriesInstanceUID", "InstanceNumber"))
            number = number.removesuffix(".0")
            described = described_as(row.get("SeriesDescription"))
            instance = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
            yield _key((row["image_path"] or "").strip()), _Info(series or None, described, instance)
