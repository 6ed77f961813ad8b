"""Start: what this is, two ways on, the four groups, the state of data and model.

Every word stands on the page before the data is read; pictures and counts are filled in after.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.base import config
from lemons_core.base.terms import GROUP_WORDS, GROUPS, display
from lemons_core.dataset.overview import Overview
from lemons_core.ui.shell import parts, source
from lemons_core.ui.shell.navigation import enter
from lemons_core.vision.record.card import read_card

PICTURE_HEIGHT = 190


def render_hero() -> None:
    words, picture = st.columns([5, 1], vertical_alignment="center")
    with words:
        parts.page_title(
            "Know your calcifications",
            "See, sort and question the tiny calcium specks in mammograms, on the open CBIS-DDSM collection: "
            "for readers, researchers and students.",
        )
        with st.container(horizontal=True):
            if st.button("Classify a scan", type="primary", icon=":material/image_search:"):
                st.switch_page("pages/scan.py")
            if st.button("Explore the data set", icon=":material/bar_chart:"):
                st.switch_page("pages/dataset.py")
    with picture.container(key="hero_lemon"):
        st.image(
            str(parts.ASSETS / "lemon.svg"), width=140, alt="A cut lemon; one segment is an X-ray with bright specks"
        )


def render_groups() -> dict[str, tuple[DeltaGenerator, DeltaGenerator]]:
    """The four cards; returns the places of each one's picture and count."""
    st.subheader("Four groups of calcifications", anchor=False)
    places = {}
    columns = st.container(key="groups").columns(4)
    for column, group in zip(columns, GROUPS, strict=True):
        with column.container(border=True, height="stretch"):
            picture = st.empty()
            st.html(parts.group_heading(group))
            st.markdown(GROUP_WORDS[group])
            places[str(group)] = picture, st.empty()
        picture.skeleton(PICTURE_HEIGHT)
    return places


def fill_group(group: str, picture: DeltaGenerator, count: DeltaGenerator, seen: Overview) -> None:
    count.caption(f"n = {seen.groups[group]:,} of {seen.rows:,} rows")
    sample = source.example(seen, group)
    if not sample:
        picture.caption("No picture: there is no crop of this group on disk.")
        return
    origin = "simulated" if seen.simulated else "from your collection"
    kind = display(sample.morphology)
    picture.image(source.thumbnail(sample.file), caption=origin, width="stretch", alt=f"{kind} crop, {origin}")


def render_figures(seen: Overview) -> None:
    figures = {
        "Abnormalities": (seen.rows, "Rows of the case table: one abnormality in one view."),
        "Lesions": (seen.lesions, "Abnormalities, each seen in one view or in two."),
        "Patients": (seen.patients, "Patients with at least one calcification."),
        "Crops on disk": (seen.images["crop"], f"Of {seen.rows:,} rows."),
    }
    columns = st.container(key="figures").columns(4)
    for column, (name, (value, words)) in zip(columns, figures.items(), strict=True):
        column.metric(name, f"{value:,}", border=True, help=words)
    st.caption(f"Source: {parts.data_words(seen)}. A row whose type names several groups counts in each of them.")


def render_data(seen: Overview) -> None:
    if seen.simulated:
        st.markdown(
            "You are looking at **simulated demo data**: pictures drawn by a program, with the published frequencies "
            "of CBIS-DDSM. No patient is in it. To use the real collection, start the app with the environment "
            "variable `LEMONS_DATA` set to its folder."
        )
    else:
        st.markdown(
            f"Your collection has **{seen.rows:,}** calcification rows, with **{seen.images['crop']:,}** crops and "
            f"**{seen.images['view']:,}** full views on disk. **{seen.problems:,}** faults of its tables are listed."
        )
    st.page_link("pages/dataset.py", label="Look at the data set", icon=":material/arrow_forward:")


enter(__file__)
render_hero()
progress = st.container()
places = render_groups()
figures = st.container()
left, right = st.columns(2, gap="large")
left.subheader("The data", anchor=False)
right.subheader("The model", anchor=False)
with right, parts.guard():
    parts.render_model(read_card(config.read_settings().model))
    st.page_link("pages/scan.py", label="Try it on a picture", icon=":material/arrow_forward:")
    st.page_link("pages/training.py", label="See how it learns and where it errs", icon=":material/arrow_forward:")
st.divider()
st.caption(
    f"{config.NOTICE} Not affiliated with the charity [Know Your Lemons]({parts.CHARITY_PAGE}), which teaches the "
    f"signs of breast cancer. Collection: [CBIS-DDSM]({parts.COLLECTION_PAGE}), Lee et al. 2017, CC BY 3.0."
)

seen = None
with progress, parts.guard():
    seen = source.overview()
for group, (picture, count) in places.items():
    if seen is None:
        picture.empty()
        continue
    with parts.guard():
        fill_group(group, picture, count, seen)
if seen:
    with figures:
        render_figures(seen)
    with left:
        render_data(seen)
else:
    left.markdown("No data could be read. The message above says why; classifying your own scan works all the same.")
