"""The settings of a training run: defaults, words and help of each in one place, for command line, record and pages.

Loads no torch, so that the command line can show its defaults.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

COUNT, SHARE = "count", "share"  # kinds of settings: a whole number from 1 on, and 0-0.9
SPEED_ONLY = ("workers", "accumulate")  # these do not decide the result


def _setting(
    default: Any, words: str, *, help: str = "", kind: Any = str, unset: str = "", choices: Sequence[str] | None = None
) -> Any:
    """A field of the recipe.

    words : its name for people; help : of its option, without one it has none
    kind : int, float, str, COUNT or SHARE; unset : what the default does, where the value does not say it
    """
    about = {"words": words, "help": help, "kind": kind, "unset": unset, "choices": choices}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Recipe:
    """Settings of one run; they go into its record and into the model card. On a CPU the same give the same model."""

    epochs: int = _setting(12, "epochs", kind=COUNT, help="at most; with --patience it may end earlier")
    seed: int = _setting(0, "seed", kind=int, help="of weights, tiles, order and split")
    batch: int = _setting(32, "images a step", kind=COUNT, help="images in a step, on all GPUs together")
    accumulate: int = _setting(
        1, "parts of a step", kind=COUNT, help="parts to work a step off in, for a GPU with little memory"
    )
    learning_rate: float = _setting(1e-3, "learning rate", kind=float, help="peak of the one-cycle schedule")
    weight_decay: float = _setting(0.02, "weight decay", kind=float)
    averaging: float = _setting(
        0.999,
        "running average of weights",
        kind=float,
        help="of the running average of the weights, which is measured and written, 0 for none",
    )
    patience: int = _setting(
        0, "stops early after", kind=int, unset="never", help="stop after so many epochs without gain"
    )
    tiles: int = _setting(4000, "tiles an epoch", kind=COUNT, help="tiles an epoch, with --data simulated")
    mix: float = _setting(
        0.0,
        "share of simulated tiles",
        kind=SHARE,
        help="share of simulated tiles among those of a collection, 0-0.9",
    )
    background: str | None = _setting(
        None,
        "own background pictures",
        unset="none",
        help="folder of your own normal mammograms: simulated calcifications are drawn into them",
    )
    init: str = _setting(
        "imagenet",
        "starts from",
        choices=("imagenet", "shipped", "scratch"),
        help="starting weights; imagenet where they can be fetched",
    )
    views: int = _setting(
        48,
        "views",
        kind=int,
        help="simulated whole views, at most, to calibrate the scores of detections with, at the end",
    )
    workers: int | None = _setting(
        None, "workers", kind=int, unset="by the machine", help="processes that prepare images"
    )

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the result; a run goes on only with the same."""
        return {name: value for name, value in asdict(self).items() if name not in SPEED_ONLY}


SETTING_WORDS = {"data": "learns from"} | {entry.name: entry.metadata["words"] for entry in fields(Recipe)}


def option_of(name: str) -> str:
    """A setting as an option of the command line."""
    return f"--{name.replace('_', '-')}"
