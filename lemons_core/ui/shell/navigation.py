"""The pages, in their sections, and the way in by a deep link."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from lemons_core.ui.shell import state


def navigate() -> StreamlitPage:
    """Tell Streamlit the pages; returns the one that is asked for."""
    st.session_state[state.ENTERED] = True
    return st.navigation(
        {
            "": [st.Page("pages/home.py", title="Start", icon=":material/home:", default=True)],
            "Explore": [
                st.Page("pages/dataset.py", title="Data set", icon=":material/bar_chart:", url_path="dataset"),
                st.Page("pages/case.py", title="Case viewer", icon=":material/radiology:", url_path="case"),
                st.Page("pages/relabel.py", title="Relabel", icon=":material/rule:", url_path="relabel"),
                st.Page("pages/notes.py", title="Notes", icon=":material/stylus_note:", url_path="notes"),
            ],
            "Classify": [
                st.Page("pages/scan.py", title="Scan", icon=":material/image_search:", url_path="scan"),
                st.Page("pages/training.py", title="Training", icon=":material/model_training:", url_path="training"),
            ],
        }
    )


def enter(page_file: str) -> None:
    """Called first by every page with its `__file__`.

    Until `st.navigation` has run once in a server, Streamlit takes the folder `pages/` for its older kind of app and
    runs a deep-linked page alone, without app.py. Then the pages are told here, and the same page is asked for again.
    """
    if state.ENTERED not in st.session_state:
        navigate()
        asked = {name: st.query_params.get_all(name) for name in st.query_params}  # a name may stand there twice
        st.switch_page(f"pages/{Path(page_file).name}", query_params=asked)
