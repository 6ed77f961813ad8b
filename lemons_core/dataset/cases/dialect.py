"""The spellings of a CSV as a whole: its encoding, its separator, and header cells that got lost on the way."""

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lemons_core.base.errors import DataError

_SEPARATORS = (",", ";", "\t")
_TOP = 1 << 16  # characters; a header is among them
_SAVE_AS = "Save it as CSV UTF-8, comma separated."


class DialectError(DataError):
    """A table that has to be saved in another way before it can be read."""


@dataclass(frozen=True)
class Records:
    """What lies below the header of a CSV.

    cells : number of each record, 1 for the first below the header, and its cells; blank records are left out
    broken : number of the record at which the file stops being readable, and why; None when it is whole
    """

    cells: list[tuple[int, list[str]]]
    broken: tuple[int, str] | None


def read_text(path: Path, file: str) -> str:
    """The text of a CSV in UTF-8, or in UTF-16 that says so in its first two bytes.

    file : its name in messages
    Raises DataError: it cannot be opened
        DialectError: it is in another encoding, or no text at all
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"This CSV cannot be read: {error.strerror}", where=file, todo="Check its rights.") from error
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DialectError("This CSV is not UTF-8 text", where=file, todo=_SAVE_AS) from error
    if "\0" in text:  # UTF-16 that does not say so, or no text
        raise DialectError("This CSV is not UTF-8 text", where=file, todo=_SAVE_AS)
    return text


def plain(header: str) -> str:
    """A column's name without its spelling: `breast_density` and `Breast density ` are one."""
    return " ".join(header.replace("_", " ").split()).lower()


def read_header(text: str, known: Collection[str]) -> tuple[str, list[str]]:
    """The separator of a CSV and the cells of its header, as written.

    known : plain names of columns; the separator is the one that finds one of them, else a comma
    An unreadable header is empty.
    """
    top = text[:_TOP]
    headers = {separator: _first_record(top, separator) for separator in _SEPARATORS}
    for separator, header in headers.items():
        if any(plain(cell) in known for cell in header):
            return separator, header
    return ",", headers[","]


def read_records(text: str, separator: str) -> Records:
    """The records below the header; what is readable of a file that was cut off within quotes is kept."""
    reader = _reader(text, separator)
    while not _filled(next(reader)):  # blank lines above the header
        pass
    cells: list[tuple[int, list[str]]] = []
    for number in count(1):
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            return Records(cells, (number, str(error)))
        if _filled(record):
            cells.append((number, record))
    return Records(cells, None)


def read_rows(path: Path, known: Collection[str]) -> Iterator[list[str]]:
    """The records of a CSV that is known to be whole, the header first; blank ones are left out.

    known : as read_header takes it
    Raises DataError, DialectError: as read_text does
    """
    text = read_text(path, str(path))
    separator, _ = read_header(text, known)
    return filter(_filled, _reader(text, separator))


def complete_header(header: Sequence[str], records: Records, wanted: Sequence[str], file: str) -> list[str]:
    """The header with what was lost put back, where only one reading is possible.

    An index without a name, as R writes it, and separators at the end of every record make records one cell longer than
    the header. One blank cell is the column that is missing when it stands where the published table has that column.
    wanted : plain names of the published columns, in their order
    Raises DialectError: one column is missing and one cell is blank, elsewhere
    """
    full = list(header)
    rows = [cells for _, cells in records.cells]
    if rows and all(len(cells) == len(full) + 1 for cells in rows[:-1] or rows):  # the last may be cut off
        if not any(cells[-1].strip() for cells in rows):
            full.append("")
        elif len({cells[0] for cells in rows}) == len(rows):
            full.insert(0, "")
    names = [plain(cell) for cell in full]
    missing = [name for name in wanted if name not in names]
    blank = [place for place, name in enumerate(names) if not name]
    if len(missing) != 1 or not blank:
        return full
    for place in blank:
        if place == 0 and all(cells[0].strip().isdigit() for cells in rows):
            continue  # an index
        if [name for name in [*names[:place], missing[0], *names[place + 1 :]] if name in wanted] == list(wanted):
            full[place] = missing[0]
            return full
    what = f"The column '{missing[0]}' is missing, and a cell of the header is blank"
    raise DialectError(what, where=file, todo=f"Write the name into that cell. {_SAVE_AS}")


def _reader(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)


def _first_record(text: str, separator: str) -> list[str]:
    try:
        return next(filter(_filled, _reader(text, separator)), [])
    except csv.Error:
        return []


def _filled(record: Sequence[str]) -> bool:
    return any(cell.strip() for cell in record)
