"""The edges of masks, as the browser draws them over a view: sharp at any zoom, and no pixel is covered."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from lemons_core.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.images import read_image
from lemons_core.ui.viewer import Film, Shape


@dataclass(frozen=True)
class Outline:
    """The edge of a mask.

    path : SVG path in the mask's own pixels
    box : left, top, right, bottom in pixels; None for an empty mask
    size : width and height of the mask
    """

    path: str
    box: tuple[int, int, int, int] | None
    size: tuple[int, int]


@dataclass(frozen=True)
class Outlines:
    """Everything that is outlined in one view: the shapes, the chosen one last, and what to say of them."""

    shapes: tuple[Shape, ...]
    words: str
    notes: tuple[str, ...]


def outline_all(rows: pd.DataFrame, lesion: str, film: Film) -> Outlines:
    """The outlines of the abnormalities of one view; those of the lesion `lesion` are the chosen ones.

    Raises ImageError.
    """
    shapes, words, notes = [], [], []
    height, width = film.values.shape
    for row in rows.sort_values("abnormality_id").to_dict("records"):
        group = row["calc_group"] if isinstance(row["calc_group"], str) else None
        chosen, number = row["lesion_id"] == lesion, row["abnormality_id"]
        name = f"abnormality {number}, {group or 'no group'}{' (this one)' if chosen else ''}"
        if not isinstance(row["mask_file"], str):
            notes.append(f"Abnormality {number} has no mask on disk, so it is not outlined.")
            continue
        outline = read_outline(row["mask_file"])
        if outline.box is None:
            notes.append(f"The mask of abnormality {number} is empty.")
            continue
        if outline.size != (width, height):
            notes.append(
                f"The mask of abnormality {number} has another size than the view ({outline.size[0]:,} x "
                f"{outline.size[1]:,} pixels): its outline is stretched to fit."
            )
        scale = (width / outline.size[0], height / outline.size[1])
        colour = GROUP_COLOURS[group] if group else NEUTRAL
        shapes.append(Shape(outline.path, outline.box, scale, colour, chosen))
        words.append(name)
    return Outlines(tuple(sorted(shapes, key=lambda shape: shape.chosen)), "; ".join(words), tuple(notes))


def read_outline(file: str) -> Outline:
    """The edge of a mask from disk or from the cache.

    Raises ImageError.
    """
    return _outline(file, Path(file).stat().st_mtime_ns)


@st.cache_data(max_entries=64, show_spinner="Reading the mask")
def _outline(file: str, modified: int) -> Outline:
    return outline_of(read_image(Path(file)).pixels > 0.5)


def outline_of(inside: np.ndarray) -> Outline:
    """The edge between the pixels (H, W) bool that are inside and those that are not, along the pixels' sides."""
    size = (inside.shape[1], inside.shape[0])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return Outline("", None, size)
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    padded = np.pad(inside[top:bottom, left:right], 1).astype(np.int8)
    flat = _runs(np.diff(padded, axis=0)[:, 1:-1])  # a side lies between two rows of pixels
    upright = _runs(np.diff(padded, axis=1)[1:-1].T)
    parts = [f"M{left + start} {top + line}h{length}" for line, start, length in flat]
    parts += [f"M{left + line} {top + start}v{length}" for line, start, length in upright]
    return Outline("".join(parts), (left, top, right, bottom), size)


def _runs(sides: np.ndarray) -> list[tuple[int, int, int]]:
    """Line, start and length of each run of sides in the lines of an array."""
    ends = np.diff(np.pad(sides != 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, start = np.nonzero(ends == 1)
    stop = np.nonzero(ends == -1)[1]
    return list(zip(line.tolist(), start.tolist(), (stop - start).tolist(), strict=True))
