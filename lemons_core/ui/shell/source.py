"""The data in use, read once for all windows: the published case table, the simulated demo, or the visitor's folder.

Nothing heavy is imported at the top: the start page must stay small and quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base.config import DataChoice, Origin, choose_data
from lemons_core.dataset.overview import Overview, Sample
from lemons_core.ui.shell import jobs, state
from lemons_core.ui.shell.worker import read_overview

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lemons_core.dataset.collection import Collection
    from lemons_core.dataset.quality import Report

DATA = "data"  # in the address: a key of `choices`
RETRY_SECONDS = 3  # a failure counts for a whole page, its badge too; a later visit tries again


def choices() -> dict[str, DataChoice]:
    """What can be in use, by the word that stands in the address; a folder only where LEMONS_DATA names one."""
    given = choose_data()
    found = {str(origin): choose_data(origin) for origin in (Origin.PUBLISHED, Origin.DEMO)}
    return {str(Origin.FOLDER): given} | found if given.origin == Origin.FOLDER else found


def data_in_use() -> DataChoice:
    """By the address, else by what was chosen before, else LEMONS_DATA, else the published case table."""
    found = choices()
    for name in (st.query_params.get(DATA), st.session_state.get(state.SHELL_DATA)):
        if name in found:
            return found[name]
    return choose_data()


def use_data(name: str) -> None:
    """Put other data in use; what the address said of the former ones goes."""
    st.session_state[state.SHELL_DATA] = name
    st.query_params.from_dict({DATA: name})


def keep_choice() -> None:
    """Hold the data in use through page changes, and in the address unless a visitor would get it anyway."""
    data = data_in_use()
    st.session_state[state.SHELL_DATA] = str(data.origin)
    if data != choose_data() or DATA in st.query_params:
        st.query_params[DATA] = str(data.origin)


def link_tail() -> str:
    """What a link within the app must carry to keep the data in use."""
    return f"&{DATA}={data.origin}" if (data := data_in_use()) != choose_data() else ""


def overview() -> Overview:
    """Counts and samples of the data in use; the demo data are drawn when they are first chosen, with their progress.

    Raises LemonsError when the data cannot be read; a later call tries again.
    """
    data = data_in_use()
    demo = data.origin == Origin.DEMO
    drawn = demo and data.root.is_dir()
    return jobs.wait_for(
        ("overview", data.name),
        "Drawing the simulated demo data, once" if demo and not drawn else "Reading the case tables",
        lambda progress: read_overview(data, progress=progress),
        keep_error=RETRY_SECONDS,
        stale=lambda _: demo and not data.root.is_dir(),  # deleted while the server ran
        on_stop=(lambda: use_data(str(Origin.PUBLISHED))) if demo and not drawn else None,
    )


def forget_data() -> None:
    """Read the data in use again at the next call."""
    jobs.forget(("overview", data_in_use().name))
    for cache in (_read_tables, _read_faults, _fault_table):
        cache.clear()


def read_tables() -> "Collection":
    """The whole collection in use as tables, for the pages that plot them."""
    return _read_tables(data_in_use().name)


def read_faults() -> "Report":
    """What is wrong with the collection, as far as tables and headers tell: pixels would take too long here."""
    return _read_faults(data_in_use().name)


def fault_table() -> "pd.DataFrame":
    """The same as a table, see `explore.fault_table`."""
    return _fault_table(data_in_use().name)


@st.cache_resource(max_entries=3, show_spinner="Reading the case tables")
def _read_tables(name: str) -> "Collection":
    from lemons_core.dataset.collection import read_collection

    return read_collection(name)


@st.cache_resource(max_entries=3, show_spinner="Looking for faults")
def _read_faults(name: str) -> "Report":
    from lemons_core.dataset.quality import check_collection

    return check_collection(_read_tables(name), pixels=False)


@st.cache_resource(max_entries=3, show_spinner=False)
def _fault_table(name: str) -> "pd.DataFrame":
    from lemons_core.dataset.explore import fault_table

    return fault_table(_read_faults(name))


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
    """One real crop on disk whose type names this group alone, else any of the group; drawn ones do not count."""
    samples = [] if seen.simulated else seen.of_group(group)
    return next((sample for sample in samples if "-" not in sample.morphology), next(iter(samples), None))
