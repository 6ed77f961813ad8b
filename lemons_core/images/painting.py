"""A small picture for people: large pixels, a bar that tells its size, and the outline of what it holds."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lemons_core.base.colours import NEUTRAL
from lemons_core.images.display import to_grey8

SHOWN_PX = 760  # least side of the picture
BAR_MM = 5
_OUTLINE_RGB = (247, 216, 58)


def paint(pixels: np.ndarray, spacing_mm: float, mask: np.ndarray | None = None) -> np.ndarray:
    """(S, S, 3) uint8: the crop with whole screen pixels for each of its own, a bar of 5 mm, and the mask's outline.

    pixels : (H, H) float32 0-1; mask : (H, H) bool or None
    """
    times = max(1, -(-SHOWN_PX // len(pixels)))
    grey = np.kron(to_grey8(pixels), np.ones((times, times), np.uint8))
    picture = np.repeat(grey[..., None], 3, axis=2)
    if mask is not None:
        picture[_edge(mask, times)] = _OUTLINE_RGB
    image = Image.fromarray(picture)
    pen, side = ImageDraw.Draw(image), len(picture)
    pen.rectangle([(0, 0), (side - 1, side - 1)], outline=NEUTRAL, width=2)  # film may be as white as the page
    length, margin, font = BAR_MM / spacing_mm * times, side // 30, ImageFont.load_default(side / 32)
    end = side - margin
    pen.line([(end - length, end), (end, end)], fill="black", width=side // 110 + 4)
    pen.line([(end - length, end), (end, end)], fill="white", width=side // 110)
    pen.text(
        (end - length / 2, end - margin * 0.5), f"{BAR_MM} mm", fill="white", font=font, anchor="mb",
        stroke_width=2, stroke_fill="black",
    )  # fmt: skip
    return np.asarray(image)


def _edge(mask: np.ndarray, times: int) -> np.ndarray:
    """Two screen pixels around the mask, none of them inside: (H * times, H * times) bool."""
    inside = np.kron(np.pad(mask, 1), np.ones((times, times), bool))
    near = inside.copy()
    for axis in (0, 1):
        for step in range(1, 3):
            near |= np.roll(near, step, axis) | np.roll(near, -step, axis)
    return (near & ~inside)[times:-times, times:-times]
