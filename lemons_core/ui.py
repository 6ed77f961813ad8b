"""What the pages share: the data in use, the error boundary, caches. The only core module that sees Streamlit.

Nothing heavy is imported at the top: the start page must stay small and quick.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core import config
from lemons_core.errors import LemonsError
from lemons_core.overview import Overview, Sample
from lemons_core.terms import display
from lemons_core.worker import read_overview

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

    from lemons_core.collection import Collection
    from lemons_core.vision.predict import CropResult

ASSETS = Path(__file__).parents[1] / "assets"
COLLECTION_PAGE = "https://www.cancerimagingarchive.net/collection/cbis-ddsm/"
CHARITY_PAGE = "https://www.knowyourlemons.org"
LONGEST_SHOWN = 1200  # pixels of a picture's longer side: more than a column of a page can show


# ---------------------------------------------------------------- words and errors


def plain(text: object) -> str:
    """Text from a file or a user, safe in markdown: shown as it is, never as a link, formula or picture."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+-.!|$~:" else char for char in str(text))


def show_error(error: LemonsError) -> None:
    """What failed, where, and what to do: three lines, no traceback."""
    lines = [f"**{plain(error.what)}.**"]
    if error.where:
        lines.append(f"Where: {plain(error.where)}")
    if error.todo:
        lines.append(plain(error.todo))
    st.error("  \n".join(lines), icon=":material/error:")


@contextmanager
def guard() -> Iterator[None]:
    """Show an expected failure where it happens and let the rest of the page go on."""
    try:
        yield
    except LemonsError as error:
        show_error(error)
    except MemoryError:
        show_error(LemonsError("There is not enough memory for this", todo="Close other programs or use a crop."))
    except OSError as error:
        what = f"A file cannot be read or written: {error.strerror or type(error).__name__}"
        show_error(LemonsError(what, where=str(error.filename or ""), todo="Check the folder, its rights, the disk."))


def page_title(title: str, sentence: str) -> None:
    """Heading and the one sentence that says what the page is for."""
    st.title(title, anchor=False)
    st.markdown(sentence)


# ---------------------------------------------------------------- the data in use


@dataclass
class _Reading:
    """One reading of a data root, shared by every window that waits for it."""

    fraction: float = 0.0
    text: str = "starting"
    overview: Overview | None = None
    error: LemonsError | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self, root: Path, make_demo: bool) -> None:
        try:
            self.overview = read_overview(root, make_demo=make_demo, progress=self.note)
        except LemonsError as error:
            self.error = error
        except OSError as error:
            self.error = LemonsError("The data cannot be read", where=str(root), todo=str(error.strerror or ""))
        finally:
            self.done.set()

    def note(self, fraction: float, text: str) -> None:
        self.fraction, self.text = min(max(fraction, 0.0), 1.0), text


@st.cache_resource(max_entries=4, show_spinner=False)
def _start_reading(root: Path, make_demo: bool) -> _Reading:
    # Streamlit runs this once for all windows that ask at the same time: no second demo is made beside the first.
    # The work has a thread of its own, so that it goes on when the window that began it is closed.
    reading = _Reading()
    threading.Thread(target=reading.run, args=(root, make_demo), daemon=True).start()
    return reading


def data_root() -> tuple[Path, bool]:
    """The folder in use, and whether it is the demo's (made when missing)."""
    settings = config.read_settings()
    return (settings.data, False) if settings.data else (settings.demo, True)


def overview() -> Overview:
    """Counts and samples of the data in use; makes the demo data at first start, with its progress on the page.

    Raises LemonsError when the data cannot be read; the next call tries again.
    """
    root, demo = data_root()
    reading = _start_reading(root, demo)
    if not reading.done.wait(0.3):
        with st.container(key="reading"), st.empty():
            while not reading.done.wait(0.2):
                what = "Making the simulated demo data, once" if demo else "Reading your collection"
                st.progress(reading.fraction, f"{what}: {plain(reading.text)}")
            st.empty()
    if reading.overview is None:
        _start_reading.clear(root, demo)
        raise reading.error or LemonsError("The data cannot be read", where=str(root))
    if demo and not root.is_dir():  # deleted while the server ran
        _start_reading.clear(root, demo)
        return overview()
    return reading.overview


def forget_data() -> None:
    """Read the data root again at the next call."""
    _start_reading.clear()
    read_tables.clear()


@st.cache_resource(max_entries=1, show_spinner="Reading the case tables")
def read_tables(root: Path) -> "Collection":
    """The whole collection as tables, for the pages that plot them."""
    from lemons_core.collection import read_collection

    return read_collection(root)


