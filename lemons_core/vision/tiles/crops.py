"""The tile store: what training and evaluation see of a collection, decoded, resampled and normalised once."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import call
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import binary_dilation, zoom

from lemons_core.base.io import write_array
from lemons_core.base.progress import Progress, no_progress
from lemons_core.base.terms import Pathology
from lemons_core.images import read_image
from lemons_core.mammogram import film_if_unknown, find_breast
from lemons_core.vision.network.preprocess import normalise, resample
from lemons_core.vision.record.card import ModelCard
from lemons_core.vision.tiles.ordered import run_in_order

CLEAR_MM = 10  # a patch of normal tissue begins so far off every known lesion


@dataclass(frozen=True)
class Tile:
    """A normalised picture in the tile store.

    path : .npy, (H, W) float16
    groups : its groups; empty for normal tissue
    single : the single label, or None for normal tissue
    malignant : by pathology; None where that is not known, and for normal tissue, to which the question does not apply
    """

    path: Path
    case_id: str
    patient_id: str
    groups: tuple[str, ...]
    single: str | None
    malignant: bool | None = None


def cut_tiles(
    rows: pd.DataFrame,
    store: Path,
    card: ModelCard,
    *,
    patches: int = 1,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = no_progress,
) -> tuple[list[Tile], list[str]]:
    """Crops, and patches of normal tissue from each view that has masks, to the tile store.

    A tile that is already there is not cut again, so an interrupted run goes on where it stopped.

    rows : rows of a collection with crop_file, view_file, mask_file, calc_group, calc_groups, pathology
    store : folder for the .npy files
    card : spacing and normalisation
    patches : of normal tissue from each view
    seed : chooses the normal patches
    jobs : processes; each holds one view at a time, about 0.5 GB
    Returns the tiles, and one message for each file that could not be read.
    """
    store.mkdir(parents=True, exist_ok=True)
    views = rows[rows["view_file"].notna() & rows["mask_file"].notna()].groupby("view_file", sort=False)
    tasks: dict[str, Callable[[], list[Tile]]] = {
        f"crop {row['case_id']}": partial(_cut_crop, row, store, card) for row in rows.to_dict("records")
    }
    for name, part in views:
        tasks[f"view {name}"] = partial(_cut_normal, part.to_dict("records"), store, card, patches, seed)
    tiles, failed = run_in_order(call, tasks, jobs=jobs, what="tiles", progress=progress)
    return list(chain.from_iterable(tiles)), failed


def _cut_crop(row: dict[str, Any], store: Path, card: ModelCard) -> list[Tile]:
    path = store / f"{row['case_id']}.npy"
    if not path.exists():
        picture = read_image(row["crop_file"])
        pixels = normalise(resample(picture.pixels, film_if_unknown(picture.spacing_mm), card.spacing_mm), card)
        write_array(path, pixels.astype(np.float16))
    malignant = None if pd.isna(row["pathology"]) else row["pathology"] == Pathology.MALIGNANT
    groups = tuple(row["calc_groups"])
    return [Tile(path, row["case_id"], row["patient_id"], groups, row["calc_group"], malignant)]


def _cut_normal(rows: list[dict[str, Any]], store: Path, card: ModelCard, patches: int, seed: int) -> list[Tile]:
    """Patches of one view; `rows` are all its lesions."""
    image_id, patient_id = rows[0]["image_id"], rows[0]["patient_id"]
    paths = [store / f"{image_id}_normal{number}.npy" for number in range(patches)]
    if not all(path.exists() for path in paths):
        rng = np.random.default_rng([seed, zlib.crc32(image_id.encode())])
        found = _normal_patches(rows, card, patches, rng)
        for number, path in enumerate(paths):
            patch = found[number] if number < len(found) else np.empty((0, 0), np.float32)
            write_array(path, patch.astype(np.float16))
    # An empty file stands for a patch for which the view had no room.
    return [Tile(path, image_id, patient_id, (), None) for path in paths if path.stat().st_size > 1000]


def _normal_patches(
    rows: list[dict[str, Any]], card: ModelCard, patches: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """At most so many patches of breast tissue off every known lesion of the view, apart from each other."""
    picture = read_image(rows[0]["view_file"])
    pixels = resample(picture.pixels, film_if_unknown(picture.spacing_mm), card.spacing_mm)
    coarse = max(round(1 / card.spacing_mm), 1)  # about 1 mm
    free = find_breast(picture.pixels, spacing_mm=picture.spacing_mm).tissue(pixels[::coarse, ::coarse].shape)
    for row in rows:
        mask = read_image(row["mask_file"]).pixels > 0.5
        # For some cases mask and view differ in size: the mask is fitted to the view.
        scale = [big / small for big, small in zip(free.shape, mask.shape, strict=True)]
        lesion = zoom(mask, scale, order=0, grid_mode=True, mode="nearest")[: free.shape[0], : free.shape[1]]
        free &= ~binary_dilation(lesion, iterations=CLEAR_MM)
    size = card.tile_px + card.tile_px // 2
    half = -(-size // (2 * coarse))
    free[:half], free[-half:], free[:, :half], free[:, -half:] = False, False, False, False
    normal = normalise(pixels, card)
    found: list[np.ndarray] = []
    while len(found) < patches and len(cells := np.argwhere(free)):
        row, column = cells[rng.integers(len(cells))]
        top, left = row * coarse - size // 2, column * coarse - size // 2
        found.append(normal[top : top + size, left : left + size])
        free[max(row - half, 0) : row + half, max(column - half, 0) : column + half] = False
    return found
