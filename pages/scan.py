"""Scan: one mammogram or many, where calcifications are, what kind, why, and all of that to take away."""

from contextlib import suppress

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import display
from lemons_core.dataset.film import PACKAGE
from lemons_core.dataset.overview import Sample, SampleOrigin
from lemons_core.ui.scan import analyses, files, heat, uploads, view
from lemons_core.ui.scan.analyses import Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell import parts, source, state
from lemons_core.ui.shell.navigation import enter
from lemons_core.vision.record.card import read_card
from lemons_core.vision.record.findings import Analysis, AnalysisOptions, Refusal

KINDS = {"told by itself": None, "whole view": "view", "crop": "crop"}


def choose_pictures() -> tuple[Upload, ...]:
    """What to look at. The visitor's own files go first until they are removed."""
    own = uploads.current_uploads()
    upload_side, other_side = st.columns([3, 2] if own else 2, gap="medium", vertical_alignment="center")
    with upload_side:
        uploads.upload_box()
    for fault in uploads.faults():
        parts.show_error(fault)
    sample = None
    with other_side, parts.guard():
        if own or uploads.faults():
            st.query_params.pop("sample", None)
            st.button("Remove my pictures", icon=":material/delete:", on_click=analyses.forget_scan)
            st.caption(f"{len(own)} of your own, in memory until you remove them or leave.")
            return own
        sample = choose_sample()
    return (uploads.of_sample(sample),) if sample else ()


def choose_sample() -> Sample | None:
    """One picture to try; the choice lives in the address."""
    lists = source.overview().sample_lists()
    by_id = {sample.case_id: sample for samples in lists.values() for sample in samples}
    if not by_id:
        st.markdown("**No pictures to try.** Your collection has none on disk. Upload one instead.")
        return None
    if "real film" not in lists:
        st.caption(f"Real film to try comes with one package: `pip install {PACKAGE}`.")
    asked = by_id.get(st.query_params.get("sample", ""))
    own = next((name for name, samples in lists.items() if asked in samples), None)
    kind = st.pills(
        "Or choose a picture to try",
        list(lists),
        default=own or next(iter(lists)),
        required=True,
        key=state.SCAN_SAMPLE_GROUP,
        persist_state="session",
        wrap=True,
    )
    options = [sample.case_id for sample in lists[kind]]
    chosen = st.selectbox(
        "Picture",
        options,
        index=options.index(asked.case_id) if asked and own == kind else 0,
        key=state.SCAN_SAMPLE + kind,
        persist_state="session",
        format_func=lambda case: f"{by_id[case].words or display(by_id[case].morphology)}, {case}",
        label_visibility="collapsed",
    )
    st.query_params["sample"] = chosen
    return by_id[chosen]


def options_of(upload: Upload) -> AnalysisOptions:
    """How the visitor wants this picture to be analysed."""
    kind = KINDS.get(st.session_state.get(state.SCAN_KIND, ""))
    force = upload.key in st.session_state.get(state.SCAN_FORCED, ())
    return AnalysisOptions(kind, st.session_state.get(state.SCAN_SPACING) or None, force=force)


def choose_how() -> None:
    with st.popover("Taken as", icon=":material/tune:"):
        parts.one_of("The picture is a", KINDS, key=state.SCAN_KIND, persist_state="session")
        st.number_input(
            "Pixel spacing in mm, for files that state none",
            0.01,
            0.5,
            None,
            0.005,
            "%.3f",
            key=state.SCAN_SPACING,
            persist_state="session",
            placeholder="estimated",
            help="Film scans have 0.04 to 0.05, digital views 0.05 to 0.1. The file's own is used where it states one.",
        )


