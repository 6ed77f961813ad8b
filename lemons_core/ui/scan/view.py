"""The answer for one picture: what was found, where it lies, how probable each group is."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base import config
from lemons_core.base.terms import GROUP_WORDS, Group
from lemons_core.ui.scan import analyses as scans
from lemons_core.ui.scan.analyses import Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.shell import parts, source
from lemons_core.vision.record.card import ModelCard, read_card

if TYPE_CHECKING:
    from lemons_core.vision.detect.classify import CropResult
    from lemons_core.vision.detect.detector import Detection

NOT_SURE = "not sure which group"
WINDOW, HEAT, LIMIT = ("scan_window", "scan_level"), "heat_on_view", "shown_from_"  # session


def choose_region(number: int) -> None:
    """Make region `number`, from 1, the chosen one; 0 is a crop as one piece."""
    st.query_params["region"] = str(number)


def chosen_region(scan: Scan) -> int:
    """Number of the chosen region, from 1; 0: none, or the crop as one piece."""
    assert scan.result
    asked = st.query_params.get("region", "")
    number = int(asked) if asked.isdecimal() and len(asked) < 4 else -1
    first = 0 if scan.crop else 1
    number = number if first <= number <= len(scan.result.regions) else first
    return min(number, len(scan.result.regions))


def summary(scan: Scan) -> str:
    """The answer in a few words, plain text."""
    if scan.result is None:
        return "refused: no mammogram"
    if scan.crop:
        return f"crop, any calcification {scan.crop.calcification:.0%}, {kind_words(scan.crop)}"
    count = len(scan.result.regions)
    if not count:
        return "no place that looks like calcification"
    first = scan.result.regions[0]
    return f"{count} place{'s' * (count > 1)}, the first {first.score:.0%}, {kind_words(first)}"


def kind_words(found: "Detection | CropResult") -> str:
    return NOT_SURE if found.abstained else f"most probably {found.top}"


LIKELY = 0.5  # from here on a group is named beside the most probable one


def shown_from(scan: Scan) -> int:
    """From which probability on places are shown, per cent."""
    from lemons_core.vision.detect.detector import SHOWN_FROM

    assert scan.result
    kind = scan.result.kind
    chosen: int = st.session_state.get(LIMIT + kind, round(100 * SHOWN_FROM[kind]))
    return chosen


def limited(scan: Scan) -> Scan:
    """The answer without the places that are not shown."""
    if scan.result is None:
        return scan
    limit = shown_from(scan) / 100
    regions = tuple(region for region in scan.result.regions if region.score >= limit)
    return replace(scan, result=replace(scan.result, regions=regions))


def render_limit(scan: Scan, hidden: int) -> None:
    """From where on places are shown; `hidden` of them are not."""
    from lemons_core.vision.detect.detector import MIN_SCORE

    assert scan.result
    st.slider(
        "Show places from",
        round(100 * MIN_SCORE),
        95,
        shown_from(scan),
        5,
        "%d%%",
        key=LIMIT + scan.result.kind,
        persist_state="session",
        help="Lower finds more and errs more often. The files to take away hold the places that are shown.",
    )
    if hidden:
        st.caption(f"{hidden} less probable place{'s are' if hidden > 1 else ' is'} not shown.")


def render_headline(scan: Scan) -> None:
    """One or two sentences that hold the answer."""
    assert scan.result
    if scan.refused:
        st.warning(f"**Read at your word.** {parts.plain(scan.refused)}", icon=":material/front_hand:")
    if scan.crop:
        st.markdown(f"### Any calcification: {scan.crop.calcification:.0%}")
        st.markdown(_crop_words(scan.crop))
        return
    regions = scan.result.regions
    if not regions:
        st.markdown("### No place looks like calcification")
        st.markdown(f"Nothing reaches {shown_from(scan)}%; the view as a whole scores {scan.result.score:.0%}.")
        return
    count = Counter("not sure" if region.abstained else region.top for region in regions)
    groups = ", ".join(f"{n} {name}" for name, n in count.most_common())
    places = "1 place that looks" if len(regions) == 1 else f"{len(regions)} places that look"
    st.markdown(f"### {places} like calcification")
    first = regions[0]
    kind = NOT_SURE if first.abstained else f"most probably **{first.top}** ({first.probabilities[first.top]:.0%})"
    st.markdown(f"Highest score: place 1, **{first.score:.0%}**, {kind}. By group: {groups}.")


def _crop_words(crop: "CropResult") -> str:
    if crop.abstained:
        return f"The model is **not sure**; the most probable group is {crop.top}, {crop.probabilities[crop.top]:.0%}."
    # "Typically benign" would mislead where something suspicious is as probable.
    others = [group for group, value in crop.probabilities.items() if group != crop.top and value >= LIKELY]
    others.sort(key=lambda group: -crop.probabilities[group])
    also = "".join(f", {group} {crop.probabilities[group]:.0%}" for group in others)
    words = "Several groups at once: look at each place." if also else GROUP_WORDS[Group(crop.top)]
    return f"Most probable group: **{crop.top}**, {crop.probabilities[crop.top]:.0%}{also}. {words}"


def render_view(given: Upload, scan: Scan, origin: str) -> None:
    """The picture in full resolution with every region in a numbered box, and how it is windowed."""
    from lemons_core.report.pictures import region_colour
    from lemons_core.ui.shell import viewer

    assert scan.result
    chosen = chosen_region(scan)
    place = st.empty()  # above the sliders that change it
    left, right = st.columns(2, gap="medium")
    width = left.slider("Window: width", 10, 200, 100, 5, "%d%%", key=WINDOW[0], persist_state="session")
    level = right.slider("Level: centre", -50, 50, 0, 1, "%d%%", key=WINDOW[1], persist_state="session")
    regions = list(enumerate(scan.result.regions, start=1))
    regions.sort(key=lambda one: one[0] == chosen)  # the chosen one is drawn last, over the others
    shapes = [
        viewer.box_shape(
            region.row,
            region.col,
            region.height,
            region.width,
            colour=region_colour(region),
            chosen=number == chosen,
            label=str(number),
            words=f"Place {number}: calcification {region.score:.0%}, {kind_words(region)}",
        )
        for number, region in regions
    ]
    what = "Crop" if scan.crop else "Mammogram"
    with place:
        viewer.show(
            _picture(given, scan, (width, level)),
            scan.shape,
            picture=given.key,
            key="zoom-scan",
            alt=f"{what}: {origin}. {summary(scan)}.",
            tag=origin,
            shapes=shapes,
            on_choose=lambda place: choose_region(regions[place][0]),
        )


def _picture(given: Upload, scan: Scan, window: tuple[int, int]) -> bytes:
    """The picture within a window; with the heat map of the chosen region in its place when that is asked for."""
    if not st.session_state.get(HEAT):
        return scans.shown(given.key, window, given)
    from lemons_core.images import display as overlay
    from lemons_core.ui.scan import heat as scan_heat
    from lemons_core.ui.shell import viewer

    asked = scan_heat.read_choice(scan)
    found = scans.explain(given, scan, asked.region, asked.target, asked.layer)
    grey = scans.grey_of(given, window)
    return viewer.encode(overlay.blend_within(grey, found.heat, found.box, opacity=asked.opacity), lossless=False)


def render_regions(scan: Scan) -> None:
    """The table of regions; a row that is clicked becomes the chosen one."""
    assert scan.result
    regions = scan.result.regions
    if not regions:
        return
    chosen = chosen_region(scan)
    rows = {
        "place": [str(number) for number in range(1, len(regions) + 1)],
        "score": [100 * region.score for region in regions],
        "most probable": ["not sure" if region.abstained else region.top for region in regions],
        "specks": [region.n_specks for region in regions],
        "extent": [region.extent_mm for region in regions],
        **{name: [100 * region.probabilities[name] for region in regions] for name in regions[0].probabilities},
    }
    if regions[0].malignancy is not None:
        rows["malignancy"] = [100 * (region.malignancy or 0) for region in regions]
    share = st.column_config.NumberColumn(format="%.0f%%", width=84)
    key = f"regions-{chosen}"

    def take() -> None:
        rows_chosen = st.session_state[key]["selection"]["rows"]
        choose_region(rows_chosen[0] + 1 if rows_chosen else 0)

    st.dataframe(
        rows,
        key=key,
        on_select=take,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [chosen - 1] if chosen else []}},
        hide_index=True,
        height=min(38 + 35 * len(regions), 220),
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
        alt=f"Regions: {summary(scan)}",
    )


def render_bars(given: Upload, scan: Scan, card: ModelCard) -> None:
    """Probabilities of the chosen region, or of the crop as one piece, with the band in which the model is not sure."""
    from lemons_core.charts.base import probability_figure

    assert scan.result
    number = chosen_region(scan)
    found: Detection | CropResult
    if number:
        found = scan.result.regions[number - 1]
        score = found.score
    elif scan.crop:
        found, score = scan.crop, scan.crop.calcification
    else:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Place {number}**, {kind_words(found)}" if number else f"**The crop as one piece**, {kind_words(found)}"
        )
        if scan.crop and number:
            st.button("The crop as one piece", type="tertiary", on_click=choose_region, args=(0,))
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
    if given.sample:
        whose = "simulated sample" if source.overview().simulated else "sample"
        st.caption(f"Reference label of this {whose}: {given.sample.group} ({source.words_of(given.sample)}).")


def render_warnings(scan: Scan) -> None:
    if scan.warnings:
        st.warning("\n".join(f"- {parts.plain(warning)}" for warning in scan.warnings))


def render_facts(scan: Scan) -> None:
    """What the file says of itself, and the model."""
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
        parts.render_model(read_card(config.read_settings().model))
