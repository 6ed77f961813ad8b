"""Pictures below a folder."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from lemons_core.base.errors import DataError

# For file choosers and folders only: the type of a file is recognised by its content.
IMAGE_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


def find_images(paths: Iterable[Path], *, leave_out: Collection[Path] = ()) -> list[Path]:
    """Files as given, and of each folder the pictures below it, sorted; none twice.

    In a folder a picture is known by its suffix, or by the mark of a DICOM file, which often has none. Hidden files are
    left out, and so is everything that lies elsewhere: a link that leads out of its folder is not followed.

    paths : files and folders; a file is taken whatever it is, so that reading it can say what is wrong
    leave_out : folders that are not entered, such as those written to
    Raises DataError: nothing was found
    """
    paths, closed = list(paths), {folder.resolve() for folder in leave_out}
    found = [file for path in paths for file in (_walk(path, closed) if path.is_dir() else (path,))]
    if not found:
        where = ", ".join(map(str, paths))
        raise DataError("There is no picture here", where=where, todo="Give DICOM, PNG, JPEG or TIFF files.")
    return list(dict.fromkeys(found))


def _walk(root: Path, closed: Collection[Path]) -> Iterator[Path]:
    inside = root.resolve()
    for folder, names, files in os.walk(root):  # it does not follow links to folders
        here = Path(folder)
        names[:] = sorted(name for name in names if name[0] != "." and (here / name).resolve() not in closed)
        for file in (here / name for name in sorted(files) if name[0] != "." and name != "DICOMDIR"):
            if file.resolve().is_relative_to(inside) and file.is_file() and _is_picture(file):
                yield file


def _is_picture(file: Path) -> bool:
    if file.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with file.open("rb") as opened:
            return opened.read(132)[128:] == b"DICM"
    except OSError:  # it may not be read: nothing says that it is a picture
        return False
