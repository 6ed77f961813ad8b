"""Scan: one mammogram or many, where calcifications are, what kind, why, and all of that to take away."""

from contextlib import suppress

import streamlit as st

from lemons_core.base import config
from lemons_core.base.errors import LemonsError
from lemons_core.base.terms import GROUPS
from lemons_core.dataset.overview import Sample
from lemons_core.ui.scan import analyses as scans
from lemons_core.ui.scan import files as scan_files
from lemons_core.ui.scan import heat as scan_heat
from lemons_core.ui.scan import uploads
from lemons_core.ui.scan import view as scan_view
from lemons_core.ui.scan.analyses import Asked, Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell import parts, source
from lemons_core.ui.shell.navigation import enter
from lemons_core.vision.record.card import read_card

VIEW = "whole view"
KINDS = {"told by itself": None, "whole view": "view", "crop": "crop"}
_SHOWN, _ANYWAY = "shown_scan", "anyway"  # session: key of the picture shown last; keys of refused ones to go on with


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
            st.button("Remove my pictures", icon=":material/delete:", on_click=scans.forget_scan)
            st.caption(f"{len(own)} of your own, in memory until you remove them or leave.")
            return own
        sample = choose_sample()
    return (uploads.of_sample(sample),) if sample else ()


def choose_sample() -> Sample | None:
    """One crop or whole view of the data in use; the choice lives in the address."""
    seen = source.overview()
    by_id = {sample.case_id: sample for sample in (*seen.views, *seen.samples)}
    if not by_id:
        st.markdown("**No samples.** Your collection has no crop on disk. Upload a picture instead.")
        return None
    asked = by_id.get(st.query_params.get("sample", ""))
    lists = {VIEW: seen.views, **{str(group): tuple(seen.of_group(group)) for group in GROUPS}}
    lists = {name: samples for name, samples in lists.items() if samples}
    own = next((name for name, samples in lists.items() if asked in samples), None)
    origin = "simulated" if seen.simulated else "your collection"
    kind = st.pills(
        f"Or choose a sample ({origin})",
        list(lists),
        default=own or ("micro" if "micro" in lists else next(iter(lists))),
        required=True,
        key="sample_group",
        persist_state="session",
    )
    options = [sample.case_id for sample in lists[kind]]
    chosen = st.selectbox(
        "Sample",
        options,
        index=options.index(asked.case_id) if asked and own == kind else 0,
        key=f"sample-{kind}",
        persist_state="session",
        format_func=lambda case: f"{source.words_of(by_id[case])} ({origin}), {case}",
        label_visibility="collapsed",
    )
    st.query_params["sample"] = chosen
    return by_id[chosen]


def asked_of(given: Upload) -> Asked:
    """How the visitor wants this picture to be taken."""
    kind = KINDS.get(st.session_state.get("taken_as", ""))
    anyway = given.key in st.session_state.get(_ANYWAY, ())
    return Asked(kind, st.session_state.get("own_spacing") or None, anyway)


def choose_how() -> None:
    with st.popover("Taken as", icon=":material/tune:"):
        st.segmented_control(
            "The picture is a", list(KINDS), default="told by itself", key="taken_as", required=True,
            persist_state="session",
        )  # fmt: skip
        st.number_input(
            "Pixel spacing in mm, for files that state none",
            0.01,
            0.5,
            None,
            0.005,
            "%.3f",
            key="own_spacing",
            persist_state="session",
            placeholder="estimated",
            help="Film scans have 0.04 to 0.05, digital views 0.05 to 0.1. The file's own is used where it states one.",
        )


