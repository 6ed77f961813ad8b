"""The four tables from the collection's own address, checked before they are used."""

import tempfile
from pathlib import Path

from lemons_core.base.errors import DataError
from lemons_core.base.io import write_atomic
from lemons_core.base.progress import Progress
from lemons_core.dataset.cases import PUBLISHED_ROWS, Cases, NoTablesError, read_cases
from lemons_core.dataset.published import read_published
from lemons_core.dataset.sources.download import download

CSV_ADDRESS = "https://www.cancerimagingarchive.net/wp-content/uploads"
CSV_NAMES = tuple(f"{kind.replace('_', '_case_description_')}_set.csv" for kind in PUBLISHED_ROWS)

_INSTEAD = "the published case table is used instead"


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


def tables_for_fetching(out: Path) -> tuple[Cases, str]:
    """The case table that says what there is to fetch, and in a sentence why it is not the folder's own.

    The calcification tables below `out` are used if they are whole, else the published ones; where there are none the
    sentence is empty, as it is where all is well.
    Raises DataError: the published case table is missing from the product
    """
    try:
        cases = read_cases(out)
    except NoTablesError:
        return read_published(out), ""
    except DataError as error:
        return read_published(out), f"The tables here cannot be used ({error.what}: {error.where}): {_INSTEAD}"
    fault = _what_is_missing(cases)
    return (read_published(out), f"The tables here {fault}: {_INSTEAD}") if fault else (cases, "")


def has_all_tables(out: Path) -> bool:
    """Whether all four tables lie below the folder, each with as many rows as are published."""
    try:
        rows = read_cases(out).rows
    except DataError:
        return False
    return all(rows[kind] >= published for kind, published in PUBLISHED_ROWS.items())


def _what_is_missing(cases: Cases) -> str:
    """What the calcification tables lack, to go on after "The tables here"; empty where they are whole."""
    calc = cases.calcifications
    usable = calc[calc[["image_series", "crop_series", "mask_series"]].notna().all(axis=1)]
    rows = {split: int((usable["split"] == split).sum()) for split in ("train", "test")}
    if not any(rows.values()):
        return "name no calcification images"
    for split, other in (("train", "test"), ("test", "training")):
        if not rows[split]:
            return f"hold the {other} split only"
    short = {f"calc_{split}": n for split, n in rows.items() if n < PUBLISHED_ROWS[f"calc_{split}"]}
    parts = [f"{kind} has {n:,} of {PUBLISHED_ROWS[kind]:,} rows" for kind, n in short.items()]
    return f"are cut off ({', '.join(parts)})" if parts else ""


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
    rows = cases.rows
    if rows[kind] != PUBLISHED_ROWS[kind] or cases.table["image_series"].isna().any():
        raise DataError(
            f"The table has {rows[kind]:,} usable rows, {PUBLISHED_ROWS[kind]:,} are published",
            where=where,
            todo="Run the command again; if that does not help, download it by hand: docs/data.md names the page.",
        )
