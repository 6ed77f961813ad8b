"""The ways people hold the collection, each with its layout, licence and citation.

The layout is told for the reader's sake only. Files are found by what they say of themselves, so a layout that nobody
has thought of works as well.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lemons_core.dataset.sources.facts import JPEG_SUFFIXES

LICENCE = "CC BY 3.0"
CITATION = (
    "Sawyer-Lee R, Gimenez F, Hoogi A, Rubin D. Curated Breast Imaging Subset of Digital Database for Screening "
    "Mammography (CBIS-DDSM). The Cancer Imaging Archive, 2016. doi:10.7937/K9/TCIA.2016.7O02S9CY. "
    "Lee RS et al. A curated mammography data set for use in computer-aided detection and diagnosis research. "
    "Scientific Data 4:170177, 2017. doi:10.1038/sdata.2017.177."
)


_UID = re.compile(r"[0-9]+(\.[0-9]+){2,}")


@dataclass(frozen=True)
class Layout:
    """One way the images lie on disk.

    key, title : for the program and for the reader
    path : an image below the root
    lossless : whether the grey values are as digitised
    """

    key: str
    title: str
    path: str
    lossless: bool = True
    licence: str = LICENCE
    citation: str = CITATION


TCIA = Layout("tcia", "TCIA (NBIA Data Retriever)", "manifest-*/CBIS-DDSM/<case>/<date-study>/<series>/1-1.dcm")
TCIA_UTILS = Layout("tcia_utils", "TCIA (tcia_utils)", "tciaDownload/<SeriesInstanceUID>/1-1.dcm")
IDC = Layout(
    "idc", "Imaging Data Commons", "cbis_ddsm/<PatientID>/<StudyInstanceUID>/MG_<SeriesInstanceUID>/<uuid>.dcm"
)
KAGGLE = Layout("kaggle", "JPEG mirror on Kaggle", "jpeg/<SeriesInstanceUID>/1-263.jpg", lossless=False)
DEMO = Layout(
    "demo",
    "simulated demo data",
    "CBIS-DDSM/<case>/<StudyInstanceUID>/<SeriesInstanceUID>/1-1.dcm",
    licence="MIT",
    citation="Simulated by Know Your Lemons; no real patient.",
)
OTHER = Layout("other", "a layout of its own", "*.dcm")
LAYOUTS = (TCIA, TCIA_UTILS, IDC, KAGGLE, DEMO, OTHER)


def detect_layouts(root: Path, paths: Iterable[str]) -> tuple[Layout, ...]:
    """The layouts that image paths below `root` are in, the most frequent first; empty without images."""
    if (root / "SIMULATED.json").is_file():
        return (DEMO,)
    counted = Counter(_layout_of(path) for path in paths)
    return tuple(layout for layout, _ in counted.most_common())


def _layout_of(path: str) -> Layout:
    *folders, name = path.split("/")
    study, series = ["", "", *folders][-2:]
    if name.lower().endswith(JPEG_SUFFIXES):
        return KAGGLE if _UID.fullmatch(series) else OTHER
    if series.startswith("MG_") and _UID.fullmatch(series[3:]):
        return IDC
    if _UID.fullmatch(series) and not _UID.fullmatch(study):
        return TCIA_UTILS
    return TCIA if len(folders) >= 3 else OTHER
