"""The case table joined to the images on disk: which file is the view, the crop and the mask of each row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lemons_core.cases import Cases, read_cases
from lemons_core.errors import DataError, ImageError
from lemons_core.images import read_image
from lemons_core.labels import Mapping, add_groups
from lemons_core.sources.local import ImageFile, index_images

FILE_COLUMNS = ("view_file", "crop_file", "mask_file")


@dataclass(frozen=True)
class Collection:
    """A data root, read.

    cases : the case table as read, with its problems
    table : calcification rows with calc_group, calc_groups, view_file, crop_file, mask_file (absolute path or NA)
    """

    cases: Cases
    table: pd.DataFrame

    @property
    def root(self) -> Path:
        return self.cases.root

    def count(self, column: str = "crop_file") -> int:
        """Rows that have this kind of file on disk."""
        return int(self.table[column].notna().sum())

    def with_crops(self, split: str) -> pd.DataFrame:
        """Rows of one split (`train`, `test`) that have a crop and a group.

        Raises
        ------
        DataError : there is none
        """
        rows = self.table
        rows = rows[(rows["split"] == split) & rows["crop_file"].notna() & rows["calc_group"].notna()]
        if rows.empty:
            raise DataError(
                f"No {split} row has both a crop on disk and a calcification type",
                where=str(self.root),
                todo="Put the DICOM files of CBIS-DDSM anywhere below this folder; the README tells how to get them.",
            )
        return rows.reset_index(drop=True)


def read_collection(
    root: str | Path,
    *,
    mapping: Mapping | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Collection:
    """Read the case tables below `root` and find the images of each calcification row by SeriesInstanceUID.

    Rows without images stay, with NA. Raises DataError as `read_cases` does.
    """
    cases = read_cases(root)
    table = add_groups(cases.calcifications, mapping)
    index = index_images(cases.root, progress)
    files = [
        _files_of(
            index.get(row.image_series, []) if isinstance(row.image_series, str) else [],
            _roi_files(index, row.crop_series, row.mask_series),
        )
        for row in table.itertuples()
    ]
    for place, column in enumerate(FILE_COLUMNS):
        paths = [found[place] and str(found[place]) for found in files]
        table[column] = pd.array(paths, dtype="string")
    return Collection(cases, table)


def _roi_files(index: dict[str, list[ImageFile]], *series: object) -> list[ImageFile]:
    wanted = dict.fromkeys(uid for uid in series if isinstance(uid, str))
    return [file for uid in wanted for file in index.get(uid, [])]


def _files_of(view: list[ImageFile], roi: list[ImageFile]) -> tuple[Path | None, Path | None, Path | None]:
    """(view, crop, mask). The mask has the size of the whole view, so it is the larger of two by far."""
    crop = mask = None
    by_area = sorted(roi, key=lambda file: file.rows * file.columns)
    if len(by_area) == 2 and _area(by_area[1]) > 1.5 * _area(by_area[0]):
        crop, mask = by_area[0].path, by_area[1].path
    else:
        for file in roi:
            if is_mask(file.path):
                mask = mask or file.path
            else:
                crop = crop or file.path
    return (view[0].path if view else None), crop, mask


def _area(file: ImageFile) -> int:
    return file.rows * file.columns


def is_mask(path: Path) -> bool:
    """Whether the pixels hold no more than two grey levels; an unreadable file is not a mask."""
    try:
        pixels = read_image(path).pixels
    except ImageError:
        return False
    return bool(((pixels == pixels.min()) | (pixels == pixels.max())).all())
