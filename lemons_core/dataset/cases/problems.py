"""What is wrong with the source data, fault by fault, each with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from lemons_core.base.terms import MORPHOLOGY_TWINS, AbnormalityType, Pathology


@dataclass(frozen=True)
class Problem:
    """One fault of the source data.

    file : path of the CSV below the data root
    row : number of the record, 1 for the first below the header; None when the whole file or column is meant
    column : the CSV's own column name, or None
    what : what is wrong and what was done about it
    """

    file: str
    row: int | None
    column: str | None
    what: str


def column_notes(rows: list[dict[str, object]], file: str, spelled: dict[str, str]) -> Iterator[Problem]:
    """Faults that concern so many rows that they are told once a file."""
    if "distribution" in spelled:
        missing = [row for row in rows if row["distribution"] is None]
        if missing:
            callback = sum(row["pathology"] == Pathology.BENIGN_WITHOUT_CALLBACK for row in missing)
            malignant = sum(row["pathology"] == Pathology.MALIGNANT for row in missing)
            what = (
                f"missing in {len(missing)} rows, {callback} BENIGN_WITHOUT_CALLBACK and {malignant} malignant; "
                "the gap itself gives the pathology away"
            )
            yield Problem(file, None, spelled["distribution"], what)
        twins = sum(bool(set(str(row["morphology"]).split("-")) & set(MORPHOLOGY_TWINS)) for row in rows)
        if twins:
            what = f"{twins} rows write LUCENT_CENTER for LUCENT_CENTERED; read as one"
            yield Problem(file, None, spelled["morphology"], what)
    incomplete = sum(row["assessment"] == 0 for row in rows)
    if incomplete:
        what = f"{incomplete} rows hold 0: incomplete, further imaging needed; it is not the lowest grade"
        yield Problem(file, None, spelled["assessment"], what)


def cross_checks(table: pd.DataFrame) -> Iterator[Problem]:
    """Faults that show only between rows: patients on two sides, views that disagree, rows told twice."""
    doubled = table[table["case_id"].notna() & table["case_id"].duplicated()]
    for row in doubled.itertuples():
        yield Problem(row.source_file, int(row.source_row), None, f"a second row for {row.case_id}")

    sides: dict[str, dict[str, set[str]]] = {}
    for patient, split, kind in zip(
        *(table[column].tolist() for column in ("patient_id", "split", "abnormality_type")), strict=True
    ):
        if isinstance(patient, str):
            sides.setdefault(patient, {}).setdefault(split, set()).add(str(kind))
    for patient, splits in sides.items():
        if len(splits) == 2:
            train, test = ("+".join(sorted(splits[split])) for split in ("train", "test"))
            first = table[(table["patient_id"] == patient) & (table["split"] == "test")].iloc[0]
            what = f"patient {patient} is in {train} train and {test} test: keep it out of one of them"
            yield Problem(first["source_file"], int(first["source_row"]), "patient_id", what)

    calc = table[(table["abnormality_type"] == AbnormalityType.CALCIFICATION) & table["lesion_id"].notna()]
    for column, spelled in (("morphology_tokens", "calc type"), ("pathology", "pathology")):
        told: dict[str, list[str]] = {}
        for lesion, value in zip(calc["lesion_id"].tolist(), calc[column].tolist(), strict=True):
            word = "-".join(sorted(value)) if isinstance(value, tuple) else value
            told.setdefault(lesion, []).append(word if isinstance(word, str) and word else "missing")
        for lesion, values in told.items():
            if len(set(values)) > 1:
                last = calc[calc["lesion_id"] == lesion].iloc[-1]
                what = f"the views of lesion {lesion} disagree: {' against '.join(values)}"
                yield Problem(last["source_file"], int(last["source_row"]), spelled, what)
