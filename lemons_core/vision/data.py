"""Training and test images: simulated tiles, or the tiles cut once from a collection on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import binary_dilation, zoom
from torch import Tensor
from torch.utils.data import Dataset

from lemons_core.card import ModelCard
from lemons_core.errors import ImageError
from lemons_core.images import read_image
from lemons_core.labels import read_mapping
from lemons_core.simulate.crop import simulate_crop
from lemons_core.terms import DISTRIBUTION, GROUPS, MORPHOLOGY
from lemons_core.vision.preprocess import normalise, resample

# Within a group roughly as common as in the collection, but rare kinds often enough to be learnt.
_FREQUENCY = {
    "PLEOMORPHIC": 4.0,
    "PUNCTATE": 2.5,
    "FINE_LINEAR_BRANCHING": 2.5,
    "LUCENT_CENTERED": 2.0,
    "ROUND_AND_REGULAR": 2.0,
    "COARSE": 1.5,
    "MILK_OF_CALCIUM": 0.5,
}
# Share of tiles without calcium, and of the others that hold a second kind.
NORMAL_SHARE = 0.35
COMPOUND_SHARE = 0.2
# A tile is simulated at a spacing up to a quarter off, for lesions and films are not all of one size.
SPACING_JITTER = 1.25


def target_of(groups: Sequence[str]) -> Tensor:
    """(labels,) float32: any calcification, then one entry for each group."""
    return torch.tensor([bool(groups), *(group in groups for group in GROUPS)], dtype=torch.float32)


class SimulatedTiles(Dataset[tuple[Tensor, Tensor]]):
    """`count` simulated tiles; tile i of a seed is always the same.

    Items: (1, tile_px, tile_px) float32 normalised, (labels,) float32. An insertion too faint to see is no positive.
    """

    def __init__(self, card: ModelCard, *, count: int, seed: int, start: int = 0) -> None:
        self.card, self.count, self.seed, self.start = card, count, seed, start
        self.mapping = read_mapping()
        self.by_group = {g: [r.token for r in self.mapping.rules if r.group == g] for g in GROUPS}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index >= self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, self.start + index])
        spacing = self.card.spacing_mm * SPACING_JITTER ** rng.uniform(-1, 1)
        crop = simulate_crop(
            self.draw_tokens(rng),
            rng=rng,
            size_px=self.card.tile_px,
            spacing_mm=spacing,
            distribution=str(rng.choice(DISTRIBUTION, p=[0.5, 0.1, 0.1, 0.1, 0.2])),
            look="film" if rng.random() < 0.8 else "digital",
        )
        tile = _turn(normalise(crop.pixels, self.card), rng)
        return torch.from_numpy(tile)[None], target_of(self.mapping.label(crop.tokens).groups)

    def draw_tokens(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Kinds for one tile: none, one with every group as likely, sometimes a second of any kind."""
        if rng.random() < NORMAL_SHARE:
            return ()
        group = GROUPS[rng.integers(len(GROUPS))]
        tokens = self.by_group[group]
        weights = np.array([_FREQUENCY.get(token, 1.0) for token in tokens])
        first = str(rng.choice(tokens, p=weights / weights.sum()))
        if rng.random() < COMPOUND_SHARE:
            return tuple(dict.fromkeys((first, str(rng.choice(MORPHOLOGY)))))
        return (first,)


