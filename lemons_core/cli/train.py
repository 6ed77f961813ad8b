"""`train`. torch is loaded by the command that runs, not by `--help`."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from lemons_core.cli.common import AddCommand, ProgressBar, data_root, positive
from lemons_core.vision.record.recipe import Recipe

STANDARD = Recipe()


def register(command: AddCommand) -> None:
    train = command("train", _train, "train ResNet34 on a collection, or on simulated tiles")
    train.add_argument(
        "--data", help="root folder of a collection, or 'simulated' (default: LEMONS_DATA, else the demo data)"
    )
    train.add_argument(
        "--out", type=Path, default=Path("runs/latest"), help="model folder to write (default: runs/latest)"
    )
    train.add_argument("--epochs", type=positive, default=STANDARD.epochs)
    train.add_argument("--seed", type=int, default=STANDARD.seed)
    train.add_argument(
        "--learning-rate",
        type=float,
        default=STANDARD.learning_rate,
        help="peak of the one-cycle schedule (default: 0.001)",
    )
    train.add_argument(
        "--batch", type=positive, default=STANDARD.batch, help="images in a step, on all GPUs together (default: 32)"
    )
    train.add_argument(
        "--accumulate",
        type=positive,
        default=STANDARD.accumulate,
        help="parts to work a step off in, for a GPU with little memory (default: 1)",
    )
    train.add_argument(
        "--averaging",
        type=float,
        default=STANDARD.averaging,
        help="of the running average of the weights, 0 for none (default: 0.999)",
    )
    train.add_argument(
        "--patience",
        type=int,
        default=STANDARD.patience,
        help="stop after so many epochs without gain (default: never)",
    )
    train.add_argument("--tiles", type=positive, default=STANDARD.tiles, help="tiles an epoch, with --data simulated")
    train.add_argument(
        "--background",
        metavar="DIR",
        help="folder of your own normal mammograms: simulated calcifications are drawn into them",
    )
    train.add_argument(
        "--mix", type=share, default=STANDARD.mix, help="share of simulated tiles among those of a collection (0-0.9)"
    )
    train.add_argument(
        "--init", choices=("imagenet", "shipped", "scratch"), default=STANDARD.init, help="starting weights"
    )
    train.add_argument(
        "--views",
        type=int,
        default=STANDARD.views,
        help="simulated whole views to calibrate the scores of places with, at the end (default: 48)",
    )
    train.add_argument("--workers", type=int, help="processes that prepare images (default: by the machine)")
    train.add_argument("--restart", action="store_true", help="forget the run that the model folder holds")


def share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 0.9:
        raise argparse.ArgumentTypeError("must lie in 0-0.9")
    return value


def _train(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate.evaluate import interval_text
    from lemons_core.vision.tiles.constants import SIMULATED
    from lemons_core.vision.train.train import train

    data = arguments.data if arguments.data == SIMULATED else data_root(arguments.data and Path(arguments.data))
    recipe = replace(STANDARD, **{name: value for name, value in vars(arguments).items() if name in vars(STANDARD)})
    progress = ProgressBar()
    card = train(data, arguments.out, recipe, restart=arguments.restart, progress=progress)
    progress.close()
    if os.environ.get("RANK", "0") != "0":  # of several processes the first speaks
        return 0
    if card is None:
        print(f"Stopped. The same command goes on from {arguments.out}.")
        return 0
    validation = card.metrics["validation"]
    print(f"Model written to {arguments.out} (trained on {card.trained_on}). Validation, n = {validation['n']}:")
    for label, row in validation["labels"].items():
        precision = interval_text(row["average_precision"])
        print(f"  {label:<14} AUC {interval_text(row['auc'])}   average precision {precision}")
    return 0
