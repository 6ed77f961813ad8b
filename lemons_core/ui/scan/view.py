"""The analysis of one picture: what was found, where it lies, how probable each group is."""

from collections import Counter

import streamlit as st

from lemons_core.base import config
from lemons_core.base.terms import GROUP_WORDS, Group, display
from lemons_core.dataset.overview import SampleOrigin
from lemons_core.ui.scan import analyses
from lemons_core.ui.scan.analyses import HeatOptions, Scan
from lemons_core.ui.shell import parts, state
from lemons_core.vision.record.card import ModelCard, read_card
from lemons_core.vision.record.findings import MIN_SCORE, SHOWN_FROM, Analysis, CropResult, Detection, Refusal

NOT_SURE = "not sure which group"
LIKELY = 0.5  # from here on a group is named beside the most probable one


def choose_detection(number: int) -> None:
    """Make detection `number`, from 1, the chosen one; 0 is a crop as one piece."""
    st.query_params["region"] = str(number)


def chosen_detection(analysis: Analysis) -> int:
    """Number of the chosen detection, from 1; 0: none, or the crop as one piece."""
    requested = st.query_params.get("region", "")
    number = int(requested) if requested.isdecimal() and len(requested) < 4 else -1
    first = 0 if analysis.crop else 1
    number = number if first <= number <= len(analysis.detections) else first
    return min(number, len(analysis.detections))


def chosen_finding(analysis: Analysis) -> tuple[Detection | CropResult, float] | None:
    """The chosen detection, else the crop as one piece, and the probability of any calcification in it."""
    number = chosen_detection(analysis)
    if number:
        return analysis.detections[number - 1], analysis.detections[number - 1].score
    return (analysis.crop, analysis.crop.calcification) if analysis.crop else None


def summary(analysis: Analysis | Refusal) -> str:
    """The answer in a few words, plain text."""
    if isinstance(analysis, Refusal):
        return "refused: no mammogram"
    if analysis.crop:
        return f"crop, any calcification {analysis.crop.calcification:.0%}, {kind_words(analysis.crop)}"
    count = len(analysis.detections)
    if not count:
        return "no place that looks like calcification"
    first = analysis.detections[0]
    return f"{count} place{'s' * (count > 1)}, the first {first.score:.0%}, {kind_words(first)}"


def kind_words(found: Detection | CropResult) -> str:
    return NOT_SURE if found.abstained else f"most probably {found.top}"


def shown_from(analysis: Analysis) -> int:
    """From which probability on detections are shown, per cent."""
    kind = analysis.result.kind
    chosen: int = st.session_state.get(state.SCAN_SHOWN_FROM + kind, round(100 * SHOWN_FROM[kind]))
    return chosen


def limited(analysis: Analysis | Refusal) -> Analysis | Refusal:
    """The analysis without the detections that are not shown."""
    return analysis if isinstance(analysis, Refusal) else analysis.shown_from(shown_from(analysis) / 100)


def render_limit(analysis: Analysis, hidden: int) -> None:
    """From where on detections are shown; `hidden` of them are not."""
    st.slider(
        "Show places from",
        round(100 * MIN_SCORE),
        95,
        shown_from(analysis),
        5,
        "%d%%",
        key=state.SCAN_SHOWN_FROM + analysis.result.kind,
        persist_state="session",
        help="Lower finds more and errs more often. The files to take away hold the places that are shown.",
    )
    if hidden:
        st.caption(f"{hidden} less probable place{'s are' if hidden > 1 else ' is'} not shown.")


