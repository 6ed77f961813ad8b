"""The visitor's pictures: read, classified, explained.

Kept in the session of one visitor and nowhere else: it ends with the session, and nothing is written to disk. Of many
pictures the answers are kept, of one the pixels.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import ImageError, LemonsError
from lemons_core.base.progress import Progress
from lemons_core.base.terms import display
from lemons_core.ui.scan import uploads
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell.jobs import Job
from lemons_core.vision.record.card import read_card

if TYPE_CHECKING:
    import numpy as np

    from lemons_core.images import Picture
    from lemons_core.vision.detect.analysis import Answer
    from lemons_core.vision.detect.classify import CropResult
    from lemons_core.vision.detect.detector import Detection, DetectionResult
    from lemons_core.vision.detect.gradcam import Box, HeatMap

MOST_KEPT = 2 * uploads.MOST  # answers a visit; a picture that is asked about in two ways has two
_JOBS = "scan_jobs"  # session
_turn = threading.Lock()  # one picture at a time in a server: its cores are busy with one, and so is its memory


@dataclass(frozen=True)
class Asked:
    """How a picture is to be taken.

    kind : "view" or "crop"; None: told from the picture
    spacing_mm : of a picture that does not state its own; None: estimated
    anyway : go on with a picture that was refused
    """

    kind: str | None = None
    spacing_mm: float | None = None
    anyway: bool = False


@dataclass(frozen=True)
class Scan:
    """What is kept of one picture: all but its pixels.

    shape : (H, W)
    facts : what the file says of itself, ready to show; from a fixed list
    refused : why it is no mammogram, or None
    result : None when it was refused and nobody asked to go on
    crop : the answer to a crop as one piece
    """

    shape: tuple[int, int]
    facts: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    refused: str | None
    result: "DetectionResult | None"
    crop: "CropResult | None"


def classify(given: Upload, asked: Asked) -> Scan:
    """The answer for one picture; while it is sought its progress stands here.

    Raises ImageError or ModelError.
    """
    job = _job(given, asked)
    job.watch("Looking at the picture")
    if job.error:
        if not isinstance(job.error, ImageError):  # the model, the memory: another time it may go well
            _jobs().pop(_key(given, asked))
        raise job.error
    scan: Scan = job.result
    return scan


def peek(given: Upload, asked: Asked) -> Scan | LemonsError | None:
    """The answer or the failure of a picture that was looked at, without looking at it now."""
    job = _jobs().get(_key(given, asked))
    return None if job is None or not job.done.is_set() else job.error or job.result


def _jobs() -> dict[tuple[str, Asked, str], Job]:
    jobs: dict[tuple[str, Asked, str], Job] = st.session_state.setdefault(_JOBS, {})
    return jobs


def _key(given: Upload, asked: Asked) -> tuple[str, Asked, str]:
    return given.key, asked, read_card(config.read_settings().model).sha256


def _job(given: Upload, asked: Asked) -> Job:
    jobs, key = _jobs(), _key(given, asked)
    if key not in jobs:
        while len(jobs) >= MOST_KEPT:
            jobs.pop(next(iter(jobs)))
        jobs[key] = Job.start(_work(given, asked))
    return jobs[key]


def _work(given: Upload, asked: Asked) -> Callable[[Progress], Scan]:
    def work(progress: Progress) -> Scan:
        progress(0, "waiting for its turn")
        with _turn:
            progress(0.02, "loading the model")
            from lemons_core.images import read_image
            from lemons_core.vision.detect.analysis import answer_for

            progress(0.05, "reading the file")
            answer = answer_for(
                read_image(given.read(), name=given.name),
                kind=asked.kind,
                spacing_mm=asked.spacing_mm,
                anyway=asked.anyway,
                progress=lambda part, text: progress(0.1 + 0.9 * part, text),
            )
        return _kept(answer)

    return work


def _kept(answer: "Answer") -> Scan:
    import numpy as np

    picture, result = answer.picture, answer.scan
    return Scan(
        shape=(picture.pixels.shape[0], picture.pixels.shape[1]),
        facts=facts_of(picture) | ({"taken as": "whole view" if result.kind == "view" else "crop"} if result else {}),
        notes=picture.notes,
        warnings=answer.warnings,
        refused=answer.refused,
        result=result and replace(result, breast=np.zeros((0, 0), bool)),  # as large as the picture, and not shown
        crop=answer.crop,
    )


def facts_of(picture: "Picture") -> dict[str, str]:
    """What a file says of itself: numbers and words from closed lists, never its name."""
    height, width = picture.pixels.shape
    return {
        "format": picture.format,
        "size": f"{width:,} x {height:,} pixels",
        "pixel spacing": f"{picture.spacing_mm:.3f} mm" if picture.spacing_mm else "not stated",
        "spacing from": picture.spacing_source,
        "side": display(picture.laterality) if picture.laterality else "not stated",
        "view": str(picture.view or "not stated"),
        **picture.header,
    }


@st.cache_resource(max_entries=1, scope="session", show_spinner="Reading the picture")
def _picture(key: str, _given: Upload) -> "Picture":
    from lemons_core.images import read_image

    return read_image(_given.read(), name=_given.name)


def picture_of(given: Upload) -> "Picture":
    """The pixels of one picture, read again unless it is the last one. Raises ImageError."""
    return _picture(given.key, given)


def answer_of(given: Upload, scan: Scan) -> "Answer":
    """An answer as the reports want it, with its pixels."""
    from lemons_core.images import read_image
    from lemons_core.vision.detect.analysis import Answer

    # Not from the cache: a download runs outside of any session.
    picture = read_image(given.read(), name=given.name)
    return Answer(picture, scan.result, scan.crop, scan.refused, scan.warnings)


@st.cache_data(max_entries=6, scope="session", show_spinner=False)  # about 2 MB each
def shown(key: str, window: tuple[int, int], _given: Upload) -> bytes:
    """A picture as the browser shows it, at full size; `window` is width and level in per cent."""
    from lemons_core.ui.shell.viewer import encode

    return encode(grey_of(_given, window), lossless=False)


def grey_of(given: Upload, window: tuple[int, int]) -> "np.ndarray":
    """(H, W) uint8, a picture within a window: width and level in per cent. Raises ImageError."""
    from lemons_core.images import display as overlay
    from lemons_core.ui.shell.viewer import shift_window

    pixels = picture_of(given).pixels
    return overlay.to_grey8(pixels, shift_window(overlay.display_window(pixels), *window))


@st.cache_data(max_entries=12, scope="session", show_spinner="Drawing the heat map")
def _explain(
    key: str,
    model: str,
    box: "Box",
    target: str,
    layer: str,
    spacing_mm: float,
    _given: Upload,
    _region: "Detection | None",
) -> "HeatMap":
    from lemons_core.vision.detect.gradcam import explain_crop, explain_region

    pixels = picture_of(_given).pixels
    if _region is None:
        return explain_crop(pixels, spacing_mm=spacing_mm, target=target, layer=layer)
    return explain_region(pixels, _region, spacing_mm=spacing_mm, target=target, layer=layer)


def explain(given: Upload, scan: Scan, region: "Detection | None", target: str, layer: str) -> "HeatMap":
    """Heat map of one label in a region, or in the crop as one piece. Raises ImageError."""
    assert scan.result
    box = (region.row, region.col, region.height, region.width) if region else (0, 0, *scan.shape)
    model = read_card(config.read_settings().model).sha256
    return _explain(given.key, model, box, target, layer, scan.result.spacing_mm, given, region)


@st.cache_data(max_entries=24, scope="session", show_spinner="Drawing the map again without what was learned")
def _likeness(key: str, model: str, box: "Box", target: str, layer: str, spacing_mm: float, _given: Upload) -> float:
    from lemons_core.vision.detect.gradcam import randomisation_similarity

    pixels = picture_of(_given).pixels
    return randomisation_similarity(pixels, box, spacing_mm=spacing_mm, target=target, layer=layer)


def likeness(given: Upload, scan: Scan, found: "HeatMap", layer: str) -> float:
    """How like a map is to those of a model that forgot, see `gradcam.randomisation_similarity`."""
    assert scan.result
    model = read_card(config.read_settings().model).sha256
    return _likeness(given.key, model, found.box, found.target, layer, scan.result.spacing_mm, given)


@st.cache_data(max_entries=8, scope="session", show_spinner="Reading the mask")
def mask_within(files: tuple[str, ...], shape: tuple[int, int], box: "Box") -> "np.ndarray | None":
    """(h, w) bool: what lies inside any of the masks, in the window `box` of a view of this shape; None without one."""
    import numpy as np

    from lemons_core.images import read_image

    row, col, height, width = box
    inside = np.zeros((height, width), bool)
    for file in files:
        mask = read_image(file).pixels
        if mask.shape != shape:  # known faults of the collection: such a mask says nothing of a place
            return None
        inside |= mask[row : row + height, col : col + width] > 0.5
    return inside if files else None


def forget_scan() -> None:
    """Drop the visitor's own pictures and everything made from them."""
    uploads.forget()
    st.session_state.pop(_JOBS, None)
    for cache in (_picture, shown, _explain, _likeness, mask_within):
        cache.clear()
