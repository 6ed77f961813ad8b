"""A view or a crop in full resolution: windowed from 16 bit, outlined as its mask says, to be zoomed and moved.

The pixels of a few files are kept for all windows. A picture is encoded once for each window, and the browser keeps
what it has. Outlines are drawn by the browser in image coordinates, so they stay sharp and cover no pixel at any zoom.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from lemons_core import overlay
from lemons_core.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.images import read_image

WHITE = 65535
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Film:
    """One file as it was read.

    values : (H, W) uint16, 0-65535, bright = dense
    window : values to show as black and white when nobody asks for others
    spacing_mm : mm a pixel, None when not stated
    """

    values: np.ndarray
    window: tuple[float, float]
    spacing_mm: float | None

    @property
    def size_words(self) -> str:
        height, width = self.values.shape
        spacing = f"{self.spacing_mm:.3f} mm a pixel" if self.spacing_mm else "pixel spacing not stated"
        return f"{width:,} x {height:,} pixels, {spacing}"


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
class Shape:
    """One outline as the browser draws it, stretched by `scale` (x, y) onto the view."""

    path: str
    box: tuple[int, int, int, int]
    scale: tuple[float, float]
    colour: str
    chosen: bool


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


def read_film(file: str) -> Film:
    """A picture from disk or from the cache; a file that changed is read again.

    Raises ImageError.
    """
    return _film(file, Path(file).stat().st_mtime_ns)


def read_outline(file: str) -> Outline:
    """The edge of a mask from disk or from the cache.

    Raises ImageError.
    """
    return _outline(file, Path(file).stat().st_mtime_ns)


@st.cache_resource(max_entries=4, show_spinner="Reading the picture")  # two views, a crop and the one before: 100 MB
def _film(file: str, modified: int) -> Film:
    picture = read_image(Path(file))
    values = np.rint(picture.pixels * WHITE).astype(np.uint16)
    low, high = overlay.display_window(picture.pixels)
    return Film(values, (low, high), picture.spacing_mm)


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


def shift_window(window: tuple[float, float], width: int, level: int) -> tuple[float, float]:
    """A window (low, high) made `width` per cent as wide and moved by `level` per cent of its own width."""
    low, high = window
    middle, half = (low + high) / 2 + (high - low) * level / 100, (high - low) * width / 200
    return middle - half, middle + half


@st.cache_data(max_entries=12, show_spinner=False)  # about 2 MB each
def encode(file: str, modified: int, window: tuple[float, float], lossless: bool, _values: np.ndarray) -> bytes:
    """A whole picture within a window (low, high of 0-1), 8 bit: PNG when lossless, else JPEG."""
    low, high = window
    grey = np.clip((np.arange(WHITE + 1) / WHITE - low) / (high - low), 0, 1)
    table = np.rint(grey * 255).astype(np.uint8)
    data = io.BytesIO()
    image = Image.fromarray(table[_values])
    if lossless:
        image.save(data, "PNG", compress_level=1)
    else:
        image.save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


def show_picture(
    file: str,
    film: Film,
    *,
    key: str,
    alt: str,
    tag: str,
    window: tuple[int, int] = (100, 0),
    shapes: Sequence[Shape] = (),
    native: bool = False,
) -> None:
    """The picture in a frame of its own, to be zoomed and moved.

    alt : the picture in words
    tag : the few words that stand in its corner
    window : width and level in per cent, see `shift_window`
    native : one pixel of the picture for one of the screen (or two, three... when it is small), and lossless
    """
    modified = Path(file).stat().st_mtime_ns
    data = encode(file, modified, shift_window(film.window, *window), native, film.values)
    head = {
        "picture": hashlib.blake2b(f"{file} {modified}".encode(), digest_size=8).hexdigest(),  # another one: fit again
        "width": film.values.shape[1],
        "height": film.values.shape[0],
        "version": hashlib.blake2b(data, digest_size=8).hexdigest(),  # the same: the browser need not decode it again
        "mime": "image/png" if native else "image/jpeg",
        "alt": alt,
        "tag": tag,
        "native": native,
        "shapes": [asdict(shape) for shape in shapes],
    }
    _zoom(key=key, data=_packed(head, data))


def _packed(head: dict[str, object], picture: bytes) -> bytes:
    """Length of the head, head, picture: bytes go to the browser as they are, where JSON would need base64."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4) + text + picture


_HTML = """
<div class="stage" tabindex="0" role="img">
  <div class="sheet"><img alt="" draggable="false"><svg aria-hidden="true"></svg></div>
  <span class="tag"></span><span class="scale" aria-hidden="true"></span>
</div>
<div class="bar">
  <button data-do="+" aria-label="Zoom in" title="Zoom in (+)">+</button>
  <button data-do="-" aria-label="Zoom out" title="Zoom out (-)">&minus;</button>
  <button data-do="0" title="Fit (0)">fit</button>
  <button data-do="1" title="One pixel for one pixel (1)">1:1</button>
  <button data-do="f" title="Go to the finding (F)">finding</button>
</div>
"""

_HERE = Path(__file__).parent
_zoom = st.components.v2.component(
    "lemons_zoom", html=_HTML, css=(_HERE / "zoom.css").read_text("utf-8"), js=(_HERE / "zoom.js").read_text("utf-8")
)