def render_headline(analysis: Analysis) -> None:
    """One or two sentences that hold the answer."""
    if analysis.forced:
        st.warning(f"**Read at your word.** {parts.plain(analysis.forced)}", icon=":material/front_hand:")
    if analysis.crop:
        st.markdown(f"### Any calcification: {analysis.crop.calcification:.0%}")
        st.markdown(_crop_words(analysis.crop))
        return
    detections = analysis.detections
    if not detections:
        st.markdown("### No place looks like calcification")
        st.markdown(f"Nothing reaches {shown_from(analysis)}%; the view as a whole scores {analysis.result.score:.0%}.")
        return
    count = Counter("not sure" if detection.abstained else detection.top for detection in detections)
    groups = ", ".join(f"{n} {name}" for name, n in count.most_common())
    places = "1 place that looks" if len(detections) == 1 else f"{len(detections)} places that look"
    st.markdown(f"### {places} like calcification")
    first = detections[0]
    kind = NOT_SURE if first.abstained else f"most probably **{first.top}** ({first.probabilities[first.top]:.0%})"
    st.markdown(f"Highest score: place 1, **{first.score:.0%}**, {kind}. By group: {groups}.")


def _crop_words(crop: CropResult) -> str:
    if crop.abstained:
        return f"The model is **not sure**; the most probable group is {crop.top}, {crop.probabilities[crop.top]:.0%}."
    # "Typically benign" would mislead where something suspicious is as probable.
    others = [group for group, value in crop.probabilities.items() if group != crop.top and value >= LIKELY]
    others.sort(key=lambda group: -crop.probabilities[group])
    also = "".join(f", {group} {crop.probabilities[group]:.0%}" for group in others)
    words = "Several groups at once: look at each place." if also else GROUP_WORDS[Group(crop.top)]
    return f"Most probable group: **{crop.top}**, {crop.probabilities[crop.top]:.0%}{also}. {words}"


def render_view(scan: Scan, origin: str, heat: HeatOptions | None, opacity: float) -> None:
    """The picture in full resolution with every detection in a numbered box, and how it is windowed.

    heat : the heat map that lies over the picture, None for none
    """
    from lemons_core.report.pictures import detection_colour
    from lemons_core.ui.shell import viewer

    analysis = scan.analysis
    chosen = chosen_detection(analysis)
    frame = st.empty()  # above the sliders that change it
    left, right = st.columns(2, gap="medium")
    width = left.slider("Window: width", 10, 200, 100, 5, "%d%%", key=state.SCAN_WINDOW_WIDTH, persist_state="session")
    level = right.slider("Level: centre", -50, 50, 0, 1, "%d%%", key=state.SCAN_WINDOW_LEVEL, persist_state="session")
    numbered = list(enumerate(analysis.detections, start=1))
    numbered.sort(key=lambda one: one[0] == chosen)  # the chosen one is drawn last, over the others
    shapes = [
        viewer.box_shape(
            (detection.row, detection.col, detection.height, detection.width),
            colour=detection_colour(detection),
            chosen=number == chosen,
            label=str(number),
            words=f"Place {number}: calcification {detection.score:.0%}, {kind_words(detection)}",
        )
        for number, detection in numbered
    ]
    what = "Crop" if analysis.crop else "Mammogram"
    with frame:
        viewer.show(
            _picture(scan, (width, level), heat, opacity),
            viewer.Frame(
                key="zoom-scan",
                size=analysis.image.shape,
                picture=scan.upload.key,
                alt=f"{what}: {origin}. {summary(analysis)}.",
                tag=origin,
                shapes=tuple(shapes),
            ),
            on_choose=lambda index: choose_detection(numbered[index][0]),
        )


def _picture(scan: Scan, window: tuple[int, int], heat: HeatOptions | None, opacity: float) -> bytes:
    """The picture within a window; with the heat map in its place when that is asked for."""
    if heat is None:
        return analyses.shown(scan.upload, window)
    from lemons_core.images import display
    from lemons_core.ui.shell import viewer

    found = analyses.explain(scan, heat)
    grey = analyses.grey_of(scan.upload, window)
    return viewer.encode(display.blend_within(grey, found.heat, found.box, opacity=opacity), lossless=False)


