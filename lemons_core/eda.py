"""Case table to tables: counts, malignant shares with intervals, missing values, problems by kind."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lemons_core.cases import Problem
from lemons_core.metrics import wilson
from lemons_core.terms import GROUPS, Pathology, display

NOT_STATED = "not stated"
PATHOLOGIES: tuple[str, ...] = (Pathology.MALIGNANT, Pathology.BENIGN, Pathology.BENIGN_WITHOUT_CALLBACK)


@dataclass(frozen=True)
class Attribute:
    """One way to divide the rows.

    column : of the case table
    several : the column holds tuples, and a row counts once for each of its values
    order : the values in the order to show; None: most frequent first
    words : value to shown text, where that is not `display`
    """

    name: str
    column: str
    order: tuple[str, ...] | None = None
    words: tuple[tuple[str, str], ...] = ()
    several: bool = False

    def text(self, value: str) -> str:
        return dict(self.words).get(value) or (value if value.isdigit() else display(value))


ATTRIBUTES: dict[str, Attribute] = {
    "group": Attribute("Group", "calc_groups", tuple(GROUPS), several=True),
    "morphology": Attribute("Morphology", "morphology_tokens", several=True),
    "distribution": Attribute("Distribution", "distribution_tokens", several=True),
    "density": Attribute(
        "Breast density",
        "breast_density",
        ("1", "2", "3", "4"),
        (("1", "1 fatty"), ("2", "2 scattered"), ("3", "3 heterogeneous"), ("4", "4 dense")),
    ),
    "assessment": Attribute(
        "Assessment",
        "assessment",
        ("0", "1", "2", "3", "4", "5"),
        (
            ("0", "0 incomplete"),
            ("1", "1 negative"),
            ("2", "2 benign"),
            ("3", "3 probably benign"),
            ("4", "4 suspicious"),
            ("5", "5 highly suggestive"),
        ),
    ),
    "view": Attribute("View", "view", ("CC", "MLO"), (("CC", "CC (from above)"), ("MLO", "MLO (oblique)"))),
    "split": Attribute("Split", "split", ("train", "test"), (("train", "training"), ("test", "test"))),
}


def filter_rows(table: pd.DataFrame, *, split: str | None = None, groups: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of one split (None: both) that belong to at least one of the groups (none given: every row)."""
    keep = pd.Series(True, index=table.index)
    if split:
        keep &= table["split"] == split
    if groups:
        wanted = set(groups)
        keep &= table["calc_groups"].map(lambda own: bool(wanted & set(own))).astype(bool)
    return table[keep].reset_index(drop=True)


def count_by(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Rows by value and pathology: columns value (shown text), pathology (raw), n; values in the order to show.

    A row that names several values counts once for each. Missing values are counted as NOT_STATED, never left out.
    """
    long = _exploded(table, attribute)
    counts = long.groupby(["value", "pathology"]).size()
    every = pd.MultiIndex.from_product([_ordered(long["value"], attribute), PATHOLOGIES], names=["value", "pathology"])
    tidy = counts.reindex(every, fill_value=0).rename("n").reset_index()
    tidy["value"] = [_shown(value, attribute) for value in tidy["value"]]
    return tidy


def malignant_share(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Share of malignant rows by value: columns key (raw), value (shown), n, malignant, share, low, high (0-1).

    low, high : Wilson's 95% interval, as if rows were independent; two views of one lesion are not, so it is narrow.
    Rows without a pathology are left out.
    """
    long = _exploded(table, attribute)
    long = long[long["pathology"] != NOT_STATED]
    rows = []
    for value in _ordered(long["value"], attribute):
        part = long[long["value"] == value]
        malignant = int((part["pathology"] == Pathology.MALIGNANT).sum())
        low, high = wilson(malignant, len(part))
        rows.append((value, _shown(value, attribute), len(part), malignant, malignant / len(part), low, high))
    return pd.DataFrame(rows, columns=["key", "value", "n", "malignant", "share", "low", "high"])


def missing_values(table: pd.DataFrame) -> pd.DataFrame:
    """Missing values of the columns people fill in: column, missing, share (0-1), malignant (of the missing)."""
    columns = {
        "calc type": "morphology",
        "calc distribution": "distribution",
        "breast density": "breast_density",
        "assessment": "assessment",
        "subtlety": "subtlety",
        "pathology": "pathology",
    }
    rows = []
    for shown, column in columns.items():
        gone = table[table[column].isna()]
        malignant = int((gone["pathology"] == Pathology.MALIGNANT).sum())
        rows.append((shown, len(gone), len(gone) / len(table) if len(table) else 0.0, malignant))
    return pd.DataFrame(rows, columns=["column", "missing", "share", "malignant"])


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """One row a problem: kind, file, row (Int64), column, what."""
    rows = [(problem_kind(p), p.file, p.row, p.column, p.what) for p in problems]
    table = pd.DataFrame(rows, columns=["kind", "file", "row", "column", "what"])
    return table.astype({"row": "Int64"})


_KINDS: tuple[tuple[str, str], ...] = (
    (r"views of lesion", "two views of one lesion disagree"),
    (r"keep it out of one", "patient in both splits"),
    (r"published", "number of rows differs from the published one"),
    (r"cut off|not readable", "file cut off or damaged"),
    (r"second row|a second", "told twice"),
    (r"names one token twice", "token named twice"),
    (r"unknown value", "unknown word"),
    (r"is outside", "number out of range"),
    (r"outside the data folder|does not end in", "path not usable"),
    (r"crop and mask|same file as the mask", "crop and mask mixed up"),
    (r"read as one", "spelling twins"),
    (r"incomplete", "assessment incomplete"),
    (r"missing", "value missing"),
)


def problem_kind(problem: Problem) -> str:
    """A few words that several problems share, so that they can be counted."""
    return next((kind for pattern, kind in _KINDS if re.search(pattern, problem.what)), "other")


def _exploded(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """One row per row and value: value and pathology as text, missing as NOT_STATED."""
    column = table[attribute.column]
    if attribute.several:
        values = pd.Series([own or (NOT_STATED,) for own in column], index=table.index, dtype=object).explode()
    else:
        values = column.astype("string").fillna(NOT_STATED)
    pathology = table["pathology"].fillna(NOT_STATED).reindex(values.index)
    return pd.DataFrame({"value": values.astype(str).to_numpy(), "pathology": pathology.astype(str).to_numpy()})


def _ordered(values: pd.Series, attribute: Attribute) -> list[str]:
    """Values that occur: in the attribute's order or the most frequent first, NOT_STATED last."""
    counts = values.value_counts()
    order = attribute.order or counts.index
    known = [value for value in order if value in counts.index and value != NOT_STATED]
    return known + ([NOT_STATED] if NOT_STATED in counts.index else [])


def _shown(value: str, attribute: Attribute) -> str:
    return value if value == NOT_STATED else attribute.text(value)
