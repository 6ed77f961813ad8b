"""Get the collection: the four tables from its own address, images by SeriesInstanceUID from IDC or TCIA."""

import logging
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from lemons_core.base import extras
from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.base.progress import Progress
from lemons_core.base.terms import AbnormalityType
from lemons_core.dataset.cases import PUBLISHED_ROWS, read_cases
from lemons_core.dataset.sources.download import download
from lemons_core.dataset.sources.index import read_index

CSV_ADDRESS = "https://www.cancerimagingarchive.net/wp-content/uploads"
TCIA_ADDRESS = "https://services.cancerimagingarchive.net/nbia-api/services/v1"
CSV_NAMES = tuple(f"{kind.replace('_', '_case_description_')}_set.csv" for kind in PUBLISHED_ROWS)
IDC_PACKAGE = "idc-index==0.13.4"
WHAT = {"crops": ("crop", "mask"), "views": ("image",)}  # the columns whose series are fetched
CONFIRM_ABOVE = 5 * 10**9  # bytes
_BATCH = 20  # series that one call of idc-index fetches: between two calls one can stop


@dataclass(frozen=True)
class Plan:
    """What would be fetched.

    series : SeriesInstanceUIDs, in the order of the table
    images, size : files and bytes of them; None when no catalogue is at hand
    there : series left out because they are on disk already
    unknown : series of the table that the catalogue does not hold
    """

    series: tuple[str, ...]
    images: int | None
    size: int | None
    there: int = 0
    unknown: tuple[str, ...] = ()

    def text(self) -> str:
        """One line for a person."""
        size = "size not known"
        if self.size is not None:
            gib = f"{self.size / 2**30:,.1f} GiB ({self.size / 1e9:,.1f} GB)"
            size = gib if self.size >= 10**8 else f"{self.size / 1e6:,.1f} MB"
        images = "" if self.images is None else f"{self.images:,} images, "
        there = f"; {self.there:,} series are there already" if self.there else ""
        return f"{len(self.series):,} series, {images}{size}{there}"


def fetch_metadata(out: Path, *, address: str = CSV_ADDRESS, progress: Progress | None = None) -> list[Path]:
    """Download the four case-description CSVs to `out`/csv, checked by their columns and counts.

    Those that are there and right are kept.
    Raises DataError: the network fails, or a table is not what was published
    """
    folder = out / "csv"
    with tempfile.TemporaryDirectory(prefix="lemons-") as temporary:
        for number, name in enumerate(CSV_NAMES):
            if progress:
                progress(number / len(CSV_NAMES), name)
            if not _is_published(folder / name):
                _check_published(download(f"{address}/{name}", Path(temporary, name)), f"{address}/{name}")
        # All four are right: only now is anything written to the collection.
        for path in sorted(Path(temporary).iterdir()):
            try:
                write_atomic(folder / path.name, path.read_bytes())
            except OSError as error:
                what = f"The table cannot be written: {error.strerror}"
                raise DataError(what, where=str(folder / path.name)) from error
    return [folder / name for name in CSV_NAMES]


def read_catalogue() -> pd.DataFrame:
    """Series of the collection at Imaging Data Commons: `images` and `size` (bytes) by SeriesInstanceUID.

    It is part of the package idc-index: the network is not used.
    Raises LemonsError: idc-index is not installed
    """
    package = extras.require("idc_index_data", package=IDC_PACKAGE, what="Imaging Data Commons")
    columns = ["SeriesInstanceUID", "instanceCount", "series_size_MB"]
    rows = pd.read_parquet(
        package.IDC_INDEX_PARQUET_FILEPATH, columns=columns, filters=[("collection_id", "==", "cbis_ddsm")]
    )
    return pd.DataFrame(
        {
            "images": rows["instanceCount"].to_numpy("int64"),
            "size": (rows["series_size_MB"].to_numpy("float64") * 1e6).round().astype("int64"),
        },
        index=pd.Index(rows["SeriesInstanceUID"].astype(str), name="series"),
    )


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
    columns = [rows[f"{kind}_series"].tolist() for kind in WHAT[what]]
    series = dict.fromkeys(uid for row in zip(*columns, strict=True) for uid in row if isinstance(uid, str))
    unknown = tuple(uid for uid in series if catalogue is not None and uid not in catalogue.index)
    chosen = tuple(uid for uid in series if uid not in set(unknown))[:limit]
    return replace(_sized(chosen, catalogue), unknown=unknown)


def leave_out_present(plan: Plan, out: Path, catalogue: pd.DataFrame | None) -> Plan:
    """The plan without the series whose files are below `out` already, whole and readable."""
    if not out.is_dir():
        return plan
    files = read_index(out).files
    there = files[files["fault"].isna() & files["series"].notna()].groupby("series").size().to_dict()
    needed = {uid: 1 for uid in plan.series} if catalogue is None else catalogue["images"].to_dict()
    rest = tuple(uid for uid in plan.series if there.get(uid, 0) < needed[uid])
    return replace(_sized(rest, catalogue), there=len(plan.series) - len(rest), unknown=plan.unknown)


