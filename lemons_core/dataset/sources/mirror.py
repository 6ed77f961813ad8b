"""The JPEG mirror of the collection: what its `dicom_info.csv` says of files that cannot say it themselves."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.dataset.sources.facts import JPEG_SUFFIXES, described_as

INFO = "dicom_info.csv"
_COLUMNS = ("image_path", "SeriesInstanceUID", "SeriesDescription", "InstanceNumber")


def add_mirror_facts(files: pd.DataFrame, root: Path, csv_files: Iterable[str]) -> pd.DataFrame:
    """Fill series, description and instance number of JPEG files from the mirror's table, if there is one.

    Its paths begin at the mirror's own root. They are never opened: a file found below `root` is matched by folder and
    name, so that no path can lead anywhere else.
    Raises DataError: the table lacks a column or is no readable CSV
    """
    found = sorted((name for name in csv_files if name.rpartition("/")[2].lower() == INFO), key=lambda n: n.count("/"))
    jpeg = files["path"].str.lower().str.endswith(JPEG_SUFFIXES)
    if not jpeg.any():
        return files
    info = _read_info(root / found[0], found[0]) if found else {}
    facts = [info.get(_key(path), (None, None, None)) for path in files.loc[jpeg, "path"]]
    files = files.copy()
    for k, (column, kind) in enumerate((("series", "string"), ("described", "string"), ("instance", "Int64"))):
        files.loc[jpeg, column] = pd.array([fact[k] for fact in facts], dtype=kind)
    return files


def _key(path: str) -> str:
    """Folder and name, all that a path of the table and a path on disk have in common."""
    return "/".join(path.replace("\\", "/").lower().split("/")[-2:])


def _read_info(path: Path, where: str) -> dict[str, tuple[str | None, str | None, int | None]]:
    todo = "Download this file of the mirror again."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for name in _COLUMNS:
                if name not in (reader.fieldnames or ()):
                    raise DataError(f"The column '{name}' is missing", where=where, todo=todo)
            return {_key((row["image_path"] or "").strip()): _facts(row) for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("The table of the JPEG mirror cannot be read", where=where, todo=todo) from error


def _facts(row: dict[str, str]) -> tuple[str | None, str | None, int | None]:
    series = (row["SeriesInstanceUID"] or "").strip()
    number = (row["InstanceNumber"] or "").strip().removesuffix(".0")
    return series or None, described_as(row["SeriesDescription"]), int(number) if number.isdigit() else None
