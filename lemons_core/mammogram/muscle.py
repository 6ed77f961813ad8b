"""The pectoral muscle of an MLO view."""

import numpy as np
from scipy import ndimage


def find_muscle(small: np.ndarray, mask: np.ndarray, side: str) -> np.ndarray | None:
    """The pectoral muscle, (h, w) bool, or None: a bright triangle in the upper corner at the chest wall.

    Of all lines from the upper border to the chest wall the one is taken across which grey falls most; the fall must be
    clear and run along the whole line. Better no muscle than gland taken for it.

    small : (h, w) float32, a view in cells of about 1 mm
    mask : (h, w) bool, breast and muscle
    side : "L" or "R", where the chest wall is
    """
    grey = ndimage.gaussian_filter(small, 1.5)
    if side == "R":
        grey, mask = grey[:, ::-1], mask[:, ::-1]
    rows, cols = np.nonzero(mask)
    wall, top, height = cols.min(), rows.min(), np.ptp(rows)
    reach = np.nonzero(mask[top : top + 4].any(axis=0))[0].max() - wall
    if top > 0.1 * len(small) or reach < 0.1 * height + 4 or height < 40:
        return None  # a breast that ends below the upper border, as in most CC views, shows no muscle
    starts, ends = np.arange(0.1 * height, reach, 2), np.arange(0.25 * height, 1.1 * height, 4)
    across, down = (values.ravel() for values in np.meshgrid(starts, ends))
    along = np.linspace(0.05, 0.95, 48)
    y, x = top + down[:, None] * along, wall + across[:, None] * (1 - along)
    length = np.hypot(down, across)[:, None]
    dy, dx = across[:, None] / length, down[:, None] / length  # one cell from the muscle towards the gland
    inner, outer = (
        sum(ndimage.map_coordinates(grey, [y + n * dy, x + n * dx], order=1, mode="nearest") for n in steps) / 2
        for steps in ((-5, -3), (3, 5))
    )
    fall = np.ma.array(inner - outer, mask=y > rows.max() - 4)
    mean = fall.mean(axis=1)
    steady = (fall > 0.25 * mean[:, None]).mean(axis=1).filled(0)
    mean = np.where(steady > 0.75, mean.filled(0), 0)
    best = int(np.argmax(mean))
    if mean[best] < 0.03:
        return None
    row, col = np.indices(mask.shape)
    muscle = mask & ((row - top) / down[best] + (col - wall) / across[best] < 1)
    return muscle[:, ::-1] if side == "R" else muscle
