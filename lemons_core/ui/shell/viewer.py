"""A view or a crop in full resolution: windowed from 16 bit, outlined or marked, to be zoomed and moved.

The pixels of a few files are kept for all windows. A picture is encoded once for each window, and the browser keeps
what it has. Outlines and boxes are drawn by the browser in image coordinates, so they stay sharp at any zoom.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from lemons_core.images import display, read_image

WHITE = 65535
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Film:
    """One file as it was read.

    values : (H, W) uint16, 0-65535, bright = dense
    window : values to show as black and white when nobody asks for others
    picture : names the file and the time of its last change
    spacing_mm : mm a pixel, None when not stated
    """

    values: np.ndarray
    window: tuple[float, float]
    spacing_mm: float | None
    picture: str = ""

    @property
    def size_words(self) -> str:
        height, width = self.values.shape
        spacing = f"{self.spacing_mm:.3f} mm a pixel" if self.spacing_mm else "pixel spacing not stated"
        return f"{width:,} x {height:,} pixels, {spacing}"


@dataclass(frozen=True)
class Shape:
    """One outline as the browser draws it, stretched by `scale` (x, y) onto the view.

    path : SVG path; box : left, top, right, bottom; both in the pixels of what it was made from
    label : written beside it; a shape with a label can be chosen by click or keyboard
    words : what it is, for those who cannot see it
    """

    path: str
    box: tuple[int, int, int, int]
    scale: tuple[float, float]
    colour: str
    chosen: bool
    label: str = ""
    words: str = ""


@dataclass(frozen=True)
class Frame:
    """One picture on a page, apart from its pixels.

    key : of the frame on the page
    size : (height, width) of the picture
    picture : names it; another one is fitted into the frame again
    alt : the picture in words; tag : the few words that stand in its corner
    native : one pixel of the picture for one of the screen (or two, three... when it is small)
    """

    key: str
    size: tuple[int, int]
    picture: str
    alt: str
    tag: str
    shapes: tuple[Shape, ...] = ()
    native: bool = False


def box_shape(box: tuple[int, int, int, int], **about: Any) -> Shape:
    """A rectangle (row, col, height, width) in pixels of the picture; `about` as Shape has it."""
    row, col, height, width = box
    path = f"M{col} {row}h{width}v{height}h{-width}z"
    return Shape(path, (col, row, col + width, row + height), (1, 1), **about)


def read_film(file: str) -> Film:
    """A picture from disk or from the cache; a file that changed is read again.

    Raises ImageError.
    """
    return _film(file, Path(file).stat().st_mtime_ns)


@st.cache_resource(max_entries=4, show_spinner="Reading the picture")  # two views, a crop and the one before: 100 MB
def _film(file: str, modified: int) -> Film:
    picture = read_image(Path(file))
    values = np.rint(picture.pixels * WHITE).astype(np.uint16)  # half the memory, and quick to window
    return Film(values, display.display_window(picture.pixels), picture.spacing_mm, f"{file} {modified}")


def shift_window(window: tuple[float, float], width: int, level: int) -> tuple[float, float]:
    """A window (low, high) made `width` per cent as wide and moved by `level` per cent of its own width."""
    low, high = window
    middle, half = (low + high) / 2 + (high - low) * level / 100, (high - low) * width / 200
    return middle - half, middle + half


def windowed(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """(H, W) uint16 to (H, W) uint8 within a window (low, high of 0-1)."""
    low, high = window
    grey = np.clip((np.arange(WHITE + 1) / WHITE - low) / (high - low), 0, 1)
    shown: np.ndarray = np.rint(grey * 255).astype(np.uint8)[values]
    return shown


def encode(image: np.ndarray, *, lossless: bool) -> bytes:
    """(H, W) or (H, W, 3) uint8 as PNG when lossless, else as JPEG."""
    data = io.BytesIO()
    if lossless:
        Image.fromarray(image).save(data, "PNG", compress_level=1)
    else:
        Image.fromarray(image).save(data, "JPEG", quality=JPEG_QUALITY)
    return data.getvalue()


@st.cache_data(max_entries=12, show_spinner=False)  # about 2 MB each
def _encoded(picture: str, window: tuple[float, float], lossless: bool, _values: np.ndarray) -> bytes:
    return encode(windowed(_values, window), lossless=lossless)


def show_film(film: Film, frame: Frame, *, window: tuple[int, int] = (100, 0)) -> None:
    """A picture from disk, lossless in a native frame; `window` is width and level in per cent, see `shift_window`."""
    data = _encoded(frame.picture, shift_window(film.window, *window), frame.native, film.values)
    show(data, frame)


def show(data: bytes, frame: Frame, *, on_choose: Callable[[int], None] | None = None) -> None:
    """An encoded picture in a frame of its own, to be zoomed and moved.

    data : PNG or JPEG
    on_choose : called with the index among the shapes of the one that was chosen, before the page runs again
    """
    about = {
        "picture": hashlib.blake2b(frame.picture.encode(), digest_size=8).hexdigest(),
        "width": frame.size[1],
        "height": frame.size[0],
        "version": hashlib.blake2b(data, digest_size=8).hexdigest(),  # the same: the browser need not decode it again
        "mime": "image/png" if data.startswith(b"\x89PNG") else "image/jpeg",
        "alt": frame.alt,
        "tag": frame.tag,
        "native": frame.native,
        "shapes": [asdict(shape) for shape in frame.shapes],
    }

    def chosen() -> None:
        index = st.session_state[frame.key]["chosen"]
        if on_choose and isinstance(index, int) and 0 <= index < len(frame.shapes):  # it comes from a browser
            on_choose(index)

    # Length of the head, head, picture: bytes go to the browser as they are, where JSON would need base64.
    head = json.dumps(about).encode()
    _zoom(key=frame.key, data=len(head).to_bytes(4) + head + data, on_chosen_change=chosen)


_HTML = """
<div class="stage" tabindex="0" role="img">
  <div class="sheet"><img alt="" draggable="false"><svg></svg></div>
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
