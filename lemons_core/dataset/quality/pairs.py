"""Crop and mask of a row: what tables and headers call them, against what the pixels show.

The published tables number the crop 000001 and the mask 000000 for calcifications, the other way round for masses; the
archive numbers the files of a series by itself. So a whole collection can be numbered otherwise than its tables say,
which is told once. A row is odd when it differs from the others of its kind.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from lemons_core.dataset.quality.faults import Fault, FaultKind
from lemons_core.dataset.sources.index import FileIndex

_SELDOM = 0.1  # of the rows of a kind that can be compared: so few, or a single one, are odd; more are no exception
_PLAIN = re.compile(r"([0-9]+)\.dcm", re.I)  # 000001.dcm, as the tables name files
_DASHED = re.compile(r"[0-9]+-([0-9]+)\.dcm", re.I)  # 1-2.dcm, as the archive does today
_COLUMNS = (
    "case_id", "abnormality_type", "crop_file", "mask_file", "crop_path", "mask_path", "crop_series", "mask_series",
)  # fmt: skip


@dataclass(frozen=True)
class _File:
    """What an image file is called.

    name : without its folder
    series, instance, described : see sources.facts.Facts
    """

    name: str
    series: str | None
    instance: int | None
    described: str | None


@dataclass(frozen=True)
class _Pair:
    """A row with crop and mask on disk.

    ordered : the files are numbered in the order of the table; None where no two numbers can be compared
    described : the series descriptions do not contradict the pixels; None without one that names a crop or a mask
    odd : what is odd about it whatever the others are like
    """

    case: str | None
    ordered: bool | None
    described: bool | None
    odd: tuple[str, ...]


class _Habit:
    """What most rows of a kind are like, of those that can be compared."""

    def __init__(self, flags: Sequence[bool | None]) -> None:
        self.flags = [flag for flag in flags if flag is not None]

    @cached_property
    def against(self) -> int:
        return self.flags.count(False)

    @property
    def share(self) -> str:
        return f"{self.against:,} of {len(self.flags):,}"

    @cached_property
    def odd(self) -> bool | None:
        """The value that only few rows have; None without such a value."""
        for value in (False, True):
            number = self.flags.count(value)
            if 2 * number < len(self.flags) and number <= max(1, _SELDOM * len(self.flags)):
                return value
        return None

    @property
    def told(self) -> bool:
        """Too many are against for each to be odd: to be told once."""
        return self.against > 0 and self.odd is not False


def compare_pairs(rows: pd.DataFrame, index: FileIndex) -> Iterator[Fault]:
    """Odd rows; and once for all rows that numbers, or descriptions, do not tell crop from mask.

    rows : with crop_file and mask_file
    """
    numbered, described = [], []
    for kind, pairs in sorted(_read_pairs(rows, index).items()):
        orders = _Habit([pair.ordered for pair in pairs])
        words = _Habit([pair.described for pair in pairs])
        if orders.told:
            numbered.append(f"{orders.share} {kind} rows")
        if words.told:
            described.append(f"{words.share} {kind} rows")
        for pair in pairs:
            reasons = [*pair.odd]
            if pair.ordered is not None and pair.ordered == orders.odd:
                order = "the order of the table" if pair.ordered else "another order than the table's"
                reasons.append(f"the files are numbered in {order}, unlike those of other {kind} rows")
            if pair.described is False and words.odd is False:
                reasons.append("the series description says the opposite")
            if reasons:
                yield Fault(FaultKind.SWAPPED, pair.case, None, "; ".join(reasons), "told apart by their pixels")
    for shares, what in (
        (numbered, "the tables name crop and mask by number in another order than the archive delivers them"),
        (described, "the series descriptions call crops masks, or masks crops"),
    ):
        if shares:
            yield Fault(FaultKind.MISNAMED, None, None, f"{what}: {' and '.join(shares)}", "the pixels decide")


def _read_pairs(rows: pd.DataFrame, index: FileIndex) -> dict[str, list[_Pair]]:
    """The rows that have both files, by abnormality type."""
    both = rows[rows["crop_file"].notna() & rows["mask_file"].notna() & rows["abnormality_type"].notna()]
    wanted = {*both["crop_file"], *both["mask_file"]}
    names = ("path", "series", "instance", "described")
    columns = ([None if pd.isna(value) else value for value in index.files[name].tolist()] for name in names)
    files = {
        full: _File(path.rpartition("/")[2], *facts)
        for path, *facts in zip(*columns, strict=True)
        if (full := str(index.root / path)) in wanted
    }
    pairs: dict[str, list[_Pair]] = {}
    for case, kind, crop, mask, *named in zip(*(both[name].tolist() for name in _COLUMNS), strict=True):
        paths, series = named[:2], named[2:]
        pairs.setdefault(str(kind), []).append(_pair(case, files[crop], files[mask], paths, series))
    return pairs


def _pair(case: str | None, crop: _File, mask: _File, paths: Sequence[object], series: Sequence[object]) -> _Pair:
    """paths, series : of the crop and of the mask, as the table names them"""
    odd, ordered, described = [], None, None
    if paths[0] == paths[1] and _number(_PLAIN, paths[0]) is not None:
        odd.append("the table names one file for both")
    if series[0] != series[1] and (crop.series, mask.series) != tuple(series):
        odd.append("crop and mask do not lie in the series that the table names")
    named, stored = _order(*(_number(_PLAIN, path) for path in paths)), _order_on_disk(crop, mask)
    if None not in (named, stored) and series[0] == series[1]:
        ordered = named == stored
    if crop.described in ("crop", "mask") or mask.described in ("crop", "mask"):
        described = crop.described != "mask" and mask.described != "crop"
    return _Pair(case, ordered, described, tuple(odd))


def _order_on_disk(crop: _File, mask: _File) -> bool | None:
    """Whether the crop comes before the mask: by names like the tables', by InstanceNumber, or by the archive's names.

    Names of other kinds mean nothing: Imaging Data Commons writes identifiers, the JPEG mirror numbers at random.
    """
    by_plain, by_dash = (_order(*(_number(p, file.name) for file in (crop, mask))) for p in (_PLAIN, _DASHED))
    orders = (by_plain, _order(crop.instance, mask.instance), by_dash)
    return next((order for order in orders if order is not None), None)


def _order(crop: int | None, mask: int | None) -> bool | None:
    """Whether the crop comes first; None where the numbers do not tell."""
    return None if crop is None or mask is None or crop == mask else crop < mask


def _number(pattern: re.Pattern[str], path: object) -> int | None:
    found = pattern.fullmatch(path.rpartition("/")[2]) if isinstance(path, str) else None
    return int(found[1]) if found else None