def choose_one(given: tuple[Upload, ...]) -> Upload:
    """The picture that is shown; of several, one line each."""
    keys = [one.key for one in given]
    place = keys.index(st.session_state[uploads.CHOSEN]) if st.session_state.get(uploads.CHOSEN) in keys else 0
    if len(given) == 1:
        return given[0]
    table = f"given-{place}"

    def take() -> None:
        rows = st.session_state[table]["selection"]["rows"]
        if rows:
            st.session_state[uploads.CHOSEN] = keys[rows[0]]
            st.query_params.pop("region", None)

    st.dataframe(
        {
            "picture": [str(number) for number in range(1, len(given) + 1)],
            "file": [one.name for one in given],
            "answer": [status(one) for one in given],
        },
        key=table,
        on_select=take,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [place]}},
        hide_index=True,
        height=min(38 + 35 * len(given), 250),
        column_config={
            "picture": st.column_config.TextColumn(width=60),
            "answer": st.column_config.TextColumn(width=420),
        },
    )
    return given[place]


def status(given: Upload) -> str:
    found = answered(given)
    if found is None:
        return "waiting"
    if isinstance(found, LemonsError):
        return f"cannot be read: {found.what}"
    return scan_view.summary(scan_view.limited(found))


def origin_of(sample: Sample | None) -> str:
    if sample is None:
        return "your picture"
    return "simulated sample" if source.overview().simulated else "sample of your collection"


def render_refused(given: Upload, scan: Scan) -> None:
    """A picture that is taken for no mammogram: why, what it looks like, and a way on."""
    with st.container(border=True):
        words, picture = st.columns([3, 1], gap="medium")
        small = source.fit(scans.picture_of(given).pixels, 320)
        picture.image(small, clamp=True, width="stretch", alt="The refused picture")
        words.markdown(f"### :material/block: This is not taken for a mammogram\n{parts.plain(scan.refused)}")
        words.button(
            "Go on anyhow",
            icon=":material/front_hand:",
            on_click=lambda: st.session_state.setdefault(_ANYWAY, set()).add(given.key),
        )
        words.caption("The answer and every file made from it will be marked.")


def render_answer(given: Upload, whole: Scan, number: int) -> None:
    scan = scan_view.limited(whole)
    head, how = st.columns([5, 1], vertical_alignment="top")
    with how:
        choose_how()
    if scan.result is None:
        with head:
            render_refused(given, scan)
        return
    with head:
        scan_view.render_headline(scan)
    picture, words = st.columns([1.15, 1], gap="medium")
    with picture:
        scan_view.render_view(given, scan, origin_of(given.sample))
    with words:
        scan_view.render_regions(scan)
        if whole.result and whole.result.regions:
            scan_view.render_limit(scan, len(whole.result.regions) - len(scan.result.regions))
        scan_view.render_bars(given, scan, read_card(config.read_settings().model))
        scan_view.render_warnings(scan)
    scan_heat.render_close(given, scan)
    scan_files.render_files(given, scan, number)
    scan_view.render_facts(scan)


def render(given: tuple[Upload, ...]) -> None:
    chosen = choose_one(given)
    if st.session_state.setdefault(_SHOWN, chosen.key) != chosen.key:  # another picture, other regions
        st.query_params.pop("region", None)
    st.session_state[_SHOWN] = chosen.key
    if len(given) > 1 and answered(chosen) is None:
        look_at(chosen)
    with parts.guard():
        render_answer(chosen, scans.classify(chosen, asked_of(chosen)), given.index(chosen) + 1)
    waiting = [one for one in given if answered(one) is None]
    if waiting and len(given) > 1:
        st.caption(f":material/hourglass_top: {len(waiting)} more to look at.")
        look_at(waiting[0])


def look_at(given: Upload) -> None:
    """Find the answer for one of several, and have the list above tell it."""
    with suppress(LemonsError):  # the list tells that as well
        scans.classify(given, asked_of(given))
    if answered(given) is not None:  # else the model is missing, and the page says so
        st.rerun()


def answered(given: Upload) -> Scan | LemonsError | None:
    return scans.peek(given, asked_of(given))


enter(__file__)
parts.page_title(
    "Scan",
    f"Give a mammogram: see where calcifications are, what kind they probably are, and why. "
    f":yellow-badge[:material/science: {config.NOTICE}]",
)
with parts.guard():
    pictures = choose_pictures()
    if pictures:
        render(pictures)
