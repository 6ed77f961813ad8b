"""The case table joined to the images on disk: which file is the view, the crop and the mask of each row."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lemons_core.base.config import DataChoice, Origin, choose_data
from lemons_core.base.errors import DataError
from lemons_core.base.progress import Progress
from lemons_core.dataset.cases import Cases, read_cases
from lemons_core.dataset.join import Duplicate, join_rows
from lemons_core.dataset.published import read_published
from lemons_core.dataset.sources.index import FileIndex, read_index
from lemons_core.dataset.sources.layouts import Layout, detect_layouts
from lemons_core.dataset.sources.search import find_files
from lemons_core.labels.mapping import GroupMapping, add_groups

MARKER = "SIMULATED.json"  # in the root of a simulated collection


@dataclass(frozen=True)
class Collection:
    """A data root, read.

    cases : the case table as read, with its problems
    table : calcification rows with calc_group, calc_groups, view_file, crop_file, mask_file (absolute path or NA)
    index : every image file below the root, whether a row names it or not
    origin : where it comes from
    duplicates : files that could have been used as well, each with the better one of its series that is
    """

    cases: Cases
    table: pd.DataFrame
    index: FileIndex
    origin: Origin = Origin.FOLDER
    duplicates: tuple[Duplicate, ...] = ()

    @property
    def simulated(self) -> bool:
        """Drawn by a program; no patient is in it."""
        return self.origin == Origin.DEMO

    @property
    def data(self) -> DataChoice:
        """The choice that gives it."""
        return DataChoice(self.origin, self.root)

    @property
    def root(self) -> Path:
        return self.cases.root

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How the images came here, as their paths tell; empty without images."""
        return detect_layouts(self.index.root, self.index.files["path"])

    def count(self, column: str = "crop_file") -> int:
        """Rows that have this kind of file on disk."""
        return int(self.table[column].notna().sum())

    def with_crops(self, split: str) -> pd.DataFrame:
        """Rows of one split (`train`, `test`) that have a crop and a group.

        Raises DataError: there is none
        """
        rows = self.table
        rows = rows[(rows["split"] == split) & rows["crop_file"].notna() & rows["calc_group"].notna()]
        if rows.empty:
            raise DataError(
                f"No {split} row has both a crop on disk and a calcification type",
                where=str(self.root),
                todo="Put the DICOM files of CBIS-DDSM anywhere below this folder; docs/data.md tells how to get them.",
            )
        return rows.reset_index(drop=True)


def read_collection(
    data: DataChoice | str | Path, *, mapping: GroupMapping | None = None, progress: Progress | None = None
) -> Collection:
    """Read the case tables of the data and find the images of each calcification row by SeriesInstanceUID.

    data : as config.choose_data takes or gives it: "published", "demo" or a folder
    Image headers are read once; a second start reads only what has changed. Rows without images stay, with NA.
    Raises DataError: as `read_cases_of` does, before any header is read, or the path of the root is not UTF-8
    """
    data = data if isinstance(data, DataChoice) else choose_data(data)
    if data.origin != Origin.PUBLISHED and not data.root.is_dir():
        read_cases(data.root)  # raises what is wrong
    found = find_files(data.root)
    cases = read_cases_of(data, csv_files=found.csv_files)
    index = read_index(data.root, found=found, progress=progress)
    table = add_groups(cases.calcifications, mapping)
    joined = join_rows(table, index)
    return Collection(cases, table.assign(**joined.columns), index, origin_of(data), joined.duplicates)


def read_cases_of(data: DataChoice, *, csv_files: Iterable[str] | None = None) -> Cases:
    """The case table of the data in use.

    csv_files : the CSVs below its root, where the caller has searched it already
    Raises DataError: as read_published and read_cases do
    """
    if data.origin == Origin.PUBLISHED:
        return read_published(data.root)
    return read_cases(data.root, csv_files=csv_files)


def origin_of(data: DataChoice) -> Origin:
    """Where the data come from; a folder that bears the mark of a demo set is one, wherever it lies."""
    marked = data.origin == Origin.FOLDER and read_demo_marker(data.root) is not None
    return Origin.DEMO if marked else data.origin


def read_demo_marker(root: Path) -> dict[str, object] | None:
    """The contents of SIMULATED.json in a finished demo set, or None where there is none."""
    try:
        marker = json.loads((Path(root) / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None
