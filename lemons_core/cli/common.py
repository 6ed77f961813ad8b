"""What the commands share: arguments, progress, the folder to read."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lemons_core.base import config
from lemons_core.base.config import DataChoice, Origin

Handler = Callable[[argparse.Namespace], int]
AddCommand = Callable[[str, Handler | None, str], argparse.ArgumentParser]  # its name, what runs it, a sentence of help
DATA_HELP = (
    "the published case table of CBIS-DDSM, the simulated demo data, or the root folder of a collection "
    "(default: LEMONS_DATA, else published)"
)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="published|demo|DIR", help=DATA_HELP)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def within(low: float, high: float, *, told: str = "") -> Callable[[str], float]:
    """A type of numbers from `low` to `high`; `told` is the message for others."""

    def number(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(told or f"must lie in {low:g}-{high:g}")
        return value

    return number


class ProgressBar:
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


def chosen_data(name: str | None) -> DataChoice:
    """The data to read, see config.choose_data; the demo data are made when they are not there."""
    from lemons_core.dataset.collection import read_demo_marker

    data = config.choose_data(name)
    if data.origin == Origin.DEMO and read_demo_marker(data.root) is None:
        from lemons_core.simulate.demo.write import write_demo

        progress = ProgressBar()
        print(f"Making the simulated demo data in {data.root}", file=sys.stderr)
        write_demo(data.root, progress=progress)
        progress.close()
    return data


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=Path,
        default=config.read_settings().model,
        help="model folder (default: LEMONS_MODEL, else the shipped model)",
    )
