"""Files that are whole or not there at all, what to say when one cannot be written, and figures as files hold them."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lemons_core.base.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_FULL = "Free some space or choose another place, then run it again."
_IN_THE_WAY = "Something else has this name: give another one."
_TODO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "The disk takes no file of this size: choose another place.",
    errno.EACCES: "Check its rights or choose another place.",
    errno.EPERM: "Check its rights or choose another place.",
    errno.EROFS: "Choose a place that is not read-only.",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOENT: "Check that it is there.",
    errno.ENAMETOOLONG: "Give a shorter name.",
}  # by the kind of error


def file_error(error: OSError, what: str = "A file cannot be read or written", *, where: str | Path = "") -> DataError:
    """An OSError as one sentence that a person can act on: what failed and why, the file, and what to do.

    what : what failed, without a full stop
    where : what it concerns when the error names no file itself
    """
    reason = error.strerror or str(error) or type(error).__name__
    if reason[:2].istitle():  # a sentence goes on
        reason = reason[0].lower() + reason[1:]
    named = where if error.filename is None else error.filename
    place = os.fsdecode(named) if isinstance(named, (bytes, os.PathLike)) else str(named)
    todo = _TODO.get(error.errno or 0, "Check the folder and the disk.")
    return DataError(f"{what}: {reason}", where=place, todo=todo)


@contextmanager
def writing(what: str, where: str | Path = "") -> Iterator[None]:
    """Tell an OSError within the block as `file_error` does.

    Raises DataError: a file cannot be read or written
    """
    try:
        yield
    except OSError as error:
        raise file_error(error, what, where=where) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Every OSError within the block names a file: a full disk alone does not say what was being written."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, to be written within the block; renamed to `path` at its end, removed on failure.

    The folder is made when missing. A file that is already there is replaced, on every system.
    Raises OSError: it cannot be written; the error names `path`, or the folder that cannot be made
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        with naming(path):
            yield part
            os.replace(part, path)  # noqa: PTH105 - over an existing file on every system
    except OSError as error:
        if error.filename == str(part):  # nobody knows it by this name
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # nothing is there where nothing may be written
            part.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is complete; its folder is made when missing."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def write_array(path: Path, values: "np.ndarray") -> None:
    """Write one array as .npy, whole or not at all."""
    import numpy as np  # here: who only writes bytes need not wait for it

    with atomic_path(path) as part, part.open("wb") as file:
        np.save(file, values)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rounded(value: Any) -> Any:
    """Figures as a card holds them: every float to four places, in lists and dictionaries as well."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value
