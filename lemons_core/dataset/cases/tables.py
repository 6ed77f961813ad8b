"""One CSV to cleaned rows, with the problems that it has by itself."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from lemons_core.base.errors import DataError
from lemons_core.dataset.cases.dialect import Records, complete_header, plain, read_header, read_records
from lemons_core.dataset.cases.problems import MANY, Problem, ProblemKind, column_notes, gather_paths
from lemons_core.dataset.cases.rows import PathForm, RawRow, path_notes

# Rows as published; another count means a cut-off file or a chosen subset, which is reported.
PUBLISHED_ROWS = {"calc_train": 1546, "calc_test": 326, "mass_train": 1318, "mass_test": 378}

# Canonical name <- the CSV's own. `breast density` (calc) and `breast_density` (mass) are one after plain().
_BEFORE = {
    "patient_id": "patient id", "breast_density": "breast density", "laterality": "left or right breast",
    "view": "image view", "abnormality_id": "abnormality id", "abnormality_type": "abnormality type",
}  # fmt: skip
_AFTER = {
    "assessment": "assessment", "pathology": "pathology", "subtlety": "subtlety", "image_path": "image file path",
    "crop_path": "cropped image file path", "mask_path": "roi mask file path",
}  # fmt: skip
OWN_COLUMNS = {
    "calc": {"morphology": "calc type", "distribution": "calc distribution"},
    "mass": {"mass_shape": "mass shape", "mass_margins": "mass margins"},
}
_COLUMNS = {kind: _BEFORE | own | _AFTER for kind, own in OWN_COLUMNS.items()}  # in the order of the published header
MARKS = {name: kind for kind, own in OWN_COLUMNS.items() for name in own.values()}  # they tell calc from mass
_NAME = re.compile(r"(calc|mass)_case_description_(train|test)_set\.csv", re.I)


@dataclass(frozen=True)
class CaseTable:
    """One case-description CSV.

    file : its name in messages
    kind : calc_train, calc_test, mass_train or mass_test
    header : plain names of its columns
    rows : cleaned, by canonical column
    problems : those of this file alone
    """

    file: str
    kind: str
    header: tuple[str, ...]
    rows: list[dict[str, object]]
    problems: tuple[Problem, ...]


def parse_table(text: str, file: str) -> CaseTable | None:
    """The table that a CSV holds, or None when it is some other table, such as the metadata.csv of a download.

    Raises DataError: it is empty where a case description should be, lacks a column, or mixes the splits
        DialectError: it must be saved in another way first
    """
    if not text.strip():
        if re.search("calc|mass|case", PurePosixPath(file).name, re.I):
            raise DataError("This CSV is empty", where=file, todo="Download this file again.")
        return None
    separator, header = read_header(text, MARKS)
    abnormality = next((MARKS[name] for name in map(plain, header) if name in MARKS), None)
    if abnormality is None:
        if "case_description" in PurePosixPath(file).name.lower():
            what = "The column 'calc type' or 'mass shape' is missing"
            raise DataError(what, where=file, todo="Download this file again.")
        return None
    records = read_records(text, separator)
    header = complete_header(header, records, list(_COLUMNS[abnormality].values()), file)
    index = _find_columns(header, abnormality, file)
    problems: list[Problem] = []
    spelled = {column: header[k].strip() for column, k in index.items()}
    rows, paths = [], []
    forms: Counter[tuple[str, PathForm]] = Counter()
    for number, cells in _whole_records(records, file, len(header), problems):
        raw = {column: cells[k].strip() for column, k in index.items()}
        rows.append(RawRow(file, number, spelled, problems, forms).clean(raw))
        paths.append(raw["image_path"])
    split = _split_of(paths, file)
    problems = [*gather_paths(problems), *path_notes(forms, file, spelled), *column_notes(rows, file, spelled)]
    rows = [row | {"split": split} for row in rows]
    return CaseTable(file, f"{abnormality}_{split}", tuple(map(plain, header)), rows, tuple(problems))


def kind_named(file: str) -> str | None:
    """The kind of table that a published file name promises: calc_train, calc_test, mass_train or mass_test."""
    found = _NAME.fullmatch(PurePosixPath(file).name)
    return f"{found[1]}_{found[2]}".lower() if found else None


def _find_columns(header: list[str], kind: str, file: str) -> dict[str, int]:
    """The index of each canonical column."""
    names = [plain(name) for name in header]
    for name in _COLUMNS[kind].values():
        if name not in names:
            raise DataError(f"The column '{name}' is missing", where=file, todo="Download this file again.")
    return {column: names.index(name) for column, name in _COLUMNS[kind].items()}


def _whole_records(records: Records, file: str, width: int, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Numbered records of `width` fields; an unfinished quote at the end is the mark of a truncated file."""
    other = sum(len(cells) != width for _, cells in records.cells)
    if other > MANY:
        what = f"{other:,} records have more or fewer fields than the {width} of the header"
        problems.append(Problem(ProblemKind.DAMAGED, file, None, None, what, "rows left out"))
    for number, cells in records.cells:
        if len(cells) == width:
            yield number, cells
        elif other <= MANY:
            what = f"{len(cells)} fields instead of {width}: the file is cut off or damaged here"
            problems.append(Problem(ProblemKind.DAMAGED, file, number, None, what, "row left out"))
    if records.broken:
        number, why = records.broken
        what = f"not readable as CSV ({why})"
        problems.append(Problem(ProblemKind.DAMAGED, file, number, None, what, "the file ends here"))


def _split_of(paths: list[str], file: str) -> str:
    """train or test: what the case folders in the image paths say, else other words in them, else the file name."""
    folders: Counter[str] = Counter()
    for path in paths:
        folders.update(word.lower() for word in re.findall(r"\b(?:calc|mass)-(train|test)", path, re.I)[-1:])
    if len(folders) == 2:
        raise DataError(
            f"This table mixes {folders['train']:,} training rows and {folders['test']:,} test rows",
            where=file,
            todo="Keep each split in a table of its own, as published.",
        )
    if folders:
        return next(iter(folders))
    for text in (" ".join(paths), PurePosixPath(file).stem):
        train, test = bool(re.search(r"train", text, re.I)), bool(re.search(r"test", text, re.I))
        if train != test:
            return "train" if train else "test"
    raise DataError(
        "It is not clear whether this is the training or the test split",
        where=file,
        todo="Keep the published file name, such as calc_case_description_train_set.csv.",
    )
