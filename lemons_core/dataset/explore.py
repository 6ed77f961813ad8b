"""Case table to tables: counts, malignant shares with intervals, missing values, problems by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lemons_core.base.terms import DISTRIBUTION, GROUPS, MORPHOLOGY, Laterality, Pathology, View, display
from lemons_core.dataset.quality import Report
from lemons_core.metrics.binary import wilson

NOT_STATED = "not stated"
Filters = Mapping[str, Sequence[str]]
PATHOLOGIES: tuple[str, ...] = (Pathology.MALIGNANT, Pathology.BENIGN, Pathology.BENIGN_WITHOUT_CALLBACK)


@dataclass(frozen=True)
class Attribute:
    """One way to divide the rows.

    column : of the case table; "images" is made of the file columns
    values : every value it can have
    words : the shown texts of `values`, where these are not `display`
    several : the column holds tuples, and a row counts once for each of its values
    ranked : shown most frequent first, not in the order of `values`
    gaps : the value can be missing
    """

    name: str
    column: str
    values: tuple[str, ...]
    words: tuple[str, ...] = ()
    several: bool = False
    ranked: bool = False
    gaps: bool = True

    def text(self, value: str) -> str:
        """A value, or NOT_STATED, as it is shown."""
        return dict(zip(self.values, self.words, strict=False)).get(value, display(value))

    @property
    def options(self) -> tuple[str, ...]:
        """Every shown text, the missing one last."""
        return (*map(self.text, self.values), *((NOT_STATED,) if self.gaps else ()))


FILTERS: dict[str, Attribute] = {
    "split": Attribute("Split", "split", ("train", "test"), gaps=False),
    "group": Attribute("Group", "calc_groups", tuple(GROUPS), several=True),
    "pathology": Attribute("Pathology", "pathology", PATHOLOGIES, gaps=False),
    "morphology": Attribute("Morphology", "morphology_tokens", MORPHOLOGY, several=True, ranked=True),
    "distribution": Attribute("Distribution", "distribution_tokens", DISTRIBUTION, several=True, ranked=True),
    "density": Attribute(
        "Breast density",
        "breast_density",
        tuple("1234"),
        ("1 fatty", "2 scattered", "3 heterogeneous", "4 dense"),
    ),
    "assessment": Attribute(
        "Assessment",
        "assessment",
        tuple("012345"),
        ("0 incomplete", "1 negative", "2 benign", "3 probably benign", "4 suspicious", "5 highly suggestive"),
    ),
    "view": Attribute("View", "view", tuple(View), ("CC (from above)", "MLO (oblique)"), gaps=False),
    "side": Attribute("Side", "laterality", tuple(Laterality), gaps=False),
    "images": Attribute("Images", "images", ("view", "crop", "none"), several=True, gaps=False),
}
# Ways to divide a plot: pathology is what its bars are made of.
ATTRIBUTES = {name: FILTERS[name] for name in FILTERS if name not in ("pathology", "images")}

_SUBTLETY = {1: "hard to see", 5: "obvious"}
_GAPS = {
    "morphology": "calc type",
    "distribution": "calc distribution",
    "breast_density": "breast density",
    "assessment": "assessment",
    "subtlety": "subtlety",
    "pathology": "pathology",
}


def read_filters(query: Filters) -> dict[str, list[str]]:
    """Filters as an address holds them, by shown texts; what is unknown is left out."""
    known = {name: [text for text in query.get(name, ()) if text in FILTERS[name].options] for name in FILTERS}
    return {name: list(dict.fromkeys(texts)) for name, texts in known.items() if texts}


def filter_words(filters: Filters) -> str:
    """The filters in a few words: "split test; group micro or macro"."""
    return "; ".join(f"{FILTERS[name].name.lower()} {' or '.join(texts)}" for name, texts in filters.items() if texts)


def filter_rows(table: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """Rows that have at least one of the chosen values in every filter; a filter without values keeps every row.

    filters : name in FILTERS to shown texts, NOT_STATED among them
    """
    keep = np.ones(len(table), dtype=bool)
    for name, texts in filters.items():
        if texts:
            codes, values = _coded(table, FILTERS[name])
            wanted = {value for value in (*FILTERS[name].values, NOT_STATED) if FILTERS[name].text(value) in texts}
            keep &= np.array([not wanted.isdisjoint(own or (NOT_STATED,)) for own in values], dtype=bool)[codes]
    return table if keep.all() else table[keep].reset_index(drop=True)


def count_by(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Rows by value and pathology: columns value (shown text), pathology (raw), n; values in the order to show.

    A row that names several values counts once for each. Missing values are counted as NOT_STATED, never left out.
    """
    counts = _counts(table, attribute)
    tidy = counts[list(PATHOLOGIES)].rename_axis(index="value", columns="pathology").stack().rename("n").reset_index()
    return tidy.assign(value=[*map(attribute.text, tidy["value"])])


