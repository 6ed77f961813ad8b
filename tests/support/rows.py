"""Rows of a case-description CSV, made up, and the file that holds them."""

import csv
import io
from pathlib import Path

CALC = [
    *("patient_id", "breast density", "left or right breast", "image view", "abnormality id", "abnormality type"),
    *("calc type", "calc distribution", "assessment", "pathology", "subtlety"),
    *("image file path", "cropped image file path", "ROI mask file path"),
]
RENAMED = {"breast density": "breast_density", "calc type": "mass shape", "calc distribution": "mass margins"}
MASS = [RENAMED.get(name, name) for name in CALC]


def record(patient="P_90001", view="CC", *, kind="Calc-Training", number=1, **changes):
    case = f"{kind}_{patient}_LEFT_{view}"
    key = f"{patient[2:]}{number}{'1' if view == 'CC' else '2'}"
    row = {
        "patient_id": patient, "breast density": "3", "left or right breast": "LEFT", "image view": view,
        "abnormality id": str(number), "abnormality type": "mass" if kind.startswith("Mass") else "calcification",
        "calc type": "OVAL" if kind.startswith("Mass") else "PLEOMORPHIC",
        "calc distribution": "SPICULATED" if kind.startswith("Mass") else "CLUSTERED",
        "assessment": "4", "pathology": "BENIGN", "subtlety": "2",
        "image file path": f"{case}/2.25.{key}1/2.25.{key}2/000000.dcm",
        "cropped image file path": f"{case}_{number}/2.25.{key}3/2.25.{key}4/000001.dcm",
        "ROI mask file path": f"{case}_{number}/2.25.{key}3/2.25.{key}4/000000.dcm",
    }  # fmt: skip
    return row | changes


def write(root: Path, rows, name="calc_case_description_train_set.csv", columns=CALC, *, encoding="utf-8"):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([list(row.values()) for row in rows])
    root.mkdir(parents=True, exist_ok=True)
    path = root / name
    path.write_bytes(text.getvalue().encode(encoding))
    return path
