"""A network while it learns: one optimiser step, whatever the number of processes and parts."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW

from lemons_core.vision.network.model import CalcificationNet
from lemons_core.vision.network.precision import has_bfloat16
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.data import TileExample
from lemons_core.vision.train.ddp import ProcessGroup
from lemons_core.vision.train.loss import loss_of

LONGEST_GRADIENT = 5.0  # a longer one is cut to this length


class Learner:
    """The network, its running average, and what moves them.

    network : what learns; average : what is measured and written, with the buffers of batch normalisation
    steps : of the whole run, for the learning rate
    positive : (labels,) weight of a positive in the loss
    """

    def __init__(
        self, network: CalcificationNet, recipe: Recipe, group: ProcessGroup, *, steps: int, positive: Tensor
    ) -> None:
        network = network.to(group.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if group.size > 1 and group.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network, self.recipe, self.steps, self.device = network, recipe, steps, group.device
        self.positive, self.bfloat16 = positive.to(group.device), has_bfloat16(group.device)
        self.average: CalcificationNet = deepcopy(network).requires_grad_(False)
        self.optimiser = AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.parallel = DistributedDataParallel(network) if group.size > 1 else None

    def step(self, parts: Sequence[TileExample], done: int) -> Tensor:
        """Learn from the parts of one batch; `done` steps lie behind. Returns the mean loss, a scalar."""
        total = torch.zeros((), device=self.device)
        for number, part in enumerate(parts, start=1):
            # Several processes compare their gradients once a step, after its last part.
            with self.parallel.no_sync() if self.parallel and number < len(parts) else nullcontext():
                loss = self._loss(part) / len(parts)
                loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = self.recipe.learning_rate * one_cycle(done / self.steps)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        follow(self.average, self.network, self.recipe.averaging, done + 1)
        return total

    def states(self) -> dict[str, Any]:
        """All that a checkpoint needs."""
        return {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")}

    def load(self, states: dict[str, Any]) -> None:
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(states[name])

    def _loss(self, part: TileExample) -> Tensor:
        inputs, targets, spots = part
        inputs = inputs.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        # bfloat16 needs no loss scaling; where it is built in, it halves the time of a step on CPU as well.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            output = (self.parallel or self.network)(inputs)
        return loss_of(output, targets.to(self.device), spots.to(self.device), self.positive)


def one_cycle(done: float) -> float:
    """Learning rate as a share of its peak: up during the first fifth of the run, then down along half a cosine.

    done : 0-1, share of all steps
    """
    if done < 0.2:
        return 0.04 + 0.96 * done / 0.2
    return (1 + math.cos(math.pi * (done - 0.2) / 0.8)) / 2


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, averaging: float, steps: int) -> None:
    """Move the average towards the network; early on it follows closely, as the start is not worth remembering."""
    share = 1 - min(averaging, (1 + steps) / (10 + steps))
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, share)
        else:
            slow.copy_(fast)
