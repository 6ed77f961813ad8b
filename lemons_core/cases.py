"""Case-description CSVs to the case table: one row per abnormality in one view, in canonical columns.

Raw spellings are translated here and nowhere else. A cell that cannot be read becomes missing and is listed as a
problem; a file that cannot be read at all raises. Nothing is guessed.

Source: Lee et al. 2017, doi:10.1038/sdata.2017.177; the four CSVs of CBIS-DDSM.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from lemons_core.errors import DataError
from lemons_core.terms import (
    DISTRIBUTION,
    MASS_MARGINS,
    MASS_SHAPE,
    MORPHOLOGY,
    MORPHOLOGY_TWINS,
    AbnormalityType,
    Laterality,
    Pathology,
    View,
)

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

_MISSING = {"", "NA", "N/A", "NAN"}
_LATERALITY = {"LEFT": Laterality.L, "RIGHT": Laterality.R, "L": Laterality.L, "R": Laterality.R}
_TOKENS = {
    "morphology": MORPHOLOGY,
    "distribution": DISTRIBUTION,
    "mass_shape": MASS_SHAPE,
    "mass_margins": MASS_MARGINS,
}
_RANGES = {"breast_density": (1, 4), "assessment": (0, 5), "subtlety": (1, 5), "abnormality_id": (1, 99)}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")

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


def read_cases(root: str | Path) -> Cases:
    """Read every case-description CSV below `root`.

    Parameters
    ----------
    root : folder that holds the CSVs, at any depth

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
    for path in sorted(root.rglob("*.csv"), key=lambda p: (len(p.parts), str(p))):
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
    problems.extend(_cross_checks(table))
    return Cases(root, table, tuple(problems))


def split_tokens(raw: object) -> tuple[str, ...]:
    """Tokens of a compound value (`A-B`), twins merged, each once, in the order written; missing gives ()."""
    if not isinstance(raw, str):
        return ()
    return tuple(dict.fromkeys(MORPHOLOGY_TWINS.get(token, token) for token in raw.split("-")))


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
        rows.append(_Row(file, number, spelled, found).clean(raw))
    kind = f"{'calc' if own is _CALC_COLUMNS else 'mass'}_{_split_of(path, rows, file)}"
    split = kind.partition("_")[2]
    for row in rows:
        row["split"] = split
    found.extend(_column_notes(rows, file, spelled))
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


