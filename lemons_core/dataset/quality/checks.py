"""Case table, files and index to faults, a generator for each kind; crops against masks have a module of their own."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases import Problem, ProblemKind
from lemons_core.dataset.join import FILE_COLUMNS
from lemons_core.dataset.quality.faults import Fault, FaultKind
from lemons_core.dataset.sources.facts import JPEG_SUFFIXES
from lemons_core.dataset.sources.index import FileIndex

Owners = dict[str, tuple[str, str]]  # series to a case and its part
_NOBODY = (None, "file")
_HANDFUL = 10  # rows that are listed one by one even if they all lack the same image


def find_owners(rows: pd.DataFrame) -> Owners:
    """The first case of each series that the rows name, and `view` or `region` (crop or mask)."""
    owners: Owners = {}
    for kind, part in (("image", "view"), ("crop", "region"), ("mask", "region")):
        for series, case in zip(rows[f"{kind}_series"].tolist(), rows["case_id"].tolist(), strict=True):
            if isinstance(series, str) and case:
                owners[series] = min(owners.get(series, (case, part)), (case, part))
    return owners


def unreadable(files: pd.DataFrame, owners: Owners) -> Iterator[Fault]:
    for row in files[files["fault"].notna()].itertuples():
        case, part = owners.get(row.series, _NOBODY)
        yield Fault(FaultKind.UNREADABLE, case, str(row.path), f"a {part} cannot be read", f"left out: {row.fault}")


def rows_without_image(rows: pd.DataFrame) -> Iterator[Fault]:
    """One fault for what most rows of a kind lack, which was never fetched; one a row for what is missing beside that.

    rows : with FILE_COLUMNS
    """
    if len(rows) and rows[list(FILE_COLUMNS)].isna().all(axis=None):
        done = "the rows stay usable as text"
        yield Fault(FaultKind.ROW_WITHOUT_IMAGE, None, None, "no row has an image on disk", done, len(rows))
        return
    for kind, own in rows.groupby("abnormality_type", sort=True):
        missing = own[list(FILE_COLUMNS)].isna().to_numpy().tolist()
        gaps = [
            tuple(column.removesuffix("_file") for column, gap in zip(FILE_COLUMNS, row, strict=True) if gap)
            for row in missing
        ]
        lacking, number = Counter(gaps).most_common(1)[0]
        told = bool(lacking) and (number == len(own) or number > max(_HANDFUL, len(own) / 2))
        if told:
            yield _not_fetched(str(kind), lacking, number, len(own))
        for case, gap in zip(own["case_id"].tolist(), gaps, strict=True):
            if gap and not (told and gap == lacking):
                what = f"no {', no '.join(gap)} on disk"
                yield Fault(FaultKind.ROW_WITHOUT_IMAGE, case, None, what, "the row stays usable without it")


def _not_fetched(kind: str, gap: tuple[str, ...], number: int, of: int) -> Fault:
    if len(gap) < len(FILE_COLUMNS):
        what, done = f"{number:,} of {of:,} {kind} rows have no {' and no '.join(gap)} on disk", "usable without it"
    else:
        which = f"none of the {kind} rows has" if number == of else f"{number:,} of {of:,} {kind} rows do not have"
        what, done = f"{which} an image on disk", "usable as text"
    return Fault(FaultKind.ROW_WITHOUT_IMAGE, None, None, what, f"the rows stay {done}", number)


def images_without_row(files: pd.DataFrame, owners: Owners) -> Iterator[Fault]:
    for row in files[files["fault"].isna()].itertuples():
        if isinstance(row.series, str):
            if row.series in owners:
                continue
            what = f"no row names the series {row.series}"
        elif str(row.path).lower().endswith(JPEG_SUFFIXES):
            what = "a JPEG whose series neither its folder nor a dicom_info.csv names"
        else:
            what = "nothing tells its series"
        yield Fault(FaultKind.IMAGE_WITHOUT_ROW, None, str(row.path), what, "not used")


def sizes_that_differ(rows: pd.DataFrame, index: FileIndex) -> Iterator[Fault]:
    facts = _by_path(index, ["rows", "columns"])
    for row in rows[rows["view_file"].notna() & rows["mask_file"].notna()].itertuples():
        view, mask = facts[row.view_file], facts[row.mask_file]
        if view != mask:
            what = f"the mask has {mask[1]} x {mask[0]} pixels, the view {view[1]} x {view[0]}"
            yield Fault(FaultKind.SIZE_DIFFERS, row.case_id, None, what, "the mask is resized where both are shown")


def several_areas(rows: pd.DataFrame, index: FileIndex) -> Iterator[Fault]:
    facts = _by_path(index, ["areas"])
    for row in rows[rows["mask_file"].notna()].itertuples():
        (areas,) = facts[row.mask_file]
        if areas is not None and areas != 1:
            what = f"{areas} separate areas" if areas else "an empty mask"
            yield Fault(FaultKind.SEVERAL_AREAS, row.case_id, None, what, "kept as one abnormality, as the row says")


def duplicates(files: pd.DataFrame, owners: Owners) -> Iterator[Fault]:
    hashed = files[files["pixels"].notna() & files["fault"].isna()]
    for _, same in hashed.groupby(["pixels", "rows", "columns"], sort=False):
        if len(same) > 1:
            copies = [(*owners.get(row.series, _NOBODY), str(row.path)) for row in same.itertuples()]
            copies.sort(key=lambda copy: (copy[0] or "", copy[1]))
            first = f"a {copies[0][1]} of {copies[0][0] or 'no case'}"
            for case, part, path in copies[1:]:
                yield Fault(FaultKind.DUPLICATE, case, path, f"a {part} has the pixels of {first}", "both are kept")


def both_splits(rows: pd.DataFrame) -> Iterator[Fault]:
    sides: dict[str, set[tuple[str, str]]] = {}
    for patient, *side in zip(
        *(rows[name].tolist() for name in ("patient_id", "abnormality_type", "split")), strict=True
    ):
        if isinstance(patient, str):
            sides.setdefault(patient, set()).add((str(side[0]), str(side[1])))
    for patient, own in sides.items():
        if len({split for _, split in own}) > 1:
            crossing = len({split for kind, split in own if kind == AbnormalityType.CALCIFICATION}) > 1
            done = "reported" if crossing else "reported; the calcification rows do not cross"
            what = f"in {' and '.join(sorted(map(' '.join, own)))}"
            yield Fault(FaultKind.BOTH_SPLITS, patient, None, what, done)


def table_problems(rows: pd.DataFrame, problems: Iterable[Problem]) -> Iterator[Fault]:
    records = zip(rows["source_file"].tolist(), rows["source_row"].tolist(), strict=True)
    cases = dict(zip(records, rows["case_id"].tolist(), strict=True))
    for problem in problems:
        if problem.kind == ProblemKind.BOTH_SPLITS:
            continue  # it is a FaultKind of its own
        column = f", column {problem.column}" if problem.column else ""
        what = (f"row {problem.row}" if problem.row else "the whole file") + f"{column}: {problem.what}"
        case, done = cases.get((problem.file, problem.row)), problem.action or "reported"
        yield Fault(FaultKind.TABLE, case, problem.file, what, done, problem=problem.kind)


def _by_path(index: FileIndex, columns: list[str]) -> dict[str, tuple[Any, ...]]:
    """Facts of the index by absolute path, None where not known."""
    values = [[None if pd.isna(value) else value for value in index.files[column].tolist()] for column in columns]
    paths = (str(index.root / path) for path in index.files["path"])
    return dict(zip(paths, zip(*values, strict=True), strict=True))