def fetch_images(
    plan: Plan, out: Path, *, source: str = "idc", address: str = TCIA_ADDRESS, progress: Progress | None = None
) -> None:
    """Download the series of a plan below `out`. Stopped and called again, it goes on with what is missing.

    plan : as plan_images gives it, less what leave_out_present finds
    source : `idc` needs the optional package idc-index; `tcia` needs nothing
    address : of TCIA's service
    Raises LemonsError: idc-index is not installed
        DataError: the disk is too small, the network fails, or what comes is no DICOM
    """
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if plan.size is not None and plan.size > free:
        what = f"The disk has {free / 2**30:,.1f} GiB left, {plan.size / 2**30:,.1f} GiB are needed"
        raise DataError(what, where=str(out), todo="Choose another --out, or fetch a part with --split or --limit.")
    done: Iterable[int] = _from_idc(plan.series, out) if source == "idc" else _from_tcia(plan.series, out, address)
    for number in done:
        if progress:
            progress(number / len(plan.series), f"{number:,} of {len(plan.series):,} series")


def _sized(series: tuple[str, ...], catalogue: pd.DataFrame | None) -> Plan:
    if catalogue is None:
        return Plan(series, None, None)
    rows = catalogue.loc[list(series)]
    return Plan(series, int(rows["images"].sum()), int(rows["size"].sum()))


def _is_published(path: Path) -> bool:
    try:
        _check_published(path, str(path))
    except DataError:
        return False
    return True


def _check_published(path: Path, where: str) -> None:
    """Whether a CSV holds all rows of the table that its name promises; copies differ in spelling, never in this."""
    if not path.is_file():
        raise DataError("The table is not there", where=where)
    cases = read_cases(path.parent, csv_files=[path.name])
    kind = path.name.removesuffix("_set.csv").replace("_case_description_", "_")
    rows: Any = cases.summary()["rows"]
    if rows[kind] != PUBLISHED_ROWS[kind] or cases.table["image_series"].isna().any():
        raise DataError(
            f"The table has {rows[kind]:,} usable rows, {PUBLISHED_ROWS[kind]:,} are published",
            where=where,
            todo="Run the command again; if that does not help, download it by hand: docs/data.md names the page.",
        )


def _from_idc(series: tuple[str, ...], out: Path) -> Iterator[int]:
    """Series fetched so far, after each batch."""
    package = extras.require("idc_index", package=IDC_PACKAGE, what="Imaging Data Commons")
    logging.getLogger("idc_index").setLevel(logging.CRITICAL)  # its pages of log are less help than the message below
    client = package.IDCClient.client()
    for start in range(0, len(series), _BATCH):
        batch = list(series[start : start + _BATCH])
        client.download_from_selection(
            downloadDir=str(out), seriesInstanceUID=batch, quiet=True, show_progress_bar=False
        )
        missing = [uid for uid in batch if not any(out.glob(f"cbis_ddsm/*/*/MG_{uid}/*.dcm"))]
        if missing:
            todo = "Check the connection, then run the same command again: it goes on where it stopped."
            what = f"Imaging Data Commons has not sent {len(missing)} of {len(batch)} series"
            raise DataError(what, where=missing[0], todo=todo)
        yield start + len(batch)


def _from_tcia(series: tuple[str, ...], out: Path, address: str) -> Iterator[int]:
    """Series fetched so far, after each: TCIA packs every series into a ZIP."""
    for number, uid in enumerate(series, start=1):
        folder = out / "tciaDownload" / uid
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".series-", dir=folder.parent) as temporary:
            packed = download(f"{address}/getImage?SeriesInstanceUID={uid}", Path(temporary, "series.zip"))
            unpacked = Path(temporary, "unpacked")
            _unpack(packed, unpacked, uid)
            if folder.exists():  # a part of it, or a damaged copy
                shutil.rmtree(folder)
            unpacked.rename(folder)
        yield number


def _unpack(packed: Path, folder: Path, uid: str) -> None:
    """The DICOM files of a ZIP, by their last name only: no path in it can lead elsewhere."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(packed) as archive:
            for member in archive.infolist():
                name = PurePosixPath(member.filename.replace("\\", "/")).name
                if name.lower().endswith(".dcm"):
                    with archive.open(member) as source, (folder / name).open("xb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, EOFError, FileExistsError) as error:
        raise DataError("TCIA has sent something that is no series", where=uid, todo="Try again later.") from error
    if not any(folder.iterdir()):
        raise DataError("TCIA has sent a series without images", where=uid, todo="Try again later.")
