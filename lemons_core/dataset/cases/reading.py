"""The CSV files below a root to one table."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases.problems import Problem, column_notes, cross_checks
from lemons_core.dataset.cases.rows import RANGES, RawRow, split_tokens

# Rows as published; another count means a cut-off file or a chosen subset, and the user is told.
PUBLISHED_ROWS = {"calc_train": 1546, "calc_test": 326, "mass_train": 1318, "mass_test": 378}

# Canonical name <- the CSV's own. `breast density` (calc) and `breast_density` (mass) are one after _plain().
_COLUMNS = {
    "patient_id": "patient id",
    "breast_density": "breast density",
    "laterality": "left or right breast",
    "view": "image view",
    "abnormality_id": "abnormality id",
    "abnormality_type": "abnormality type",
    "assessment": "assessment",
    "pathology": "pathology",
    "subtlety": "subtlety",
    "image_path": "image file path",
    "crop_path": "cropped image file path",
    "mask_path": "roi mask file path",
}
_CALC_COLUMNS = {"morphology": "calc type", "distribution": "calc distribution"}
_MASS_COLUMNS = {"mass_shape": "mass shape", "mass_margins": "mass margins"}

TABLE_COLUMNS: tuple[str, ...] = (
    "case_id",
    "patient_id",
    "split",
    "abnormality_type",
    "laterality",
    "view",
    "abnormality_id",
    "lesion_id",
    "image_id",
    "breast_density",
    "morphology",
    "morphology_tokens",
    "distribution",
    "distribution_tokens",
    "mass_shape",
    "mass_margins",
    "assessment",
    "pathology",
    "subtlety",
    "image_path",
    "crop_path",
    "mask_path",
    "image_series",
    "crop_series",
    "mask_series",
    "source_file",
    "source_row",
)


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

    def summary(self) -> dict[str, object]:
        """Rows and patients by file kind, missing values by column, and the problems, ready for JSON."""
        kind = self.table["abnormality_type"].map({"calcification": "calc", "mass": "mass"}) + "_" + self.table["split"]
        groups = self.table.groupby(kind)
        rows = groups.size().to_dict()
        patients = groups["patient_id"].nunique().to_dict()
        checked = ["breast_density", "assessment", "pathology", "subtlety"]
        missing = {}
        for name, own in (("calc", ["morphology", "distribution"]), ("mass", ["mass_shape", "mass_margins"])):
            part = self.table[kind.str.startswith(name)]
            missing[name] = {column: int(part[column].isna().sum()) for column in [*own, *checked]}
        return {
            "rows": {name: int(rows.get(name, 0)) for name in PUBLISHED_ROWS},
            "patients": {name: int(patients.get(name, 0)) for name in PUBLISHED_ROWS},
            "missing": missing,
            "problems": [asdict(problem) for problem in self.problems],
        }


def read_cases(root: str | Path, *, csv_files: Iterable[str] | None = None) -> Cases:
    """Read every case-description CSV below `root`.

    Parameters
    ----------
    root : folder that holds the CSVs, at any depth
    csv_files : the CSVs below root, where the caller has searched it already

    Returns
    -------
    The case table (columns TABLE_COLUMNS) and the problems found.

    Raises
    ------
    DataError : the folder does not exist, holds no case-description CSV, or one lacks a column or cannot be read
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError("The data folder does not exist", where=str(root), todo="Check --data or LEMONS_DATA.")
    problems: list[Problem] = []
    records: list[dict[str, object]] = []
    seen: dict[str, str] = {}
    found = root.rglob("*.csv") if csv_files is None else (root / name for name in csv_files)
    for path in sorted(found, key=lambda p: (len(p.parts), str(p))):
        file = path.relative_to(root).as_posix()
        parsed = _read_csv(path, file, problems)
        if parsed is None:  # another table, such as the metadata.csv of a download
            continue
        kind, rows = parsed
        if kind in seen:
            problems.append(Problem(file, None, None, f"a second {kind} table; left out, {seen[kind]} is used"))
            continue
        seen[kind] = file
        if len(rows) != PUBLISHED_ROWS[kind]:
            what = f"{len(rows)} readable rows, {PUBLISHED_ROWS[kind]} are published: cut off, or a subset"
            problems.append(Problem(file, None, None, what))
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


def _read_csv(path: Path, file: str, problems: list[Problem]) -> tuple[str, list[dict[str, object]]] | None:
    """The kind (`calc_train`...) and cleaned rows of one CSV, or None when it is some other table."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("This CSV is not UTF-8 text", where=file, todo="Download it again.") from error
    except OSError as error:
        raise DataError(f"This CSV cannot be read: {error.strerror}", where=file, todo="Check its rights.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
    except csv.Error:
        header = []
    plain = [_plain(name) for name in header]
    own = _CALC_COLUMNS if "calc type" in plain else _MASS_COLUMNS if "mass shape" in plain else None
    if own is None:
        if "case_description" in path.name:
            raise DataError(
                "The column 'calc type' or 'mass shape' is missing", where=file, todo="Download this file again."
            )
        return None
    wanted = _COLUMNS | own
    for name in wanted.values():
        if name not in plain:
            raise DataError(f"The column '{name}' is missing", where=file, todo="Download this file again.")
    place = {column: plain.index(name) for column, name in wanted.items()}
    spelled = {column: header[index].strip() for column, index in place.items()}

    found: list[Problem] = []
    rows = []
    for number, cells in _records(reader, file, found):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            what = f"{len(cells)} fields instead of {len(header)}: the file is cut off or damaged here; row left out"
            found.append(Problem(file, number, None, what))
            continue
        raw = {column: cells[index].strip() for column, index in place.items()}
        rows.append(RawRow(file, number, spelled, found).clean(raw))
    kind = f"{'calc' if own is _CALC_COLUMNS else 'mass'}_{_split_of(path, rows, file)}"
    split = kind.partition("_")[2]
    for row in rows:
        row["split"] = split
    found.extend(column_notes(rows, file, spelled))
    problems.extend(found)
    return kind, rows


def _records(reader: Iterable[list[str]], file: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Numbered records; an unfinished quote at the end is the mark of a truncated file."""
    iterator = iter(reader)
    number = 0
    while True:
        number += 1
        try:
            cells = next(iterator)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(file, number, None, f"not readable as CSV ({error}); the file ends here"))
            return
        yield number, cells


def _split_of(path: Path, rows: list[dict[str, object]], file: str) -> str:
    """train or test: what the image paths say, else what the file name says."""
    folders = " ".join(str(row["image_path"]) for row in rows)
    for text in (folders, path.stem):
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