@dataclass(frozen=True)
class _Row:
    """One record on its way to canonical values; every fault is written down with its place."""

    file: str
    number: int
    spelled: dict[str, str]
    problems: list[Problem]

    def fault(self, column: str, what: str) -> None:
        self.problems.append(Problem(self.file, self.number, self.spelled[column], what))

    def clean(self, raw: dict[str, str]) -> dict[str, object]:
        row: dict[str, object] = {"source_file": self.file, "source_row": self.number}
        row["patient_id"] = self.required(raw, "patient_id")
        row["laterality"] = self.word(raw, "laterality", _LATERALITY)
        row["view"] = self.word(raw, "view", {view.value: view for view in View})
        row["abnormality_type"] = self.word(raw, "abnormality_type", {t.value.upper(): t for t in AbnormalityType})
        row["pathology"] = self.word(raw, "pathology", {p.value: p for p in Pathology})
        for column, (low, high) in _RANGES.items():
            row[column] = self.whole(raw, column, low, high)
        for column, vocabulary in _TOKENS.items():
            row[column] = self.tokens(raw, column, vocabulary) if column in raw else None
        for column in ("image", "crop", "mask"):
            row[f"{column}_path"], row[f"{column}_series"] = self.path(raw, f"{column}_path")
        if row["crop_path"] is not None and row["crop_path"] == row["mask_path"] and ".dcm" in str(row["crop_path"]):
            self.fault("crop_path", "names the same file as the mask; which is which is decided by content")
        elif row["crop_series"] is not None and row["crop_series"] != row["mask_series"]:
            self.fault("mask_path", "crop and mask are in different series")
        return row

    def required(self, raw: dict[str, str], column: str) -> str | None:
        if raw[column].upper() in _MISSING:
            self.fault(column, "missing")
            return None
        return raw[column]

    def word(self, raw: dict[str, str], column: str, known: Mapping[str, str]) -> str | None:
        text = self.required(raw, column)
        if text is None:
            return None
        if text.upper() not in known:
            self.fault(column, f"unknown value '{_short(text)}'; taken as missing")
            return None
        return str(known[text.upper()])

    def whole(self, raw: dict[str, str], column: str, low: int, high: int) -> int | None:
        text = self.required(raw, column)
        if text is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,9}(\.0+)?", text) or not low <= int(float(text)) <= high:
            self.fault(column, f"'{_short(text)}' is outside {low}-{high}; taken as missing")
            return None
        return int(float(text))

    def tokens(self, raw: dict[str, str], column: str, vocabulary: tuple[str, ...]) -> str | None:
        text = raw[column].upper()
        if text in _MISSING:
            # A missing distribution is so common that it is reported once a file, by _column_notes.
            if column != "distribution":
                self.fault(column, "missing")
            return None
        tokens = text.split("-")
        unknown = [token for token in tokens if MORPHOLOGY_TWINS.get(token, token) not in vocabulary]
        if unknown:
            self.fault(column, f"unknown value '{_short(unknown[0])}'; taken as missing")
            return None
        if len(set(tokens)) < len(tokens):
            self.fault(column, f"'{text}' names one token twice; it counts once")
        return text

    def path(self, raw: dict[str, str], column: str) -> tuple[str | None, str | None]:
        """The path as written and its SeriesInstanceUID; the file name at its end may be absent."""
        text = raw[column].replace("\\", "/").strip()
        if text.upper() in _MISSING:
            self.fault(column, "missing")
            return None, None
        parts = text.split("/")
        if text.startswith("/") or ":" in parts[0] or ".." in parts:
            self.fault(column, "points outside the data folder; not used")
            return None, None
        parts = [part for part in parts if part not in ("", ".")]
        folders = parts[:-1] if parts[-1].lower().endswith(".dcm") else parts
        if len(folders) < 3 or not _UID.fullmatch(folders[-1]) or len(folders[-1]) > 64:
            self.fault(column, "does not end in case folder / study UID / series UID; not used")
            return None, None
        return "/".join(parts), folders[-1]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _column_notes(rows: list[dict[str, object]], file: str, spelled: dict[str, str]) -> Iterator[Problem]:
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


def _build_table(records: list[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame.from_records(records)
    for column in ("morphology", "distribution"):
        table[f"{column}_tokens"] = [split_tokens(raw) for raw in table[column]]
    for column in (*_RANGES, "source_row"):
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


def _cross_checks(table: pd.DataFrame) -> Iterator[Problem]:
    """Faults that show only between rows: patients on two sides, views that disagree, rows told twice."""
    doubled = table[table["case_id"].notna() & table["case_id"].duplicated()]
    for row in doubled.itertuples():
        yield Problem(row.source_file, int(row.source_row), None, f"a second row for {row.case_id}")

    sides: dict[str, dict[str, set[str]]] = {}
    for row in table.itertuples():
        if isinstance(row.patient_id, str):
            sides.setdefault(row.patient_id, {}).setdefault(row.split, set()).add(str(row.abnormality_type))
    for patient, splits in sides.items():
        if len(splits) == 2:
            train, test = ("+".join(sorted(splits[split])) for split in ("train", "test"))
            first = table[(table["patient_id"] == patient) & (table["split"] == "test")].iloc[0]
            what = f"patient {patient} is in {train} train and {test} test: keep it out of one of them"
            yield Problem(first["source_file"], int(first["source_row"]), "patient_id", what)

    calc = table[(table["abnormality_type"] == AbnormalityType.CALCIFICATION) & table["lesion_id"].notna()]
    for column, spelled in (("morphology_tokens", "calc type"), ("pathology", "pathology")):
        for lesion, rows in calc.groupby("lesion_id", sort=False):
            values = rows[column].map(lambda value: "-".join(sorted(value)) if isinstance(value, tuple) else value)
            if len(rows) > 1 and values.nunique(dropna=False) > 1:
                told = " against ".join(values.fillna("missing").replace("", "missing"))
                last = rows.iloc[-1]
                what = f"the views of lesion {lesion} disagree: {told}"
                yield Problem(last["source_file"], int(last["source_row"]), spelled, what)
