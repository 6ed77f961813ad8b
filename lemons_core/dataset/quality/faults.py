"""One fault of a collection: its kind, its case, and what was done about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lemons_core.dataset.cases import ProblemKind


class FaultKind(StrEnum):
    """Kinds of fault, in the order in which a report lists them."""

    UNREADABLE = "unreadable file"
    ROW_WITHOUT_IMAGE = "row without image"
    IMAGE_WITHOUT_ROW = "image without row"
    MISNAMED = "unreliable names of crop and mask"
    SWAPPED = "crop and mask swapped"
    SIZE_DIFFERS = "mask and view of different size"
    SEVERAL_AREAS = "several areas in one mask"
    DUPLICATE = "duplicated pixels"
    BOTH_SPLITS = "patient in both splits"
    TABLE = "problem in the tables"


_WORDS = {
    FaultKind.UNREADABLE: ("unreadable file", "unreadable files"),
    FaultKind.ROW_WITHOUT_IMAGE: ("row without image", "rows without image"),
    FaultKind.IMAGE_WITHOUT_ROW: ("image without row", "images without row"),
    FaultKind.MISNAMED: ("unreliable naming of crop and mask", "unreliable namings of crop and mask"),
    FaultKind.SWAPPED: ("row with crop and mask swapped", "rows with crop and mask swapped"),
    FaultKind.SIZE_DIFFERS: ("mask of another size than its view", "masks of another size than their view"),
    FaultKind.SEVERAL_AREAS: ("mask with several areas", "masks with several areas"),
    FaultKind.DUPLICATE: ("duplicated picture", "duplicated pictures"),
    FaultKind.BOTH_SPLITS: ("patient in both splits", "patients in both splits"),
    FaultKind.TABLE: ("problem in the tables", "problems in the tables"),
}


def count_words(kind: FaultKind, number: int) -> str:
    """A number of faults in words: "1 unreadable file", "9 unreadable files"."""
    one, many = _WORDS[kind]
    return f"{number:,} {one if number == 1 else many}"


@dataclass(frozen=True)
class Fault:
    """One fault.

    kind : see FaultKind
    case : case_id of the row it concerns, or the patient; None when it concerns a whole file or table, or all of them
    file : path below the data root, or None
    what : what is wrong
    done : what was done about it
    rows : table rows it counts for; more than one where an image is missing from many rows for one cause
    problem : of FaultKind.TABLE, the kind of problem
    """

    kind: FaultKind
    case: str | None
    file: str | None
    what: str
    done: str
    rows: int = 1
    problem: ProblemKind | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "problem"}
