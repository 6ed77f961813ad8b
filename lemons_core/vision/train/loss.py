"""What training minimises: binary cross-entropy of labels and cells, without what is not known."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lemons_core.vision.network.model import NetworkOutput

# Few cells hold calcium and a missed speck is worse than a cell too many; a group is one of four.
SPOT_POSITIVE = 3.0


def loss_of(output: NetworkOutput, targets: Tensor, spots: Tensor, positive: Tensor) -> Tensor:
    """The loss of a batch, a scalar: of labels, of cells, and of the group of each cell, in equal parts.

    targets : (B, labels) 0, 1 or nan; spots : (B, 1 + groups, H/8, W/8) 0, 1 or nan; nan takes no part
    positive : (labels,) weight of a positive
    """
    weight = positive.new_tensor(SPOT_POSITIVE)
    return (
        _known_mean(output.logits, targets, positive)
        + _known_mean(output.spots[:, :1], spots[:, :1], weight)
        + _known_mean(output.spots[:, 1:], spots[:, 1:], weight)
    )


def _known_mean(logits: Tensor, targets: Tensor, positive: Tensor) -> Tensor:
    known = ~targets.isnan()
    loss = binary_cross_entropy_with_logits(logits.float(), targets.nan_to_num(), pos_weight=positive, reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)
