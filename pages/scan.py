"""Scan: one picture, its probabilities, and a heat map that shows where a score comes from."""

from pathlib import Path

import streamlit as st

from lemons_core import config
from lemons_core.card import ModelCard, read_card
from lemons_core.terms import GROUP_WORDS, GROUPS, Group
from lemons_core.ui import parts, scans, source
from lemons_core.ui.navigation import enter
from lemons_core.ui.overview import Sample

TOP = "top group"
CHOICES = (TOP, "calcification", *(str(group) for group in GROUPS))


def choose_picture() -> tuple[str, bytes, Sample | None] | None:
    """Name, bytes and, of a sample, what is known of it. The visitor's own file goes first until it is removed."""
    samples_side, upload_side = st.columns(2, gap="medium")
    with upload_side.container(border=True, height="stretch"):
        upload = st.file_uploader(
            "Upload a crop: DICOM, PNG, JPEG or TIFF",
            key=f"upload-{st.session_state.get('uploads', 0)}",
            help="The type is told by the content. The file stays in memory for this visit and is written nowhere.",
        )
        if upload is not None:
            st.session_state["scan"] = (upload.name, upload.getvalue())
        own = st.session_state.get("scan")
        if own and upload is None:  # the uploader forgets when the page changes, the session does not
            st.caption(f"Still in use: {parts.plain(own[0])}, {len(own[1]) / 1e6:.1f} MB.")
        if own:
            st.button("Remove my scan", icon=":material/delete:", on_click=scans.forget_scan)
    sample = None
    with samples_side.container(border=True, height="stretch"), parts.guard():
        sample = choose_sample(disabled=own is not None)
    if own:
        return *own, None
    return (f"{sample.case_id}.dcm", Path(sample.file).read_bytes(), sample) if sample else None


def choose_sample(disabled: bool) -> Sample | None:
    """One crop of the data in use; the choice lives in the address."""
    seen = source.overview()
    if not seen.samples:
        st.markdown("**No samples.** Your collection has no crop on disk. Upload a picture instead.")
        return None
    by_id = {sample.case_id: sample for sample in seen.samples}
    asked = by_id.get(st.query_params.get("sample", ""))
    present = [str(group) for group in GROUPS if seen.of_group(group)]
    origin = "simulated" if seen.simulated else "your collection"
    group = st.pills(
        f"Choose a sample ({origin})",
        present,
        default=asked.group if asked else "micro" if "micro" in present else present[0],
        required=True,
        key="sample_group",
        persist_state="session",
        disabled=disabled,
    )
    options = [sample.case_id for sample in seen.of_group(group)]
    chosen = st.selectbox(
        "Sample",
        options,
        index=options.index(asked.case_id) if asked and asked.group == group else 0,
        key=f"sample-{group}",
        persist_state="session",
        format_func=lambda case: f"{source.words_of(by_id[case])} ({origin}), {case}",
        label_visibility="collapsed",
        disabled=disabled,
    )
    if disabled:
        st.query_params.pop("sample", None)
    else:
        st.query_params["sample"] = chosen
    return by_id[chosen]


def origin_of(sample: Sample | None) -> str:
    if sample is None:
        return "Your picture"
    return "Simulated sample" if source.overview().simulated else "Sample of your collection"


def render_answer(scan: scans.Scan, card: ModelCard, sample: Sample | None) -> None:
    from lemons_core.charts import probability_figure

    result = scan.result
    top = result.probabilities[result.top]
    st.markdown(
        f"**Any calcification: {result.calcification:.0%}.** Most probable group: **{result.top}**, {top:.0%}.  \n"
        f"{GROUP_WORDS[Group(result.top)]}"
    )
    if scan.warnings:
        st.warning("\n".join(f"- {parts.plain(warning)}" for warning in scan.warnings))
    words = ", ".join(f"{name} {value:.0%}" for name, value in result.probabilities.items())
    parts.chart(
        probability_figure(result.calcification, result.probabilities),
        "probabilities",
        f"Probabilities: any calcification {result.calcification:.0%}, {words}",
    )
    st.caption(
        f"n = 1 picture. Probabilities by {parts.plain(card.name)}, trained on {parts.plain(card.trained_on)}: not a "
        "diagnosis. A picture can hold several groups, so they need not sum to 100%."
    )
    if sample:
        st.caption(f"Reference label of this sample: {sample.group} ({source.words_of(sample)}).")
    with st.expander("The same as a table"):
        names = ["any calcification", *result.probabilities]
        values = [f"{value:.1%}" for value in (result.calcification, *result.probabilities.values())]
        st.table({"Label": names, "Probability": values}, hide_index=True)


def render_pictures(scan: scans.Scan, key: tuple[str, str], name: str, data: bytes, origin: str) -> None:
    from lemons_core import overlay

    choice = st.segmented_control(
        "Heat map for",
        CHOICES,
        key="class",
        bind="query-params",
        default=TOP,
        required=True,
        wrap=True,
    )
    target = scan.result.top if choice == TOP else choice
    left, right = st.columns(2, gap="medium")
    first, second = left.empty(), right.container()  # the pictures stand above the sliders that change them
    low, high = overlay.display_window(scan.shown)
    window = left.slider("Black and white point", 0.0, 1.0, (round(low, 2), round(high, 2)), 0.01)
    opacity = right.slider("Opacity of the heat map", 0.0, 1.0, 0.55, 0.05, key="opacity")
    stops = ",".join(f"rgb({red},{green},{blue})" for red, green, blue in overlay.colour_table()[::17])
    right.html(
        f'<div class="scale"><span>low</span><i role="img" aria-label="Dark violet is low, yellow is high" '
        f'style="background:linear-gradient(90deg,{stops})"></i><span>high</span></div>'
    )
    shown = overlay.to_grey8(scan.shown, window)
    first.image(
        shown, caption=f"{origin}, {scan.facts['size']}", width="stretch", alt=f"The {scan.kind}; bright is dense"
    )
    value = scan.result.probabilities.get(target, scan.result.calcification)
    with second:
        st.image(
            overlay.blend(shown, scans.heat_map(*key, target, name, data), opacity=opacity),
            caption=f"Grad-CAM for {target} ({value:.0%})",
            width="stretch",
            alt=f"Heat map of the parts that raised the score for {target}, laid over the picture",
        )
    st.caption(
        "The heat map shows which parts raised this one score, scaled to this picture's own maximum; it is not an "
        "outline of a finding and says nothing of how sure the model is."
    )


def render_facts(scan: scans.Scan, card: ModelCard) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Read from the file", anchor=False)
        st.table({"Field": list(scan.facts), "Value": list(scan.facts.values())}, hide_index=True)
        if scan.notes:
            st.caption(
                "What was done on reading: " + " ".join(f"{parts.plain(note.rstrip('.'))}." for note in scan.notes)
            )
    with right:
        st.subheader("The model", anchor=False)
        parts.render_model(card)


enter(__file__)
parts.page_title(
    "Scan", "Give a crop of a mammogram; see how probable each group is, and where in the picture a score comes from."
)
st.markdown(f":yellow-badge[:material/science: {config.NOTICE}]")
with parts.guard():
    picture = choose_picture()
    if picture:
        name, data, sample = picture
        card = read_card(config.SHIPPED_MODEL)
        key = scans.digest_of(data), card.sha256
        scan = scans.classify(*key, name, data)
        answer, pictures = st.columns([1.1, 2], gap="large")
        with answer:
            render_answer(scan, card, sample)
        with pictures:
            render_pictures(scan, key, name, data, origin_of(sample))
        render_facts(scan, card)
