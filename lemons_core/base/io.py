"""Files that are whole or not there at all, and figures as files hold them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import numpy as np


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, to be written within the block; renamed to `path` at its end, removed on failure.

    The folder is made when missing. A file that is already there is replaced, on every system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
        os.replace(part, path)  # noqa: PTH105 - over an existing file on every system
    finally:
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
