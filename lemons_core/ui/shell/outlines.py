"""The outlines of the abnormalities in one view, as the viewer shows them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.images import read_image
from lemons_core.images.outlines import Outline, outline_of
from lemons_core.ui.shell.viewer import Film, Shape


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
        outline = _outline(row["mask_file"], Path(row["mask_file"]).stat().st_mtime_ns)
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


@st.cache_data(max_entries=64, show_spinner="Reading the mask")
def _outline(file: str, modified: int) -> Outline:
    return outline_of(read_image(Path(file)).pixels > 0.5)
