"""The four published tables as the product holds them: their text, and the tables that others are compared with."""

import hashlib
import io
import json
import zipfile
from functools import cache
from pathlib import Path

from lemons_core.base.errors import DataError
from lemons_core.dataset.cases.tables import CaseTable, parse_table

PACKED = Path(__file__).parents[1] / "published" / "cases.zip"
SOURCE = PACKED.with_name("source.json")


def read_packed(packed: Path = PACKED) -> list[tuple[str, str]]:
    """Name and text of each published table.

    Raises DataError: the packed tables are missing, or not those that source.json names
    """
    source = packed.with_name(SOURCE.name)
    try:
        data, digest = packed.read_bytes(), json.loads(source.read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError("The published case table is missing", where=str(packed), todo="Install again.") from error
    if hashlib.sha256(data).hexdigest() != digest:
        what = "The published case table is damaged: its SHA-256 is not the one that source.json names"
        raise DataError(what, where=str(packed), todo="Install again.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name).decode("utf-8")) for name in archive.namelist()]


@cache
def published_tables() -> dict[str, CaseTable]:
    """The published tables by kind.

    Raises DataError: as read_packed does
    """
    tables = (parse_table(text, name) for name, text in read_packed())
    return {table.kind: table for table in tables if table}
