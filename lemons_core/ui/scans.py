"""One scan: read, classified, explained.

Cached in the session of one visitor and nowhere else: it ends with the session, and nothing is written to disk.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.terms import display
from lemons_core.ui.source import fit

if TYPE_CHECKING:
    import numpy as np

    from lemons_core.vision.predict import CropResult


@dataclass(frozen=True)
class Scan:
    """One picture, read and classified, small enough to keep.

    shown : (H, W) float32 0-1, at most source.LONGEST_SHOWN a side
    facts : what the file says of itself, ready to show
    kind : "crop" or "view"
    """

    shown: "np.ndarray"
    facts: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    kind: str
    result: "CropResult"


@st.cache_data(max_entries=4, scope="session", show_spinner="Reading and classifying the picture")
def classify(digest: str, model: str, name: str, _data: bytes) -> Scan:
    """Read a picture and ask the shipped model; `digest` and `model` (SHA-256) are the key of the cache.

    Raises ImageError or ModelError.
    """
    from lemons_core.images import read_image
    from lemons_core.vision.predict import kind_of, predict_crop, warnings_of
    from lemons_core.vision.weights import read_model

    picture = read_image(_data, name=name)
    shipped = read_model()
    result = predict_crop(picture.pixels, spacing_mm=picture.spacing_mm, model=shipped)
    height, width = picture.pixels.shape
    known = {
        "file": name,
        "format": picture.format,
        "size": f"{width:,} x {height:,} pixels",
        "pixel spacing": f"{picture.spacing_mm:.3f} mm" if picture.spacing_mm else "not stated",
        "spacing from": picture.spacing_source,
        "side": display(picture.laterality) if picture.laterality else "not stated",
        "view": str(picture.view or "not stated"),
    }
    kind = kind_of(picture)
    warnings = list(dict.fromkeys(warnings_of(picture, shipped.card)))
    if kind == "view":
        warnings.append("It was classified in one piece, as it is. A crop around the finding gives a better answer.")
    facts = known | {"taken as": "whole view" if kind == "view" else "crop"} | dict(picture.header)
    return Scan(fit(picture.pixels), facts, picture.notes, tuple(warnings), kind, result)


@st.cache_data(max_entries=12, scope="session", show_spinner="Drawing the heat map")
def heat_map(digest: str, model: str, target: str, name: str, _data: bytes) -> "np.ndarray":
    """Grad-CAM of one label, (H, W) float32 0-1, at most source.LONGEST_SHOWN a side."""
    from lemons_core.images import read_image
    from lemons_core.vision.gradcam import explain_crop

    picture = read_image(_data, name=name)
    return fit(explain_crop(picture.pixels, spacing_mm=picture.spacing_mm, target=target).heat)


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


def forget_scan() -> None:
    """Drop the visitor's own picture and everything made from it."""
    st.session_state.pop("scan", None)
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1  # a new key empties the uploader
    classify.clear()
    heat_map.clear()