def malignant_share(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Share of malignant rows by value: columns key (raw), value (shown), n, malignant, share, low, high (0-1).

    low, high : Wilson's 95% interval, as if rows were independent; two views of one lesion are not, so it is narrow.
    Rows without a pathology are left out.
    """
    counts = _counts(table, attribute)[list(PATHOLOGIES)]
    rows = []
    for value, malignant, n in zip(counts.index, counts[Pathology.MALIGNANT], counts.sum(axis=1), strict=True):
        if n:
            low, high = wilson(int(malignant), int(n))
            rows.append((value, attribute.text(value), int(n), int(malignant), malignant / n, low, high))
    return pd.DataFrame(rows, columns=["key", "value", "n", "malignant", "share", "low", "high"])


def co_occurrence(table: pd.DataFrame, attribute: Attribute, *, every: bool = False) -> pd.DataFrame:
    """(k, k) rows that hold both values; the diagonal holds the rows of each. Shown texts, in the order to show.

    Only values that stand beside another in some row; an attribute of one value a row gives an empty table.
    every : all values of the attribute instead, in its own order
    """
    codes, values = _coded(table, attribute)
    both: dict[tuple[str, str], int] = {}
    for own, n in zip(values, np.bincount(codes, minlength=len(values)), strict=True):
        for pair in product(own, own):
            both[pair] = both.get(pair, 0) + int(n)
    beside = {one for (one, other), n in both.items() if one != other and n}
    order = attribute.values if every else [value for value in _counts(table, attribute).index if value in beside]
    names = list(map(attribute.text, order))
    cells = [[both.get((one, other), 0) for other in order] for one in order]
    return pd.DataFrame(cells, index=names, columns=names, dtype=int)


def missing_values(table: pd.DataFrame) -> pd.DataFrame:
    """Missing values of the columns people fill in, and what a gap gives away of the outcome.

    Columns column, missing, share (0-1), malignant (of the missing), share_missing and share_stated: the malignant
    share (0-1) where the value is missing and where it is stated, NaN without such rows.
    """
    # nan without a pathology, which sums and means leave out
    malignant = pd.Series((table["pathology"] == Pathology.MALIGNANT).to_numpy(dtype=float, na_value=np.nan))
    rows = []
    for column, shown in _GAPS.items():
        gap = table[column].isna().to_numpy()
        shares = [malignant[part].mean() for part in (gap, ~gap)]
        rows.append((shown, int(gap.sum()), gap.mean() if len(table) else 0.0, int(malignant[gap].sum()), *shares))
    return pd.DataFrame(rows, columns=["column", "missing", "share", "malignant", "share_missing", "share_stated"])


def missing_together(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by the set of columns that are missing and by pathology, as `count_by` gives them; "nothing" comes first.

    "breast density alone" means that everything else is stated.
    """
    gaps = {shown: table[column].isna() for column, shown in _GAPS.items() if column != "pathology"}
    pattern = sum((flags.to_numpy().astype(int) << bit for bit, flags in enumerate(gaps.values())), start=0)
    pathology = table["pathology"].astype(object)
    counts = pd.crosstab(np.asarray(pattern), pathology.to_numpy()).reindex(columns=list(PATHOLOGIES), fill_value=0)
    rows = []
    for bits, row in counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index].iterrows():
        names = [shown for bit, shown in enumerate(gaps) if int(bits) >> bit & 1]
        text = " + ".join(names) if len(names) > 1 else f"{names[0]} alone" if names else "nothing"
        rows += [(text, pathology, int(row[pathology])) for pathology in PATHOLOGIES]
    return pd.DataFrame(rows, columns=["value", "pathology", "n"])


