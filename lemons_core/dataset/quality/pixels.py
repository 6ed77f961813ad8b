"""What only the pixels tell: areas of a mask, pictures that occur twice. Measured once and kept with the index."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lemons_core.base.errors import ImageError
from lemons_core.base.parallel import run_many
from lemons_core.base.progress import Progress
from lemons_core.dataset.sources.facts import RASTER_SUFFIXES
from lemons_core.dataset.sources.index import FileIndex
from lemons_core.images import read_image
from lemons_core.images.stored import read_stored

_LOOK_AT = 1024  # pixels of the longer side, enough to count areas in a mask
_SPECK = 0.01  # of the largest area: below that it is a slip of the pen, or a trace of compression
_SAVE_EVERY = 500


def measure_pixels(index: FileIndex, rows: pd.DataFrame, *, jobs: int, progress: Progress) -> None:
    """Fill the columns `areas` of the masks and `pixels` of the lookalikes in the index, where they are not known.

    rows : with mask_file
    jobs : threads that decode
    """
    for column, measure, files, words in (
        ("areas", count_areas, _masks(index, rows), "masks looked at"),
        ("pixels", hash_pixels, _lookalikes(index.files), "lookalikes compared"),
    ):
        _fill(index, column, measure, files, words=words, jobs=jobs, progress=progress)


def _masks(index: FileIndex, rows: pd.DataFrame) -> pd.DataFrame:
    masks = {Path(path).relative_to(index.root).as_posix() for path in rows["mask_file"].dropna()}
    return index.files[index.files["path"].isin(masks)]


def _lookalikes(files: pd.DataFrame) -> pd.DataFrame:
    """Pictures of the same size whose middles are the same may be the same: only those are read as a whole."""
    usable = files[files["fault"].isna() & files["sample"].notna()]
    return usable[usable.duplicated(["rows", "columns", "bits", "sample"], keep=False)]


def _fill(
    index: FileIndex,
    column: str,
    measure: Callable[[Path], object],
    files: pd.DataFrame,
    *,
    words: str,
    jobs: int,
    progress: Progress,
) -> None:
    """Measure files and keep the results with the index; one that cannot be decoded is marked as faulty."""
    todo = files[files[column].isna()]
    row_of = {path: row for row, path in todo["path"].items()}
    outcomes = run_many(measure, {path: index.root / path for path in row_of}, jobs=jobs)
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome.error, ImageError):
            index.remember_fault(row_of[outcome.name], outcome.error)
        else:
            index.remember(row_of[outcome.name], **{column: outcome.get()})
        progress(number / len(todo), f"{number:,} of {len(todo):,} {words}")
        if number % _SAVE_EVERY == 0 or number == len(todo):
            index.save()


def count_areas(path: Path) -> int:
    """Connected areas of a mask, specks left out; 0 for an empty mask.

    Raises ImageError: it cannot be read
    """
    from scipy import ndimage  # here, since pages that only describe a report need no scipy

    pixels = read_image(path).pixels
    step = max(1, max(pixels.shape) // _LOOK_AT)
    inside = pixels[::step, ::step] > 0.5
    labelled, number = ndimage.label(inside, structure=np.ones((3, 3)))
    sizes = np.bincount(labelled.ravel())[1:]
    return int((sizes >= max(1, _SPECK * sizes.max())).sum()) if number else 0


def hash_pixels(path: Path) -> str:
    """SHA-256 of the grey values, whatever the file is.

    Raises ImageError: it cannot be read
    """
    if path.suffix.lower() in RASTER_SUFFIXES:
        return hashlib.sha256(read_image(path).pixels.data).hexdigest()
    digest = hashlib.sha256()
    for band in read_stored(path).bands(1 << 20):
        digest.update(np.ascontiguousarray(band).data)
    return digest.hexdigest()
