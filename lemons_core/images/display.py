"""Pixels for people: a display window, and a heat map laid over the grey image."""

from pathlib import Path

import numpy as np
from PIL import Image
from plotly.colors import sample_colorscale

from lemons_core.base.io import atomic_path

# Viridis: reads the same to colour-blind eyes, and its order survives a grey print.
COLOUR_SCALE = "Viridis"


def display_window(pixels: np.ndarray) -> tuple[float, float]:
    """Grey values (0-1) to show as black and white: percentiles, so that a flat film scan is not a grey sheet."""
    values = pixels[:: max(pixels.shape[0] // 512, 1), :: max(pixels.shape[1] // 512, 1)]
    bottom, top = np.percentile(values, [0.5, 99.8])
    return float(bottom), float(max(top, bottom + 1e-3))


def to_grey8(pixels: np.ndarray, window: tuple[float, float] | None = None) -> np.ndarray:
    """(H, W) float 0-1 to (H, W) uint8 within a window, by default `display_window`."""
    low, high = window or display_window(pixels)
    return (np.clip((pixels - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def colour_table() -> np.ndarray:
    """(256, 3) uint8, the colours of heat 0 to 1."""
    return (np.array(sample_colorscale(COLOUR_SCALE, np.linspace(0, 1, 256), colortype="tuple")) * 255).astype(np.uint8)


def blend(grey: np.ndarray, heat: np.ndarray, *, opacity: float = 0.5) -> np.ndarray:
    """Lay a heat map over an image.

    grey : (H, W) uint8
    heat : (H, W) float, 0-1; where it is low the image shows through, so that specks stay visible
    opacity : 0-1, of the strongest heat
    returns (H, W, 3) uint8
    """
    colours = colour_table()[(np.clip(heat, 0, 1) * 255).astype(np.uint8)].astype(np.float32)
    # Half of the opacity follows the heat itself.
    alpha = (opacity * (0.35 + 0.65 * np.clip(heat, 0, 1)))[..., None]
    return (grey[..., None] * (1 - alpha) + colours * alpha).round().astype(np.uint8)


def blend_within(
    grey: np.ndarray, heat: np.ndarray, box: tuple[int, int, int, int], *, opacity: float = 0.5
) -> np.ndarray:
    """A heat map in its place on a whole picture, (H, W, 3) uint8.

    grey : (H, W) uint8
    heat : (h, w) float, 0-1, of the window `box`: row, col, height, width in pixels of the picture
    """
    row, col, height, width = box
    rows, columns = slice(row, row + height), slice(col, col + width)
    whole = np.repeat(grey[..., None], 3, axis=2)
    whole[rows, columns] = blend(grey[rows, columns], heat, opacity=opacity)
    return whole


def write_heatmap(path: Path, pixels: np.ndarray, heat: np.ndarray) -> None:
    """Write image and heat map as one RGB PNG, whole or not at all."""
    with atomic_path(path) as part:
        Image.fromarray(blend(to_grey8(pixels), heat)).save(part, "PNG")
