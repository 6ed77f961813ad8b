"""What was seen below a data root and not used, in values that a report can list."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class SkipKind(StrEnum):
    """Why something was passed over, in the order in which a report lists it."""

    CLOSED_FOLDER = "folder that may not be entered"
    ARCHIVE = "archive that is not unpacked"
    MANIFEST = "list of images to download"
    BROKEN_LINK = "link that leads nowhere"
    LINK_AGAIN = "link to what is read already"
    LINK_AROUND = "link to a folder around the data folder"
    LINK_OUT = "link out of a linked folder"
    NAME = "name that is not UTF-8"
    NO_ROW = "picture that no row can be joined to"
    OTHER = "file that is no picture"


_SENTENCES = {
    SkipKind.CLOSED_FOLDER: "The folder {path} may not be entered",
    SkipKind.ARCHIVE: "{path} is an archive: unpack it to use the pictures in it",
    SkipKind.MANIFEST: "{path} only lists images to download",
    SkipKind.BROKEN_LINK: "The link {path} leads nowhere",
    SkipKind.LINK_AGAIN: "The link {path} leads to what is read already",
    SkipKind.LINK_AROUND: "The link {path} leads to a folder around the data folder and is not followed",
    SkipKind.LINK_OUT: "{path} lies in a linked folder and leads out of it: it is not followed",
    SkipKind.NAME: "The name {path} is not UTF-8: rename it to use what it holds",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was seen below the data root and not used.

    kind : why
    path : where, below the root; of several, the first. Bytes that are no UTF-8 are written as in `caf\\xe9`
    count : how many; above 1 only where files of one suffix are counted together
    suffix : of these files, in lower case; empty for none, and for everything that is not counted by suffix
    """

    kind: SkipKind
    path: str
    count: int = 1
    suffix: str = ""

    @property
    def sentence(self) -> str:
        """What a person reads, without a full stop."""
        if self.kind in _SENTENCES:
            return _SENTENCES[self.kind].format(path=self.path)
        files = f"file{'s' if self.count > 1 else ''}{'' if self.suffix else ' without a suffix'}"
        counted = " ".join([f"{self.count:,}", *([self.suffix] if self.suffix else []), files])
        what = "can be joined to no row" if self.kind == SkipKind.NO_ROW else "no DICOM and not read"
        verb = "" if self.kind == SkipKind.NO_ROW else "are " if self.count > 1 else "is "
        return f"{counted} {verb}{what}{', such as' if self.count > 1 else ':'} {self.path}"


def printable(path: str) -> str:
    """A path as it can be stored and printed: bytes that are no UTF-8 are written as `\\xe9`."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def is_utf8(name: str) -> bool:
    """Whether a name on disk is UTF-8, so that tables can hold it."""
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:  # Python marks the other bytes by surrogates
        return False
    return True


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case; the last number of a UID is none."""
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot > 0 else ""
    return "" if suffix[1:].isdigit() else suffix


def count_by_suffix(kind: SkipKind, paths: Iterable[str]) -> list[Skipped]:
    """Files of one kind, those of one suffix counted together."""
    counted: dict[str, list[str]] = {}
    for path in paths:
        counted.setdefault(suffix_of(path.rpartition("/")[2]), []).append(path)
    return [Skipped(kind, min(own), len(own), suffix) for suffix, own in sorted(counted.items())]
