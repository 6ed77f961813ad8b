"""The CSV files below a root to one table."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases.problems import Problem, ProblemKind, column_notes, cross_checks
from lemons_core.dataset.cases.rows import RANGES, RawRow, split_tokens

# Rows as published; another count means a cut-off file or a chosen subset, which is reported.
PUBLISHED_ROWS = {"calc_train": 1546, "calc_test": 326, "mass_train": 1318, "mass_test": 378}

# Canonical name <- the CSV's own. `breast density` (calc) and `breast_density` (mass) are one after _plain().
_COLUMNS = {
    "patient_id": "patient id", "breast_density": "breast density", "laterality": "left or right breast",
    "view": "image view", "abnormality_id": "abnormality id", "abnormality_type": "abnormality type",
    "assessment": "assessment", "pathology": "pathology", "subtlety": "subtlety", "image_path": "image file path",
    "crop_path": "cropped image file path", "mask_path": "roi mask file path",
}  # fmt: skip
_OWN_COLUMNS = {
    "calc": {"morphology": "calc type", "distribution": "calc distribution"},
    "mass": {"mass_shape": "mass shape", "mass_margins": "mass margins"},
}

TABLE_COLUMNS: tuple[str, ...] = (
    "case_id", "patient_id", "split", "abnormality_type", "laterality", "view", "abnormality_id", "lesion_id",
    "image_id", "breast_density", "morphology", "morphology_tokens", "distribution", "distribution_tokens",
    "mass_shape", "mass_margins", "assessment", "pathology", "subtlety", "image_path", "crop_path", "mask_path",
    "image_series", "crop_series", "mask_series", "source_file", "source_row",
)  # fmt: skip


@dataclass(frozen=True)
class Cases:
    """The case table of one data root, and what is wrong with it."""

    root: Path
    table: pd.DataFrame
    problems: tuple[Problem, ...]

    def of_type(self, abnormality_type: AbnormalityType) -> pd.DataFrame:
        """The rows of one abnormality type, renumbered."""
        return self.table[self.table["abnormality_type"] == abnormality_type].reset_index(drop=True)

    @property
    def calcifications(self) -> pd.DataFrame:
        return self.of_type(AbnormalityType.CALCIFICATION)

    @property
    def kinds(self) -> pd.Series:
        """The table that each row is from: calc_train, calc_test, mass_train or mass_test."""
        return self.table["abnormality_type"].map({"calcification": "calc", "mass": "mass"}) + "_" + self.table["split"]

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table, 0 for one that is not there."""
        found = self.kinds.value_counts()
        return {name: int(found.get(name, 0)) for name in PUBLISHED_ROWS}

    def summary(self) -> dict[str, object]:
        """Rows and patients by table, missing values by column, and the problems, ready for JSON."""
        kind = self.kinds
        patients = self.table.groupby(kind)["patient_id"].nunique()
        checked = ["breast_density", "assessment", "pathology", "subtlety"]
        missing = {}
        for name, own in _OWN_COLUMNS.items():
            part = self.table[kind.str.startswith(name)]
            missing[name] = {column: int(part[column].isna().sum()) for column in [*own, *checked]}
        return {
            "rows": self.rows,
            "patients": {name: int(patients.get(name, 0)) for name in PUBLISHED_ROWS},
            "missing": missing,
            "problems": [problem.to_json() for problem in self.problems],
        }