def choose_one(pictures: tuple[Upload, ...]) -> Upload:
    """The picture that is shown; of several, one line each."""
    keys = [one.key for one in pictures]
    chosen = st.session_state.get(state.SCAN_CHOSEN)
    index = keys.index(chosen) if chosen in keys else 0
    if len(pictures) == 1:
        return pictures[0]
    table = f"given-{index}"

    def take() -> None:
        rows = st.session_state[table]["selection"]["rows"]
        if rows:
            st.session_state[state.SCAN_CHOSEN] = keys[rows[0]]
            st.query_params.pop("region", None)

    st.dataframe(
        {
            "picture": [str(number) for number in range(1, len(pictures) + 1)],
            "file": [one.name for one in pictures],
            "answer": [status(one) for one in pictures],
        },
        key=table,
        on_select=take,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [index]}},
        hide_index=True,
        height=min(38 + 35 * len(pictures), 250),
        column_config={
            "picture": st.column_config.TextColumn(width=60),
            "answer": st.column_config.TextColumn(width=420),
        },
    )
    return pictures[index]


def status(upload: Upload) -> str:
    found = peek(upload)
    if found is None:
        return "waiting"
    if isinstance(found, LemonsError):
        return f"cannot be read: {found.what}"
    return view.summary(view.limited(found))


def origin_of(sample: Sample | None) -> str:
    if sample is None:
        return "your picture"
    return "case of the collection" if sample.origin == SampleOrigin.COLLECTION else sample.origin


def render_refused(upload: Upload, refusal: Refusal) -> None:
    """A picture that is taken for no mammogram: why, what it looks like, and a way on."""
    with st.container(border=True):
        words, picture = st.columns([3, 1], gap="medium")
        small = source.fit(analyses.picture_of(upload).pixels, 320)
        picture.image(small, clamp=True, width="stretch", alt="The refused picture")
        words.markdown(f"### :material/block: This is not taken for a mammogram\n{parts.plain(refusal.reason)}")
        words.button(
            "Go on anyhow",
            icon=":material/front_hand:",
            on_click=lambda: st.session_state.setdefault(state.SCAN_FORCED, set()).add(upload.key),
        )
        words.caption("The answer and every file made from it will be marked.")


def render_analysis(upload: Upload, whole: Analysis | Refusal, number: int) -> None:
    head, how = st.columns([5, 1], vertical_alignment="top")
    with how:
        choose_how()
    if isinstance(whole, Refusal):
        with head:
            render_refused(upload, whole)
        return
    analysis = whole.shown_from(view.shown_from(whole) / 100)
    scan = Scan(upload, analysis)
    with head:
        view.render_headline(analysis)
    picture, words = st.columns([1.15, 1], gap="medium")
    with picture:
        view.render_view(scan, origin_of(upload.sample), heat.heat_on_view(analysis), heat.read_opacity())
    with words:
        view.render_detections(analysis)
        if whole.detections:
            view.render_limit(analysis, len(whole.detections) - len(analysis.detections))
        view.render_bars(scan, read_card(config.read_settings().model))
        view.render_warnings(analysis)
    heat.render_close(scan)
    files.render_files(scan, number)
    view.render_facts(analysis)


def render(pictures: tuple[Upload, ...]) -> None:
    chosen = choose_one(pictures)
    if st.session_state.setdefault(state.SCAN_SHOWN, chosen.key) != chosen.key:  # another picture, other findings
        st.query_params.pop("region", None)
    st.session_state[state.SCAN_SHOWN] = chosen.key
    if len(pictures) > 1 and peek(chosen) is None:
        look_at(chosen)
    with parts.guard():
        render_analysis(chosen, analyses.analyse(chosen, options_of(chosen)), pictures.index(chosen) + 1)
    waiting = [one for one in pictures if peek(one) is None]
    if waiting and len(pictures) > 1:
        st.caption(f":material/hourglass_top: {len(waiting)} more to look at.")
        look_at(waiting[0])


def look_at(upload: Upload) -> None:
    """Analyse one of several, and have the list above show it."""
    with suppress(LemonsError):  # the list shows that as well
        analyses.analyse(upload, options_of(upload))
    if peek(upload) is not None:  # else the model is missing, and the page says so
        st.rerun()


def peek(upload: Upload) -> Analysis | Refusal | LemonsError | None:
    return analyses.peek(upload, options_of(upload))


enter(__file__)
analyses.warm_up()
parts.page_title(
    "Scan",
    "Upload a mammogram: see where calcifications are, what kind they probably are, and why.",
    predicts=True,
)
with parts.guard():
    pictures = choose_pictures()
    if pictures:
        render(pictures)
