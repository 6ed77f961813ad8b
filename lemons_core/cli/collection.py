"""`fetch`, `check` and `convert`: the whole collection."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lemons_core.base import config
from lemons_core.base.errors import DataError, LemonsError
from lemons_core.cli.common import AddCommand, ProgressBar, add_data, add_json, chosen_data, positive, print_json

if TYPE_CHECKING:
    import pandas as pd

    from lemons_core.dataset.convert import Conversion
    from lemons_core.dataset.fetch import Plan
    from lemons_core.dataset.quality import Report

_FAILURES = 10  # files that convert prints; failures.csv holds all
_EXAMPLES = 5  # faults of a kind that are printed; --json holds all


def register(command: AddCommand) -> None:
    fetch = command("fetch", _fetch, "download the tables and images of CBIS-DDSM; resumes where it stopped")
    fetch.add_argument(
        "what",
        choices=("metadata", "crops", "views", "case"),
        help="the four tables; crops with their masks; full views; one image with all of its lesions' other view",
    )
    fetch.add_argument(
        "image", nargs="*", metavar="PATIENT SIDE VIEW", help="of one case, such as P_00060 R CC; only with `case`"
    )
    fetch.add_argument("--source", choices=("idc", "tcia"), default="idc", help="where images come from (default: idc)")
    fetch.add_argument("--split", choices=("train", "test"), help="one split only")
    fetch.add_argument("--limit", type=positive, metavar="N", help="so many series at most")
    fetch.add_argument("--out", type=Path, help="where to write (default: LEMONS_DATA, else data/CBIS-DDSM)")
    fetch.add_argument("--dry-run", action="store_true", help="print what would be fetched, and how large it is")
    fetch.add_argument("--yes", action="store_true", help="do not ask before a large download")

    check = command("check", _check, "what is wrong with a collection on disk, case by case")
    add_data(check)
    check.add_argument("--headers-only", action="store_true", help="look at no pixels: quick, but finds less")
    check.add_argument("--jobs", type=positive, default=2, help="pictures decoded at a time (default: 2)")
    add_json(check)

    convert = command("convert", _convert, "DICOM to PNG, 16 bit lossless, with a manifest; resumes where it stopped")
    add_data(convert)
    convert.add_argument("--out", type=Path, required=True, help="folder to write to")
    convert.add_argument(
        "--kind", choices=("crop", "view", "mask"), action="append", help="one kind; may be repeated (default: all)"
    )
    convert.add_argument("--bits", type=int, choices=(16, 8), default=16, help="16: every value; 8: windowed")
    convert.add_argument("--size", type=positive, metavar="PX", help="longer side at most (default: native)")
    convert.add_argument("--jobs", type=positive, default=2, help="pictures at a time on this machine (default: 2)")
    convert.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, such as tcp://127.0.0.1:8786")
    add_json(convert)


def _fetch(arguments: argparse.Namespace) -> int:
    from lemons_core.dataset import fetch
    from lemons_core.dataset.collection import read_demo_marker

    if bool(arguments.image) != (arguments.what == "case") or len(arguments.image) not in (0, 3):
        todo = "Write `fetch case P_00060 R CC`: patient, side, view."
        raise DataError("A case is named by patient, side and view, and nothing else is", todo=todo)
    out = arguments.out or _usual_folder(arguments.what)
    if read_demo_marker(out) is not None:
        raise DataError("This folder holds the simulated demo data", where=str(out), todo="Choose another --out.")
    if arguments.what != "metadata":
        return _fetch_images(arguments, out)
    if arguments.dry_run:
        print(f"4 tables, about 2 MB, from {fetch.CSV_ADDRESS} to {out / 'csv'}")
        return 0
    if fetch.has_all_tables(out):
        print(f"The four tables are there already, below {out}")
        return 0
    progress = ProgressBar()
    fetch.fetch_metadata(out, progress=progress)
    progress.close()
    print(f"The four tables are in {out / 'csv'}")
    return 0


def _usual_folder(what: str) -> Path:
    """Where the app finds it: one case joins the published table, a whole collection is a folder of its own."""
    settings = config.read_settings()
    return settings.data or (settings.fetched if what == "case" else Path("data/CBIS-DDSM"))


def _fetch_images(arguments: argparse.Namespace, out: Path) -> int:
    from lemons_core.dataset import fetch

    catalogue = None
    try:
        catalogue = fetch.read_catalogue()
    except LemonsError:
        if arguments.source == "idc":
            raise  # TCIA needs no catalogue; only the size stays unknown
    plan = fetch.leave_out_present(_plan(arguments, out, catalogue), out, catalogue)
    print(f"{arguments.what} from {arguments.source}: {plan.text()}")
    if plan.unknown:
        print(f"{len(plan.unknown):,} series of the tables are not at Imaging Data Commons", file=sys.stderr)
    if arguments.dry_run or not plan.series:
        return 0
    large = arguments.what != "case" and (plan.size is None or plan.size > fetch.CONFIRM_ABOVE)
    if large and not arguments.yes and not _confirmed():
        print("Nothing fetched.")
        return 0
    progress = ProgressBar()
    fetch.fetch_images(plan, out, source=arguments.source, catalogue=catalogue, progress=progress)
    progress.close()
    where = "The app shows it in the case viewer." if arguments.what == "case" else f"Next: check --data {out}"
    print(f"Fetched to {out}. {where}")
    return 0


def _plan(arguments: argparse.Namespace, out: Path, catalogue: "pd.DataFrame | None") -> "Plan":
    """The series to fetch: of the tables in the folder if they are whole, else of the published ones."""
    from lemons_core.dataset import fetch

    cases, why = fetch.tables_for_fetching(out)
    if why:
        print(why, file=sys.stderr)
    table = cases.table
    if arguments.what == "case":
        return fetch.plan_case(table, "_".join(arguments.image).upper(), catalogue=catalogue)
    return fetch.plan_images(table, arguments.what, split=arguments.split, limit=arguments.limit, catalogue=catalogue)


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise DataError("This is a large download", todo="Say --yes to start it without being asked.")
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def _check(arguments: argparse.Namespace) -> int:
    from lemons_core.dataset.collection import read_collection
    from lemons_core.dataset.quality import check_collection

    progress = ProgressBar()
    collection = read_collection(chosen_data(arguments.data), progress=progress)
    report = check_collection(collection, pixels=not arguments.headers_only, jobs=arguments.jobs, progress=progress)
    progress.close()
    if arguments.json:
        print_json(report.to_json())
        return 0
    print(f"{report.root}: {report.images:,} images ({', '.join(report.layouts) or 'none'})\n")
    for kind, count in report.counts().items():
        faults = [fault for fault in report.faults if fault.kind == kind]
        _print_some(count, kind, [f"{one.case or one.file or 'all'}: {one.what} ({one.done})" for one in faults])
    for name, sentences in _passed_over(report).items():
        if sentences:
            _print_some(len(sentences), name, sentences)
    print("\nThe first few of each kind; --json prints all.\n")
    for name, words in report.summary.lines().items():
        print(f"{name + ':':<12}{words}")
    return 0


def _print_some(count: int, name: str, sentences: Sequence[str]) -> None:
    """A line that counts, and the first few of what it counts below it."""
    print(f"{count:>7,}  {name}")
    for sentence in sentences[:_EXAMPLES]:
        print(f"           {sentence}")


def _passed_over(report: "Report") -> dict[str, list[str]]:
    """What was seen and is not used, so that nobody looks for it in vain: sentences, by a name for them."""
    return {
        "passed over": [one.sentence for one in report.skipped],
        "about the table of the JPEG mirror": [
            f"{one.file or 'dicom_info.csv'}: {one.what} ({one.action})" for one in report.mirror
        ],
        "copies of which a better one is used": [
            f"{one.other}: {one.kind}; in use as {one.part} is {one.chosen}" for one in report.duplicates
        ],
    }


def _convert(arguments: argparse.Namespace) -> int:
    from lemons_core.dataset.collection import read_collection
    from lemons_core.dataset.convert import KINDS, ConversionOptions, convert_collection

    progress = ProgressBar()
    collection = read_collection(chosen_data(arguments.data), progress=progress)
    kinds = [kind for kind in KINDS if kind in (arguments.kind or KINDS)]
    options = ConversionOptions(kinds, arguments.bits, arguments.size)
    done = convert_collection(
        collection, arguments.out, options=options, jobs=arguments.jobs, dask=arguments.dask, progress=progress
    )
    progress.close()
    if arguments.json:
        counts = {"manifest": str(done.manifest), "converted": done.converted, "kept": done.kept}
        print_json(counts | {"failures": [asdict(failure) for failure in done.failures], "absent": dict(done.absent)})
    else:
        print(_conversion_text(done))
    return int(bool(done.failures))


def _conversion_text(done: "Conversion") -> str:
    """What was made, what is not on disk, and what should have been made and was not."""
    lines = [f"{done.converted:,} pictures converted, {done.kept:,} were there already: {done.manifest}"]
    absent = ", ".join(f"{count:,} no {kind}" for kind, count in done.absent.items() if count)
    if absent:
        lines.append(f"Rows without a file on disk: {absent}")
    if done.failures:
        count = len(done.failures)
        lines.append(f"{count:,} unreadable file{'s' if count > 1 else ''} left out, listed in {done.failure_list}:")
        for one in done.failures[:_FAILURES]:
            cases = ", ".join(one.cases) or "a row that it does not name"
            lines.append(f"  {one.file}: {one.reason} ({' or '.join(one.kinds) or 'picture'} of {cases})")
        if count > _FAILURES:
            lines.append(f"  and {count - _FAILURES:,} more")
    return "\n".join(lines)
