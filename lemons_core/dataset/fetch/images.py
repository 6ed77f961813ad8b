"""Images by SeriesInstanceUID, from Imaging Data Commons or from TCIA."""

import re
import shutil
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.io import naming, writing
from lemons_core.base.progress import Progress, no_progress
from lemons_core.dataset.fetch.plan import Plan, read_catalogue
from lemons_core.dataset.sources.download import download, read_small

IDC_ADDRESS = "https://idc-open-data.s3.amazonaws.com"
TCIA_ADDRESS = "https://services.cancerimagingarchive.net/nbia-api/services/v1"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # of folders and files that come from elsewhere


def fetch_images(
    plan: Plan,
    out: Path,
    *,
    source: str = "idc",
    address: str | None = None,
    catalogue: pd.DataFrame | None = None,
    progress: Progress = no_progress,
) -> None:
    """Download the series of a plan below `out`. Stopped and called again, it goes on with what is missing.

    plan : as plan_images or plan_case gives it, less what leave_out_present finds
    source : `idc` needs the optional package idc-index; `tcia` needs nothing
    address : of the archive, if not the usual one
    catalogue : as read_catalogue gives it, for `idc`
    Raises LemonsError: idc-index is not installed
        DataError: the disk is too small or cannot be written, the network fails, or what comes is no DICOM
    """
    with writing("The download cannot be written", out):
        out.mkdir(parents=True, exist_ok=True)
        _check_room(plan, out)
        if source == "idc":
            _fetch_from_idc(plan, out, catalogue, address or IDC_ADDRESS, progress)
            return
        for number in _from_tcia(plan.series, out, address or TCIA_ADDRESS):
            progress(number / len(plan.series), f"{number:,} of {len(plan.series):,} series")


def _check_room(plan: Plan, out: Path) -> None:
    free = shutil.disk_usage(out).free
    if plan.size is not None and plan.size > free:
        what = f"The disk has {free / 2**30:,.1f} GiB left, {plan.size / 2**30:,.1f} GiB are needed"
        raise DataError(what, where=str(out), todo="Choose another --out, or fetch a part with --split or --limit.")


def _fetch_from_idc(plan: Plan, out: Path, catalogue: pd.DataFrame | None, address: str, progress: Progress) -> None:
    """The files of each series from the archive's bucket, in the folders in which its own tools put them."""
    rows = (read_catalogue() if catalogue is None else catalogue).loc[list(plan.series)]
    total, done = int(rows["size"].sum()), 0
    progress(0.0, "asking Imaging Data Commons")
    for row in rows.itertuples():
        if not all(_NAME.fullmatch(name) for name in (row.patient, row.study, row.Index)):
            raise DataError("The index names a folder that cannot be one", where=str(row.patient))
        folder = out / "cbis_ddsm" / row.patient / row.study / f"MG_{row.Index}"
        for key, size in _list_bucket(address, row.uuid):
            target = folder / PurePosixPath(key).name
            if not _is_there(target, size, plan):
                before = done
                download(
                    f"{address}/{key}",
                    target,
                    on_bytes=lambda n, before=before: progress(  # type: ignore[misc]
                        min((before + n) / total, 1.0), f"{(before + n) / 1e6:,.0f} of {total / 1e6:,.0f} MB"
                    ),
                )
                _check_dicom(target, "Imaging Data Commons")
            done += size
            progress(min(done / total, 1.0), f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")


def _is_there(target: Path, size: int, plan: Plan) -> bool:
    return target.is_file() and target.stat().st_size == size and target.resolve() not in plan.unreadable


def _list_bucket(address: str, uuid: str) -> list[tuple[str, int]]:
    """Key and bytes of every file of one series. Source: Amazon S3 API, ListObjectsV2."""
    url = f"{address}/?list-type=2&prefix={uuid}/"
    try:
        tree = ET.fromstring(read_small(url))
        found = [
            (entry.findtext("{*}Key", ""), int(entry.findtext("{*}Size", ""))) for entry in tree.findall("{*}Contents")
        ]
    except (ET.ParseError, ValueError) as error:
        raise DataError("What answers is not Imaging Data Commons", where=url, todo="Is there a proxy?") from error
    files = [(key, size) for key, size in found if key.endswith(".dcm") and _NAME.fullmatch(PurePosixPath(key).name)]
    if not files:
        todo = "Update idc-index, or fetch from TCIA: `--source tcia`."
        raise DataError("Imaging Data Commons has no files of this series", where=url, todo=todo)
    return files


def _check_dicom(path: Path, sender: str) -> None:
    with path.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return
    path.unlink()
    raise DataError(f"{sender} has sent something that is no DICOM", where=path.name, todo="Try again later.")


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
                    with naming(folder / name), archive.open(member) as source, (folder / name).open("xb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
    except (zipfile.BadZipFile, EOFError, FileExistsError) as error:
        raise DataError("TCIA has sent something that is no series", where=uid, todo="Try again later.") from error
    if not any(folder.iterdir()):
        raise DataError("TCIA has sent a series without images", where=uid, todo="Try again later.")