def _turn(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the eight flips and right-angle turns."""
    tile = np.rot90(tile, int(rng.integers(4)))
    return np.ascontiguousarray(tile[:, ::-1] if rng.random() < 0.5 else tile)


@dataclass(frozen=True)
class Tile:
    """A normalised picture in the tile store.

    path : .npy, (H, W) float16
    groups : its groups; empty for normal tissue
    single : the single label, or None for normal tissue
    """

    path: Path
    case_id: str
    patient_id: str
    groups: tuple[str, ...]
    single: str | None


class StoredTiles(Dataset[tuple[Tensor, Tensor]]):
    """Tiles of a collection, cut to the training size at a place and turn that change from epoch to epoch."""

    def __init__(self, tiles: Sequence[Tile], card: ModelCard, *, seed: int, epoch: int = 0) -> None:
        self.tiles, self.card, self.seed, self.epoch = tiles, card, seed, epoch

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        tile = self.tiles[index]
        rng = np.random.default_rng([self.seed, self.epoch, index])
        pixels = _fit(np.load(tile.path).astype(np.float32), self.card.tile_px, rng)
        return torch.from_numpy(_turn(pixels, rng))[None], target_of(tile.groups)


def _fit(pixels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square of `size`: a random window of a larger picture, a mirrored border around a smaller one."""
    lack = [max(size - length, 0) for length in pixels.shape]
    if any(lack):
        pixels = np.pad(pixels, [(n // 2, n - n // 2) for n in lack], mode="symmetric")
    row, column = (int(rng.integers(length - size + 1)) for length in pixels.shape)
    return pixels[row : row + size, column : column + size]


def cut_tiles(
    rows: pd.DataFrame,
    store: Path,
    card: ModelCard,
    *,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> tuple[list[Tile], list[str]]:
    """Crops, and one patch of normal tissue from each view that has masks, to the tile store.

    A tile that is already there is not cut again, so an interrupted run goes on where it stopped.

    Parameters
    ----------
    rows : rows of a collection with crop_file, view_file, mask_file, calc_group, calc_groups
    store : folder for the .npy files
    card : spacing and normalisation
    seed : chooses the normal patches

    Returns
    -------
    The tiles, and one message for each file that could not be read.
    """
    store.mkdir(parents=True, exist_ok=True)
    tiles: list[Tile] = []
    failed: list[str] = []
    views = list(rows[rows["view_file"].notna() & rows["mask_file"].notna()].groupby("view_file", sort=False))
    steps = len(rows) + len(views)
    for done, row in enumerate(rows.itertuples(), start=1):
        path = store / f"{row.case_id}.npy"
        try:
            if not path.exists():
                picture = read_image(row.crop_file)
                _save(path, normalise(resample(picture.pixels, picture.spacing_mm, card.spacing_mm), card))
            tiles.append(Tile(path, row.case_id, row.patient_id, tuple(row.calc_groups), row.calc_group))
        except ImageError as error:
            failed.append(str(error))
        if progress:
            progress(done / steps, f"{row.case_id}: crop")
    for done, (_, group) in enumerate(views, start=len(rows) + 1):
        first = group.iloc[0]
        path = store / f"{first['image_id']}_normal.npy"
        try:
            if not path.exists():
                patch = _normal_patch(group, card, np.random.default_rng([seed, done]))
                _save(path, patch if patch is not None else np.empty((0, 0), np.float32))
            if path.stat().st_size > 1000:  # an empty file marks a view without room for a patch
                tiles.append(Tile(path, first["image_id"], first["patient_id"], (), None))
        except ImageError as error:
            failed.append(str(error))
        if progress:
            progress(done / steps, f"{first['image_id']}: normal tissue")
    return tiles, failed


def _normal_patch(rows: pd.DataFrame, card: ModelCard, rng: np.random.Generator) -> np.ndarray | None:
    """A patch of breast tissue at least 10 mm off every known lesion of this view, or None."""
    picture = read_image(rows.iloc[0]["view_file"])
    pixels = resample(picture.pixels, picture.spacing_mm, card.spacing_mm)
    lesion = np.zeros(pixels.shape, bool)
    for file in rows["mask_file"]:
        mask = read_image(file).pixels > 0.5
        # For some cases mask and view differ in size: the mask is fitted to the view.
        scale = [big / small for big, small in zip(pixels.shape, mask.shape, strict=True)]
        lesion |= zoom(mask, scale, order=0, grid_mode=True, mode="nearest")[: pixels.shape[0], : pixels.shape[1]]
    coarse = max(round(1 / card.spacing_mm), 1)  # about 1 mm
    free = ~binary_dilation(lesion[::coarse, ::coarse], iterations=10)
    breast = pixels[::coarse, ::coarse] > 0.5 * np.median(pixels[lesion]) if lesion.any() else free
    size = card.tile_px + card.tile_px // 2
    half = size // (2 * coarse)
    good = (free & breast)[half:-half, half:-half]
    places = np.argwhere(good)
    if not len(places):
        return None
    row, column = places[rng.integers(len(places))] * coarse
    return normalise(pixels, card)[row : row + size, column : column + size]


def _save(path: Path, pixels: np.ndarray) -> None:
    fresh = path.with_suffix(".tmp")
    with fresh.open("wb") as file:
        np.save(file, pixels.astype(np.float16))
    fresh.replace(path)
