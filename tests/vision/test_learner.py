"""One optimiser step, whatever the number of parts it is worked off in."""

from dataclasses import replace

import pytest
import torch

from lemons_core.base.terms import GROUPS
from lemons_core.vision.network.model import LABELS, build_network
from lemons_core.vision.record.recipe import Recipe
from lemons_core.vision.tiles.data import TileExample
from lemons_core.vision.train.ddp import ProcessGroup
from lemons_core.vision.train.learner import Learner, one_cycle

RECIPE = Recipe(batch=4, learning_rate=0.01)


def batch(size: int) -> TileExample:
    """Made-up tiles of 64 pixels of which everything is known, so that equal parts weigh the same."""
    generator = torch.Generator().manual_seed(1)
    targets = (torch.rand(size, len(LABELS), generator=generator) < 0.5).float()
    spots = (torch.rand(size, 1 + len(GROUPS), 8, 8, generator=generator) < 0.3).float()
    return TileExample(torch.randn(size, 1, 64, 64, generator=generator), targets, spots)


def gradients_and_loss(monkeypatch: pytest.MonkeyPatch, accumulate: int) -> tuple[list[torch.Tensor], float]:
    """What one step hands to the optimiser, and its loss."""
    torch.manual_seed(0)
    recipe = replace(RECIPE, accumulate=accumulate)
    learner = Learner(build_network(), recipe, ProcessGroup(), steps=10, positive=torch.ones(len(LABELS)))
    learner.network.eval()  # statistics of a batch would differ from those of its parts
    seen: list[torch.Tensor] = []
    parameters = list(learner.network.parameters())
    monkeypatch.setattr(learner.optimiser, "step", lambda: seen.extend(p.grad.clone() for p in parameters))
    parts = [TileExample(*part) for part in zip(*(t.chunk(accumulate) for t in batch(RECIPE.batch)), strict=True)]
    return seen, float(learner.step(parts, 2))


def test_a_step_in_two_parts_is_the_step_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    one, loss = gradients_and_loss(monkeypatch, 1)
    two, same_loss = gradients_and_loss(monkeypatch, 2)
    assert loss == pytest.approx(same_loss, rel=2e-3)
    # bfloat16 keeps 8 bits: sums in another order differ in the third figure.
    for whole, halves in zip(one, two, strict=True):
        assert torch.linalg.vector_norm(whole - halves) <= 0.02 * torch.linalg.vector_norm(whole) + 1e-6


def test_the_learning_rate_rises_for_a_fifth_and_falls_to_nothing() -> None:
    rates = [one_cycle(done / 100) for done in range(101)]
    assert rates[20] == max(rates) == 1 and rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True) and rates[100] == pytest.approx(0)


@pytest.mark.parametrize("built_in", [True, False])
def test_bfloat16_is_computed_in_only_where_the_hardware_has_it(built_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": built_in})
    learner = Learner(build_network(), RECIPE, ProcessGroup(), steps=10, positive=torch.ones(len(LABELS)))
    seen = set()
    for convolution in (part for part in learner.network.modules() if isinstance(part, torch.nn.Conv2d)):
        convolution.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    learner.step([batch(RECIPE.batch)], 0)
    assert seen == {torch.bfloat16 if built_in else torch.float32}
