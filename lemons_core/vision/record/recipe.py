"""The settings of a training run. Loads no torch, so that the command line can show its defaults."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """Settings of one run; they go into its record and into the model card.

    epochs : at most; with `patience` it may end earlier
    seed : of weights, tiles, order and split; on a CPU the same seed gives the same model
    batch : images in a step, whatever the number of processes and parts
    accumulate : parts that a process works off its share of a step in, for a GPU with little memory
    learning_rate : peak of the one-cycle schedule
    averaging : of the running average of the weights, which is what is measured and written; 0 takes them as they are
    patience : epochs without a better validation score before it stops; 0 never stops early
    tiles : simulated tiles an epoch (a collection has as many as it has)
    mix : 0-1, share of simulated tiles in an epoch of a collection
    background : folder of normal mammograms that simulated calcium is drawn into, or None
    init : "imagenet" (where reachable), "shipped" or "scratch"
    views : simulated whole views, at most, that are read at the end, to calibrate the scores of places; 0 leaves them
    workers : processes that prepare images, for each training process; None chooses by the machine
    """

    epochs: int = 12
    seed: int = 0
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    averaging: float = 0.999
    patience: int = 0
    tiles: int = 4000
    mix: float = 0.0
    background: str | None = None
    init: str = "imagenet"
    views: int = 48
    workers: int | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the result; a run goes on only with the same."""
        return {name: value for name, value in asdict(self).items() if name not in ("workers", "accumulate")}
