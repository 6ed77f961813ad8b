"""The CSV files below a root to one table."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases.choosing import choose_table
from lemons_core.dataset.cases.dialect import DialectError, read_text
from lemons_core.dataset.cases.finding import by_length, find_tables
from lemons_core.dataset.cases.problems import Problem, ProblemKind, cross_checks
from lemons_core.dataset.cases.rows import RANGES, split_tokens
from lemons_core.dataset.cases.tables import OWN_COLUMNS, PUBLISHED_ROWS, CaseTable, kind_named, parse_table

TABLE_COLUMNS: tuple[str, ...] = (
    "case_id", "patient_id", "split", "abnormality_type", "laterality", "view", "abnormality_id", "lesion_id",
    "image_id", "breast_density", "morphology", "morphology_tokens", "distribution", "distribution_tokens",
    "mass_shape", "mass_margins", "assessment", "pathology", "subtlety", "image_path", "crop_path", "mask_path",
    "image_series", "crop_series", "mask_series", "source_file", "source_row",
)  # fmt: skip


class NoTablesError(DataError):
    """A data root without a single case-description CSV."""


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
        for name, own in OWN_COLUMNS.items():
            part = self.table[kind.str.startswith(name)]
            missing[name] = {column: int(part[column].isna().sum()) for column in [*own, *checked]}
        return {
            "rows": self.rows,
            "patients": {name: int(patients.get(name, 0)) for name in PUBLISHED_ROWS},
            "missing": missing,
            "problems": [problem.to_json() for problem in self.problems],
        }


def read_cases(root: str | Path, *, csv_files: Iterable[str] | None = None) -> Cases:
    """Read the case-description CSVs below `root`, one of each kind.

    root : folder that holds the CSVs, at any depth
    csv_files : the CSVs below root, where the caller has searched it already
    Returns the case table (columns TABLE_COLUMNS) and the problems found, among them the CSVs that were passed over.
    Raises NoTablesError: the folder does not exist or holds no case-description CSV
        DataError: the only table that there is of a kind lacks a column or cannot be read
    """
    root = Path(root)
    if not root.is_dir():
        raise NoTablesError("The data folder does not exist", where=str(root), todo="Check --data or LEMONS_DATA.")
    names = find_tables(root) if csv_files is None else sorted(csv_files, key=by_length)
    return _join(root, ((name, partial(read_text, root / name, name)) for name in names))


def parse_cases(root: Path, files: Iterable[tuple[str, str]]) -> Cases:
    """The case table from CSVs, each as its name in messages and its text.

    Raises NoTablesError: no text is a case description
        DataError: the only table that there is of a kind lacks a column
    """
    return _join(root, ((file, lambda text=text: text) for file, text in files))  # type: ignore[misc]


def _join(root: Path, files: Iterable[tuple[str, Callable[[], str]]]) -> Cases:
    """The case table from CSVs, each as its name and what reads its text; other tables are passed over."""
    by_kind: dict[str, list[CaseTable]] = {}
    unusable: dict[str, DataError] = {}
    for file, read in files:
        try:
            table = parse_table(read(), file)
        except DataError as error:
            unusable[file] = error
            continue
        if table:
            by_kind.setdefault(table.kind, []).append(table)
    _check_needed(root, by_kind.keys(), unusable)
    problems: list[Problem] = []
    records: list[dict[str, object]] = []
    for kind in sorted(by_kind):  # the order in which the published files stand, whatever the copies are called
        table, choice = choose_table(by_kind[kind])
        problems += [*table.problems, choice] if choice else table.problems
        if len(table.rows) != PUBLISHED_ROWS[kind]:
            what = f"{len(table.rows)} readable rows, {PUBLISHED_ROWS[kind]} are published: cut off, or a subset"
            problems.append(Problem(ProblemKind.ROW_COUNT, table.file, None, None, what))
        records.extend(table.rows)
    problems += [_passed_over(file, error) for file, error in unusable.items()]
    table = _build_table(records)
    problems.extend(cross_checks(table))
    return Cases(root, table, tuple(problems))


def _check_needed(root: Path, kinds: Iterable[str], unusable: dict[str, DataError]) -> None:
    """Raise what is wrong with a table that bears a published name and is the only one of its kind, or of any kind."""
    found = set(kinds)
    for file, error in unusable.items():
        named = kind_named(file)
        if named and named not in found:
            raise error
    if not found:
        for error in unusable.values():
            raise error
        raise NoTablesError(
            "No case-description CSV was found",
            where=str(root),
            todo="Put calc_case_description_train_set.csv and its three siblings anywhere below this folder.",
        )


def _passed_over(file: str, error: DataError) -> Problem:
    what = error.what[:1].lower() + error.what[1:]
    action = "passed over"
    if isinstance(error, DialectError):
        action += f"; {error.todo[:1].lower()}{error.todo[1:].rstrip('.')}, if it is to be used"
    return Problem(ProblemKind.PASSED_OVER, file, None, None, what, action)


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
