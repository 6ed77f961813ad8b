"""The close look: one region enlarged, its heat map beside it, and how far to trust that map."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base.terms import GROUPS
from lemons_core.ui.scan import analyses as scans
from lemons_core.ui.scan.analyses import Scan
from lemons_core.ui.scan.uploads import Upload
from lemons_core.ui.scan.view import HEAT, WINDOW, chosen_region
from lemons_core.ui.shell import source

if TYPE_CHECKING:
    from lemons_core.vision.detect.detector import Detection
    from lemons_core.vision.detect.gradcam import HeatMap

TOP = "top group"
CHOICES = (TOP, "calcification", *(str(group) for group in GROUPS))
OPACITY = 0.55
LONGEST = 900  # pixels of a picture here: more than its column can show
ALIKE = 0.5  # from this likeness on, a map owes more to the picture's own edges than to what was learned


@dataclass(frozen=True)
class Choice:
    """What is to be explained, and how it is shown."""

    region: "Detection | None"
    target: str
    layer: str
    opacity: float


def read_choice(scan: Scan) -> Choice:
    """What the widgets below say, also before they stand on the page."""
    from lemons_core.vision.detect.gradcam import DEFAULT_LAYER, LAYERS

    assert scan.result
    number = chosen_region(scan)
    region = scan.result.regions[number - 1] if number else None
    found = region or scan.crop
    assert found
    label = st.session_state.get("class") or st.query_params.get("class", TOP)
    layer = st.session_state.get("layer", DEFAULT_LAYER)
    return Choice(
        region,
        found.top if label not in CHOICES[1:] else label,
        layer if layer in LAYERS else DEFAULT_LAYER,
        st.session_state.get("opacity", OPACITY),
    )


def render_close(given: Upload, scan: Scan) -> None:
    """The chosen region and its heat map side by side."""
    from lemons_core.images import display as overlay
    from lemons_core.vision.detect.gradcam import DEFAULT_LAYER, LAYERS

    assert scan.result
    number = chosen_region(scan)
    if not number and not scan.crop:
        return
    what = f"place {number}" if number else "the crop"
    st.subheader(f"Why? A close look at {what}", anchor=False)
    with st.container(horizontal=True):
        st.segmented_control(
            "Heat map for", CHOICES, key="class", bind="query-params", default=TOP, required=True, wrap=True
        )
        layer = st.segmented_control(
            "Layer", list(LAYERS), key="layer", default=DEFAULT_LAYER, required=True, persist_state="session"
        )
    st.caption(f"{layer.capitalize()}: {LAYERS[layer]}.")
    choice = read_choice(scan)
    found = scans.explain(given, scan, choice.region, choice.target, choice.layer)
    row, col, height, width = found.box
    window = st.session_state.get(WINDOW[0], 100), st.session_state.get(WINDOW[1], 0)
    grey = scans.grey_of(given, window)[row : row + height, col : col + width]
    left, right = st.columns(2, gap="medium")
    below_left, below_right = st.columns(2, gap="medium")
    with below_right:
        opacity = st.slider("Opacity of the heat map", 0.0, 1.0, OPACITY, 0.05, key="opacity", persist_state="session")
        stops = ",".join(f"rgb({red},{green},{blue})" for red, green, blue in overlay.colour_table()[::17])
        st.html(
            f'<div class="scale"><span>low</span><i role="img" aria-label="Dark violet is low, yellow is high" '
            f'style="background:linear-gradient(90deg,{stops})"></i><span>high</span></div>'
        )
    with below_left:
        st.toggle("Show the heat map on the picture above as well", key=HEAT, persist_state="session")
        st.caption(
            "The heat map shows which parts raised this one score, scaled to its own maximum; it is not an outline of "
            "a finding and says nothing of how sure the model is."
        )
    spacing = scan.result.spacing_mm
    shown = source.fit(grey, LONGEST).round().astype("uint8")
    left.image(
        shown, caption=f"{what.capitalize()}, {width * spacing:.0f} x {height * spacing:.0f} mm", width="stretch",
        alt=f"{what}, enlarged; bright is dense",
    )  # fmt: skip
    value = _value(scan, choice)
    if not found.heat.any():
        right.info(f"Nothing here raised the score for {choice.target} ({value:.0%}).", icon=":material/blur_off:")
        return
    right.image(
        overlay.blend(shown, source.fit(found.heat, LONGEST), opacity=opacity),
        caption=f"Grad-CAM for {choice.target} ({value:.0%}), {choice.layer}",
        width="stretch",
        alt=f"Heat map of the parts that raised the score for {choice.target}, laid over the picture",
    )
    trust = st.expander("How far to trust this map", icon=":material/rule:", on_change="rerun", key="trust")
    if trust.open:
        with trust:
            render_trust(given, scan, found, choice.layer)


def _value(scan: Scan, choice: Choice) -> float:
    """The probability that the map explains, as the bars show it."""
    if choice.region:
        return choice.region.probabilities.get(choice.target, choice.region.score)
    assert scan.crop
    return scan.crop.probabilities.get(choice.target, scan.crop.calcification)


def render_trust(given: Upload, scan: Scan, found: "HeatMap", layer: str) -> None:
    """Does the map change when the model forgets, and does the heat lie where the reference mask is?"""
    alike = scans.likeness(given, scan, found, layer)
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
    masks = given.sample.masks if given.sample else ()
    if not masks:
        st.caption(
            "For whole views of the data in use, which come with a reference mask, the share of heat inside is told."
        )
        return
    inside = scans.mask_within(masks, scan.shape, found.box)
    if inside is None:
        st.caption("The reference mask has another size than this picture, so it is not compared.")
        return
    from lemons_core.vision.detect.gradcam import heat_inside

    heat, area = heat_inside(found.heat, inside)
    st.markdown(
        f"**Inside the reference mask lie {heat:.0%} of the heat and {area:.0%} of the area shown.** A map that knew "
        "nothing would have the same share of both."
    )
