"""One record of a CSV to canonical values: the only place that knows the raw spellings."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from lemons_core.base import terms
from lemons_core.base.terms import MORPHOLOGY_TWINS, AbnormalityType, Laterality, Pathology, View
from lemons_core.dataset.cases.problems import Problem, ProblemKind

_MISSING = {"", "NA", "N/A", "NAN"}
_LATERALITY = {"LEFT": Laterality.L, "RIGHT": Laterality.R, "L": Laterality.L, "R": Laterality.R}
_TOKENS = {
    "morphology": terms.MORPHOLOGY,
    "distribution": terms.DISTRIBUTION,
    "mass_shape": terms.MASS_SHAPE,
    "mass_margins": terms.MASS_MARGINS,
}
RANGES = {"breast_density": (1, 4), "assessment": (0, 5), "subtlety": (1, 5), "abnormality_id": (1, 99)}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


class PathForm(Enum):
    """What is different about a path that is not as published and yet names its series: said of one, and of many."""

    ABSOLUTE = ("is absolute", "are absolute")
    OUTSIDE = ("leads out of the data folder", "lead out of the data folder")
    PICTURE = ("names a JPEG, PNG or TIFF file", "name JPEG, PNG or TIFF files")
    OTHER = ("is not in the published form", "are not in the published form")

    def words(self, n: int) -> str:
        """What `n` paths are, such as "1,546 paths are absolute"."""
        one, many = self.value
        return f"1 path {one}" if n == 1 else f"{n:,} paths {many}"


def is_missing(text: str) -> bool:
    """Whether a cell holds one of the spellings of a missing value."""
    return text.strip().upper() in _MISSING


def split_tokens(raw: object) -> tuple[str, ...]:
    """Tokens of a compound value (`A-B`), twins merged, each once, in the order written; missing gives ()."""
    if not isinstance(raw, str):
        return ()
    return tuple(dict.fromkeys(MORPHOLOGY_TWINS.get(token, token) for token in raw.split("-")))


@dataclass(frozen=True)
class RawRow:
    """One record on its way to canonical values; every fault is noted with its row and column.

    forms : paths that are not as published and yet name their series, counted by column for the whole file
    """

    file: str
    number: int
    spelled: dict[str, str]
    problems: list[Problem]
    forms: Counter[tuple[str, PathForm]]

    def fault(self, column: str, kind: ProblemKind, what: str, action: str = "") -> None:
        self.problems.append(Problem(kind, self.file, self.number, self.spelled[column], what, action))

    def clean(self, raw: dict[str, str]) -> dict[str, object]:
        row: dict[str, object] = {"source_file": self.file, "source_row": self.number}
        row["patient_id"] = self.required(raw, "patient_id")
        row["laterality"] = self.word(raw, "laterality", _LATERALITY)
        row["view"] = self.word(raw, "view", {view.value: view for view in View})
        row["abnormality_type"] = self.word(raw, "abnormality_type", {t.value.upper(): t for t in AbnormalityType})
        row["pathology"] = self.word(raw, "pathology", {p.value: p for p in Pathology})
        for column, (low, high) in RANGES.items():
            row[column] = self.whole(raw, column, low, high)
        for column, vocabulary in _TOKENS.items():
            row[column] = self.tokens(raw, column, vocabulary) if column in raw else None
        for column in ("image", "crop", "mask"):
            row[f"{column}_path"], row[f"{column}_series"] = self.path(raw, f"{column}_path")
        self.compare_crop_and_mask(row)
        return row

    def compare_crop_and_mask(self, row: dict[str, object]) -> None:
        if row["crop_path"] is not None and row["crop_path"] == row["mask_path"] and ".dcm" in str(row["crop_path"]):
            what, action = "names the same file as the mask", "which is which is decided by content"
            self.fault("crop_path", ProblemKind.CROP_AND_MASK, what, action)
        elif row["crop_series"] is not None and row["crop_series"] != row["mask_series"]:
            self.fault("mask_path", ProblemKind.CROP_AND_MASK, "crop and mask are in different series")

    def required(self, raw: dict[str, str], column: str) -> str | None:
        if raw[column].upper() in _MISSING:
            self.fault(column, ProblemKind.MISSING, "missing")
            return None
        return raw[column]

    def word(self, raw: dict[str, str], column: str, known: Mapping[str, str]) -> str | None:
        text = self.required(raw, column)
        if text is None:
            return None
        if text.upper() not in known:
            self.fault(column, ProblemKind.UNKNOWN_WORD, f"unknown value '{_short(text)}'", "taken as missing")
            return None
        return str(known[text.upper()])

    def whole(self, raw: dict[str, str], column: str, low: int, high: int) -> int | None:
        text = self.required(raw, column)
        if text is None:
            return None
        number = re.fullmatch(r"(-?[0-9]{1,9})([.,]0+)?", text)  # a comma where Excel speaks another language
        if not number or not low <= int(number[1]) <= high:
            what = f"'{_short(text)}' is outside {low}-{high}"
            self.fault(column, ProblemKind.OUT_OF_RANGE, what, "taken as missing")
            return None
        return int(number[1])

    def tokens(self, raw: dict[str, str], column: str, vocabulary: tuple[str, ...]) -> str | None:
        text = raw[column].upper()
        if text in _MISSING:
            # A missing distribution is so common that it is reported once a file, by problems.column_notes.
            if column != "distribution":
                self.fault(column, ProblemKind.MISSING, "missing")
            return None
        tokens = text.split("-")
        unknown = [token for token in tokens if MORPHOLOGY_TWINS.get(token, token) not in vocabulary]
        if unknown:
            self.fault(column, ProblemKind.UNKNOWN_WORD, f"unknown value '{_short(unknown[0])}'", "taken as missing")
            return None
        if len(set(tokens)) < len(tokens):
            self.fault(column, ProblemKind.TOKEN_TWICE, f"'{text}' names one token twice", "it counts once")
        return text

    def path(self, raw: dict[str, str], column: str) -> tuple[str | None, str | None]:
        """The path as written and its SeriesInstanceUID; the file name at its end may be absent.

        A path of another form is not kept, only the UID in it: files are found by series, no path is ever opened.
        """
        text = raw[column].replace("\\", "/").strip()
        if text.upper() in _MISSING:
            self.fault(column, ProblemKind.MISSING, "missing")
            return None, None
        parts = [part for part in text.split("/") if part not in ("", ".")]
        absolute = text.startswith("/") or ":" in text.split("/")[0]
        if not absolute and ".." not in parts:
            folders = parts[:-1] if text.lower().endswith(".dcm") else parts
            if len(folders) >= 3 and _is_uid(folders[-1]):
                return "/".join(parts), folders[-1]
        series = _series_in(parts)
        if series:
            self.forms[column, _form_of(parts, absolute)] += 1
        elif absolute or ".." in parts:
            self.fault(column, ProblemKind.UNUSABLE_PATH, "points outside the data folder", "not used")
        else:
            what = "does not end in case folder / study UID / series UID"
            self.fault(column, ProblemKind.UNUSABLE_PATH, what, "not used")
        return None, series


def path_notes(forms: Counter[tuple[str, PathForm]], file: str, spelled: dict[str, str]) -> Iterator[Problem]:
    """One problem a column and form, for paths that are used in part."""
    for (column, form), n in forms.items():
        action = f"only the series UID in {'it' if n == 1 else 'them'} is used"
        yield Problem(ProblemKind.UNUSABLE_PATH, file, None, spelled[column], form.words(n), action)


def _form_of(parts: Sequence[str], absolute: bool) -> PathForm:
    if absolute:
        return PathForm.ABSOLUTE
    if ".." in parts:
        return PathForm.OUTSIDE
    return PathForm.PICTURE if parts[-1].lower().endswith(_PICTURES) else PathForm.OTHER


def _series_in(parts: Sequence[str]) -> str | None:
    """The SeriesInstanceUID of a path: its last element, or the folder of its last, or the only UID in it."""
    uids = [uid if _is_uid(uid) and uid.count(".") > 1 else None for uid in (p.removeprefix("MG_") for p in parts)]
    found = [uid for uid in uids if uid]
    last = next((uid for uid in reversed(uids[-2:]) if uid), None)
    return last or (found[0] if len(found) == 1 else None)


def _is_uid(text: str) -> bool:
    return bool(_UID.fullmatch(text)) and len(text) <= 64


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
