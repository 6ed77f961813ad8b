"""`predict`: where calcifications are and what kind, for files and folders."""

import argparse
from pathlib import Path
from typing import Any

from lemons_core.base import config
from lemons_core.base.errors import DataError
from lemons_core.base.io import writing
from lemons_core.cli.common import AddCommand, ProgressBar, add_json, add_model, positive, print_json, within
from lemons_core.vision.record.findings import MIN_SCORE, AnalysisOptions

_SHOWN = 10  # regions of a file that are printed; --json holds all


def register(command: AddCommand) -> None:
    predict = command("predict", _predict, "find and classify calcifications in files or folders of mammograms")
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="DICOM, PNG, JPEG or TIFF; or a folder")
    add_model(predict)
    predict.add_argument(
        "--out",
        type=Path,
        metavar="CSV",
        help="write a row for each file here, regions to NAME.regions.csv, all to NAME.jsonl; resumes where it stopped",
    )
    predict.add_argument("--report", type=Path, metavar="DIR", help="write a PDF for each file here")
    predict.add_argument("--dicom", type=Path, metavar="DIR", help="write overlay and CAD SR here (needs highdicom)")
    predict.add_argument(
        "--heatmap", type=Path, metavar="DIR", help="write a Grad-CAM picture of the most probable groups here"
    )
    predict.add_argument(
        "--boxes", type=Path, metavar="DIR", help="write the picture with every region in a numbered box here"
    )
    spacing = within(0.005, 2, told="must be millimetres a pixel, such as 0.05")
    predict.add_argument("--kind", choices=("view", "crop"), help="what the files are (default: told from the picture)")
    predict.add_argument("--spacing", type=spacing, metavar="MM", help="pixel spacing of files that state none")
    predict.add_argument(
        "--min-score", type=within(0, 1), metavar="P", default=MIN_SCORE,
        help="leave out regions below this (default: 0.05)",
    )  # fmt: skip
    predict.add_argument("--anyway", action="store_true", help="go on with pictures that are refused as no mammogram")
    predict.add_argument("--jobs", type=positive, default=1, help="processes at a time (default: 1)")
    predict.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, such as tcp://127.0.0.1:8786")
    add_json(predict)


def _predict(arguments: argparse.Namespace) -> int:
    from lemons_core.images.find import find_images
    from lemons_core.report.files import Files, write_tables
    from lemons_core.vision.detect.batch import predict_many
    from lemons_core.vision.network.weights import read_model

    out: Path | None = arguments.out
    if out and out.is_dir():
        raise DataError("--out must name a file", where=str(out), todo="Give a name such as results.csv.")
    writer = Files(report=arguments.report, dicom=arguments.dicom, heatmap=arguments.heatmap, boxes=arguments.boxes)
    progress = ProgressBar() if out else None
    records = predict_many(
        find_images(arguments.paths, leave_out=writer.folders),
        model=arguments.model,
        options=AnalysisOptions(
            kind=arguments.kind,
            spacing_mm=arguments.spacing,
            min_score=arguments.min_score,
            force=arguments.anyway,
        ),
        journal=out and out.with_suffix(".jsonl"),
        writer=writer if writer.folders else None,
        jobs=arguments.jobs,
        dask=arguments.dask,
        progress=progress,
    )
    if progress:
        progress.close()
    if out:
        with writing("The tables cannot be written"):
            write_tables(out, records)
    if arguments.json:
        print_json([{key: value for key, value in record.items() if key not in ("scan", "mark")} for record in records])
    else:
        _print(records, out)
        card = read_model(arguments.model).card
        print(f"\nProbabilities by a model trained on {card.trained_on}. {config.NOTICE}")
    return int(any("error" in record for record in records))


def _print(records: list[dict[str, Any]], out: Path | None) -> None:
    """Every file, or with --out the sum of them and what failed."""
    if out is None:
        print("\n".join(map(_words, records)))
        return
    failed = [record for record in records if "error" in record]
    refused = sum(record.get("refused") is not None for record in records)
    regions = sum(len(record.get("regions", ())) for record in records)
    print(f"{len(records):,} files, {regions:,} regions, {refused:,} refused, {len(failed):,} failed: {out}")
    for record in failed:
        print(f"  {record['error']}")


def _words(record: dict[str, Any]) -> str:
    file = record["file"]
    if "error" in record:
        return f"{file}: error: {record['error']}"
    lines = [f"{file}: refused: {record['refused']}"] if record["refused"] else []
    if record["probabilities"]:
        groups = _groups(record["probabilities"])
        lines.append(f"{file}: {record['kind']}, any calcification {record['calcification']:.0%}; {groups}")
    for number, region in enumerate(record["regions"][:_SHOWN], start=1):
        kind = "not sure" if region["abstained"] else region["top"]
        lines.append(
            f"  region {number}: {region['score']:.0%} {kind}, {region['height']} x {region['width']} pixels at row "
            f"{region['row']}, column {region['col']}, {region['spots']} specks; {_groups(region['probabilities'])}"
        )
    if (rest := len(record["regions"]) - _SHOWN) > 0:
        lines.append(f"  and {rest} more")
    return "\n".join([*lines, *(f"  note: {warning}" for warning in record["warnings"])])


def _groups(probabilities: dict[str, float]) -> str:
    return ", ".join(f"{group} {value:.0%}" for group, value in probabilities.items())
