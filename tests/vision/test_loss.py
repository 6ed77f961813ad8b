"""What no eye can see is neither calcium nor its absence: it takes no part in the loss."""

import numpy as np
import pytest
import torch

from lemons_core.base.terms import GROUPS
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.network.model import LABELS, NetworkOutput
from lemons_core.vision.tiles.constants import EMPTY_CARD
from lemons_core.vision.tiles.data import SimulatedTiles, spots_of, target_of
from lemons_core.vision.train.loss import loss_of

POSITIVE = torch.ones(len(LABELS))
CELLS = (1 + len(GROUPS), 4, 4)  # calcium, and which group, at each place


def made_up():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, len(LABELS), generator=generator)
    spots = torch.randn(6, *CELLS, generator=generator)
    targets = (torch.rand(6, len(LABELS), generator=generator) < 0.5).float()
    cells = (torch.rand(6, *CELLS, generator=generator) < 0.3).float()
    targets[1, 2] = targets[4] = torch.nan
    cells[0, 0, 1] = cells[5] = torch.nan
    return logits, spots, targets, cells


def test_logits_of_what_is_not_known_change_nothing():
    logits, spots, targets, cells = made_up()
    plain = loss_of(NetworkOutput(logits, spots), targets, cells, POSITIVE)
    wild = NetworkOutput(
        torch.where(targets.isnan(), torch.tensor(30.0), logits), torch.where(cells.isnan(), torch.tensor(-30.0), spots)
    )
    torch.testing.assert_close(loss_of(wild, targets, cells, POSITIVE), plain)
    known = NetworkOutput(torch.where(targets.isnan(), logits, logits + 1), spots)
    assert not torch.isclose(loss_of(known, targets, cells, POSITIVE), plain), "what is known counts"


def test_no_gradient_flows_from_what_is_not_known():
    logits, spots, targets, cells = made_up()
    logits.requires_grad_(True)
    spots.requires_grad_(True)
    loss_of(NetworkOutput(logits, spots), targets, cells, POSITIVE).backward()
    assert (logits.grad[targets.isnan()] == 0).all() and (spots.grad[cells.isnan()] == 0).all()
    assert (logits.grad[~targets.isnan()] != 0).all() and (spots.grad[~cells.isnan()] != 0).all()


def test_a_batch_of_which_nothing_is_known_has_no_loss():
    logits, spots, targets, cells = made_up()
    nothing = loss_of(
        NetworkOutput(logits, spots), torch.full_like(targets, torch.nan), torch.full_like(cells, torch.nan), POSITIVE
    )
    assert nothing == 0


def hidden_crop():
    """A crop in which calcium was drawn that cannot be seen."""
    for seed in range(400):
        crop = simulate_crop(("AMORPHOUS",), rng=np.random.default_rng([7, seed]), size_px=128)
        if not crop.tokens and crop.faint.any():
            return crop
    raise AssertionError("no hidden insertion in 400 crops")


def test_calcium_that_no_eye_can_see_is_not_known():
    crop = hidden_crop()
    assert crop.hidden == ("AMORPHOUS",) and not crop.mask.any()
    groups = target_of((), ("amorphous",))
    assert groups[LABELS.index("calcification")].isnan() and groups[LABELS.index("amorphous")].isnan()
    assert groups[LABELS.index("macro")] == 0
    nowhere = torch.zeros(crop.faint.shape)
    cells = spots_of(torch.from_numpy(crop.faint.astype(np.float32)), *[nowhere] * len(GROUPS))
    assert cells[0].isnan().any() and (cells[0] == 0).any() and not (cells == 1).any()
    assert cells[1:].isnan().all(), "where no calcium is seen its group is not known"


def test_a_hidden_kind_beside_a_visible_one_is_not_known():
    both = target_of(("macro",), ("amorphous",))
    assert both[LABELS.index("calcification")] == 1 and both[LABELS.index("macro")] == 1
    assert both[LABELS.index("amorphous")].isnan() and both[LABELS.index("micro")] == 0


def test_simulated_tiles_say_what_is_hidden():
    tiles = SimulatedTiles(EMPTY_CARD, count=60, seed=3)
    targets = torch.stack([tiles[i].targets for i in range(60)])
    any_calcium, groups = targets[:, 0], targets[:, 1:]
    assert (groups[any_calcium == 0] == 0).all(), "no calcium: every group is known to be absent"
    assert groups[any_calcium.isnan()].isnan().any(1).all()
    assert ((groups == 1).any(1) == (any_calcium == 1)).all()


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_a_missed_positive_weighs_what_it_is_told(weight):
    nothing = NetworkOutput(torch.zeros(1, 1), torch.zeros(1, *CELLS))
    loss = loss_of(nothing, torch.ones(1, 1), torch.full((1, *CELLS), torch.nan), torch.tensor([weight]))
    assert loss.item() == pytest.approx(weight * np.log(2), rel=1e-5)
