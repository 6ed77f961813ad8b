"""Case viewer: one abnormality in both views of its breast, outlined, with its notes, its labels and its faults."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lemons_core.base.terms import GROUP_WORDS, View, display
from lemons_core.dataset import explore
from lemons_core.dataset.overview import Overview
from lemons_core.labels.mapping import read_mapping
from lemons_core.ui.case.fetching import render_fetch
from lemons_core.ui.scan import analyses, uploads
from lemons_core.ui.shell import outlines, parts, source, state, viewer
from lemons_core.ui.shell.navigation import enter

COLUMNS = ["case_id", "split", "laterality", "view", "calc_group", "morphology", "distribution", "pathology"]
WITH_IMAGES = {"images": ["view", "crop"]}


def go_to(case: str) -> None:
    st.query_params["case"] = case


def choose_rows(table: pd.DataFrame, requested: str | None) -> pd.DataFrame:
    """The rows to step through: what the filters in the address leave, else those with images, else all."""
    filters = explore.read_filters({name: st.query_params.get_all(f"in_{name}") for name in explore.FILTERS})
    rows = explore.filter_rows(table, filters)
    if filters and len(rows) and (requested is None or (rows["case_id"] == requested).any()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/filter_alt: Only {explore.filter_words(filters)}: {len(rows):,} rows.")
            if st.button("All cases", type="tertiary", icon=":material/filter_alt_off:"):
                for name in filters:
                    del st.query_params[f"in_{name}"]
                st.rerun()
        return rows
    shown = explore.filter_rows(table, WITH_IMAGES)
    hidden = (table["case_id"] == requested).any() and not (shown["case_id"] == requested).any()
    return table if len(shown) < 2 or hidden or st.session_state.get(state.CASE_ALL) else shown


def choose_case(table: pd.DataFrame) -> dict[str, Any]:
    """One row: by the address, the arrow keys or the table."""
    requested = st.query_params.get("case")
    rows = choose_rows(table, requested)
    ids = rows["case_id"].tolist()
    if requested is not None and requested not in ids:
        st.warning(f"This collection has no case {parts.plain(requested[:60])}.", icon=":material/search_off:")
    index = ids.index(requested) if requested in ids else first_complete(rows)
    case = rows.iloc[index].to_dict()
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, step, key in (("Previous", -1, "Left"), ("Next", 1, "Right")):
            other = ids[(index + step) % len(ids)]
            st.button(label, shortcut=key, on_click=go_to, args=(other,), disabled=len(ids) == 1)
        chooser = st.popover("Choose", icon=":material/table_rows:", on_change="rerun")
        if chooser.open:  # else the table is not even sent
            with chooser:
                if 1 < len(explore.filter_rows(table, WITH_IMAGES)) < len(table):
                    st.toggle("Also cases without images", key=state.CASE_ALL, persist_state="session")
                choose_from_table(rows, index)
        st.markdown(
            f"**{display(case['laterality']).capitalize()} breast, {case['view']}, abnormality "
            f"{case['abnormality_id']}**, patient {parts.plain(case['patient_id'])} ({index + 1:,} of {len(ids):,})",
            width="content",
        )
    return case


def first_complete(rows: pd.DataFrame) -> int:
    """The first row whose lesion has both views on disk, else the first with a crop, else the first."""
    crop = rows["crop_file"].notna()
    both = crop & rows["view_file"].notna() & rows.duplicated("lesion_id", keep=False)
    return int((2 * both.to_numpy() + crop.to_numpy()).argmax())


def choose_from_table(rows: pd.DataFrame, index: int) -> None:
    key = f"cases-{index}"

    def take() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if chosen:
            go_to(str(rows["case_id"].iloc[chosen[0]]))

    st.dataframe(
        rows[COLUMNS],
        key=key,
        on_select=take,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [index]}},
        hide_index=True,
        height=260,
        width=640,
        placeholder="",
        lazy=len(rows) > 5_000,
    )


def render_view(view: str, case: dict[str, Any], breast: pd.DataFrame, window: tuple[int, int], seen: Overview) -> None:
    """One view of the breast, with the outline of every abnormality that has a mask."""
    rows = breast[breast["view"] == view]
    st.markdown(f"**{explore.FILTERS['view'].text(view)}**" + (", this case" if view == case["view"] else ""))
    if rows.empty:
        st.info(f"The tables describe nothing in the {view} view of this breast.", icon=":material/visibility_off:")
        return
    files = rows["view_file"].dropna()
    if files.empty:
        render_absent(f"The {view} view", "not ", rows["image_id"].iloc[0], seen)
        return
    with parts.guard():
        film = viewer.read_film(files.iloc[0])
        drawn = outlines.outline_all(rows, case["lesion_id"], film)
        tag = f"{view} {display(case['laterality'])}{', simulated' if seen.simulated else ''}"
        alt = f"Mammogram: {tag}. Outlined: {drawn.words or 'nothing'}."
        frame = viewer.Frame(f"zoom-{view}", film.values.shape[:2], film.picture, alt, tag, drawn.shapes)
        viewer.show_film(film, frame, window=window)
        st.caption(" ".join([f"{origin(seen)}{film.size_words}. Outlined: {drawn.words or 'nothing'}.", *drawn.notes]))
    other = rows[rows["case_id"] != case["case_id"]]
    if len(other):
        with st.container(horizontal=True):
            for row in other.itertuples():
                label = f"To abnormality {row.abnormality_id} in {view}"
                st.button(label, type="tertiary", key=f"to-{row.case_id}", on_click=go_to, args=(row.case_id,))


def origin(seen: Overview) -> str:
    return "Simulated, " if seen.simulated else ""


def render_absent(what: str, negation: str, image_id: str, seen: Overview) -> None:
    """A picture that is not on disk, and the way to get everything of its image."""
    with st.container(border=True):
        st.markdown(f":material/image_not_supported: **{what} is {negation}on disk.** The notes below work without.")
        if seen.simulated:
            st.caption("The demo draws pictures for a part of its rows only.")
        else:
            with parts.guard():
                render_fetch(image_id, key=f"get-{what}")


def render_crop(case: dict[str, Any], window: tuple[int, int], seen: Overview) -> None:
    st.markdown("**Crop**, at its own resolution")
    file = case["crop_file"]
    if not isinstance(file, str):
        render_absent("The crop", "not ", case["image_id"], seen)
        return
    with parts.guard():
        film = viewer.read_film(file)
        tag = f"crop{', simulated' if seen.simulated else ''}"
        alt = f"Mammogram: {tag}, around abnormality {case['abnormality_id']}."
        frame = viewer.Frame("zoom-crop", film.values.shape[:2], film.picture, alt, tag, native=True)
        viewer.show_film(film, frame, window=window)
        st.caption(f"{origin(seen)}{film.size_words}.")
    if st.button("Classify this crop", icon=":material/image_search:", width="stretch"):
        classify(case, seen)


def classify(case: dict[str, Any], seen: Overview) -> None:
    """Go to the Scan page with this crop: as a sample where it is one, else as if it had been uploaded."""
    analyses.forget_scan()
    if any(sample.case_id == case["case_id"] for sample in seen.samples):
        for key in (state.SCAN_SAMPLE_GROUP, state.SCAN_SAMPLE + case["calc_group"]):  # what was chosen there before
            st.session_state.pop(key, None)
        st.switch_page("pages/scan.py", query_params={"sample": case["case_id"]})
    uploads.put(f"{case['case_id']}{Path(case['crop_file']).suffix}", Path(case["crop_file"]).read_bytes())
    st.switch_page("pages/scan.py")


def render_words(case: dict[str, Any], collection: Any) -> None:
    notes, labels, faults = st.columns([1.3, 1.2, 1], gap="large")
    with notes:
        st.subheader("Notes", anchor=False)
        st.markdown("\n".join(
            f"- {note.field}: **{note.words}**" + (f" `{note.written}`" if note.written.isupper() else "")
            for note in explore.describe_case(case).itertuples()
        ))  # fmt: skip
    with labels:
        st.subheader("Labels", anchor=False)
        label = read_mapping().label(case["morphology_tokens"])
        if label.single is None:
            st.markdown("**No group**: the type is not stated, so no rule applies.")
        else:
            st.html(parts.group_heading(label.single))
            st.markdown(GROUP_WORDS[label.single])
            if len(label.groups) > 1:
                st.markdown(f"It belongs to {' and '.join(label.groups)}; the rule that ranks highest decides.")
            st.markdown("\n".join(
                f"{number}. {display(rule.token)} → **{rule.group}** (BI-RADS {rule.birads}): {rule.reason}"
                for number, rule in enumerate(label.rules, start=1)
            ))  # fmt: skip
        st.caption("Reference label by the product's own rules; the Relabel page shows and changes them.")
    with faults:
        st.subheader("Faults", anchor=False)
        found = source.read_faults().of_case(case["case_id"])
        for fault in found:
            st.markdown(f"**{fault.kind.capitalize()}**: {parts.plain(fault.what)} ({parts.plain(fault.done)}).")
        if not found:
            st.markdown(":material/check: None is known.")
        st.caption("By tables and headers; `python -m lemons_core check` looks at the pixels too.")


def choose_window() -> tuple[int, int]:
    """Width and level in per cent of what each picture would be shown with by itself."""
    width = st.slider("Window: width", 10, 200, 100, 5, "%d%%", key=state.CASE_WINDOW_WIDTH, persist_state="session")
    level = st.slider("Level: centre", -50, 50, 0, 1, "%d%%", key=state.CASE_WINDOW_LEVEL, persist_state="session")
    return width, level


def render(seen: Overview) -> None:
    collection = source.read_tables()
    table = collection.table
    case = choose_case(table)
    st.query_params["case"] = case["case_id"]
    breast = table[(table["patient_id"] == case["patient_id"]) & (table["laterality"] == case["laterality"])]
    if not seen.simulated and breast[["view_file", "crop_file"]].isna().all(axis=None):
        render_absent("No image of this breast", "", case["image_id"], seen)
        render_words(case, collection)
        return
    columns = st.columns(3, gap="small")
    render_words(case, collection)  # before the pictures, which take longer
    with columns[2]:
        crop = st.container()
        window = choose_window() if breast[["view_file", "crop_file"]].notna().any(axis=None) else (100, 0)
    with crop:
        render_crop(case, window, seen)
    for column, view in zip(columns, View, strict=False):
        with column:
            render_view(str(view), case, breast, window, seen)


enter(__file__)
parts.page_title(
    "Case viewer", "Look at one abnormality: both views, outlined as its mask says, and all that is noted of it."
)
with parts.guard():
    render(source.overview())
