"""What lies below a data root: files that may be pictures, tables, and everything that is passed over."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lemons_core.base.errors import DataError
from lemons_core.dataset.sources.facts import SERIES_FOLDER_SUFFIXES
from lemons_core.dataset.sources.skipped import SkipKind, Skipped, count_by_suffix, is_utf8, printable, suffix_of

_UID = re.compile(r"[0-9]+(\.[0-9]+){2,}")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
_OWN = ("SIMULATED.json", "DICOMDIR")  # a mark of this product; the list of a medium, DICOM but no picture


@dataclass(frozen=True)
class Found:
    """What a search has found below a root.

    root : absolute
    pictures : (path below the root, size, mtime_ns) of each file that is a picture or may be one
    csv_files : every CSV, below the root
    skipped : what is not used whatever it holds
    """

    root: Path
    pictures: tuple[tuple[str, int, int], ...]
    csv_files: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def find_files(root: str | Path) -> Found:
    """Search the folder `root` without opening a file in it; a folder that is not there holds nothing.

    Hidden files and folders are unfinished work and left out. A link to a folder is followed, once: what the user
    linked is read, a folder that is read already is not read again, and links within a linked folder lead no further.
    Raises DataError: the path of the root is not UTF-8
    """
    root = Path(root).resolve()
    if not is_utf8(str(root)):
        todo = "Rename the folder, or link to it by another name."
        raise DataError("The path of the data folder is not UTF-8", where=printable(str(root)), todo=todo)
    search = _Search(str(root))
    search.read_below("")
    search.follow_links()
    skipped = [*search.skipped, *count_by_suffix(SkipKind.NO_ROW, search.strays)]
    order = list(SkipKind)
    skipped.sort(key=lambda one: (order.index(one.kind), one.path))
    return Found(root, tuple(sorted(search.pictures)), tuple(sorted(search.csv_files)), tuple(skipped))


def series_of_folder(path: str) -> str | None:
    """The SeriesInstanceUID that the folder of a file is named by, or None when its name is no UID."""
    folder = path.rpartition("/")[0].rpartition("/")[2].removeprefix("MG_")
    return folder if _UID.fullmatch(folder) and len(folder) <= 64 else None


class _Search:
    """What has been found so far, below the folder `root`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.pictures: list[tuple[str, int, int]] = []
        self.csv_files: list[str] = []
        self.strays: list[str] = []
        self.skipped: list[Skipped] = []
        self.links: list[tuple[str, str | None]] = []  # path, and the real path of the linked folder it lies in
        self.files: set[tuple[int, int]] = set()  # device and inode of each file that is used
        self.folders: list[str] = []
        self.entered: set[tuple[int, int]] = set()  # the same of folders, filled when a link is met

    def skip(self, kind: SkipKind, path: str) -> None:
        self.skipped.append(Skipped(kind, printable(path) or "."))

    def read_below(self, start: str, *, linked: str | None = None) -> None:
        """Read a folder and the folders in it; links are kept for later, so that what lies here really comes first.

        linked : the real path of the folder that a link has led to
        """
        todo = [start]
        while todo:
            folder = todo.pop()
            if linked is None or self.enters(folder):
                self.folders.append(folder)
                try:
                    todo.extend(self.read_folder(folder, linked))
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError:
                    self.skip(SkipKind.CLOSED_FOLDER, folder)

    def read_folder(self, folder: str, linked: str | None) -> Iterator[str]:
        """Take the files of one folder; gives its folders."""
        before = f"{folder}/" if folder else ""
        with os.scandir(f"{self.root}/{folder}") as entries:
            for entry in entries:
                name = entry.name
                if name[0] == ".":
                    continue
                path = before + name
                if not is_utf8(name):
                    self.skip(SkipKind.NAME, path)
                elif entry.is_symlink():
                    self.links.append((path, linked))
                elif entry.is_dir(follow_symlinks=False):
                    yield path
                else:
                    self.take(path, name, entry.stat(follow_symlinks=False))

    def take(self, path: str, name: str, facts: os.stat_result) -> None:
        """Keep one file as what its name says; what has no name of its own may be DICOM."""
        suffix = suffix_of(name)
        if not stat.S_ISREG(facts.st_mode) or name in _OWN:
            return
        if suffix == ".csv":
            self.csv_files.append(path)
        elif name.lower().endswith(_ARCHIVES):
            self.skip(SkipKind.ARCHIVE, path)
        elif suffix == ".tcia":
            self.skip(SkipKind.MANIFEST, path)
        elif suffix in SERIES_FOLDER_SUFFIXES and not series_of_folder(path):
            self.strays.append(path)
        else:
            self.pictures.append((path, facts.st_size, facts.st_mtime_ns))
        self.files.add((facts.st_dev, facts.st_ino))

    def enters(self, folder: str) -> bool:
        """Whether a folder has not been entered yet; from now on it has."""
        if not self.entered:
            self.entered = {key for known in self.folders if (key := self.key_of(known))}
        key = self.key_of(folder)
        new = key not in self.entered
        if key:
            self.entered.add(key)
        return new

    def key_of(self, folder: str) -> tuple[int, int] | None:
        """Device and inode; None for a folder that has gone or is closed, as reading it will tell."""
        try:
            facts = Path(self.root, folder).stat()
        except OSError:
            return None
        return facts.st_dev, facts.st_ino

    def follow_links(self) -> None:
        while self.links:
            links, self.links = sorted(self.links, key=lambda link: link[0]), []
            for path, linked in links:
                try:
                    self.follow(path, linked)
                except PermissionError:
                    self.skip(SkipKind.CLOSED_FOLDER, path)
                except OSError:  # to nowhere, or around in a circle
                    self.skip(SkipKind.BROKEN_LINK, path)

    def follow(self, path: str, linked: str | None) -> None:
        facts = Path(self.root, path).stat()
        target = os.path.realpath(f"{self.root}/{path}")
        if linked and not _within(target, linked) and not _within(target, self.root):
            self.skip(SkipKind.LINK_OUT, path)
        elif stat.S_ISREG(facts.st_mode):
            if (facts.st_dev, facts.st_ino) in self.files:
                self.skip(SkipKind.LINK_AGAIN, path)
            else:
                self.take(path, path.rpartition("/")[2], facts)
        elif stat.S_ISDIR(facts.st_mode):
            if _within(self.root, target) and target != self.root:
                self.skip(SkipKind.LINK_AROUND, path)
                return
            known = len(self.folders)
            self.read_below(path, linked=target)
            if len(self.folders) == known:
                self.skip(SkipKind.LINK_AGAIN, path)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
