"""`train`, `evaluate` and `predict`. torch is loaded by the command that runs, not by `--help`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemons_core import config
from lemons_core.cli.common import AddCommand, Progress, add_data, add_json, data_root, positive, print_json
from lemons_core.errors import DataError

if TYPE_CHECKING:
    pass


def register(command: AddCommand) -> None:
    train = command("train", _train, "train ResNet34 on a collection, or on simulated tiles")
    train.add_argument(
        "--data", help="root folder of a collection, or 'simulated' (default: LEMONS_DATA, else the demo data)"
    )
    train.add_argument(
        "--out", type=Path, default=Path("runs/latest"), help="model folder to write (default: runs/latest)"
    )
    train.add_argument("--epochs", type=positive, default=12)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--learning-rate", type=float, default=1e-3, help="peak of the one-cycle schedule (default: 0.001)"
    )
    train.add_argument("--batch", type=positive, default=32)
    train.add_argument("--tiles", type=positive, default=4000, help="tiles an epoch, with --data simulated")
    train.add_argument(
        "--init", choices=("imagenet", "shipped", "scratch"), default="imagenet", help="starting weights"
    )
    train.add_argument("--workers", type=int, help="processes that prepare images (default: one less than the cores)")

    evaluate = command("evaluate", _evaluate, "measure a model on the crops of one split")
    add_data(evaluate)
    _add_model(evaluate)
    evaluate.add_argument("--split", choices=("train", "test"), default="test")
    add_json(evaluate)

    predict = command("predict", _predict, "probabilities for image files: DICOM, PNG, JPEG or TIFF")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_model(predict)
    predict.add_argument(
        "--heatmap", type=Path, metavar="DIR", help="write a Grad-CAM picture of each file's top group here"
    )
    add_json(predict)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=Path, default=config.SHIPPED_MODEL, help="model folder (default: the shipped model)"
    )


def _train(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate import interval_text
    from lemons_core.vision.train import SIMULATED, Recipe, train

    data = arguments.data if arguments.data == SIMULATED else data_root(arguments.data and Path(arguments.data))
    chosen = {"workers": arguments.workers} if arguments.workers is not None else {}
    recipe = Recipe(
        epochs=arguments.epochs,
        seed=arguments.seed,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        tiles=arguments.tiles,
        init=arguments.init,
        **chosen,
    )
    progress = Progress()
    card = train(data, arguments.out, recipe, progress=progress)
    progress.close()
    validation = card.metrics["validation"]
    print(f"Model written to {arguments.out} (trained on {card.trained_on}). Validation, n = {validation['n']}:")
    for label, row in validation["labels"].items():
        precision = interval_text(row["average_precision"])
        print(f"  {label:<14} AUC {interval_text(row['auc'])}   average precision {precision}")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate import evaluate, text_of

    progress = Progress()
    figures = evaluate(data_root(arguments.data), arguments.model, split=arguments.split, progress=progress)
    progress.close()
    if arguments.json:
        print_json(figures)
    else:
        print(text_of(figures))
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.predict import predict_files
    from lemons_core.vision.weights import read_model

    model = read_model(arguments.model)
    results = predict_files(arguments.files, model=model, each=_heatmap_writer(arguments.heatmap, model))
    if arguments.json:
        print_json(results)
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
