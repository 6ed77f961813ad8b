"""Files that are whole or not there at all."""

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    import numpy as np


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is complete; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)  # noqa: PTH105 - over an existing file on every system
    finally:
        part.unlink(missing_ok=True)


def write_array(path: Path, values: "np.ndarray") -> None:
    """Write one array as .npy, whole or not at all."""
    import numpy as np  # here: who only writes bytes need not wait for it

    file = BytesIO()
    np.save(file, values)
    write_whole(path, file.getvalue())
