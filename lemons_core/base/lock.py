"""One process at a time in a folder, on every system."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lemons_core.base.errors import DataError

LOCK = ".lock"
_NUMBER_BYTES = 32  # of the file, which holds the number of the process that has it


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep other processes that ask the same out of an existing folder until the end of the block.

    The system itself holds the lock and lets go of it when the process ends, however it ends: what a killed process
    leaves is a file, which the next one takes over. Where the file system knows no locks nobody is kept out.
    Raises DataError: another process is in it
        OSError: the folder cannot be written
    """
    path = folder / LOCK
    file = _take(path)
    try:
        yield
    finally:
        if os.name == "nt":  # an open file cannot be removed there
            os.close(file)
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if os.name != "nt":
            os.close(file)


def _take(path: Path) -> int:
    """The open file, locked, with the number of this process in it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file)
            if _is_the_one(file, path):
                with suppress(OSError):  # a full disk: the lock holds without a number, too
                    os.ftruncate(file, 0)
                    os.write(file, str(os.getpid()).encode())
                return file
        except BlockingIOError as error:
            number = _number_in(file)
            os.close(file)
            raise DataError(
                f"{f'Process {number}' if number else 'Another process'} is at work in this folder",
                where=str(path.parent),
                todo="Wait until it has ended, or choose another folder for --out.",
            ) from error
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # whoever had it has removed it meanwhile


def _is_the_one(file: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _number_in(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    text = os.read(file, _NUMBER_BYTES).decode("ascii", "replace")
    return text if text.isdigit() else ""


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        """Raises BlockingIOError when another has it."""
        os.lseek(file, _NUMBER_BYTES, os.SEEK_SET)  # behind the number, which stays readable
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: int) -> None:
        """Raises BlockingIOError when another has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            return
