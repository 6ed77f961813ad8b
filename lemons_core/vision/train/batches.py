"""Which tiles make a step, who prepares them, and validation tiles that are made only once."""

import os
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, TensorDataset

from lemons_core.base.errors import DataError
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.data import SimulatedTiles, TileDataset, TileExample
from lemons_core.vision.train.checkpoint import ignore_signals
from lemons_core.vision.train.ddp import ProcessGroup


class Batches(Sampler[list[int]]):
    """Item numbers of this process's part of every step, epoch after epoch.

    One data set serves the whole run, so its worker processes can stay: an item's number names its epoch as well. Set
    `epoch` and `skip` (steps that are done already) before each pass.
    """

    def __init__(self, epoch_tiles: int, recipe: Recipe, group: ProcessGroup) -> None:
        parts = group.size * recipe.accumulate
        if recipe.batch % parts:
            raise DataError(
                f"A batch of {recipe.batch} does not divide into {parts} parts",
                where=f"{group.size} processes, accumulate {recipe.accumulate}",
                todo="Choose another --batch.",
            )
        self.count, self.recipe, self.group = epoch_tiles, recipe, group
        self.steps = max(epoch_tiles // recipe.batch, 1)
        self.epoch = self.skip = 0

    def __len__(self) -> int:
        return (self.steps - self.skip) * self.recipe.accumulate

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self.recipe.seed, self.epoch]).permutation(self.count)
        order = np.resize(order, (self.steps, self.recipe.batch)) + self.epoch * self.count  # few tiles are repeated
        for step in order[self.skip :]:
            mine = step[self.group.rank :: self.group.size]
            yield from mine.reshape(self.recipe.accumulate, -1).tolist()


def count_workers(recipe: Recipe, group: ProcessGroup) -> int:
    """A GPU waits for images, so it gets every core but its own; on a CPU the step needs the cores itself."""
    if recipe.workers is not None:
        return recipe.workers
    cores = os.cpu_count() or 2
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max((cores - 1) // here if group.device.type == "cuda" else cores // 4 // here, 1)


def open_loader(items: TileDataset, batches: Batches, workers: int) -> DataLoader[TileExample]:
    """Parts of steps, prepared ahead by processes that stay from epoch to epoch."""
    return DataLoader(
        items,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=ignore_signals,
    )


def keep_in_memory(items: TileDataset, *, workers: int) -> TileDataset:
    """Simulated tiles that are looked at every epoch, made once; others as they are."""
    if not isinstance(items, SimulatedTiles):
        return items
    batches = list(DataLoader(items, 64, num_workers=workers))
    return TensorDataset(*(torch.cat(parts) for parts in zip(*batches, strict=True)))  # type: ignore[return-value]
