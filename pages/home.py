"""Start: what this is, the collection in numbers, the four groups, the model; each number is a way in.

Every word stands on the page before the data is read; numbers are filled in after.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lemons_core.base import config
from lemons_core.base.config import Origin
from lemons_core.base.terms import GROUP_WORDS, GROUPS
from lemons_core.dataset.overview import Overview, Share
from lemons_core.ui.shell import parts, source
from lemons_core.ui.shell.navigation import enter
from lemons_core.vision.record.card import read_card


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


def render_groups() -> dict[str, DeltaGenerator]:
    """The four cards; returns where each one's numbers go."""
    st.subheader("Four groups of calcifications", anchor=False)
    places = {}
    with st.container(key="groups"):
        columns = st.columns(4)
    for column, group in zip(columns, GROUPS, strict=True):
        with column.container(border=True, height="stretch"):
            picture = str(parts.ASSETS / "groups" / f"{group}.jpg")
            st.image(picture, caption="simulated, 15 x 10 mm", width="stretch", alt=f"{group} calcifications, drawn")
            st.html(parts.group_heading(group))
            st.markdown(GROUP_WORDS[group])
            places[str(group)] = st.empty()
    return places


def per_cent(share: Share) -> str:
    """A share with its interval."""
    return f"{share.value:.0%} malignant (95% interval {share.low:.0%} to {share.high:.0%})"


def fill_group(group: str, place: DeltaGenerator, seen: Overview) -> None:
    share = seen.malignant.get(group)
    with place.container():
        st.markdown(f"**{seen.groups[group]:,} rows**" + (f", {per_cent(share)}" if share else ""))
        st.page_link("pages/dataset.py", label=f"See the {group} rows", query_params={"group": group})


def render_figures(seen: Overview) -> None:
    """Four numbers, each with the page that tells more."""
    shared = {"border": True, "delta_color": "off", "delta_arrow": "off"}
    faults = sum(seen.problems.values())
    auc = seen.notes_auc
    lesions = f"{seen.lesions:,} lesions, {seen.patients:,} patients"
    figures = (
        ("Calcifications", f"{seen.rows:,}", lesions, "dataset", "Explore"),
        ("Faults in its tables", f"{faults:,}", f"{len(seen.problems)} kinds", "dataset", "What is wrong with it"),
        ("Rows to look at again", f"{seen.suspects:,}", "labels in doubt", "relabel", "Relabel"),
        (
            "Malignancy from notes",
            f"AUC {auc.value:.3f}" if auc else "open Notes",
            f"{auc.low:.2f} to {auc.high:.2f}, n = {auc.n:,}" if auc else "trained on your tables",
            "notes",
            "Read the notes",
        ),
    )  # fmt: skip
    with st.container(key="figures"):
        columns = st.columns(4)
    for column, (name, value, words, page, way) in zip(columns, figures, strict=True):
        with column:
            st.metric(name, value, words, **shared)
            st.page_link(f"pages/{page}.py", label=way, icon=":material/arrow_forward:")
    whole = seen.malignant.get("all")
    st.caption(
        f"Source: {parts.data_words(seen)}; n = {seen.rows:,} rows, one abnormality in one view each. "
        + (f"{per_cent(whole)}: the cases were chosen, so no share here holds for screening. " if whole else "")
        + "A row whose type names several groups counts in each. AUC: 95% interval by patient, official test split."
    )  # fmt: skip


def render_data(seen: Overview) -> None:
    crops, views = seen.images["crop"], seen.images["view"]
    pictures = f"**{crops:,}** crops and **{views:,}** views are on disk." if crops or views else "None is on disk yet."
    words = {
        Origin.PUBLISHED: "**Real:** the case table of CBIS-DDSM as its authors published it (CC BY 3.0), its faults "
        "included, and eight film views to try. **Simulated:** the pictures of the four groups, and the calcifications "
        "that the image model was trained on. **To fetch:** the images of single cases, in the case viewer. "
        + pictures,
        Origin.DEMO: "You are looking at **simulated demo data**: pictures drawn by a program, with the published "
        "frequencies of CBIS-DDSM. No patient is in it. " + pictures,
        Origin.FOLDER: f"Your folder holds **{seen.rows:,}** calcification rows. " + pictures,
    }
    st.markdown(words[seen.origin])
    st.page_link("pages/dataset.py", label="Look at the data set", icon=":material/arrow_forward:")
    st.page_link("pages/case.py", label="Look at single cases", icon=":material/arrow_forward:")


enter(__file__)
render_hero()
progress = st.container()
figures = st.container()
places = render_groups()
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
    f"signs of breast cancer. Collection: [CBIS-DDSM]({parts.COLLECTION_PAGE}), Sawyer-Lee et al. 2016, Lee et al. "
    "2017, CC BY 3.0."
)

seen = None
with progress, parts.guard():
    seen = source.overview()
if seen:
    with figures:
        render_figures(seen)
    for group, place in places.items():
        fill_group(group, place, seen)
    with left:
        render_data(seen)
else:
    left.markdown("No data could be read. The message above says why; classifying your own scan works all the same.")