def describe_case(case: Mapping[str, Any]) -> pd.DataFrame:
    """What the notes say of one row, in plain words and as written: columns field, words, written."""
    rows = []
    for field, column, name in (
        ("Type", "morphology", "morphology"),
        ("Distribution", "distribution", "distribution"),
        ("BI-RADS assessment", "assessment", "assessment"),
        ("Breast density", "breast_density", "density"),
        ("Subtlety", "subtlety", None),
        ("Pathology", "pathology", "pathology"),
    ):
        value = case[column]
        written = "" if pd.isna(value) else str(value)
        tokens = case.get(f"{column}_tokens") or [written]  # in one spelling, where several are in use
        if not written:
            words = NOT_STATED
        elif name is None:
            words = f"{written} of 5" + (f", {_SUBTLETY[int(written)]}" if int(written) in _SUBTLETY else "")
        else:
            words = " + ".join(FILTERS[name].text(token) for token in tokens)
        rows.append((field, words, written))
    return pd.DataFrame(rows, columns=["field", "words", "written"])


def fault_table(report: Report) -> pd.DataFrame:
    """One row a fault: kind, case, what, done, file, rows; the problems in the tables by their own kinds."""
    rows = [(str(f.problem or f.kind), f.case, f.what, f.done, f.file, f.rows) for f in report.faults]
    return pd.DataFrame(rows, columns=["kind", "case", "what", "done", "file", "rows"])


def _coded(table: pd.DataFrame, attribute: Attribute) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """For each row the number of its combination of values, and the combinations; () is missing.

    A table of any length has a few dozen combinations, so whatever is done with values is done that often only.
    """
    if attribute.column == "images":
        has = {kind: table[f"{kind}_file"].notna().to_numpy().astype(int) for kind in ("view", "crop")}
        return has["view"] + 2 * has["crop"], [("none",), ("view",), ("crop",), ("view", "crop")]
    codes, found = pd.factorize(table[attribute.column])
    values = [tuple(value) if attribute.several else (str(value),) for value in found]
    return np.where(codes < 0, len(values), codes), [*values, ()]


def _counts(table: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Rows by raw value (index, in the order to show; NOT_STATED last) and pathology (columns, NOT_STATED too)."""
    codes, values = _coded(table, attribute)
    outcomes = [*PATHOLOGIES, NOT_STATED]
    kinds, known = pd.factorize(table["pathology"])
    column = np.array([*map(outcomes.index, known), len(PATHOLOGIES)], dtype=int)[kinds]  # -1: the last
    cells = np.bincount(codes * len(outcomes) + column, minlength=len(values) * len(outcomes))
    sums: dict[str, np.ndarray] = {}
    for own, row in zip(values, cells.reshape(len(values), -1), strict=True):
        for value in own or (NOT_STATED,):
            sums[value] = sums.get(value, 0) + row
    known = sorted(sums, key=lambda value: -sums[value].sum()) if attribute.ranked else attribute.values
    stated = [value for value in known if value != NOT_STATED]
    order = [value for value in (*stated, NOT_STATED) if value in sums and sums[value].any()]
    return pd.DataFrame([sums[value] for value in order], index=order, columns=outcomes, dtype=int)
