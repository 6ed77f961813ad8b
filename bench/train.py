"""The training step with tiles from disk or simulated on the way, against the same steps on tensors in memory.

    python bench/train.py [--workers 1] [--steps 20] [--batch 32] [--rounds 3]

All ways go through the same Learner in turns, in one process; the ratios are those of the least times. Where the step
runs on the cores that also prepare the tiles, both compete: how many cores that needs is printed as well.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from lemons_core.vision.network.model import build_network
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.constants import EMPTY_CARD
from lemons_core.vision.tiles.crops import Tile
from lemons_core.vision.tiles.data import SimulatedTiles, StoredTiles, TileDataset, TileExample
from lemons_core.vision.train.batches import Batches, count_workers, open_loader
from lemons_core.vision.train.ddp import ProcessGroup
from lemons_core.vision.train.learner import Learner


def timed(learner: Learner, parts: Iterable[TileExample], device: torch.device) -> float:
    """Seconds a step, without the first, which fills pipes and caches."""
    began = time.perf_counter()
    for number, part in enumerate(parts):
        learner.step([part], number)
        if number == 0:
            if device.type == "cuda":
                torch.cuda.synchronize()
            began = time.perf_counter()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / number


def stored(folder: Path, tiles: SimulatedTiles, count: int) -> StoredTiles:
    """Tiles on disk as a collection's are: crops a little larger than what the network sees."""
    names = []
    for number in range(count):
        grey = np.pad(tiles[number].inputs[0].numpy(), 32, mode="reflect").astype(np.float16)
        np.save(folder / f"{number}.npy", grey)
        names.append(Tile(folder / f"{number}.npy", str(number), str(number), ("micro",), "micro"))
    return StoredTiles(names, EMPTY_CARD, seed=0)


def cost(items: TileDataset, count: int) -> float:
    """Seconds of a core for one item."""
    began = time.process_time()
    for number in range(count):
        items[number]
    return (time.process_time() - began) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, help="processes that draw tiles (default: as training chooses)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    group = ProcessGroup()
    recipe = Recipe(batch=given.batch, workers=given.workers, tiles=given.batch * (given.steps + 1))
    workers = count_workers(recipe, group)
    tiles = SimulatedTiles(EMPTY_CARD, count=recipe.tiles * given.rounds, seed=0)
    one = replace(recipe, workers=0)
    learner = Learner(build_network(), one, group, steps=recipe.tiles, positive=torch.ones(len(EMPTY_CARD.labels)))
    learner.network.train()

    some = [tiles[number] for number in range(given.batch)]
    memory = [TileExample(*(torch.stack(part) for part in zip(*some, strict=True)))] * (given.steps + 1)
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, TileDataset] = {"from disk": stored(Path(folder), tiles, recipe.tiles), "simulated": tiles}
        batches = Batches(recipe.tiles, recipe, group)
        loaders = {name: open_loader(items, batches, workers) for name, items in ways.items()}
        best = dict.fromkeys(["memory", *ways], float("inf"))
        for number in range(given.rounds):
            batches.epoch = number
            for name in best:
                best[name] = min(best[name], timed(learner, loaders.get(name, memory), group.device))
        image = best["memory"] / given.batch
        print(f"step in memory, a tile {1000 * image:8.1f} ms")
        for name, items in ways.items():
            spent = cost(items, given.batch)
            print(
                f"{name:<23}{1000 * spent:8.1f} ms of a core a tile: {spent / image:.2f} cores at this speed; "
                f"step / in memory = {best[name] / best['memory']:.2f}"
            )


if __name__ == "__main__":
    main()
