"""The case table joined to the images on disk: which file is the view, the crop and the mask of each row."""

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lemons_core.base.config import DataChoice, Origin, choose_data
from lemons_core.base.errors import DataError, ImageError
from lemons_core.base.progress import Progress
from lemons_core.dataset.cases import Cases, read_cases
from lemons_core.dataset.published import read_published
from lemons_core.dataset.sources.facts import JPEG_SUFFIXES, MORE, TWO, grey_levels
from lemons_core.dataset.sources.index import FileIndex, read_index
from lemons_core.dataset.sources.layouts import Layout, detect_layouts
from lemons_core.images import read_image
from lemons_core.labels.mapping import GroupMapping, add_groups

FILE_COLUMNS = ("view_file", "crop_file", "mask_file")
MARKER = "SIMULATED.json"  # in the root of a simulated collection


@dataclass(frozen=True)
class Collection:
    """A data root, read.

    cases : the case table as read, with its problems
    table : calcification rows with calc_group, calc_groups, view_file, crop_file, mask_file (absolute path or NA)
    index : every image file below the root, whether a row names it or not
    origin : where it comes from
    """

    cases: Cases
    table: pd.DataFrame
    index: FileIndex
    origin: Origin = Origin.FOLDER

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
    Raises DataError: as `read_cases_of` does, or the table of a JPEG mirror cannot be read
    """
    data = data if isinstance(data, DataChoice) else choose_data(data)
    if data.origin != Origin.PUBLISHED and not data.root.is_dir():
        read_cases(data.root)  # raises what is wrong
    index = read_index(data.root, progress=progress)
    cases = read_cases_of(data, csv_files=index.csv_files)
    table = add_groups(cases.calcifications, mapping)
    return Collection(cases, table.assign(**join_files(table, index)), index, origin_of(data))


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


def join_files(table: pd.DataFrame, index: FileIndex) -> dict[str, Any]:
    """Columns view_file, crop_file and mask_file (absolute path or NA) for the rows of a case table.

    Crop and mask mostly share one series, in either order: they are told apart by their pixels. What had to be decoded
    for that is remembered in the index.
    """
    files = _Files(index)
    found = [
        files.of_row(*series)
        for series in zip(*(table[f"{kind}_series"].tolist() for kind in ("image", "crop", "mask")), strict=True)
    ]
    files.save()
    return {column: pd.array([paths[k] for paths in found], dtype="string") for k, column in enumerate(FILE_COLUMNS)}


@dataclass(slots=True)
class _File:
    row: int
    path: str
    area: int
    instance: int
    levels: str | None


class _Files:
    """Usable files by series, and their grey levels, measured when they are needed."""

    def __init__(self, index: FileIndex) -> None:
        self.index = index
        self.learnt = False
        self.by_series: dict[Hashable, list[_File]] = {}
        usable = index.files[index.files["series"].notna() & index.files["fault"].isna()]
        names = ["series", "path", "rows", "columns", "instance", "levels"]
        for row, series, path, rows, columns, instance, levels in zip(
            usable.index.tolist(), *(usable[name].tolist() for name in names), strict=True
        ):
            number = -1 if pd.isna(instance) else int(instance)
            file = _File(row, path, rows * columns, number, levels if isinstance(levels, str) else None)
            self.by_series.setdefault(series, []).append(file)
        for files in self.by_series.values():  # not by path, which means nothing
            files.sort(key=lambda file: (file.area, file.instance, file.path))

    def of_row(self, image: Hashable, crop: Hashable, mask: Hashable) -> list[str | None]:
        """Paths of view, crop and mask, the largest view, the smallest crop and the largest mask of their series."""
        views = self.by_series.get(image, [])
        crops, masks = self.apart([file for uid in dict.fromkeys((crop, mask)) for file in self.by_series.get(uid, [])])
        return [
            str(self.index.root / files[0].path) if files else None for files in (views[-1:], crops[:1], masks[-1:])
        ]

    def apart(self, files: Sequence[_File]) -> tuple[list[_File], list[_File]]:
        """Crops and masks, each in order of area. A mask has two grey levels and the size of the whole view."""
        files = sorted(files, key=lambda file: file.area)
        if len(files) == 2 and [file.levels for file in files] == [MORE, None]:
            small, large = files
            if large.area > 1.5 * small.area:  # one is film, the other looks like a mask: no need to decode it
                return [small], [large]
        by_levels: dict[str | None, list[_File]] = {MORE: [], TWO: [], None: []}
        for file in files:
            file.levels = file.levels or self.learn(file)
            by_levels[file.levels].append(file)
        return by_levels[MORE], by_levels[TWO]

    def learn(self, file: _File) -> str | None:
        path = self.index.root / file.path
        self.learnt = True
        try:
            levels = grey_levels(read_image(path).pixels, lossy=path.suffix.lower() in JPEG_SUFFIXES)
        except ImageError as error:
            self.index.remember(file.row, fault=error.what)
            return None
        self.index.remember(file.row, levels=levels)
        return levels

    def save(self) -> None:
        if self.learnt:
            self.index.save()
