"""Does the relabelling make sense? Counts, overlaps, agreement of two views, class weights, and what a change moves.

Every function takes calcification rows with `calc_group` and `calc_groups` (labels.add_groups) and gives a small table.
"""

from typing import Any

import pandas as pd

from lemons_core.base.terms import GROUPS, View

NO_GROUP = "no group"

# Single labels on the 322 typed rows of the calc test split in the work that this project follows.
ORIGINAL_TEST_COUNTS: dict[str, int] = {"amorphous": 82, "macro": 56, "micro": 128, "vascular": 56}


def group_counts(table: pd.DataFrame, *, multi: bool = False) -> dict[str, dict[str, int]]:
    """Rows by split and group, {split: {group: n}}, by single label; multi: a row counts in each of its groups."""
    label = "calc_groups" if multi else "calc_group"
    rows = table[["split", label]].explode(label)
    counts = pd.crosstab(rows["split"], rows[label])
    counts = counts.reindex(index=["train", "test"], columns=[str(group) for group in GROUPS], fill_value=0)
    return {split: {group: int(n) for group, n in row.items()} for split, row in counts.to_dict("index").items()}


def label_counts_by(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows by single label (index) and the values of one column (columns); missing values are counted as such."""
    labels = table["calc_group"].fillna(NO_GROUP)
    counts = pd.crosstab(labels, table[column].astype("string").fillna("missing"))
    order = [name for name in [*map(str, GROUPS), NO_GROUP] if name in counts.index]
    return counts.loc[order].rename_axis(index="group", columns=None)


def multi_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that belong to more than one group."""
    return table[table["calc_groups"].map(len) > 1]


def uncovered_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without any group: their type is missing."""
    return table[table["calc_groups"].map(len) == 0]


def type_to_group(table: pd.DataFrame, *, most: int = 14) -> pd.DataFrame:
    """Rows by raw type and single label: morphology, group, n; rarer types are joined as "other types (k)"."""
    raw = table["morphology"].fillna("type missing")
    group = table["calc_group"].fillna(NO_GROUP)
    frequent = list(raw.value_counts().index[:most])
    rest = raw.nunique() - len(frequent)
    shown = raw.where(raw.isin(frequent), f"other types ({rest})")
    counts = pd.DataFrame({"morphology": shown, "group": group}).value_counts().rename("n").reset_index()
    return counts.sort_values("n", ascending=False, ignore_index=True)


def view_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row a lesion seen in both views: lesion_id, CC, MLO (types as written), same_type, same_group, same_groups.

    Types agree when they hold the same tokens, in whatever order; a missing type disagrees with a given one.
    """
    known = table[table["lesion_id"].notna()].drop_duplicates(["lesion_id", "view"])
    columns = ["lesion_id", "morphology", "morphology_tokens", "calc_group", "calc_groups"]
    cc, mlo = (known.loc[known["view"] == view, columns] for view in View)
    pair = cc.merge(mlo, on="lesion_id", suffixes=("_cc", "_mlo"))
    group_cc, group_mlo = (pair[f"calc_group_{view}"].fillna(NO_GROUP) for view in ("cc", "mlo"))
    return pd.DataFrame(
        {
            "lesion_id": pair["lesion_id"],
            "CC": pair["morphology_cc"].fillna("missing"),
            "MLO": pair["morphology_mlo"].fillna("missing"),
            "same_type": pair["morphology_tokens_cc"].map(frozenset) == pair["morphology_tokens_mlo"].map(frozenset),
            "same_group": group_cc == group_mlo,
            "same_groups": pair["calc_groups_cc"] == pair["calc_groups_mlo"],
        }
    )


def class_weights(table: pd.DataFrame, *, beta: float = 0.999) -> pd.DataFrame:
    """Weights for training by single label: group, n, inverse_frequency, effective_number, class_balanced.

    Both weights have mean 1 over the groups that occur. The effective number (1 - beta^n) / (1 - beta) stands for how
    much new each further row of a group adds; the class-balanced weight is its inverse.

    Source: Cui et al. 2019, doi:10.1109/CVPR.2019.00949.
    """
    n = table["calc_group"].value_counts().reindex([str(g) for g in GROUPS], fill_value=0).astype(int)
    effective = (1 - beta**n) / (1 - beta)
    frame = pd.DataFrame({"group": n.index, "n": n.to_numpy(), "effective_number": effective.to_numpy()})
    for name, base in (("inverse_frequency", frame["n"]), ("class_balanced", frame["effective_number"])):
        weight = 1 / base.where(base > 0)
        frame[name] = weight / weight.mean()
    return frame


def against_original(table: pd.DataFrame) -> pd.DataFrame:
    """Single labels on the test split beside the original work's: group, original, here, at_least, at_most.

    at_least, at_most : rows that any precedence must give this group (it is their only one), or could give it.
    An original count outside these cannot come from the calcification type.
    """
    test = table[table["split"] == "test"]
    single = test["calc_group"].value_counts()
    rows = []
    for group in map(str, GROUPS):
        member = test["calc_groups"].map(lambda own, group=group: group in own)
        alone = member & (test["calc_groups"].map(len) == 1)
        rows.append(
            (group, ORIGINAL_TEST_COUNTS[group], int(single.get(group, 0)), int(alone.sum()), int(member.sum()))
        )
    return pd.DataFrame(rows, columns=["group", "original", "here", "at_least", "at_most"])


def moved_rows(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Rows whose single label or groups differ between two labellings of the same rows.

    Columns case_id, morphology, from, to (single labels), groups_from, groups_to.
    """
    labels = ["calc_group", "calc_groups"]
    rows = before[["case_id", "morphology", *labels]].merge(after[["case_id", *labels]], on="case_id")
    for side, suffix in (("from", "_x"), ("to", "_y")):
        rows[side] = rows[f"calc_group{suffix}"].fillna(NO_GROUP)
        rows[f"groups_{side}"] = rows[f"calc_groups{suffix}"].map(", ".join)
    changed = (rows["from"] != rows["to"]) | (rows["groups_from"] != rows["groups_to"])
    columns = ["case_id", "morphology", "from", "to", "groups_from", "groups_to"]
    return rows.loc[changed, columns].reset_index(drop=True)


def summarise(table: pd.DataFrame, suspects: int) -> dict[str, Any]:
    """The figures of `labels --json`."""
    several = len(multi_rows(table))
    return {
        "counts": group_counts(table),
        "multi": {
            "rows": several,
            "share": several / len(table) if len(table) else 0.0,
            "counts": group_counts(table, multi=True),
        },
        "uncovered": uncovered_rows(table)["case_id"].tolist(),
        "suspects": suspects,
    }