def render_detections(analysis: Analysis) -> None:
    """The table of detections; a row that is clicked becomes the chosen one."""
    detections = analysis.detections
    if not detections:
        return
    chosen = chosen_detection(analysis)
    rows = {
        "place": [str(number) for number in range(1, len(detections) + 1)],
        "score": [100 * detection.score for detection in detections],
        "most probable": ["not sure" if detection.abstained else detection.top for detection in detections],
        "specks": [detection.n_specks for detection in detections],
        "extent": [detection.extent_mm for detection in detections],
        **{
            name: [100 * detection.probabilities[name] for detection in detections]
            for name in detections[0].probabilities
        },
    }
    if detections[0].malignancy is not None:
        rows["malignancy"] = [100 * (detection.malignancy or 0) for detection in detections]
    share = st.column_config.NumberColumn(format="%.0f%%", width=84)
    key = f"regions-{chosen}"

    def take() -> None:
        rows_chosen = st.session_state[key]["selection"]["rows"]
        choose_detection(rows_chosen[0] + 1 if rows_chosen else 0)

    st.dataframe(
        rows,
        key=key,
        on_select=take,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [chosen - 1] if chosen else []}},
        hide_index=True,
        height=min(38 + 35 * len(detections), 220),
        column_config={
            **dict.fromkeys(rows, share),
            "place": st.column_config.TextColumn(width=44, pinned=True),
            "score": st.column_config.NumberColumn(
                format="%.0f%%", width=56, help="Probability that there is calcification at all"
            ),
            "most probable": st.column_config.TextColumn(width=100),
            "specks": st.column_config.NumberColumn(width=56),
            "extent": st.column_config.NumberColumn(format="%.1f mm", width=68),
        },
        alt=f"Regions: {summary(analysis)}",
    )


def render_bars(scan: Scan, card: ModelCard) -> None:
    """Probabilities of the chosen detection, or of the crop as one piece, with the bands of "not sure"."""
    from lemons_core.charts.base import probability_figure

    analysis = scan.analysis
    number, chosen = chosen_detection(analysis), chosen_finding(analysis)
    if chosen is None:
        return
    found, score = chosen
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Place {number}**, {kind_words(found)}" if number else f"**The crop as one piece**, {kind_words(found)}"
        )
        if analysis.crop and number:
            st.button("The crop as one piece", type="tertiary", on_click=choose_detection, args=(0,))
    words = ", ".join(f"{name} {value:.0%}" for name, value in found.probabilities.items())
    bands = {label: band for label, band in card.abstain.items() if label in found.probabilities or not number}
    parts.chart(
        probability_figure(score, found.probabilities, bands),
        "probabilities",
        f"Probabilities: any calcification {score:.0%}, {words}",
    )
    malignant = "" if found.malignancy is None else f" Malignancy: {found.malignancy:.0%}."
    band = " Within a grey band the model is not sure." if bands else ""
    which = " Groups: what it is if it is calcification." if number else ""
    st.caption(
        f"n = 1 picture. Probabilities by {parts.plain(card.name)}, trained on {parts.plain(card.trained_on)}: not a "
        f"diagnosis. One place can hold several groups, so they need not sum to 100%.{which}{band}{malignant}"
    )
    sample = scan.upload.sample
    if sample and sample.words:
        st.caption(f"The case table says of this view: {parts.plain(sample.words)}.")
    elif sample:
        whose = "simulated picture" if sample.origin == SampleOrigin.SIMULATED else "case"
        st.caption(f"Reference label of this {whose}: {sample.group} ({display(sample.morphology)}).")


def render_warnings(analysis: Analysis) -> None:
    if analysis.warnings:
        st.warning("\n".join(f"- {parts.plain(warning)}" for warning in analysis.warnings))


def render_facts(analysis: Analysis) -> None:
    """What the file says of itself, and the model."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Read from the file", anchor=False)
        facts = analysis.image.facts() | {"taken as": "whole view" if analysis.result.kind == "view" else "crop"}
        st.table({"Field": list(facts), "Value": list(facts.values())}, hide_index=True)
        if analysis.image.notes:
            notes = (f"{parts.plain(note.rstrip('.'))}." for note in analysis.image.notes)
            st.caption("What was done on reading: " + " ".join(notes))
    with right:
        st.subheader("The model", anchor=False)
        parts.render_model(read_card(config.read_settings().model))
