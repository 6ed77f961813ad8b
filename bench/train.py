"""The training step with tiles simulated on the way, against the same steps on tensors already in memory.

    python bench/train.py [--workers 1] [--steps 20] [--batch 32] [--rounds 3]

Both ways go through the same Learner in turns, in one process; the ratio is that of the least times. Where the step
runs on the cores that also draw the tiles, both compete: how many cores drawing needs is printed as well.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from lemons_core.vision.batches import Batches, count_workers, open_loader
from lemons_core.vision.data import Item, SimulatedTiles
from lemons_core.vision.learner import Learner
from lemons_core.vision.model import build_network
from lemons_core.vision.recipe import Recipe
from lemons_core.vision.team import Team
from lemons_core.vision.tiles import EMPTY_CARD


def timed(learner: Learner, parts: Iterable[Item], device: torch.device) -> float:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, help="processes that draw tiles (default: as training chooses)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    team = Team()
    recipe = Recipe(batch=given.batch, workers=given.workers, tiles=given.batch * (given.steps + 1))
    workers = count_workers(recipe, team)
    tiles = SimulatedTiles(EMPTY_CARD, count=recipe.tiles * given.rounds, seed=0)
    one = replace(recipe, workers=0)
    learner = Learner(build_network(), one, team, steps=recipe.tiles, positive=torch.ones(len(EMPTY_CARD.labels)))
    learner.network.train()

    began = time.process_time()
    some = [tiles[number] for number in range(given.batch)]
    drawing = (time.process_time() - began) / given.batch
    memory = [Item(*(torch.stack(part) for part in zip(*some, strict=True)))] * (given.steps + 1)

    batches = Batches(recipe.tiles, recipe, team)
    loader = open_loader(tiles, batches, workers)
    best = {"memory": float("inf"), "drawn": float("inf")}
    for number in range(given.rounds):
        batches.epoch = number
        best["memory"] = min(best["memory"], timed(learner, memory, team.device))
        best["drawn"] = min(best["drawn"], timed(learner, loader, team.device))
    image = best["memory"] / given.batch
    needs = f"{drawing / image:.2f} cores at this speed"
    print(f"drawing one tile           {drawing * 1000:8.1f} ms of a core; {needs}")
    print(f"ratio                      {best['drawn'] / best['memory']:8.2f}")


if __name__ == "__main__":
    main()
