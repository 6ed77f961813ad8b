"""The data in use: the visitor's own collection or the simulated demo data, read once for all windows.

Nothing heavy is imported at the top: the start page must stay small and quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base import config
from lemons_core.dataset.overview import Overview, Sample
from lemons_core.ui.shell import jobs
from lemons_core.ui.shell.worker import read_overview

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lemons_core.dataset.collection import Collection
    from lemons_core.dataset.quality import Report

RETRY_SECONDS = 3  # a failure counts for a whole page, its badge too; a later visit tries again


def data_root() -> tuple[Path, bool]:
    """The folder in use, and whether it is the demo's (made when missing)."""
    settings = config.read_settings()
    return (settings.data, False) if settings.data else (settings.demo, True)


def overview() -> Overview:
    """Counts and samples of the data in use; makes the demo data at first start, with its progress on the page.

    Raises LemonsError when the data cannot be read; a later call tries again.
    """
    root, demo = data_root()
    return jobs.wait_for(
        ("overview", str(root), demo),
        "Making the simulated demo data, once" if demo else "Reading your collection",
        lambda progress: read_overview(root, make_demo=demo, progress=progress),
        keep_error=RETRY_SECONDS,
        stale=lambda _: demo and not root.is_dir(),  # deleted while the server ran
    )


def forget_data() -> None:
    """Read the data root again at the next call."""
    root, demo = data_root()
    jobs.forget(("overview", str(root), demo))
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
    """The same as a table, see `explore.fault_table`."""
    from lemons_core.dataset.explore import fault_table

    return fault_table(read_faults(root))


def fit(pixels: "np.ndarray", longest: int) -> "np.ndarray":
    """(H, W) float32, averaged over area until the longer side is at most `longest` pixels; never enlarged."""
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels, dtype=np.float32))
    image.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(image)


@st.cache_data(max_entries=48, show_spinner=False)
def thumbnail(file: str) -> "np.ndarray":
    """(H, W) uint8 of a crop on disk, in its natural window."""
    from lemons_core.images import read_image
    from lemons_core.images.display import to_grey8

    return to_grey8(fit(read_image(Path(file)).pixels, 320))


def example(seen: Overview, group: str) -> Sample | None:
    """One crop whose type names this group alone, else any of the group."""
    samples = seen.of_group(group)
    return next((sample for sample in samples if "-" not in sample.morphology), next(iter(samples), None))
