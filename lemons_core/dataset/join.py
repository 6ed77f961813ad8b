"""Rows joined to files by series: which file is the view, the crop and the mask of each row, and which is a copy."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from lemons_core.base.errors import ImageError
from lemons_core.dataset.sources.facts import MORE, TWO, grey_levels
from lemons_core.dataset.sources.index import FileIndex
from lemons_core.images import read_image

FILE_COLUMNS = ("view_file", "crop_file", "mask_file")


class CopyKind(StrEnum):
    """Why another copy of a picture is used."""

    LOSSY = "lossy compression"
    SMALLER = "fewer pixels"
    FEWER_BITS = "fewer bits"
    VIEW_SIZED = "the size of the whole view, or of a mask"
    EQUAL = "no better"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file that could have been the view, the crop or the mask of a row as well.

    chosen, other : the file that is used and the one that is not, below the data root
    part : view, crop or mask
    kind : what is wrong with the other one
    """

    chosen: str
    other: str
    part: str
    kind: CopyKind


@dataclass(frozen=True)
class Joined:
    """The files of the rows of a case table.

    columns : view_file, crop_file and mask_file, each an absolute path or NA for every row
    duplicates : copies that were not used, in order of path
    """

    columns: dict[str, Any]
    duplicates: tuple[Duplicate, ...]


def join_rows(table: pd.DataFrame, index: FileIndex) -> Joined:
    """Find view, crop and mask of the rows of a case table.

    Of several copies in one series the best is used: lossless before lossy, larger before smaller, full bit depth
    before 8 bit. Crop and mask mostly share one series, in either order: they are told apart by their pixels. What had
    to be decoded for that is remembered in the index.
    """
    files = _Files(index)
    found = [
        files.of_row(*series)
        for series in zip(*(table[f"{kind}_series"].tolist() for kind in ("image", "crop", "mask")), strict=True)
    ]
    if files.learnt:
        index.save()
    columns = {column: pd.array([row[k] for row in found], dtype="string") for k, column in enumerate(FILE_COLUMNS)}
    unused = [copy for copy in files.duplicates if copy.other not in files.chosen]
    return Joined(columns, tuple(sorted(unused, key=lambda copy: (copy.other, copy.chosen))))


def join_files(table: pd.DataFrame, index: FileIndex) -> dict[str, Any]:
    """The columns of join_rows alone."""
    return join_rows(table, index).columns


@dataclass(slots=True)
class _File:
    row: int
    path: str
    format: str
    size: tuple[int, int]
    bits: int
    lossy: bool
    instance: int
    levels: str | None

    @property
    def area(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def worth(self) -> tuple[bool, int, int]:
        return not self.lossy, self.area, self.bits


class _Files:
    """Usable files by series, and their grey levels, measured when they are needed."""

    def __init__(self, index: FileIndex) -> None:
        self.index = index
        self.learnt = False
        self.by_series: dict[Hashable, list[_File]] = {}
        self.chosen: set[str] = set()
        self.duplicates: dict[Duplicate, None] = {}
        usable = index.files[index.files["series"].notna() & index.files["fault"].isna()]
        names = ["series", "path", "format", "rows", "columns", "bits", "lossy", "instance", "levels"]
        for row, series, path, kind, rows, columns, bits, lossy, instance, levels in zip(
            usable.index.tolist(), *(usable[name].tolist() for name in names), strict=True
        ):
            number = -1 if pd.isna(instance) else int(instance)
            known = levels if isinstance(levels, str) else None
            file = _File(row, path, kind, (rows, columns), bits, lossy, number, known)
            self.by_series.setdefault(series, []).append(file)

    def of_row(self, image: Hashable, crop: Hashable, mask: Hashable) -> list[str | None]:
        """Paths of view, crop and mask, the best of each in the series of the row."""
        crops, masks = self.regions(tuple(dict.fromkeys((crop, mask))))
        views = self.by_series.get(image, [])
        # Of equals the last view and mask, the first crop: the order of the collection as published.
        view = max([file for file in views if file.levels != TWO] or views, key=_last, default=None)
        found_mask = max(masks, key=_last, default=None)
        whole = frozenset(file.size for file in (view, *masks) if file)
        # A copy of the view in the series of the crop is no crop, however large it is.
        parts = [file for file in crops if file.size not in whole and file is not view] or crops
        found_crop = min(parts, key=_first, default=None)
        self.tell("view", view, [file for file in views if file.levels != TWO and file is not found_crop])
        self.tell("crop", found_crop, [file for file in crops if file is not view], whole)
        self.tell("mask", found_mask, masks)
        return [str(self.index.root / file.path) if file else None for file in (view, found_crop, found_mask)]

    def tell(
        self, part: str, chosen: _File | None, files: Sequence[_File], whole: frozenset[tuple[int, int]] = frozenset()
    ) -> None:
        """Remember the files that were not chosen."""
        if chosen:
            self.chosen.add(chosen.path)
        for file in files:
            if chosen and file is not chosen:
                kind = CopyKind.VIEW_SIZED if file.size in whole and chosen.size not in whole else _why(file, chosen)
                self.duplicates[Duplicate(chosen.path, file.path, part, kind)] = None

    def regions(self, series: tuple[Hashable, ...]) -> tuple[list[_File], list[_File]]:
        """Crops and masks among the files of some series. A mask has two grey levels and the size of the whole view."""
        files = sorted((file for uid in series for file in self.by_series.get(uid, [])), key=_first_by_area)
        if len(files) == 2 and [file.levels for file in files] == [MORE, None]:
            small, large = files
            # One is film, the other looks like a mask: no need to decode it.
            if large.area > 1.5 * small.area and large.format == small.format:
                return [small], [large]
        by_levels: dict[str | None, list[_File]] = {MORE: [], TWO: [], None: []}
        for file in files:
            file.levels = file.levels or self.learn(file)
            by_levels[file.levels].append(file)
        return by_levels[MORE], by_levels[TWO]

    def learn(self, file: _File) -> str | None:
        self.learnt = True
        try:
            levels = grey_levels(read_image(self.index.root / file.path).pixels, lossy=file.lossy)
        except ImageError as error:
            self.index.remember_fault(file.row, error)
            return None
        self.index.remember(file.row, levels=levels)
        return levels


def _last(file: _File) -> tuple[Any, ...]:
    return file.worth, file.instance, file.path


def _first(file: _File) -> tuple[Any, ...]:
    return file.lossy, -file.area, -file.bits, file.instance, file.path


def _first_by_area(file: _File) -> tuple[Any, ...]:
    return file.area, file.instance, file.path


def _why(other: _File, chosen: _File) -> CopyKind:
    if other.lossy and not chosen.lossy:
        return CopyKind.LOSSY
    if other.area < chosen.area:
        return CopyKind.SMALLER
    return CopyKind.FEWER_BITS if other.bits < chosen.bits else CopyKind.EQUAL
