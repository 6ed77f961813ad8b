"""ResNet34 on grey images of any size: a map of where calcium is, and one score for each label."""

import logging
import math
import socket
from collections.abc import Sequence
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torchvision.models import ResNet34_Weights, resnet34

from lemons_core.base.terms import GROUPS

LABELS: tuple[str, ...] = ("calcification", *map(str, GROUPS))

# Between mean (0) and maximum (large). A mean would drown a lone speck, a bare maximum learns from one place only.
POOL_SHARPNESS = 4.0
CELL_PX = 8  # side of a cell of the early map, in input pixels
log = logging.getLogger(__name__)


class NetworkOutput(NamedTuple):
    """What one pass says.

    logits : (B, labels), for the picture as a whole
    spots : (B, 1 + groups, H/8, W/8) logits: that there is calcium at this place, then which group it belongs to if so
    """

    logits: Tensor
    spots: Tensor


class CalcificationNet(nn.Module):
    """torchvision's ResNet34 that reads twice: where the specks are after its second stage, what they are at its end.

    A speck of 0.2 mm is two pixels; after five halvings little of its place and shape is left. So calcium is sought on
    the map after the second stage (stride 8, 0.8 mm a cell), which alone is enough to search a whole view, and the last
    stage (stride 32) tells its kind from what lies around. Each label is the mean of both opinions.

    Input (B, 1, H, W) float32, locally normalised. Labels are "calcification", the four groups and, for a model trained
    with pathology, "malignancy".

    state : of torchvision's network, to start from; None for random weights
    """

    def __init__(self, labels: Sequence[str] = LABELS, *, state: dict[str, Tensor] | None = None) -> None:
        super().__init__()
        trunk = resnet34(weights=None)
        grey = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        if state:
            trunk.load_state_dict(state)
            # One grey channel sees what three equal colour channels would.
            grey.weight.data = trunk.conv1.weight.data.sum(1, keepdim=True)
        self.stem = nn.Sequential(grey, trunk.bn1, trunk.relu, trunk.maxpool)
        self.layer1, self.layer2, self.layer3, self.layer4 = trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4
        self.spots = nn.Conv2d(128, 1 + len(GROUPS), kernel_size=1)
        self.head = nn.Conv2d(512, len(labels), kernel_size=1)

    def early(self, inputs: Tensor) -> Tensor:
        """(B, 128, H/8, W/8): the features that `spots` reads; less than half of the work of a whole pass."""
        return self.layer2(self.layer1(self.stem(inputs)))

    def late(self, features: Tensor) -> Tensor:
        """(B, labels, H/32, W/32) logits, one for each place, from early features."""
        return self.head(self.layer4(self.layer3(features)))

    def forward(self, inputs: Tensor) -> NetworkOutput:
        features = self.early(inputs)
        spots = self.spots(features)
        return NetworkOutput(fuse_logits(self.late(features), spots), spots)


def fuse_logits(late: Tensor, spots: Tensor) -> Tensor:
    """(B, labels) logits of the picture, from the late map (B, labels, h, w) and the early one (B, 1 + groups, H, W).

    Early, a group is where there is calcium and it is of this group: the second counts as far as the first holds.
    """
    logits = pool(late)
    calcium, kinds = spots[:, :1], spots[:, 1:]
    early = pool(torch.cat([calcium, kinds + logsigmoid(calcium)], dim=1))
    both = early.shape[1]
    return torch.cat([(logits[:, :both] + early) / 2, logits[:, both:]], dim=1)


def pool(scores: Tensor) -> Tensor:
    """(B, C, h, w) logits of places to (B, C) of the picture, by log-mean-exp."""
    flat = scores.float().flatten(2) * POOL_SHARPNESS
    return (flat.logsumexp(2) - math.log(flat.shape[2])) / POOL_SHARPNESS


def build_network(labels: Sequence[str] = LABELS, *, init: str = "scratch") -> CalcificationNet:
    """A fresh network; `init="imagenet"` starts from torchvision's weights where they can be fetched."""
    return CalcificationNet(labels, state=_imagenet_state() if init == "imagenet" else None)


def _imagenet_state() -> dict[str, Tensor] | None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(10)
    try:
        return dict(ResNet34_Weights.DEFAULT.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError):
        log.warning("ImageNet weights cannot be fetched here; training starts from scratch.")
        return None
    finally:
        socket.setdefaulttimeout(before)
