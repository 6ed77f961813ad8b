"""A real case by one click: its view, crop and mask, and the other view, from Imaging Data Commons."""

from functools import partial

import streamlit as st

from lemons_core.base.config import DataChoice
from lemons_core.base.errors import LemonsError
from lemons_core.base.progress import Progress
from lemons_core.dataset import fetch
from lemons_core.ui.shell import jobs, parts, source, state


def render_fetch(image_id: str, *, key: str) -> None:
    """Offer to get what is missing of one image, or show how far that is; nothing is fetched without a click."""
    data = source.data_in_use()
    try:
        plan = _plan(data, image_id)
    except LemonsError as error:
        st.caption(f"{parts.plain(error.what)}. One command brings it: `{error.todo}`; then open this page again.")
        return
    if not plan.series:
        st.caption("Imaging Data Commons has no more of this case.")
        return
    wanted: set[str] = st.session_state.setdefault(state.CASE_FETCHED, set())
    size = f"{(plan.size or 0) / 1e6:,.0f} MB"
    if image_id not in wanted:
        st.button(
            f"Get this case ({size})", type="primary", icon=":material/cloud_download:", on_click=wanted.add,
            args=(image_id,), key=key, help=f"From Imaging Data Commons, CC BY 3.0, to {data.root}",
        )  # fmt: skip
        return
    try:
        jobs.wait_for(
            ("case", data.name, image_id),
            "Getting this case",
            partial(_fetch, data, image_id),
            on_stop=partial(wanted.discard, image_id),
        )
    except LemonsError:
        wanted.discard(image_id)  # so that the button is there again
        raise
    wanted.discard(image_id)
    jobs.forget(("case", data.name, image_id))
    source.forget_data()
    _plan.clear()
    st.rerun()


@st.cache_data(max_entries=64, ttl=600, show_spinner=False)
def _plan(data: DataChoice, image_id: str) -> fetch.Plan:
    """What is missing on disk of one image and of its lesions' other view."""
    catalogue = fetch.read_catalogue()
    plan = fetch.plan_case(source.read_tables().cases.table, image_id, catalogue=catalogue)
    return fetch.leave_out_present(plan, data.root, catalogue)


def _fetch(data: DataChoice, image_id: str, progress: Progress) -> None:
    from lemons_core.dataset.collection import read_cases_of

    catalogue = fetch.read_catalogue()
    plan = fetch.plan_case(read_cases_of(data).table, image_id, catalogue=catalogue)
    rest = fetch.leave_out_present(plan, data.root, catalogue)
    fetch.fetch_images(rest, data.root, catalogue=catalogue, progress=progress)
