"""The four downloaded CSVs to the one small file that the product holds."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.dataset.cases import PUBLISHED_ROWS, Cases, is_missing, read_cases
from lemons_core.dataset.cases.dialect import read_rows
from lemons_core.dataset.cases.tables import MARKS
from lemons_core.dataset.published import PACKED, SOURCE

_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is packed
_ABOUT = {
    "title": "Curated Breast Imaging Subset of DDSM (CBIS-DDSM), case descriptions",
    "doi": "10.7937/K9/TCIA.2016.7O02S9CY",
    "licence": "CC BY 3.0, https://creativecommons.org/licenses/by/3.0/",
    "citations": [
        "Sawyer-Lee R, Gimenez F, Hoogi A, Rubin D (2016). Curated Breast Imaging Subset of Digital Database for "
        "Screening Mammography (CBIS-DDSM). The Cancer Imaging Archive. doi:10.7937/K9/TCIA.2016.7O02S9CY",
        "Lee RS, Gimenez F, Hoogi A, Miyake KK, Gorovoy M, Rubin DL (2017). A curated mammography data set for use in "
        "computer-aided detection and diagnosis research. Scientific Data 4, 170177. doi:10.1038/sdata.2017.177",
    ],
    "changes": "Missing values are written as nothing, white space around values is removed; nothing else is changed.",
}


def write_packed(root: Path, out: Path) -> Path:
    """Write cases.zip and source.json into `out` from the four CSVs below `root`; the same bytes from the same facts.

    Raises DataError: a table is missing or does not hold what was published, or `out` cannot be written
    """
    cases = read_cases(root)
    _check_complete(cases)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in dict.fromkeys(cases.table["source_file"]):
            member = zipfile.ZipInfo(Path(file).name, _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, _plain_text(root / file), compresslevel=9)
    data = packed.getvalue()
    source = _ABOUT | {"rows": PUBLISHED_ROWS, "sha256": hashlib.sha256(data).hexdigest()}
    try:
        write_atomic(out / PACKED.name, data)
        write_atomic(out / SOURCE.name, (json.dumps(source, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise DataError(f"The packed table cannot be written: {error.strerror}", where=str(out)) from error
    return out / PACKED.name


def _check_complete(cases: Cases) -> None:
    for kind, rows in cases.rows.items():
        if rows != PUBLISHED_ROWS[kind]:
            what = f"The table {kind} has {rows:,} usable rows, {PUBLISHED_ROWS[kind]:,} are published"
            raise DataError(what, where=str(cases.root), todo="Get the four tables: `fetch metadata --out DIR`.")


def _plain_text(path: Path) -> str:
    """The same CSV with one spelling of missing, one of line ends, and no white space around its cells."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in read_rows(path, MARKS):
        writer.writerow("" if is_missing(cell) else cell.strip() for cell in row)
    return out.getvalue()
