"""Where calcium may be in a normalised image: the network's early map, specks told apart, specks put into groups."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from scipy.cluster.hierarchy import fcluster, linkage

from lemons_core.vision.network.model import CELL_PX
from lemons_core.vision.network.weights import Model

# The image goes through the network in strips: memory stays small and rows without breast cost nothing. The margin is
# what a cell looks at in practice; a strip without it would see its border as an edge.
STRIP_PX, MARGIN_PX = 512, 64
# A cell above the second logit is calcium; its neighbours above the first belong to it. Set on simulated views.
LOW_LOGIT, HIGH_LOGIT = -0.5, 0.5
# Specks whose mean distance is less belong together. Joined to the nearest instead, faint cells would chain up to one
# candidate as large as the breast; BI-RADS speaks of a group within 2 cm.
CLUSTER_DISTANCE_MM = 8.0
MOST_CELLS = 4000  # cells that are looked at, the highest first: noise alone can raise a whole image
SPECK = 1.0  # a speck stands out by this many local contrasts, smoothed over a pixel
_AROUND = np.ones((3, 3))


@dataclass(frozen=True)
class Candidate:
    """A group of specks.

    specks : (N, 2) row and column, in pixels of the normalised image
    peak : logit of its highest cell
    """

    specks: np.ndarray
    peak: float


def calcification_logit_map(
    normalised: np.ndarray, tissue: np.ndarray, model: Model, *, progress: Callable[[float], None] | None = None
) -> np.ndarray:
    """Logit of calcium for each cell of 8 x 8 pixels; (ceil(H/8), ceil(W/8)) float32, -inf where was not looked.

    normalised : (H, W) float32; tissue : (H, W) bool, where to look
    """
    height, width = (-(-n // CELL_PX) * CELL_PX for n in normalised.shape)
    padded = np.pad(normalised, [(0, height - normalised.shape[0]), (0, width - normalised.shape[1])], mode="edge")
    logit_map = np.full((height // CELL_PX, width // CELL_PX), -np.inf, np.float32)
    cells = ndimage.zoom(tissue, [n / m for n, m in zip(logit_map.shape, tissue.shape, strict=True)], order=0)
    for top in range(0, height, STRIP_PX):
        bottom = min(top + STRIP_PX, height)
        rows = slice(top // CELL_PX, bottom // CELL_PX)
        columns = np.flatnonzero(cells[rows].any(axis=0))
        if len(columns):
            left, right = columns[0] * CELL_PX, (columns[-1] + 1) * CELL_PX
            y0, x0 = max(top - MARGIN_PX, 0), max(left - MARGIN_PX, 0)
            part = padded[y0 : bottom + MARGIN_PX, x0 : right + MARGIN_PX]
            inputs = torch.from_numpy(part)[None, None].contiguous(memory_format=torch.channels_last)
            with model.lock, torch.inference_mode():
                logits = model.network.spots(model.network.early(inputs))[0, 0].numpy()
            row, column = (top - y0) // CELL_PX, (left - x0) // CELL_PX
            logit_map[rows, left // CELL_PX : right // CELL_PX] = logits[
                row : row + (bottom - top) // CELL_PX, column : column + (right - left) // CELL_PX
            ]
        if progress:
            progress(bottom / height)
    logit_map[~cells] = -np.inf
    return logit_map


def find_candidates(normalised: np.ndarray, logit_map: np.ndarray, spacing_mm: float) -> list[Candidate]:
    """Groups of specks, the highest peak first.

    normalised : (H, W) float32; logit_map : of these pixels; spacing_mm : of the normalised image
    """
    threshold = HIGH_LOGIT
    if logit_map.size > MOST_CELLS:
        threshold = max(threshold, np.partition(logit_map, -MOST_CELLS, axis=None)[-MOST_CELLS])
    high = logit_map > threshold
    if not high.any():
        return []
    # A patch of touching cells is one deposit or one tight group of specks.
    patches, count = ndimage.label(ndimage.binary_propagation(high, _AROUND, logit_map > LOW_LOGIT), _AROUND)
    middles = np.array(ndimage.center_of_mass(patches > 0, patches, range(1, count + 1)))
    groups = np.zeros(count, int)
    if count > 1:
        distance = CLUSTER_DISTANCE_MM / (CELL_PX * spacing_mm)
        below = np.nextafter(distance, 0)  # patches of a grid are often exactly as far apart as that, and stay apart
        groups = fcluster(linkage(middles, "average"), below, criterion="distance") - 1
    of_cell = np.concatenate([[-1], groups])[patches]

    smooth = ndimage.gaussian_filter(normalised, 1.0, truncate=2)
    points = np.argwhere((smooth > SPECK) & (ndimage.maximum_filter(smooth, 5) == smooth))
    of_speck = ndimage.grey_dilation(of_cell, (3, 3))[tuple((points // CELL_PX).T)]
    candidates = []
    for group in range(groups.max() + 1):
        specks = points[of_speck == group].astype(float)
        if not len(specks):  # a wide smooth deposit has no sharp peak: its cells stand for it
            specks = (np.argwhere(of_cell == group) + 0.5) * CELL_PX
        candidates.append(Candidate(specks, float(logit_map[of_cell == group].max())))
    return sorted(candidates, key=lambda candidate: -candidate.peak)
