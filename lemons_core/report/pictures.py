"""Pictures for reports: fitted, cut out, marked."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.vision.record.findings import Detection

# Around a detection so much of its own size is shown, and so many pixels at least: a speck says nothing without tissue.
MARGIN, LEAST_PX = 0.25, 128


def detection_colour(detection: Detection) -> str:
    """`#RRGGBB` of its most probable group; neutral where the model is not sure."""
    return NEUTRAL if detection.abstained else GROUP_COLOURS[detection.top]


def cut_around(detection: Detection, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a square around a detection, inside a picture of this (H, W), cut at its border."""
    side = max(round(max(detection.height, detection.width) * (1 + 2 * MARGIN)), LEAST_PX)
    slices = []
    rows, cols = (detection.row, detection.height, shape[0]), (detection.col, detection.width, shape[1])
    for start, length, most in (rows, cols):
        low = min(max(start + length // 2 - side // 2, 0), max(most - side, 0))
        slices.append(slice(low, min(low + side, most)))
    return slices[0], slices[1]


def fit(pixels: np.ndarray, longest: int) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8, at most `longest` pixels a side; averaged over area, never enlarged."""
    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(image)


def encoded(pixels: np.ndarray) -> BytesIO:
    """Lossless for small pictures, where specks count; JPEG for large ones, which would make a report of 20 MB."""
    file = BytesIO()
    if pixels.size < 500_000:
        Image.fromarray(pixels).save(file, "PNG")
    else:
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file


def draw_boxes(grey: np.ndarray, detections: Sequence[Detection], *, words: str = "") -> np.ndarray:
    """Boxes and numbers of the detections drawn into a picture.

    grey : (H, W) uint8, at the size that the boxes count in
    words : written along the lower edge
    returns (H, W, 3) uint8
    """
    image = Image.fromarray(grey).convert("RGB")
    draw = ImageDraw.Draw(image)
    line = max(round(max(grey.shape) / 900), 1)
    font = ImageFont.load_default(size=max(max(grey.shape) / 60, 10))
    for number, detection in enumerate(detections, start=1):
        colour, row, col = detection_colour(detection), detection.row, detection.col
        right, bottom = col + detection.width, row + detection.height
        frame = (col - line, row - line, right + line - 1, bottom + line - 1)  # around it, not over it
        draw.rectangle(frame, outline=colour, width=line)
        wide, left = font.getlength(str(number)) + 4 * line, right + line
        if left + wide > grey.shape[1]:
            left = max(col - line - round(wide), 0)
        box = draw.textbbox((left + 2 * line, row), str(number), font=font)
        draw.rectangle((left, box[1] - line, left + wide, box[3] + line), fill=colour)
        draw.text((left + 2 * line, row), str(number), fill="white", font=font)
    if words:
        draw.text((4 * line, grey.shape[0] - 4 * line), words, fill="white", font=font, anchor="lb")
    return np.asarray(image)
