"""The visitor's pictures: read, analysed, explained.

Kept in the session of one visitor and nowhere else: it ends with the session, and nothing is written to disk. Of many
pictures the analyses are kept, of one the pixels.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import ImageError, LemonsError
from lemons_core.base.progress import Progress
from lemons_core.ui.scan import uploads
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell import state
from lemons_core.ui.shell.jobs import Job
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.findings import Analysis, AnalysisOptions, Detection, Refusal

if TYPE_CHECKING:
    import numpy as np

    from lemons_core.images import Picture
    from lemons_core.vision.detect.gradcam import Box, HeatMap

MOST_KEPT = 2 * uploads.MOST  # analyses a visit; a picture that is analysed in two ways has two
_turn = threading.Lock()  # one picture at a time in a server: its cores are busy with one, and so is its memory


@dataclass(frozen=True)
class Scan:
    """One picture and what the model says of it."""

    upload: Upload
    analysis: Analysis


@dataclass(frozen=True)
class HeatOptions:
    """Which heat map of a scan: of a detection, or of the crop as one piece (None); for which label, at which stage."""

    detection: Detection | None
    target: str
    layer: str


# How Streamlit's caches tell them apart: pixels by content, and what the model says by the model too.
_HASHES: dict[str | type, Callable[[Any], object]] = {
    Upload: lambda upload: upload.key,
    Scan: lambda scan: (scan.upload.key, model_sha256(), scan.analysis.image.shape, scan.analysis.result.spacing.mm),
}


def analyse(upload: Upload, options: AnalysisOptions) -> Analysis | Refusal:
    """The analysis of one picture; while it is under way its progress stands here.

    Raises ImageError or ModelError.
    """
    jobs, key = _jobs(), _key(upload, options)
    if key not in jobs:
        while len(jobs) >= MOST_KEPT:
            jobs.pop(next(iter(jobs)))
        jobs[key] = Job.start(partial(_work, upload, options))
    job = jobs[key]
    job.watch("Looking at the picture")
    if job.error:
        if not isinstance(job.error, ImageError):  # the model, the memory: another time it may go well
            jobs.pop(key)
        raise job.error
    found: Analysis | Refusal = job.result
    return found


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Load the learning library in the background, once a server: the first picture waits less for it."""
    threading.Thread(target=import_module, args=["lemons_core.vision.detect.analysis"], daemon=True).start()


def peek(upload: Upload, options: AnalysisOptions) -> Analysis | Refusal | LemonsError | None:
    """The analysis or the failure of a picture that was looked at, without looking at it now."""
    job = _jobs().get(_key(upload, options))
    return None if job is None or not job.done.is_set() else job.error or job.result


def _jobs() -> dict[tuple[str, AnalysisOptions, str], Job]:
    jobs: dict[tuple[str, AnalysisOptions, str], Job] = st.session_state.setdefault(state.SCAN_JOBS, {})
    return jobs


def _key(upload: Upload, options: AnalysisOptions) -> tuple[str, AnalysisOptions, str]:
    return upload.key, options, model_sha256()


def model_sha256() -> str:
    """SHA-256 of the weights in use."""
    return read_card(config.read_settings().model).sha256


def _work(upload: Upload, options: AnalysisOptions, progress: Progress) -> Analysis | Refusal:
    progress(0, "waiting for its turn")
    with _turn:
        progress(0.02, "loading the model")
        from lemons_core.vision.detect.analysis import analyse_picture

        progress(0.05, "reading the file")
        return analyse_picture(
            read_picture(upload), options, progress=lambda part, text: progress(0.1 + 0.9 * part, text)
        )


def read_picture(upload: Upload) -> "Picture":
    """The picture, read anew; a download runs outside of any session, so not from a cache. Raises ImageError."""
    from lemons_core.images import read_image

    return read_image(upload.read(), name=upload.name)


@st.cache_resource(max_entries=1, scope="session", hash_funcs=_HASHES, show_spinner="Reading the picture")
def picture_of(upload: Upload) -> "Picture":
    """The pixels of one picture, read again unless it is the last one. Raises ImageError."""
    return read_picture(upload)


@st.cache_data(max_entries=6, scope="session", hash_funcs=_HASHES, show_spinner=False)  # about 2 MB each
def shown(upload: Upload, window: tuple[int, int]) -> bytes:
    """A picture as the browser shows it, at full size; `window` is width and level in per cent."""
    from lemons_core.ui.shell.viewer import encode

    return encode(grey_of(upload, window), lossless=False)


def grey_of(upload: Upload, window: tuple[int, int]) -> "np.ndarray":
    """(H, W) uint8, a picture within a window: width and level in per cent. Raises ImageError."""
    from lemons_core.images import display
    from lemons_core.ui.shell.viewer import shift_window

    pixels = picture_of(upload).pixels
    return display.to_grey8(pixels, shift_window(display.display_window(pixels), *window))


@st.cache_data(max_entries=12, scope="session", hash_funcs=_HASHES, show_spinner="Drawing the heat map")
def explain(scan: Scan, options: HeatOptions) -> "HeatMap":
    """Heat map of one label in a detection, or in the crop as one piece. Raises ImageError."""
    from lemons_core.vision.detect.gradcam import explain_crop, explain_detection

    pixels, spacing_mm = picture_of(scan.upload).pixels, scan.analysis.result.spacing.mm
    if options.detection is None:
        return explain_crop(pixels, spacing_mm=spacing_mm, target=options.target, layer=options.layer)
    return explain_detection(
        pixels, options.detection, spacing_mm=spacing_mm, target=options.target, layer=options.layer
    )


@st.cache_data(
    max_entries=24, scope="session", hash_funcs=_HASHES, show_spinner="Drawing the map again without what was learned"
)
def similarity(scan: Scan, options: HeatOptions) -> float:
    """Of a map to those of models with random weights, see `gradcam.randomisation_similarity`."""
    from lemons_core.vision.detect.gradcam import randomisation_similarity

    return randomisation_similarity(picture_of(scan.upload).pixels, explain(scan, options))


@st.cache_data(max_entries=8, show_spinner="Reading the mask")
def mask_within(files: tuple[str, ...], shape: tuple[int, int], box: "Box") -> "np.ndarray | None":
    """What lies inside any of the masks, see `outlines.mask_within`."""
    from lemons_core.images import outlines

    return outlines.mask_within([Path(file) for file in files], shape, box)


def forget_scan() -> None:
    """Drop the visitor's own pictures and everything made from them."""
    uploads.forget()
    st.session_state.pop(state.SCAN_JOBS, None)
    for cache in (picture_of, shown, explain, similarity, mask_within):
        cache.clear()
