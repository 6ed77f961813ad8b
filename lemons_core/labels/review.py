"""Rows worth a second look: contradicting descriptors, disagreeing views, rare words, a model's doubt.

A suspect is a question, not an error: some of these rows turn out to be right when somebody looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lemons_core.base.terms import GROUPS, Pathology, display
from lemons_core.labels.mapping import GroupMapping, read_mapping
from lemons_core.labels.summary import view_agreement

RARE = 3  # a combination of tokens in fewer rows than this is rare
TYPICALLY_BENIGN = "2"  # BI-RADS category of the typically benign types
SUSPICIOUS = "4"  # first figure of the suspicious categories 4B and 4C


@dataclass(frozen=True)
class Suspect:
    """One reason to look again at one row."""

    case_id: str
    reason: str
    detail: str


REASONS: dict[str, str] = {
    "benign type, malignant": "only typically benign types, yet malignant",
    "suspicious type, no callback": "a type that calls for a biopsy, yet never called back",
    "benign and suspicious": "typically benign and suspicious types in one abnormality",
    "views disagree on group": "CC and MLO of one lesion are in different groups",
    "views disagree on type": "CC and MLO of one lesion name different types, within one group",
    "views disagree on pathology": "CC and MLO of one lesion have different pathology",
    "rare combination": f"a combination of types in fewer than {RARE} rows",
    "model disagrees": "an image model that never saw the row is confident of another group",
}


def find_suspects(
    table: pd.DataFrame, mapping: GroupMapping | None = None, probabilities: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every reason for every row: case_id, reason (a key of REASONS), detail; in the order of REASONS.

    table : calcification rows with calc_group and calc_groups
    mapping : the rules that made them; its BI-RADS column separates benign from suspicious types
    probabilities : index case_id, one column a group (0-1), of a model that was not trained on these rows
    """
    found = [
        *_contradictions(table, mapping or read_mapping()),
        *_disagreements(table),
        *_rare(table),
        *(_model_doubts(table, probabilities) if probabilities is not None else ()),
    ]
    order = list(REASONS)
    found.sort(key=lambda suspect: order.index(suspect.reason))
    return pd.DataFrame([vars(suspect) for suspect in found], columns=["case_id", "reason", "detail"])


def _contradictions(table: pd.DataFrame, mapping: GroupMapping) -> Iterator[Suspect]:
    category = {rule.token: rule.birads for rule in mapping.rules}
    for row in table.itertuples():
        benign = [category[token] == TYPICALLY_BENIGN for token in row.morphology_tokens]
        suspicious = any(category[token].startswith(SUSPICIOUS) for token in row.morphology_tokens)
        outcome = str(row.pathology)
        reasons = {
            "benign type, malignant": benign and all(benign) and outcome == Pathology.MALIGNANT,
            "suspicious type, no callback": suspicious and outcome == Pathology.BENIGN_WITHOUT_CALLBACK,
            "benign and suspicious": suspicious and any(benign),
        }
        for reason, applies in reasons.items():
            if applies:
                yield Suspect(row.case_id, reason, display(row.morphology))


def _disagreements(table: pd.DataFrame) -> Iterator[Suspect]:
    cases = table.groupby("lesion_id")["case_id"].agg(list)
    for pair in view_agreement(table).itertuples():
        if not pair.same_type:
            reason = "views disagree on type" if pair.same_group else "views disagree on group"
            detail = f"CC {display(pair.CC)}; MLO {display(pair.MLO)}"
            yield from (Suspect(case, reason, detail) for case in cases[pair.lesion_id])
    several = table.groupby("lesion_id")["pathology"].transform("nunique", dropna=False) > 1
    for _, rows in table[several].groupby("lesion_id", sort=False):
        seen = zip(rows["view"], rows["pathology"].fillna("missing"), strict=True)
        detail = "; ".join(f"{view} {display(pathology)}" for view, pathology in seen)
        yield from (Suspect(case, "views disagree on pathology", detail) for case in rows["case_id"])


def _rare(table: pd.DataFrame) -> Iterator[Suspect]:
    combination = table["morphology_tokens"].map(lambda tokens: "-".join(sorted(tokens)))
    count = combination.map(combination.value_counts())
    for case, tokens, n in zip(table["case_id"], combination, count, strict=True):
        if tokens and n < RARE:
            yield Suspect(case, "rare combination", f"{display(tokens)}, {n} of {len(table):,} rows")


def _model_doubts(table: pd.DataFrame, probabilities: pd.DataFrame) -> Iterator[Suspect]:
    """Rows where the model is as sure of another group as it usually is of that group's own rows.

    A group's threshold is the mean probability that the model gives to rows labelled with it; a row is doubtful when
    another group passes its threshold and none of the row's own groups does.

    Source: the confident joint of Northcutt et al. 2021, doi:10.1613/jair.1.12125.
    """
    names = [str(group) for group in GROUPS]
    rows = table[table["calc_group"].notna()].merge(probabilities[names], left_on="case_id", right_index=True)
    if rows.empty:
        return
    p = rows[names].to_numpy(float)
    own = np.array([[name in groups for name in names] for groups in rows["calc_groups"]])
    threshold = np.array(
        [column[mine].mean() if mine.any() else np.inf for column, mine in zip(p.T, own.T, strict=True)]
    )
    sure = p >= threshold
    for k in np.flatnonzero((sure & ~own).any(1) & ~(sure & own).any(1)):
        best = int(np.where(sure[k] & ~own[k], p[k], -1).argmax())
        row = rows.iloc[k]
        detail = f"labelled {row['calc_group']}, model {names[best]} {p[k, best]:.0%}"
        yield Suspect(row["case_id"], "model disagrees", detail)
