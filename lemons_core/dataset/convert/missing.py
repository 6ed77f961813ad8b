"""Pictures that rows have on disk and that cannot be read: which files, and whose pictures they are."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from lemons_core.dataset.collection import Collection

# The series that may hold a picture of each kind: crop and mask mostly share one.
_COLUMNS = {"crop": ("crop", "mask"), "view": ("image",), "mask": ("mask", "crop")}
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){2,}")
_CASE = re.compile(r"[A-Za-z]+-(?:Training|Test)_P_[0-9]+_[A-Za-z0-9_]+")  # a folder that the tables name


@dataclass(frozen=True)
class Failure:
    """A file that should have been converted and was not.

    file : the picture, below the data root
    kinds : what it is or may be, some of KINDS: an unreadable file does not say whether it is crop or mask
    cases : case_id of the rows that need it; empty when nothing tells whose it is
    reason : why
    """

    file: str
    kinds: tuple[str, ...]
    cases: tuple[str, ...]
    reason: str


@dataclass
class _Need:
    """What lacks one file; the keys of dictionaries, which keep their order."""

    kinds: dict[str, None] = field(default_factory=dict)
    cases: dict[str, None] = field(default_factory=dict)


def find_missing(collection: Collection, kinds: Sequence[str]) -> tuple[list[Failure], dict[str, int]]:
    """Why rows lack pictures: the files that cannot be read, and by kind the number of rows that have no file at all.

    A file whose header is damaged names no series. Its folders tell, which mostly bear a series or a case, else the
    other files of its folder; one that nothing tells of is listed as soon as a row lacks a picture.
    """
    files = collection.index.files
    faults = dict(files.loc[files["fault"].notna(), ["path", "fault"]].itertuples(index=False, name=None))
    keys = _keys_of_files(files)
    by_key: dict[str, list[str]] = {}
    for path, names in keys.items():
        for name in names:
            by_key.setdefault(name, []).append(path)
    needs: dict[str, _Need] = {}
    absent = dict.fromkeys(kinds, 0)
    for kind in kinds:
        for row in collection.table[collection.table[f"{kind}_file"].isna()].to_dict("records"):
            found = {path: None for key in _keys_of_row(row, kind) for path in by_key.get(key, ())}
            absent[kind] += not found
            for path in found:
                need = needs.setdefault(path, _Need())
                need.kinds[kind] = need.cases[row["case_id"]] = None
    if any(absent.values()):
        needs |= {path: _Need() for path, names in keys.items() if not names}
    failures = [Failure(path, tuple(need.kinds), tuple(need.cases), faults[path]) for path, need in needs.items()]
    return failures, absent


def _keys_of_files(files: pd.DataFrame) -> dict[str, set[str]]:
    """What tells whose the files are that cannot be used: series and case folders, by path."""
    series_in: dict[str, set[str]] = {}  # by folder
    named = files[files["series"].notna()]
    for path, series in zip(named["path"].tolist(), named["series"].tolist(), strict=True):
        series_in.setdefault(path.rpartition("/")[0], set()).add(series)
    keys: dict[str, set[str]] = {}
    faulty = files[files["fault"].notna()]
    for path, series in zip(faulty["path"].tolist(), faulty["series"].tolist(), strict=True):
        folder = path.rpartition("/")[0]
        beside = series_in.get(folder, set())
        keys[path] = {series} if isinstance(series, str) else _identifiers(folder)
        keys[path] = keys[path] or (beside if len(beside) == 1 else set())
    return keys


def _keys_of_row(row: dict[Hashable, object], kind: str) -> dict[str, None]:
    """The same of a row's pictures of one kind, as the tables have them."""
    texts = [row[f"{column}_{what}"] for column in _COLUMNS[kind] for what in ("series", "path")]
    return {name: None for text in texts if isinstance(text, str) for name in sorted(_identifiers(text))}


def _identifiers(path: str) -> set[str]:
    """UIDs and case folders in a path."""
    return {name for part in re.split(r"[/\\]", path) for name in (*_UID.findall(part), *_CASE.findall(part))}
