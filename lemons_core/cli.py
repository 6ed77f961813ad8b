"""Command line: every subcommand prints what the pages show, as text or as JSON.

Modules that load torch are imported by the commands that need them, so that `--help` and `cases` answer at once.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lemons_core import config
from lemons_core.errors import DataError, LemonsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed with a message, 2 wrong usage, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except LemonsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lemons_core",
        description="Breast calcifications in mammograms: data, training and prediction.",
        epilog=config.NOTICE,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, epilog=config.NOTICE)
        sub.set_defaults(run=run)
        return sub

    demo = command("demo", _demo, "write the simulated demo data set, in the layout of CBIS-DDSM")
    demo.add_argument("--out", type=Path, help="a folder that does not exist yet (default: the user's cache folder)")
    demo.add_argument("--seed", type=int, default=0)

    cases = command("cases", _cases, "rows and patients by split, missing values, and the problems found")
    _add_data(cases)
    _add_json(cases)

    train = command("train", _train, "train ResNet34 on a collection, or on simulated tiles")
    train.add_argument(
        "--data", help="root folder of a collection, or 'simulated' (default: LEMONS_DATA, else the demo data)"
    )
    train.add_argument(
        "--out", type=Path, default=Path("runs/latest"), help="model folder to write (default: runs/latest)"
    )
    train.add_argument("--epochs", type=_positive, default=12)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--batch", type=_positive, default=32)
    train.add_argument("--tiles", type=_positive, default=4000, help="tiles an epoch, with --data simulated")
    train.add_argument(
        "--init", choices=("imagenet", "shipped", "scratch"), default="imagenet", help="starting weights"
    )
    train.add_argument("--workers", type=int, help="processes that prepare images (default: one less than the cores)")

    evaluate = command("evaluate", _evaluate, "measure a model on the crops of one split")
    _add_data(evaluate)
    _add_model(evaluate)
    evaluate.add_argument("--split", choices=("train", "test"), default="test")
    _add_json(evaluate)

    predict = command("predict", _predict, "probabilities for image files: DICOM, PNG, JPEG or TIFF")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_model(predict)
    predict.add_argument(
        "--heatmap", type=Path, metavar="DIR", help="write a Grad-CAM picture of each file's top group here"
    )
    _add_json(predict)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, help="root folder of the collection (default: LEMONS_DATA, else the demo data)"
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, default=config.SHIPPED_MODEL, help="model folder (default: the shipped model)"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


class Progress:
    """A one-line progress bar on standard error; silent where that is not a terminal, but for whole tenths."""

    def __init__(self) -> None:
        self.tenth = -1
        self.live = sys.stderr.isatty()

    def __call__(self, fraction: float, text: str) -> None:
        if self.live:
            done = round(fraction * 24)
            print(
                f"\r\033[K{'█' * done}{'░' * (24 - done)} {fraction:4.0%} {text[:70]}",
                end="",
                file=sys.stderr,
                flush=True,
            )
        elif int(fraction * 10) != self.tenth:
            self.tenth = int(fraction * 10)
            print(f"{fraction:4.0%} {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def data_root(given: Path | None) -> Path:
    """The folder to read: as given, else LEMONS_DATA, else the demo data, which is made when it is not there."""
    from lemons_core.simulate.demo import read_demo_marker, write_demo

    settings = config.read_settings()
    root = given or settings.data
    if root is not None:
        return root
    if read_demo_marker(settings.demo) is None:
        progress = Progress()
        print(f"Making the simulated demo data in {settings.demo}", file=sys.stderr)
        write_demo(settings.demo, progress=progress)
        progress.close()
    return settings.demo


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _demo(arguments: argparse.Namespace) -> int:
    from lemons_core.simulate.demo import read_demo_marker, write_demo

    out = arguments.out or config.read_settings().demo
    if read_demo_marker(out) is not None and arguments.out is None:
        print(f"The demo data is already there: {out}")
        return 0
    progress = Progress()
    write_demo(out, seed=arguments.seed, progress=progress)
    progress.close()
    print(f"Simulated demo data written to {out}")
    return 0


def _cases(arguments: argparse.Namespace) -> int:
    from lemons_core.cases import read_cases

    summary = read_cases(data_root(arguments.data)).summary()
    if arguments.json:
        _print_json(summary)
        return 0
    rows, patients, problems = summary["rows"], summary["patients"], summary["problems"]
    assert isinstance(rows, dict) and isinstance(patients, dict) and isinstance(problems, list)
    print(f"{'table':<12}{'rows':>7}{'patients':>10}")
    for name, count in rows.items():
        print(f"{name:<12}{count:>7,}{patients[name]:>10,}")
    print(f"\nmissing: {json.dumps(summary['missing'])}\n\n{len(problems)} problems")
    for problem in problems:
        place = ", ".join(
            part for part in (problem["file"], problem["row"] and f"row {problem['row']}", problem["column"]) if part
        )
        print(f"  {place}: {problem['what']}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.train import SIMULATED, Recipe, train

    data = arguments.data if arguments.data == SIMULATED else data_root(arguments.data and Path(arguments.data))
    chosen = {"workers": arguments.workers} if arguments.workers is not None else {}
    recipe = Recipe(
        epochs=arguments.epochs,
        seed=arguments.seed,
        batch=arguments.batch,
        tiles=arguments.tiles,
        init=arguments.init,
        **chosen,
    )
    progress = Progress()
    card = train(data, arguments.out, recipe, progress=progress)
    progress.close()
    validation = card.metrics["validation"]
    print(f"Model written to {arguments.out} (trained on {card.trained_on}). Validation, n = {validation['n']}:")
    for label, row in validation["auc"].items():
        print(f"  {label:<14} AUC {_number(row['auc'])}   average precision {_number(row['average_precision'])}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate import evaluate, text_of

    progress = Progress()
    figures = evaluate(data_root(arguments.data), arguments.model, split=arguments.split, progress=progress)
    progress.close()
    if arguments.json:
        _print_json(figures)
    else:
        print(text_of(figures))
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.predict import predict_files
    from lemons_core.vision.weights import read_model

    model = read_model(arguments.model)
    results = predict_files(arguments.files, model=model, each=_heatmap_writer(arguments.heatmap, model))
    if arguments.json:
        _print_json(results)
    else:
        for result in results:
            print(_line(result))
        print(f"\nProbabilities by a model trained on {model.card.trained_on}. {config.NOTICE}")
    return int(any("error" in result for result in results))


def _heatmap_writer(folder: Path | None, model: Any) -> Any:
    """A function that writes one file's heat map of its top group, or None."""
    if folder is None:
        return None
    if folder.exists() and not folder.is_dir():
        raise DataError("--heatmap must name a folder", where=str(folder), todo="Give another name.")
    from lemons_core.overlay import write_heatmap
    from lemons_core.vision.gradcam import explain_crop

    used: set[str] = set()

    def write(file: Path, picture: Any, result: Any) -> None:
        found = explain_crop(picture.pixels, spacing_mm=picture.spacing_mm, target=result.top, model=model)
        name, number = f"{file.stem}_{result.top}.png", 1
        while name in used:  # two files of one name from different folders
            number += 1
            name = f"{file.stem}_{result.top}_{number}.png"
        used.add(name)
        write_heatmap(folder / name, picture.pixels, found.heat)

    return write


def _line(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{result['file']}: error: {result['error']}"
    groups = ", ".join(f"{group} {value:.0%}" for group, value in result["probabilities"].items())
    warnings = "".join(f"\n  note: {warning}" for warning in result["warnings"])
    return f"{result['file']}: {result['kind']}, any calcification {result['calcification']:.0%}; {groups}{warnings}"


def _number(value: float | None) -> str:
    return "not defined (one kind of reference label only)" if value is None else f"{value:.3f}"
