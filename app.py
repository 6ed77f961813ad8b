"""Know Your Lemons: `python -m streamlit run app.py`."""

import streamlit as st

from lemons_core.base import config
from lemons_core.ui.shell import parts, source
from lemons_core.ui.shell.navigation import navigate

st.set_page_config(
    page_title="Know Your Lemons",
    page_icon=str(parts.ASSETS / "favicon.png"),
    layout="wide",
    menu_items={"About": f"Know Your Lemons. {config.NOTICE}"},
)
st.html(parts.ASSETS / "style.css")
st.logo(str(parts.ASSETS / "wordmark.svg"), size="large", icon_image=str(parts.ASSETS / "lemon.svg"))
page = navigate()
source.keep_choice()
with st.sidebar:
    parts.choose_data()
    facts = st.container(key="data_in_use")
    st.caption(f":material/info: {config.NOTICE}")

page.run()
with facts:  # last, so that a page paints its words before the data is read
    parts.data_facts()
