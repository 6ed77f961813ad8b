"""`train`. torch is loaded by the command that runs, not by `--help`."""

import argparse
import os
from dataclasses import fields
from pathlib import Path

from lemons_core.cli.common import DATA_HELP, AddCommand, ProgressBar, chosen_data, positive, within
from lemons_core.vision.record.recipe import COUNT, SHARE, Recipe, option_of


def register(command: AddCommand) -> None:
    train = command("train", _train, "train ResNet34 on a collection, or on simulated tiles")
    train.add_argument("--data", metavar="simulated|published|demo|DIR", help=f"tiles drawn on the way, or {DATA_HELP}")
    train.add_argument(
        "--out", type=Path, default=Path("runs/latest"), help="model folder to write (default: runs/latest)"
    )
    kinds = {COUNT: positive, SHARE: within(0, 0.9)}
    for setting in fields(Recipe):
        about = setting.metadata
        if about["help"]:
            train.add_argument(
                option_of(setting.name),
                type=kinds.get(about["kind"], about["kind"]),
                default=setting.default,
                choices=about["choices"],
                help=f"{about['help']} (default: {about['unset'] or setting.default})",
            )
    train.add_argument("--restart", action="store_true", help="forget the run that the model folder holds")


def _train(arguments: argparse.Namespace) -> int:
    from lemons_core.vision.evaluate.evaluate import interval_text
    from lemons_core.vision.tiles.constants import SIMULATED
    from lemons_core.vision.train.train import train

    data = arguments.data if arguments.data == SIMULATED else chosen_data(arguments.data).name
    settings = {setting.name for setting in fields(Recipe)}
    recipe = Recipe(**{name: value for name, value in vars(arguments).items() if name in settings})
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