def data_badge() -> None:
    """The data set in use, for the sidebar; silent on failure, which the page itself tells."""
    try:
        seen = overview()
    except LemonsError as error:
        st.badge("No data", icon=":material/error:", color="red")
        st.caption(plain(error.what))
        return
    if seen.simulated:
        st.badge("Simulated demo data", icon=":material/science:", color="yellow")
    else:
        st.badge(f"Your collection: {plain(Path(seen.root).name)}", icon=":material/folder:", color="green")
    crops = f"{seen.images['crop']:,} with a crop on disk" if seen.images["crop"] else "no images on disk"
    st.caption(f"{seen.rows:,} abnormalities, {crops}")


def data_words(seen: Overview) -> str:
    """The data set in a few words, for the line under a figure."""
    return "simulated demo data" if seen.simulated else f"your collection ({plain(Path(seen.root).name)})"


# ---------------------------------------------------------------- pictures and charts


def fit(pixels: "np.ndarray", longest: int = LONGEST_SHOWN) -> "np.ndarray":
    """(H, W) float32, averaged over area until the longer side is at most `longest` pixels; never enlarged."""
    import numpy as np
    from PIL import Image

    height, width = pixels.shape
    scale = longest / max(height, width)
    if scale >= 1:
        return np.asarray(pixels, dtype=np.float32)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    shrunk = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32)).resize(size, Image.Resampling.BOX)
    return np.asarray(shrunk, dtype=np.float32)


@st.cache_data(max_entries=48, show_spinner=False)
def thumbnail(file: str, longest: int = 320) -> "np.ndarray":
    """(H, W) uint8 of a crop on disk, in its natural window."""
    from lemons_core.images import read_image
    from lemons_core.overlay import to_grey8

    return to_grey8(fit(read_image(Path(file)).pixels, longest))


def example(seen: Overview, group: str) -> Sample | None:
    """One crop whose type names this group alone, else any of the group."""
    samples = seen.of_group(group)
    return next((sample for sample in samples if "-" not in sample.morphology), next(iter(samples), None))


def words_of(sample: Sample) -> str:
    """The type of a sample in words."""
    return display(sample.morphology)


def chart(figure: "go.Figure", key: str, alt: str) -> None:
    """A figure in the page's theme, without the tool bar."""
    # The theme's own grey for axis words is too pale for small type.
    ink = "#D6D3C9" if st.context.theme.type == "dark" else "#45412F"
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont_color=ink, title_font_color=ink)
    figure.update_layout(legend_font_color=ink)
    st.plotly_chart(figure, key=key, alt=alt, config={"displayModeBar": False})


def alt_counts(counts: "pd.DataFrame") -> str:
    """The counts of a stacked bar chart as a sentence, for those who cannot see it."""
    rows = ", ".join(f"{row.value} {display(row.pathology)} {row.n}" for row in counts.itertuples() if row.n)
    return f"Rows by value and pathology: {rows}."


def alt_shares(shares: "pd.DataFrame") -> str:
    """The same for malignant shares."""
    return "Malignant share: " + ", ".join(f"{r.value} {r.share:.0%} of {r.n}" for r in shares.itertuples()) + "."


def render_missing_images(seen: Overview) -> None:
    """The designed state of a collection that has tables and no pictures."""
    st.warning(
        f"**0 of {seen.rows:,} abnormalities have images on disk.** The tables work without them. To see pictures, put "
        "the DICOM files anywhere below the data folder; they are found by their series number.\n\n"
        "- **TCIA**: the NBIA Data Retriever with the collection's manifest, 163.6 GB.\n"
        "- **Imaging Data Commons**: `pip install idc-index`, then `idc download cbis_ddsm`; single series as well.\n"
        "- **Kaggle mirror**: JPEG copies, 6 GB; lossy, and other file names.\n\n"
        f"More in `docs/data.md` and on [the collection's page]({COLLECTION_PAGE}).",
        icon=":material/image_not_supported:",
    )


# ---------------------------------------------------------------- one scan
# Cached in the session of one visitor and nowhere else: it ends with the session, and nothing is written to disk.


@dataclass(frozen=True)
class Scan:
    """One picture, read and classified, small enough to keep.

    shown : (H, W) float32 0-1, at most LONGEST_SHOWN a side
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
    warnings = tuple(dict.fromkeys(warnings_of(picture, shipped.card)))
    return Scan(fit(picture.pixels), known | dict(picture.header), picture.notes, warnings, kind_of(picture), result)


@st.cache_data(max_entries=12, scope="session", show_spinner="Drawing the heat map")
def heat_map(digest: str, model: str, target: str, name: str, _data: bytes) -> "np.ndarray":
    """Grad-CAM of one label, (H, W) float32 0-1, at most LONGEST_SHOWN a side."""
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
