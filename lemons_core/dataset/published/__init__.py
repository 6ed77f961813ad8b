"""The case table of CBIS-DDSM as its authors published it, within the product: facts alone, no image, no mask.

`cases.zip` holds the four tables with one spelling of "missing" and nothing else changed, so that they are read, and
their faults are told, exactly as those of a downloaded copy. `source.json` says whose they are and names the file.

Source: Sawyer-Lee, Gimenez, Hoogi, Rubin 2016, doi:10.7937/K9/TCIA.2016.7O02S9CY; Lee et al. 2017,
doi:10.1038/sdata.2017.177. CC BY 3.0.
"""

import json
from pathlib import Path
from typing import Any

from lemons_core.dataset.cases import PACKED, SOURCE, Cases, parse_cases, read_packed

__all__ = ["PACKED", "SOURCE", "read_published", "read_source"]


def read_published(images: Path, *, packed: Path = PACKED) -> Cases:
    """The published case table: 3,568 rows with all their faults.

    images : folder of the images that were fetched for it, the root of the case table; it need not exist
    Raises DataError: the packed table is missing, or not the one that source.json names
    """
    return parse_cases(images, read_packed(packed))


def read_source() -> dict[str, Any]:
    """What source.json says: title, doi, licence, citations, rows of each table, sha256 of cases.zip."""
    source: dict[str, Any] = json.loads(SOURCE.read_text("utf-8"))
    return source
