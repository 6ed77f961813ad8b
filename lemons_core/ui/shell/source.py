"""The data in use: the visitor's own collection or the simulated demo data, read once for all windows.

Nothing heavy is imported at the top: the start page must stay small and quick.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import display
from lemons_core.dataset.overview import Overview, Sample
from lemons_core.ui.shell.worker import read_overview

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lemons_core.dataset.collection import Collection
    from lemons_core.dataset.quality import Report

RETRY_SECONDS = 3  # a failure counts for a whole page, its badge too; a later visit tries again
LONGEST_SHOWN = 1200  # pixels of a picture's longer side: more than a column of a page can show


_asking = threading.Lock()  # or two windows would both find a failed reading and begin two new ones


@dataclass
class _Reading:
    """One reading of a data root, shared by every window that waits for it."""

    fraction: float = 0.0
    text: str = "starting"
    overview: Overview | None = None
    error: LemonsError | None = None
    ended: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    def run(self, root: Path, make_demo: bool) -> None:
        try:
            self.overview = read_overview(root, make_demo=make_demo, progress=self.note)
        except LemonsError as error:
            self.error = error
        except OSError as error:
            self.error = LemonsError("The data cannot be read", where=str(root), todo=str(error.strerror or ""))
        except ValueError as error:  # not the JSON that was agreed
            self.error = LemonsError(f"The data reader said something odd: {str(error)[:80]}", where=str(root))
        finally:
            self.ended = time.monotonic()
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

    Raises LemonsError when the data cannot be read; a later call tries again.
    """
    root, demo = data_root()
    with _asking:
        reading = _start_reading(root, demo)
        gone = demo and reading.overview is not None and not root.is_dir()  # deleted while the server ran
        if gone or (reading.error and time.monotonic() - reading.ended > RETRY_SECONDS):
            _start_reading.clear(root, demo)
            reading = _start_reading(root, demo)
    if not reading.done.wait(0.3):
        with st.empty():
            while not reading.done.wait(0.2):
                what = "Making the simulated demo data, once" if demo else "Reading your collection"
                st.progress(reading.fraction, f"{what}: {reading.text}")
            st.empty()
    if reading.error:
        raise reading.error
    assert reading.overview
    return reading.overview


def forget_data() -> None:
    """Read the data root again at the next call."""
    _start_reading.clear()
    read_tables.clear()
    read_faults.clear()
    fault_table.clear()


@st.cache_resource(max_entries=1, show_spinner="Reading the case tables")
def read_tables(root: Path) -> "Collection":
    """The whole collection as tables, for the pages that plot them."""
    from lemons_core.dataset.collection import read_collection

    return read_collection(root)


@st.cache_resource(max_entries=1, show_spinner="Looking for faults")
def read_faults(root: Path) -> "Report":
    """What is wrong with the collection, as far as tables and headers tell: pixels would take too long here."""
    from lemons_core.dataset.quality import check_collection

    return check_collection(read_tables(root), pixels=False)


@st.cache_resource(max_entries=1, show_spinner=False)
def fault_table(root: Path) -> "pd.DataFrame":
    """The same as a table, see `eda.fault_table`."""
    from lemons_core.dataset.explore import fault_table

    return fault_table(read_faults(root))


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
    from lemons_core.images.display import to_grey8

    return to_grey8(fit(read_image(Path(file)).pixels, longest))


def example(seen: Overview, group: str) -> Sample | None:
    """One crop whose type names this group alone, else any of the group."""
    samples = seen.of_group(group)
    return next((sample for sample in samples if "-" not in sample.morphology), next(iter(samples), None))


def words_of(sample: Sample) -> str:
    """The type of a sample in words."""
    return display(sample.morphology)
