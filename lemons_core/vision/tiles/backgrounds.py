"""A user's own normal mammograms as tissue for simulated calcium: real texture, nobody's lesion."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from lemons_core.base.errors import DataError, ImageError
from lemons_core.base.io import write_array
from lemons_core.base.progress import Progress, no_progress
from lemons_core.images import IMAGE_SUFFIXES, read_image
from lemons_core.mammogram import find_breast, find_geometry
from lemons_core.vision.network.preprocess import resample
from lemons_core.vision.tiles.ordered import run_in_order

FINEST_MM = 0.07  # finer scans are brought to this spacing: the model sees 0.1 mm
_CELL_MM = 1.0  # grid of cells that lie on the breast


@dataclass(frozen=True)
class Background:
    """One mammogram in the store.

    path : .npy, (H, W) float16, 0-1, beside it `<stem>_tissue.npy`, (h, w) bool, where a cell of 1 mm is breast tissue
    patient : the folder that the picture lies in, or the picture itself when it lies at the top
    """

    path: Path
    patient: str
    spacing_mm: float

    def draw(self, rng: np.random.Generator, *, size_px: int, spacing_mm: float) -> np.ndarray:
        """A window around a point in the breast, (size_px, size_px) float32, 0-1."""
        pixels = np.load(self.path, mmap_mode="r")
        cells = np.argwhere(np.load(tissue_path(self.path)))
        side = min(max(round(size_px * spacing_mm / self.spacing_mm), 2), *pixels.shape)
        middle = (cells[rng.integers(len(cells))] + rng.random(2)) * _CELL_MM / self.spacing_mm
        top, left = (int(np.clip(at - side / 2, 0, n - side)) for at, n in zip(middle, pixels.shape, strict=True))
        window = torch.from_numpy(pixels[top : top + side, left : left + side].astype(np.float32))
        size = (size_px, size_px)
        return interpolate(window[None, None], size, mode="bilinear", antialias=True, align_corners=False)[0, 0].numpy()


def tissue_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_tissue.npy")


def read_backgrounds(
    folder: Path, store: Path, *, jobs: int = 1, progress: Progress = no_progress
) -> tuple[list[Background], list[str]]:
    """Read every picture below `folder` into the store; what is there already is not read again.

    Returns the backgrounds, and one message for each file that could not be used
    Raises DataError: no picture could be used
    """
    store.mkdir(parents=True, exist_ok=True)
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in (*IMAGE_SUFFIXES, "")
    )
    work = partial(_store, folder=folder, store=store)
    found, failed = run_in_order(
        work, {str(file): file for file in files}, jobs=jobs, what="backgrounds", progress=progress
    )
    if not found:
        todo = failed[0] if failed else "Give a folder of normal mammograms: DICOM, PNG, JPEG or TIFF."
        raise DataError("No background could be read", where=str(folder), todo=todo)
    return found, failed


def split_backgrounds(backgrounds: Sequence[Background], *, seed: int) -> tuple[list[Background], ...]:
    """Training, validation and held out, without a patient in two of them: about 70, 15 and 15 %.

    Raises DataError: fewer than three patients
    """
    patients = sorted({one.patient for one in backgrounds})
    if len(patients) < 3:
        raise DataError(
            f"Backgrounds of at least three patients are needed, not {len(patients)}",
            where="--background",
            todo="Pictures in one subfolder count as one patient.",
        )
    order = np.random.default_rng(seed).permutation(patients)
    held = max(round(0.15 * len(order)), 1)
    parts = [set(order[2 * held :]), set(order[:held]), set(order[held : 2 * held])]
    return tuple([one for one in backgrounds if one.patient in part] for part in parts)


def _store(file: Path, *, folder: Path, store: Path) -> Background:
    inside = file.relative_to(folder)
    patient = inside.parts[0]
    stem = f"{zlib.crc32(inside.as_posix().encode()):08x}"
    kept = list(store.glob(f"{stem}_*um.npy"))
    if kept and tissue_path(kept[0]).exists():
        return Background(kept[0], patient, int(kept[0].stem.rpartition("_")[2].removesuffix("um")) / 1000)
    picture = read_image(file)
    spacing = find_geometry(picture.pixels, spacing_mm=picture.spacing_mm).spacing.mm
    tissue = find_breast(picture.pixels, spacing_mm=spacing).tissue()
    if not tissue.any():
        raise ImageError("No breast was found", where=str(file))
    fine = max(round(max(spacing, FINEST_MM) * 1000), 1)
    pixels = resample(picture.pixels, spacing, fine / 1000)
    cells = tuple(max(round(n * fine / 1000 / _CELL_MM), 1) for n in pixels.shape)
    path = store / f"{stem}_{fine}um.npy"
    write_array(tissue_path(path), tissue[_middles(tissue.shape[0], cells[0])][:, _middles(tissue.shape[1], cells[1])])
    write_array(path, pixels.astype(np.float16))
    return Background(path, patient, fine / 1000)


def _middles(length: int, cells: int) -> np.ndarray:
    """Pixel in the middle of each of so many cells along a side."""
    return ((np.arange(cells) + 0.5) * length / cells).astype(int)
