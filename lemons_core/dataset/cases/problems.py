"""What is wrong with the source data, fault by fault, each with its file, row and column."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from lemons_core.base.terms import MORPHOLOGY_TWINS, AbnormalityType, Pathology

MANY = 20  # rows with one fault; above that they are told in one line


class ProblemKind(StrEnum):
    """What several problems have in common, in the words in which people read it."""

    VIEWS_DISAGREE = "two views of one lesion disagree"
    BOTH_SPLITS = "patient in both splits"
    ROW_COUNT = "number of rows differs from the published one"
    DAMAGED = "file cut off or damaged"
    DOUBLED = "told twice"
    PASSED_OVER = "table passed over"
    TOKEN_TWICE = "token named twice"
    UNKNOWN_WORD = "unknown word"
    OUT_OF_RANGE = "number out of range"
    UNUSABLE_PATH = "path not usable"
    CROP_AND_MASK = "crop and mask mixed up"
    SPELLING_TWINS = "spelling twins"
    INCOMPLETE = "assessment incomplete"
    MISSING = "value missing"


@dataclass(frozen=True)
class Problem:
    """One fault of the source data.

    kind : what it has in common with others
    file : path of the CSV below the data root
    row : number of the record, 1 for the first below the header; None when the whole file or column is meant
    column : the CSV's own column name, or None
    what : what is wrong
    action : what was done about it, or what to keep in mind; empty when it is only reported
    """

    kind: ProblemKind
    file: str
    row: int | None
    column: str | None
    what: str
    action: str = ""

    def to_json(self) -> dict[str, object]:
        """file, row, column, and fault and action in one sentence (`what`)."""
        what = f"{self.what}; {self.action}" if self.action else self.what
        return {"file": self.file, "row": self.row, "column": self.column, "what": what}


def gather_paths(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems of one file, many unusable paths in a column as one that counts them."""
    problems = list(problems)
    counted = Counter(problem.column for problem in problems if problem.kind == ProblemKind.UNUSABLE_PATH)
    many = {column: n for column, n in counted.items() if n > MANY}
    file = problems[0].file if problems else ""
    yield from (p for p in problems if p.kind != ProblemKind.UNUSABLE_PATH or p.column not in many)
    for column, n in many.items():
        what = f"{n:,} paths hold no series UID"
        yield Problem(ProblemKind.UNUSABLE_PATH, file, None, column, what, "not used")


def column_notes(rows: list[dict[str, object]], file: str, spelled: dict[str, str]) -> Iterator[Problem]:
    """Faults that concern so many rows that they are reported once a file."""
    if "distribution" in spelled:
        missing = [row for row in rows if row["distribution"] is None]
        if missing:
            callback = sum(row["pathology"] == Pathology.BENIGN_WITHOUT_CALLBACK for row in missing)
            malignant = sum(row["pathology"] == Pathology.MALIGNANT for row in missing)
            what = f"missing in {len(missing)} rows, {callback} BENIGN_WITHOUT_CALLBACK and {malignant} malignant"
            action = "the gap itself gives the pathology away"
            yield Problem(ProblemKind.MISSING, file, None, spelled["distribution"], what, action)
        twins = sum(bool(set(str(row["morphology"]).split("-")) & set(MORPHOLOGY_TWINS)) for row in rows)
        if twins:
            what = f"{twins} rows write LUCENT_CENTER for LUCENT_CENTERED"
            yield Problem(ProblemKind.SPELLING_TWINS, file, None, spelled["morphology"], what, "read as one")
    incomplete = sum(row["assessment"] == 0 for row in rows)
    if incomplete:
        what = f"{incomplete} rows hold 0: incomplete, further imaging needed"
        action = "it is not the lowest grade"
        yield Problem(ProblemKind.INCOMPLETE, file, None, spelled["assessment"], what, action)


def cross_checks(table: pd.DataFrame) -> Iterator[Problem]:
    """Faults that show only between rows: rows that stand twice, patients on two sides, views that disagree."""
    doubled = table[table["case_id"].notna() & table["case_id"].duplicated()]
    for row in doubled.itertuples():
        what = f"a second row for {row.case_id}"
        yield Problem(ProblemKind.DOUBLED, row.source_file, int(row.source_row), None, what)
    yield from _both_splits(table)
    calc = table[(table["abnormality_type"] == AbnormalityType.CALCIFICATION) & table["lesion_id"].notna()]
    types = [value and "-".join(sorted(value)) for value in calc["morphology_tokens"]]
    yield from _views_disagree(calc, types, "calc type")
    yield from _views_disagree(calc, calc["pathology"].fillna("").tolist(), "pathology")


def _both_splits(table: pd.DataFrame) -> Iterator[Problem]:
    kinds: dict[str, dict[str, set[str]]] = {}
    first: dict[str, tuple[str, int]] = {}  # row of the test split
    columns = ("patient_id", "split", "abnormality_type", "source_file", "source_row")
    for patient, split, kind, file, row in zip(*(table[column].tolist() for column in columns), strict=True):
        if isinstance(patient, str):
            kinds.setdefault(patient, {}).setdefault(split, set()).add(str(kind))
            if split == "test":
                first.setdefault(patient, (file, row))
    for patient, by_split in kinds.items():
        if len(by_split) == 2:
            train, test = ("+".join(sorted(by_split[split])) for split in ("train", "test"))
            what = f"patient {patient} is in {train} train and {test} test: keep it out of one of them"
            yield Problem(ProblemKind.BOTH_SPLITS, *first[patient], "patient_id", what)


def _views_disagree(rows: pd.DataFrame, values: list[str], column: str) -> Iterator[Problem]:
    """Lesions whose rows hold different values, one a row in `values`; an empty one is missing."""
    by_lesion: dict[str, list[str]] = {}
    last: dict[str, tuple[str, int]] = {}  # row of the lesion
    where = (rows[name].tolist() for name in ("lesion_id", "source_file", "source_row"))
    for lesion, file, row, value in zip(*where, values, strict=True):
        by_lesion.setdefault(lesion, []).append(value or "missing")
        last[lesion] = file, row
    for lesion, found in by_lesion.items():
        if len(set(found)) > 1:
            what = f"the views of lesion {lesion} disagree: {' against '.join(found)}"
            yield Problem(ProblemKind.VIEWS_DISAGREE, *last[lesion], column, what)