def read_cases(root: str | Path, *, csv_files: Iterable[str] | None = None) -> Cases:
    """Read every case-description CSV below `root`.

    root : folder that holds the CSVs, at any depth
    csv_files : the CSVs below root, where the caller has searched it already
    Returns the case table (columns TABLE_COLUMNS) and the problems found.
    Raises DataError: the folder does not exist, holds no case-description CSV, or one lacks a column or cannot be read
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError("The data folder does not exist", where=str(root), todo="Check --data or LEMONS_DATA.")
    found = root.rglob("*.csv") if csv_files is None else (root / name for name in csv_files)
    paths = sorted(found, key=lambda p: (len(p.parts), str(p)))
    names = (path.relative_to(root).as_posix() for path in paths)
    return parse_cases(root, ((name, _read_text(path, name)) for name, path in zip(names, paths, strict=True)))


def parse_cases(root: Path, files: Iterable[tuple[str, str]]) -> Cases:
    """The case table from CSVs, each as its name in messages and its text; those that are other tables are passed over.

    Raises DataError: no text is a case description, or one lacks a column
    """
    problems: list[Problem] = []
    records: list[dict[str, object]] = []
    seen: dict[str, str] = {}
    for file, text in files:
        parsed = _parse_csv(text, file, problems)
        if parsed is None:  # another table, such as the metadata.csv of a download
            continue
        kind, rows = parsed
        if kind in seen:
            action = f"left out, {seen[kind]} is used"
            problems.append(Problem(ProblemKind.DOUBLED, file, None, None, f"a second {kind} table", action))
            continue
        seen[kind] = file
        if len(rows) != PUBLISHED_ROWS[kind]:
            what = f"{len(rows)} readable rows, {PUBLISHED_ROWS[kind]} are published: cut off, or a subset"
            problems.append(Problem(ProblemKind.ROW_COUNT, file, None, None, what))
        records.extend(rows)
    if not seen:
        raise DataError(
            "No case-description CSV was found",
            where=str(root),
            todo="Put calc_case_description_train_set.csv and its three siblings anywhere below this folder.",
        )
    table = _build_table(records)
    problems.extend(cross_checks(table))
    return Cases(root, table, tuple(problems))


def _plain(header: str) -> str:
    return " ".join(header.replace("_", " ").split()).lower()


def _parse_csv(text: str, file: str, problems: list[Problem]) -> tuple[str, list[dict[str, object]]] | None:
    """The kind (`calc_train`...) and cleaned rows of one CSV, or None when it is some other table."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
    except csv.Error:
        header = []
    known = _find_columns(header, file)
    if known is None:
        return None
    abnormality, index = known
    spelled = {column: header[k].strip() for column, k in index.items()}
    rows = []
    for number, cells in _records(reader, file, len(header), problems):
        raw = {column: cells[k].strip() for column, k in index.items()}
        rows.append(RawRow(file, number, spelled, problems).clean(raw))
    split = _split_of(rows, file)
    problems.extend(column_notes(rows, file, spelled))
    return f"{abnormality}_{split}", [row | {"split": split} for row in rows]


def _read_text(path: Path, file: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("This CSV is not UTF-8 text", where=file, todo="Download it again.") from error
    except OSError as error:
        raise DataError(f"This CSV cannot be read: {error.strerror}", where=file, todo="Check its rights.") from error


def _find_columns(header: list[str], file: str) -> tuple[str, dict[str, int]] | None:
    """`calc` or `mass`, and the index of each canonical column; None for a table that is no case description."""
    plain = [_plain(name) for name in header]
    todo = "Download this file again."
    kind = "calc" if "calc type" in plain else "mass" if "mass shape" in plain else None
    if kind is None:
        if "case_description" in PurePosixPath(file).name:
            raise DataError("The column 'calc type' or 'mass shape' is missing", where=file, todo=todo)
        return None
    wanted = _COLUMNS | _OWN_COLUMNS[kind]
    for name in wanted.values():
        if name not in plain:
            raise DataError(f"The column '{name}' is missing", where=file, todo=todo)
    return kind, {column: plain.index(name) for column, name in wanted.items()}


def _records(
    reader: Iterator[list[str]], file: str, width: int, problems: list[Problem]
) -> Iterator[tuple[int, list[str]]]:
    """Numbered records of `width` fields; an unfinished quote at the end is the mark of a truncated file."""
    for number in count(1):
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            what = f"not readable as CSV ({error})"
            problems.append(Problem(ProblemKind.DAMAGED, file, number, None, what, "the file ends here"))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) == width:
            yield number, cells
        else:
            what = f"{len(cells)} fields instead of {width}: the file is cut off or damaged here"
            problems.append(Problem(ProblemKind.DAMAGED, file, number, None, what, "row left out"))


def _split_of(rows: list[dict[str, object]], file: str) -> str:
    """train or test: what the image paths say, else what the file name says."""
    folders = " ".join(str(row["image_path"]) for row in rows)
    for text in (folders, PurePosixPath(file).stem):
        train, test = bool(re.search(r"train", text, re.I)), bool(re.search(r"test", text, re.I))
        if train != test:
            return "train" if train else "test"
    raise DataError(
        "It is not clear whether this is the training or the test split",
        where=file,
        todo="Keep the published file name, such as calc_case_description_train_set.csv.",
    )


def _build_table(records: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame.from_records(records)
    for column in ("morphology", "distribution"):
        table[f"{column}_tokens"] = [split_tokens(raw) for raw in table[column]]
    for column in (*RANGES, "source_row"):
        table[column] = table[column].astype("Int64")
    text = [c for c in table.columns if table[c].dtype != "Int64" and not c.endswith("_tokens")]
    table[text] = table[text].astype("string")
    breast = table["patient_id"] + "_" + table["laterality"]
    kind = table["abnormality_type"].str[:4]
    number = table["abnormality_id"].astype("string")
    table["image_id"] = breast + "_" + table["view"]
    table["lesion_id"] = breast + "_" + kind + "_" + number
    table["case_id"] = table["image_id"] + "_" + kind + "_" + number
    return table[list(TABLE_COLUMNS)]
