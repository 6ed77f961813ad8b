"""The ways people hold the collection.

The layout is named for the reader's sake only. Files are found by what their headers say, so a layout that nobody has
thought of works as well.
"""

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from lemons_core.dataset.sources.facts import JPEG_SUFFIXES, SERIES_FOLDER_SUFFIXES

_UID = re.compile(r"[0-9]+(\.[0-9]+){2,}")


class Layout(StrEnum):
    """One way the images lie on disk, in words for a reader."""

    TCIA = "TCIA (NBIA Data Retriever)"  # manifest-*/CBIS-DDSM/<case>/<date-study>/<series>/1-1.dcm
    TCIA_UTILS = "TCIA (tcia_utils)"  # tciaDownload/<SeriesInstanceUID>/1-1.dcm
    IDC = "Imaging Data Commons"  # cbis_ddsm/<PatientID>/<StudyInstanceUID>/MG_<SeriesInstanceUID>/<uuid>.dcm
    KAGGLE = "JPEG mirror on Kaggle"  # jpeg/<SeriesInstanceUID>/1-263.jpg: 8 bit and lossy
    PNG = "PNG or TIFF at the paths of the tables"  # <case>/<StudyInstanceUID>/<SeriesInstanceUID>/000000.png
    DEMO = "simulated demo data"  # CBIS-DDSM/<case>/<StudyInstanceUID>/<SeriesInstanceUID>/1-1.dcm
    OTHER = "a layout of its own"


def detect_layouts(root: Path, paths: Iterable[str]) -> tuple[Layout, ...]:
    """The layouts that image paths below `root` are in, the most frequent first; empty without images."""
    if (root / "SIMULATED.json").is_file():
        return (Layout.DEMO,)
    counted = Counter(_layout_of(path) for path in paths)
    return tuple(layout for layout, _ in counted.most_common())


def _layout_of(path: str) -> Layout:
    *folders, name = path.split("/")
    study, series = ["", "", *folders][-2:]
    if name.lower().endswith(JPEG_SUFFIXES):
        return Layout.KAGGLE if _UID.fullmatch(series) else Layout.OTHER
    if name.lower().endswith(SERIES_FOLDER_SUFFIXES):
        return Layout.PNG
    if series.startswith("MG_") and _UID.fullmatch(series[3:]):
        return Layout.IDC
    if _UID.fullmatch(series) and not _UID.fullmatch(study):
        return Layout.TCIA_UTILS
    return Layout.TCIA if len(folders) >= 3 else Layout.OTHER
