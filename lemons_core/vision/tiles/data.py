"""Training and test images: simulated tiles, or the tiles cut once from a collection on disk."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d
from torch.utils.data import Dataset

from lemons_core.base.terms import DISTRIBUTION, GROUPS, MORPHOLOGY
from lemons_core.labels.mapping import read_mapping
from lemons_core.simulate.crop import SimulatedCrop, simulate_crop
from lemons_core.vision.network.model import CELL_PX, LABELS
from lemons_core.vision.network.preprocess import normalise, resample
from lemons_core.vision.record.card import MALIGNANCY, ModelCard
from lemons_core.vision.tiles.backgrounds import Background
from lemons_core.vision.tiles.crops import Tile

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
# The collection's order, softened: specks are four times as common there as amorphous groups.
GROUP_SHARE = {"amorphous": 0.14, "macro": 0.25, "micro": 0.43, "vascular": 0.18}
# Share of tiles without calcium, and of the others that hold a second kind.
NORMAL_SHARE = 0.4
COMPOUND_SHARE = 0.2
# The other tiles keep the artefacts and the variety that a handful of mammograms lacks.
BACKGROUND_SHARE = 0.7
# Scans come at 0.04 to 0.22 mm, and what a coarse one has lost does not come back by resampling. Half of the tiles are
# simulated at the model's own spacing, for speed.
NATIVE_MM = (0.07, 0.22)
# Where a file does not name its spacing it is guessed, and lesions differ in size anyway.
SIZE_JITTER = 1.2
EIGHT_BIT_SHARE = 0.5
BRIGHT = 2.0  # normalised grey above which detail may be calcium


class TileExample(NamedTuple):
    """One example. nan: not known, and not counted in any loss or figure.

    inputs : (1, tile_px, tile_px) float32, normalised
    targets : (labels,) float32 0, 1 or nan
    spots : (1 + groups, tile_px / 8, tile_px / 8) float32 0, 1 or nan: whether a cell holds visible calcium, then of
        which group; the groups of a cell without calcium are nan
    """

    inputs: Tensor
    targets: Tensor
    spots: Tensor


TileDataset = Dataset[TileExample]


def target_of(
    groups: Sequence[str],
    unsure: Sequence[str] = (),
    labels: Sequence[str] = LABELS,
    *,
    malignant: bool | None = None,
) -> Tensor:
    """(labels,) float32: any calcification, one entry for each group, malignancy, nan for the rest.

    unsure : groups of which something was drawn that no eye could see; they are nan unless they are visible as well
    malignant : the pathology of the calcification, None when it is not known or there is none
    """
    known = {str(group): 1.0 if group in groups else np.nan if group in unsure else 0.0 for group in GROUPS}
    known["calcification"] = 1.0 if groups else np.nan if unsure else 0.0
    known[MALIGNANCY] = np.nan if malignant is None else float(malignant)
    return torch.tensor([known.get(label, np.nan) for label in labels], dtype=torch.float32)


class SimulatedTiles(Dataset[TileExample]):
    """`count` simulated tiles; tile i of a seed is always the same.

    backgrounds : mammograms that calcium is drawn into, for most tiles; empty for simulated tissue only
    """

    def __init__(self, card: ModelCard, *, count: int, seed: int, backgrounds: Sequence[Background] = ()) -> None:
        self.card, self.count, self.seed, self.backgrounds = card, count, seed, backgrounds
        self.mapping = read_mapping()
        self.by_group = {g: [r.token for r in self.mapping.rules if r.group == g] for g in GROUPS}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> TileExample:
        if index >= self.count:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        crop, spacing = self._draw_crop(rng)
        pixels, target, size = crop.pixels, self.card.spacing_mm, self.card.tile_px
        if rng.random() < EIGHT_BIT_SHARE:
            pixels = np.round(pixels * 255) / np.float32(255)
        tile = resample(pixels, spacing, target)[:size, :size]
        layers = [
            resample(layer.astype(np.float32), spacing, target)[:size, :size] if layer.any() else np.zeros_like(tile)
            for layer in self._layers(crop)
        ]
        turn = int(rng.integers(4)), bool(rng.random() < 0.5)
        groups, hidden = (self.mapping.label(tokens).groups for tokens in (crop.tokens, crop.hidden))
        return TileExample(
            torch.from_numpy(_turn(normalise(tile, self.card), *turn))[None],
            target_of(groups, hidden, self.card.labels),
            spots_of(*(torch.from_numpy(_turn(layer, *turn)) for layer in layers)),
        )

    def _draw_crop(self, rng: np.random.Generator) -> tuple[SimulatedCrop, float]:
        """A crop a little wider than a tile, and the pixel spacing in mm that it passes for."""
        target = self.card.spacing_mm
        native = target if rng.random() < 0.5 else float(np.exp(rng.uniform(*np.log(NATIVE_MM))))
        stretch = SIZE_JITTER ** rng.uniform(-1, 1)
        tissue = None
        if self.backgrounds and rng.random() < BACKGROUND_SHARE:
            tissue = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            native = max(native, tissue.spacing_mm)  # calcium sharper than its tissue would give itself away
        size_px = int(np.ceil((self.card.tile_px + 1) * target / native / stretch))
        crop = simulate_crop(
            self.draw_tokens(rng),
            rng=rng,
            size_px=size_px,
            spacing_mm=native,
            distribution=str(rng.choice(DISTRIBUTION, p=[0.5, 0.1, 0.1, 0.1, 0.2])),
            look="film" if rng.random() < 0.7 else "digital",
            background=tissue.draw(rng, size_px=size_px, spacing_mm=native) if tissue else None,
        )
        return crop, native * stretch

    def _layers(self, crop: SimulatedCrop) -> list[np.ndarray]:
        """(H, W) bool each: calcium too faint to see, then what is seen of each group."""
        masks = [np.zeros(crop.pixels.shape, bool) for _ in GROUPS]
        for token, mask in zip(crop.tokens, crop.masks, strict=True):
            for group in self.mapping.label([token]).groups:
                masks[GROUPS.index(group)] |= mask
        return [crop.faint, *masks]

    def draw_tokens(self, rng: np.random.Generator) -> tuple[str, ...]:
        """Kinds for one tile: none, or one of a group, sometimes with a second of any kind."""
        if rng.random() < NORMAL_SHARE:
            return ()
        group = GROUPS[rng.choice(len(GROUPS), p=[GROUP_SHARE[group] for group in GROUPS])]
        tokens = self.by_group[group]
        weights = np.array([_FREQUENCY.get(token, 1.0) for token in tokens])
        first = str(rng.choice(tokens, p=weights / weights.sum()))
        if rng.random() < COMPOUND_SHARE:
            return tuple(dict.fromkeys((first, str(rng.choice(MORPHOLOGY)))))
        return (first,)


def spots_of(faint: Tensor, *masks: Tensor) -> Tensor:
    """Targets of the cells, (1 + groups, H/8, W/8) float32.

    First calcium: 1 where visible, nan beside it and where it is too faint to see, else 0. Then each group, where there
    is calcium; nan elsewhere.

    faint : (H, W) float32, 0-1, calcium that no eye can see; masks : one (H, W) float32, 0-1, a group
    """
    groups = max_pool2d(torch.stack(masks), CELL_PX)
    seen = groups.amax(0) > 0.4
    near = max_pool2d(seen[None].float(), 3, stride=1, padding=1)[0] > 0
    near |= (groups.amax(0) > 0.05) | (max_pool2d(faint[None], CELL_PX)[0] > 0.05)
    calcium = torch.where(seen, 1.0, torch.where(near, torch.nan, 0.0))
    return torch.cat([calcium[None], torch.where(seen, (groups > 0.4).float(), torch.nan)])


def _turn(tile: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """One of the eight flips and right-angle turns."""
    tile = np.rot90(tile, quarters)
    return np.ascontiguousarray(tile[:, ::-1] if mirrored else tile)


class StoredTiles(Dataset[TileExample]):
    """Tiles of a collection, cut to the training size at a position and turn that change from epoch to epoch.

    Numbers run on from epoch to epoch: item e * len + i is tile i as epoch e sees it.
    Where in a crop the calcium lies is not recorded, so its cells are nan; those of normal tissue are 0.
    """

    def __init__(self, tiles: Sequence[Tile], card: ModelCard, *, seed: int) -> None:
        self.tiles, self.card, self.seed = tiles, card, seed

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> TileExample:
        epoch, number = divmod(index, len(self.tiles))
        tile = self.tiles[number]
        rng = np.random.default_rng([self.seed, epoch, number])
        pixels = np.load(tile.path).astype(np.float32)
        # A crop can be several tiles wide: of three windows the one with most bright detail is most likely the calcium.
        windows = [_fit(pixels, self.card.tile_px, rng) for _ in range(3 if tile.groups else 1)]
        pixels = max(windows, key=lambda window: np.maximum(window - BRIGHT, 0).sum())
        side = self.card.tile_px // CELL_PX
        spots = torch.full((1 + len(GROUPS), side, side), torch.nan)
        if not tile.groups:
            spots[0] = 0.0
        return TileExample(
            torch.from_numpy(_turn(pixels, int(rng.integers(4)), bool(rng.random() < 0.5)))[None],
            target_of(tile.groups, labels=self.card.labels, malignant=tile.malignant),
            spots,
        )


class MixedTiles(Dataset[TileExample]):
    """Tiles of a collection with simulated ones among them: in every epoch all of the first, and so many of the second.

    Numbers run on from epoch to epoch, as in StoredTiles.
    """

    def __init__(self, stored: StoredTiles, simulated: SimulatedTiles, *, simulated_each: int) -> None:
        self.stored, self.simulated, self.simulated_each = stored, simulated, simulated_each

    def __len__(self) -> int:
        return len(self.stored) + self.simulated_each

    def __getitem__(self, index: int) -> TileExample:
        epoch, number = divmod(index, len(self))
        real = len(self.stored)
        if number < real:
            return self.stored[epoch * real + number]
        return self.simulated[epoch * self.simulated_each + number - real]


def held_out_tiles(card: ModelCard, *, count: int, seed: int, backgrounds: Sequence[Background] = ()) -> SimulatedTiles:
    """Simulated tiles that neither training nor validation of this seed draws."""
    return SimulatedTiles(card, count=count, seed=seed + 2_000_003, backgrounds=backgrounds)


def _fit(pixels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square of `size`: a random window of a larger picture, a mirrored border around a smaller one."""
    lack = [max(size - length, 0) for length in pixels.shape]
    if any(lack):
        pixels = np.pad(pixels, [(n // 2, n - n // 2) for n in lack], mode="symmetric")
    row, column = (int(rng.integers(length - size + 1)) for length in pixels.shape)
    return pixels[row : row + size, column : column + size]
