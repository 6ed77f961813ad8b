"""Which series are wanted, how large they are, and which of them are on disk already."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lemons_core.base import extras
from lemons_core.base.errors import DataError
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.sources.facts import DICOM_SUFFIXES
from lemons_core.dataset.sources.index import read_index
from lemons_core.images.find import IMAGE_SUFFIXES

IDC_PACKAGE = "idc-index==0.13.4"
WHAT = {"crops": ("crop", "mask"), "views": ("image",)}  # the columns whose series are fetched
CONFIRM_ABOVE = 5 * 10**9  # bytes
_COPIES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in DICOM_SUFFIXES)


@dataclass(frozen=True)
class Plan:
    """What would be fetched.

    series : SeriesInstanceUIDs, in the order of the table
    images, size : files and bytes of them; None when no catalogue is at hand
    there : series left out because they are on disk already
    unknown : series of the table that the catalogue does not hold
    unreadable : files that are there, cannot be used, and are replaced by whole ones
    """

    series: tuple[str, ...]
    images: int | None
    size: int | None
    there: int = 0
    unknown: tuple[str, ...] = ()
    unreadable: frozenset[Path] = frozenset()

    def text(self) -> str:
        """One line for a person."""
        size = "size not known"
        if self.size is not None:
            gib = f"{self.size / 2**30:,.1f} GiB ({self.size / 1e9:,.1f} GB)"
            size = gib if self.size >= 10**8 else f"{self.size / 1e6:,.1f} MB"
        images = "" if self.images is None else f"{self.images:,} images, "
        there = f"; {self.there:,} series are there already" if self.there else ""
        return f"{len(self.series):,} series, {images}{size}{there}"


def read_catalogue() -> pd.DataFrame:
    """Series of the collection at Imaging Data Commons, by SeriesInstanceUID.

    Columns: `images`, `size` (bytes), `uuid` (its folder in the archive's bucket), `patient` and `study` (PatientID and
    StudyInstanceUID, which name its folders on disk). It is part of the package idc-index: the network is not used.
    Raises LemonsError: idc-index is not installed
    """
    package = extras.require("idc_index_data", package=IDC_PACKAGE, what="Imaging Data Commons")
    names = {
        "SeriesInstanceUID": "series", "instanceCount": "images", "series_size_MB": "size", "crdc_series_uuid": "uuid",
        "PatientID": "patient", "StudyInstanceUID": "study",
    }  # fmt: skip
    rows = pd.read_parquet(
        package.IDC_INDEX_PARQUET_FILEPATH, columns=list(names), filters=[("collection_id", "==", "cbis_ddsm")]
    ).rename(columns=names)
    size = (rows["size"].astype("float64") * 1e6).round().astype("int64")
    return rows.assign(images=rows["images"].astype("int64"), size=size).set_index("series")


def plan_images(
    table: pd.DataFrame,
    what: str,
    *,
    split: str | None = None,
    limit: int | None = None,
    catalogue: pd.DataFrame | None = None,
) -> Plan:
    """Choose the series of the calcification rows.

    table : case table
    what : `crops` (crop and mask lie in one series) or `views`
    split : `train`, `test`, or None for both
    limit : so many series at most, from the top of the table
    catalogue : as read_catalogue gives it
    """
    rows = table[table["abnormality_type"] == AbnormalityType.CALCIFICATION]
    if split:
        rows = rows[rows["split"] == split]
    return _plan(rows, WHAT[what], catalogue, limit)


def plan_case(table: pd.DataFrame, image_id: str, *, catalogue: pd.DataFrame | None = None) -> Plan:
    """Everything of one image: its view, its crops and masks, and the same of the other views of its lesions.

    table : case table
    image_id : such as P_00060_R_CC
    Raises DataError: the table describes no calcification there
    """
    rows = table[table["abnormality_type"] == AbnormalityType.CALCIFICATION]
    lesions = rows.loc[rows["image_id"] == image_id, "lesion_id"]
    if lesions.empty:
        raise DataError(
            f"The case table describes no calcification in {image_id}",
            todo="Name patient, side and view as the table has them, such as P_00060 R CC.",
        )
    return _plan(rows[rows["lesion_id"].isin(lesions)], ("crop", "mask", "image"), catalogue)


def _plan(rows: pd.DataFrame, kinds: Iterable[str], catalogue: pd.DataFrame | None, limit: int | None = None) -> Plan:
    """Each series of the rows once, in their order, less those that the catalogue lacks."""
    columns = [rows[f"{kind}_series"].tolist() for kind in kinds]
    series = dict.fromkeys(uid for row in zip(*columns, strict=True) for uid in row if isinstance(uid, str))
    unknown = tuple(uid for uid in series if catalogue is not None and uid not in catalogue.index)
    chosen = tuple(uid for uid in series if uid not in set(unknown))[:limit]
    return replace(_sized(chosen, catalogue), unknown=unknown)


def leave_out_present(plan: Plan, out: Path, catalogue: pd.DataFrame | None) -> Plan:
    """The plan without the series whose DICOM files are below `out` already, whole and readable.

    A picture in another format is a copy that has lost something, if only its header: it does not count.
    """
    if not out.is_dir():
        return plan
    index = read_index(out)
    files = index.files
    usable = files["fault"].isna() & files["series"].notna() & ~files["path"].str.lower().str.endswith(_COPIES)
    there = files[usable].groupby("series").size().to_dict()
    needed = {uid: 1 for uid in plan.series} if catalogue is None else catalogue["images"].to_dict()
    rest = tuple(uid for uid in plan.series if there.get(uid, 0) < needed[uid])
    unreadable = frozenset(index.root / path for path in files.loc[files["fault"].notna(), "path"])
    there_already = len(plan.series) - len(rest)
    return replace(_sized(rest, catalogue), there=there_already, unknown=plan.unknown, unreadable=unreadable)


def _sized(series: tuple[str, ...], catalogue: pd.DataFrame | None) -> Plan:
    if catalogue is None:
        return Plan(series, None, None)
    rows = catalogue.loc[list(series)]
    return Plan(series, int(rows["images"].sum()), int(rows["size"].sum()))
