"""The close look: one detection enlarged, its heat map beside it, and how far to trust that map."""

from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base.terms import GROUPS
from lemons_core.ui.scan import analyses
from lemons_core.ui.scan.analyses import HeatOptions, Scan
from lemons_core.ui.scan.view import chosen_detection, chosen_finding
from lemons_core.ui.shell import parts, source, state
from lemons_core.vision.record.findings import Analysis, Detection

if TYPE_CHECKING:
    from lemons_core.vision.detect.gradcam import HeatMap

TOP = "top group"
CHOICES = (TOP, "calcification", *(str(group) for group in GROUPS))
OPACITY = 0.55
LONGEST = 900  # pixels of a picture here: more than its column can show
ALIKE = 0.5  # from this similarity on, a map owes more to the picture's own edges than to what was learned


def read_options(analysis: Analysis) -> HeatOptions | None:
    """What the widgets of the close look say, also before they stand on the page; None where there is nothing."""
    from lemons_core.vision.detect.gradcam import DEFAULT_LAYER, LAYERS

    chosen = chosen_finding(analysis)
    if chosen is None:
        return None
    found = chosen[0]
    label = st.session_state.get(state.SCAN_HEAT_CLASS) or st.query_params.get(state.SCAN_HEAT_CLASS, TOP)
    layer = st.session_state.get(state.SCAN_HEAT_LAYER, DEFAULT_LAYER)
    target = found.top if label not in CHOICES[1:] else label
    detection = found if isinstance(found, Detection) else None
    return HeatOptions(detection, target, layer if layer in LAYERS else DEFAULT_LAYER)


def read_opacity() -> float:
    """0-1, of the heat map over the picture."""
    opacity: float = st.session_state.get(state.SCAN_HEAT_OPACITY, OPACITY)
    return opacity


def heat_on_view(analysis: Analysis) -> HeatOptions | None:
    """The heat map that is to lie over the whole picture as well; None when nobody asked for it."""
    return read_options(analysis) if st.session_state.get(state.SCAN_HEAT_ON_VIEW) else None


def render_close(scan: Scan) -> None:
    """The chosen detection and its heat map side by side."""
    from lemons_core.images import display
    from lemons_core.vision.detect.gradcam import DEFAULT_LAYER, LAYERS

    number, chosen = chosen_detection(scan.analysis), chosen_finding(scan.analysis)
    if chosen is None:
        return
    finding, score = chosen
    what = f"place {number}" if number else "the crop"
    st.subheader(f"Why? A close look at {what}", anchor=False)
    with st.container(horizontal=True):
        parts.one_of("Heat map for", CHOICES, key=state.SCAN_HEAT_CLASS, bind="query-params")
        layer = parts.one_of("Layer", LAYERS, key=state.SCAN_HEAT_LAYER, default=DEFAULT_LAYER, persist_state="session")
    st.caption(f"{layer.capitalize()}: {LAYERS[layer]}.")
    options = read_options(scan.analysis)
    assert options, "there is a detection or a crop"
    found = analyses.explain(scan, options)
    row, col, height, width = found.box
    window = st.session_state.get(state.SCAN_WINDOW_WIDTH, 100), st.session_state.get(state.SCAN_WINDOW_LEVEL, 0)
    grey = analyses.grey_of(scan.upload, window)[row : row + height, col : col + width]
    left, right = st.columns(2, gap="medium")
    below_left, below_right = st.columns(2, gap="medium")
    with below_right:
        opacity = _render_opacity()
    with below_left:
        st.toggle(
            "Show the heat map on the picture above as well", key=state.SCAN_HEAT_ON_VIEW, persist_state="session"
        )
        st.caption(
            "The heat map shows which parts raised this one score, scaled to its own maximum; it is not an outline of "
            "a finding and says nothing of how sure the model is."
        )
    shown = source.fit(grey, LONGEST).round().astype("uint8")
    left.image(
        shown, caption=f"{what.capitalize()}, {width * found.spacing_mm:.0f} x {height * found.spacing_mm:.0f} mm",
        width="stretch", alt=f"{what}, enlarged; bright is dense",
    )  # fmt: skip
    value = finding.probabilities.get(options.target, score)  # as the bars show it
    if not found.heat.any():
        right.info(f"Nothing here raised the score for {found.target} ({value:.0%}).", icon=":material/blur_off:")
        return
    right.image(
        display.blend(shown, source.fit(found.heat, LONGEST), opacity=opacity),
        caption=f"Grad-CAM for {found.target} ({value:.0%}), {found.layer}",
        width="stretch",
        alt=f"Heat map of the parts that raised the score for {found.target}, laid over the picture",
    )
    trust = st.expander(
        "How far to trust this map", icon=":material/rule:", on_change="rerun", key=state.SCAN_HEAT_TRUST
    )
    if trust.open:
        with trust:
            render_trust(scan, options, found)


def _render_opacity() -> float:
    """The slider, and the colours from low to high."""
    from lemons_core.images import display

    opacity = st.slider(
        "Opacity of the heat map", 0.0, 1.0, OPACITY, 0.05, key=state.SCAN_HEAT_OPACITY, persist_state="session"
    )
    stops = ",".join(f"rgb({red},{green},{blue})" for red, green, blue in display.colour_table()[::17])
    st.html(
        f'<div class="scale"><span>low</span><i role="img" aria-label="Dark violet is low, yellow is high" '
        f'style="background:linear-gradient(90deg,{stops})"></i><span>high</span></div>'
    )
    return opacity


def render_trust(scan: Scan, options: HeatOptions, found: "HeatMap") -> None:
    """Does the map change when the model forgets, and does the heat lie where the reference mask is?"""
    alike = analyses.similarity(scan, options)
    verdict = (
        "It hardly changes: it follows the picture's own edges more than what was learned, so do not lean on it."
        if alike >= ALIKE
        else "It changes: it depends on what the model learned."
    )
    st.markdown(
        f"**Does the map change when the model forgets? Likeness {alike:.2f}.** {verdict} Three copies of the model "
        "whose late layers were drawn at random explained the same picture; 1 would be the same map, 0 one that has "
        "nothing to do with it."
    )
    masks = scan.upload.sample.masks if scan.upload.sample else ()
    if not masks:
        st.caption(
            "For whole views of the data in use, which come with a reference mask, the share of heat inside is told."
        )
        return
    inside = analyses.mask_within(masks, scan.analysis.image.shape, found.box)
    if inside is None:
        st.caption("The reference mask has another size than this picture, so it is not compared.")
        return
    from lemons_core.vision.detect.gradcam import heat_inside

    heat, area = heat_inside(found.heat, inside)
    st.markdown(
        f"**Inside the reference mask lie {heat:.0%} of the heat and {area:.0%} of the area shown.** A map that knew "
        "nothing would have the same share of both."
    )
