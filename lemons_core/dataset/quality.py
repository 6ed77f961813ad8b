"""What is wrong with a collection on disk, fault by fault: its case, what was done about it, and a count by kind."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from lemons_core.base.errors import ImageError
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases import Problem, ProblemKind
from lemons_core.dataset.collection import FILE_COLUMNS, Collection, join_files
from lemons_core.dataset.sources.facts import JPEG_SUFFIXES
from lemons_core.dataset.sources.index import FileIndex
from lemons_core.images import read_image
from lemons_core.images.stored import read_stored

_LOOK_AT = 1024  # pixels of the longer side, enough to count areas in a mask
_SPECK = 0.01  # of the largest area: below that it is a slip of the pen, or a trace of compression
_SAVE_EVERY = 500
_Owners = dict[str, tuple[str, str]]  # series to a case and its part
_NOBODY = (None, "file")


class FaultKind(StrEnum):
    """Kinds of fault, in the order in which a report lists them."""

    UNREADABLE = "unreadable file"
    ROW_WITHOUT_IMAGE = "row without image"
    IMAGE_WITHOUT_ROW = "image without row"
    SWAPPED = "crop and mask swapped"
    SIZE_DIFFERS = "mask and view of different size"
    SEVERAL_AREAS = "several areas in one mask"
    DUPLICATE = "duplicated pixels"
    BOTH_SPLITS = "patient in both splits"
    TABLE = "problem in the tables"


@dataclass(frozen=True)
class Fault:
    """One fault.

    kind : see FaultKind
    case : case_id of the row it concerns, or the patient; None when it concerns a whole file or table
    file : path below the data root, or None
    what : what is wrong
    done : what was done about it
    rows : table rows it concerns; more than one where many rows share one cause
    problem : of FaultKind.TABLE, the kind of problem
    """

    kind: FaultKind
    case: str | None
    file: str | None
    what: str
    done: str
    rows: int = 1
    problem: ProblemKind | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "problem"}


@dataclass(frozen=True)
class Report:
    """The faults of one data root.

    images : image files found
    layouts : how they came here
    pixels : whether the pixels were looked at; without, FaultKind.SEVERAL_AREAS and FaultKind.DUPLICATE are not known
    """

    root: Path
    images: int
    layouts: tuple[str, ...]
    pixels: bool
    faults: tuple[Fault, ...]

    def counts(self) -> dict[str, int]:
        """Faults by kind, each weighed by its rows; kinds without a fault count 0."""
        counted: Counter[str] = Counter()
        for fault in self.faults:
            counted[fault.kind] += fault.rows
        return {str(kind): counted[kind] for kind in FaultKind}

    def of_case(self, case_id: str) -> list[Fault]:
        """Faults of one case, and of its patient."""
        patient = "_".join(case_id.split("_")[:2])
        return [fault for fault in self.faults if fault.case in (case_id, patient)]

    def to_json(self) -> dict[str, Any]:
        return {
            "root": str(self.root),
            "images": self.images,
            "layouts": list(self.layouts),
            "pixels": self.pixels,
            "counts": self.counts(),
            "faults": [fault.to_json() for fault in self.faults],
        }


def check_collection(
    collection: Collection, *, pixels: bool = True, jobs: int = 2, progress: Progress = no_progress
) -> Report:
    """Look for everything that is known to go wrong with this collection.

    collection : as read_collection gives it
    pixels : decode every mask, and every picture that may be a copy of another. What is found is kept with the index,
        so that the next call decodes only what is new
    jobs : threads that decode
    progress : called with a share 0-1 and a few words
    """
    files = collection.index.files
    rows = collection.cases.table
    named = rows["case_id"].astype(object)
    rows = rows.assign(**join_files(rows, collection.index), case_id=named.where(named.notna(), None))
    owners = _owners(rows)
    if pixels:
        fill = partial(_fill, collection.index, jobs=jobs, progress=progress)
        fill("areas", count_areas, _masks(collection.index, rows), words="masks looked at")
        fill("pixels", hash_pixels, _lookalikes(files), words="lookalikes compared")
    found = [
        *_unreadable(files, owners),
        *_rows_without_image(rows),
        *_images_without_row(files, owners),
        *_swapped(rows, collection),
        *_sizes(rows, collection),
        *(_several_areas(rows, collection) if pixels else ()),
        *(_duplicates(files, owners) if pixels else ()),
        *_both_splits(rows),
        *_tables(rows, collection.cases.problems),
    ]
    order = list(FaultKind)
    # By what they state, not by where files lie: the same collection in another layout gives the same list.
    found.sort(key=lambda fault: (order.index(fault.kind), fault.case or "", fault.what))
    layouts = tuple(map(str, collection.layouts))
    return Report(collection.root, len(files), layouts, pixels, tuple(found))


def _owners(rows: pd.DataFrame) -> _Owners:
    """The first case of each series that the rows name, and `view` or `region` (crop or mask)."""
    owners: _Owners = {}
    for kind, part in (("image", "view"), ("crop", "region"), ("mask", "region")):
        for series, case in zip(rows[f"{kind}_series"].tolist(), rows["case_id"].tolist(), strict=True):
            if isinstance(series, str) and case:
                owners[series] = min(owners.get(series, (case, part)), (case, part))
    return owners


def _unreadable(files: pd.DataFrame, owners: _Owners) -> Iterator[Fault]:
    for row in files[files["fault"].notna()].itertuples():
        case, part = owners.get(row.series, _NOBODY)
        yield Fault(FaultKind.UNREADABLE, case, str(row.path), f"a {part} cannot be read", f"left out: {row.fault}")


def _rows_without_image(rows: pd.DataFrame) -> Iterator[Fault]:
    for kind, own in rows.groupby("abnormality_type", sort=True):
        missing = own[list(FILE_COLUMNS)].isna()
        if missing.all(axis=None):
            what = f"none of the {kind} rows has an image on disk"
            yield Fault(FaultKind.ROW_WITHOUT_IMAGE, None, None, what, "the rows stay usable as text", len(own))
            continue
        for case, gaps in zip(own["case_id"].tolist(), missing.to_numpy().tolist(), strict=True):
            if any(gaps):
                names = [column.removesuffix("_file") for column, gap in zip(FILE_COLUMNS, gaps, strict=True) if gap]
                what = f"no {', no '.join(names)} on disk"
                yield Fault(FaultKind.ROW_WITHOUT_IMAGE, case, None, what, "the row stays usable without it")


def _images_without_row(files: pd.DataFrame, owners: _Owners) -> Iterator[Fault]:
    for row in files[files["fault"].isna()].itertuples():
        if not isinstance(row.series, str):
            what = "a JPEG whose series no dicom_info.csv names"
        elif row.series not in owners:
            what = f"no row names the series {row.series}"
        else:
            continue
        yield Fault(FaultKind.IMAGE_WITHOUT_ROW, None, str(row.path), what, "not used")


def _swapped(rows: pd.DataFrame, collection: Collection) -> Iterator[Fault]:
    """Crop and mask in the other order than the table says, or described as each other."""
    facts = _by_path(collection, ["instance", "described"])
    both = rows[rows["crop_file"].notna() & rows["mask_file"].notna()]
    for row in both.itertuples():
        (crop_number, crop_word), (mask_number, mask_word) = facts[row.crop_file], facts[row.mask_file]
        crop_named, mask_named = _number_of(row.crop_path), _number_of(row.mask_path)
        reasons = []
        if None not in (crop_named, mask_named, crop_number, mask_number) and row.crop_series == row.mask_series:
            if crop_named == mask_named:
                reasons.append("the table names one file for both")
            elif (crop_named < mask_named) != (crop_number < mask_number):  # type: ignore[operator]
                reasons.append("the table names them in the other order")
        if crop_word == "mask" or mask_word == "crop":
            reasons.append("the series description says the opposite")
        if reasons:
            yield Fault(FaultKind.SWAPPED, row.case_id, None, "; ".join(reasons), "told apart by their pixels")


def _sizes(rows: pd.DataFrame, collection: Collection) -> Iterator[Fault]:
    facts = _by_path(collection, ["rows", "columns"])
    for row in rows[rows["view_file"].notna() & rows["mask_file"].notna()].itertuples():
        view, mask = facts[row.view_file], facts[row.mask_file]
        if view != mask:
            what = f"the mask has {mask[1]} x {mask[0]} pixels, the view {view[1]} x {view[0]}"
            yield Fault(FaultKind.SIZE_DIFFERS, row.case_id, None, what, "the mask is resized where both are shown")


def _several_areas(rows: pd.DataFrame, collection: Collection) -> Iterator[Fault]:
    facts = _by_path(collection, ["areas"])
    for row in rows[rows["mask_file"].notna()].itertuples():
        (areas,) = facts[row.mask_file]
        if areas is not None and areas != 1:
            what = f"{areas} separate areas" if areas else "an empty mask"
            yield Fault(FaultKind.SEVERAL_AREAS, row.case_id, None, what, "kept as one abnormality, as the row says")


def _duplicates(files: pd.DataFrame, owners: _Owners) -> Iterator[Fault]:
    hashed = files[files["pixels"].notna() & files["fault"].isna()]
    for _, same in hashed.groupby(["pixels", "rows", "columns"], sort=False):
        if len(same) > 1:
            copies = [(*owners.get(row.series, _NOBODY), str(row.path)) for row in same.itertuples()]
            copies.sort(key=lambda copy: (copy[0] or "", copy[1]))
            first = f"a {copies[0][1]} of {copies[0][0] or 'no case'}"
            for case, part, path in copies[1:]:
                yield Fault(FaultKind.DUPLICATE, case, path, f"a {part} has the pixels of {first}", "both are kept")


def _both_splits(rows: pd.DataFrame) -> Iterator[Fault]:
    for patient, own in rows[rows["patient_id"].notna()].groupby("patient_id", sort=True):
        if own["split"].nunique() > 1:
            sides = sorted({f"{row.abnormality_type} {row.split}" for row in own.itertuples()})
            calc = own[own["abnormality_type"] == AbnormalityType.CALCIFICATION]
            done = "reported" if calc["split"].nunique() > 1 else "reported; the calcification rows do not cross"
            yield Fault(FaultKind.BOTH_SPLITS, str(patient), None, f"in {' and '.join(sides)}", done)


def _tables(rows: pd.DataFrame, problems: Iterable[Problem]) -> Iterator[Fault]:
    records = zip(rows["source_file"].tolist(), rows["source_row"].tolist(), strict=True)
    cases = dict(zip(records, rows["case_id"].tolist(), strict=True))
    for problem in problems:
        if problem.kind == ProblemKind.BOTH_SPLITS:
            continue  # it is a FaultKind of its own
        column = f", column {problem.column}" if problem.column else ""
        what = (f"row {problem.row}" if problem.row else "the whole file") + f"{column}: {problem.what}"
        case, done = cases.get((problem.file, problem.row)), problem.action or "reported"
        yield Fault(FaultKind.TABLE, case, problem.file, what, done, problem=problem.kind)


def _by_path(collection: Collection, columns: list[str]) -> dict[str, tuple[Any, ...]]:
    """Facts of the index by absolute path, None where not known."""
    files, root = collection.index.files, collection.index.root
    values = [[None if pd.isna(value) else value for value in files[column].tolist()] for column in columns]
    return {str(root / path): facts for path, facts in zip(files["path"], zip(*values, strict=True), strict=True)}


def _number_of(path: object) -> int | None:
    """The number that a path of the table gives its file, such as 1 for .../000001.dcm."""
    stem = Path(path).stem if isinstance(path, str) else ""
    return int(stem) if stem.isdigit() and str(path).lower().endswith(".dcm") else None


def _masks(index: FileIndex, rows: pd.DataFrame) -> pd.DataFrame:
    masks = {Path(path).relative_to(index.root).as_posix() for path in rows["mask_file"].dropna()}
    return index.files[index.files["path"].isin(masks)]


def _lookalikes(files: pd.DataFrame) -> pd.DataFrame:
    """Pictures of the same size whose middles are the same may be the same: only those are read as a whole."""
    usable = files[files["fault"].isna() & files["sample"].notna()]
    return usable[usable.duplicated(["rows", "columns", "bits", "sample"], keep=False)]


def _fill(
    index: FileIndex,
    column: str,
    measure: Callable[[Path], object],
    files: pd.DataFrame,
    *,
    words: str,
    jobs: int,
    progress: Progress,
) -> None:
    """Measure files and keep the results with the index; one that cannot be decoded is marked as faulty."""
    todo = files[files[column].isna()]
    row_of = {path: row for row, path in todo["path"].items()}
    outcomes = run_many(measure, {path: index.root / path for path in row_of}, jobs=jobs)
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome.error, ImageError):
            fault = outcome.error.what
            index.remember(row_of[outcome.name], fault=fault[:1].lower() + fault[1:])
        else:
            index.remember(row_of[outcome.name], **{column: outcome.get()})
        progress(number / len(todo), f"{number:,} of {len(todo):,} {words}")
        if number % _SAVE_EVERY == 0 or number == len(todo):
            index.save()


def count_areas(path: Path) -> int:
    """Connected areas of a mask, specks left out; 0 for an empty mask.

    Raises ImageError: it cannot be read
    """
    pixels = read_image(path).pixels
    step = max(1, max(pixels.shape) // _LOOK_AT)
    inside = pixels[::step, ::step] > 0.5
    labelled, number = ndimage.label(inside, structure=np.ones((3, 3)))
    sizes = np.bincount(labelled.ravel())[1:]
    return int((sizes >= max(1, _SPECK * sizes.max())).sum()) if number else 0


def hash_pixels(path: Path) -> str:
    """SHA-256 of the grey values, whatever the file is.

    Raises ImageError: it cannot be read
    """
    if path.suffix.lower() in JPEG_SUFFIXES:
        return hashlib.sha256(read_image(path).pixels.data).hexdigest()
    digest = hashlib.sha256()
    for band in read_stored(path).bands(1 << 20):
        digest.update(np.ascontiguousarray(band).data)
    return digest.hexdigest()
