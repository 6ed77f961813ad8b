"""What the simulator draws: a visitor chooses, and the picture changes at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.base.terms import DISTRIBUTION, GROUP_WORDS, MORPHOLOGY, Group, display
from lemons_core.labels.mapping import read_mapping
from lemons_core.ui.shell import parts, state

if TYPE_CHECKING:
    from lemons_core.simulate.crop import SimulatedCrop

KINDS = {display(token): token for token in MORPHOLOGY}
DISTRIBUTIONS = {display(token): token for token in DISTRIBUTION}
DENSITIES = {"any": None, "1 fatty": 1, "2 scattered": 2, "3 uneven": 3, "4 dense": 4}
NOISE, SEED = 0.005, 8


@dataclass(frozen=True)
class Drawing:
    """What a visitor chose to be drawn; the same gives the same picture.

    kinds : raw tokens; density : 1-4, None for any; noise : standard deviation in grey, 0-1
    """

    kinds: tuple[str, ...]
    distribution: str
    density: int | None
    look: str
    spacing_mm: float
    size_mm: int
    noise: float
    seed: int


@st.cache_data(max_entries=16, show_spinner=False)
def draw(drawing: Drawing) -> "SimulatedCrop":
    """One simulated crop."""
    import numpy as np

    from lemons_core.simulate.crop import simulate_crop

    return simulate_crop(
        drawing.kinds,
        rng=np.random.default_rng(drawing.seed),
        size_px=round(drawing.size_mm / drawing.spacing_mm),
        spacing_mm=drawing.spacing_mm,
        distribution=drawing.distribution,
        density=drawing.density,
        look=drawing.look,
        noise_grey=drawing.noise,
    )


@st.fragment
def render_simulator() -> None:
    from lemons_core.images.painting import paint

    left, controls = st.columns([1.3, 1], gap="large")
    picture = left.empty()
    with left.container(horizontal=True, vertical_alignment="center"):
        st.button("Draw another", icon=":material/casino:", type="primary", on_click=_next_seed)
        outlined = st.toggle(
            "Outline the calcium that can be seen", key=state.TRAINING_OUTLINED, persist_state="session"
        )
    with controls:
        drawing = choose_drawing()
    crop = draw(drawing)
    words = " and ".join(map(display, drawing.kinds)) or "normal tissue without calcium"
    picture.image(
        paint(crop.pixels, drawing.spacing_mm, crop.mask if outlined else None),
        caption=f"Simulated: {words}, {drawing.look} look, {drawing.size_mm} mm wide, {drawing.spacing_mm:.2f} mm a "
        f"pixel, seed {drawing.seed}",
        width="stretch",
        output_format="PNG",
        alt=f"Simulated crop of a mammogram: {words}; {_seen_words(crop)}",
    )
    with left:
        _render_words(crop)


def choose_drawing() -> Drawing:
    """The controls; all of them live in the address."""
    kinds = st.multiselect(
        "Kinds of calcification",
        list(KINDS),
        default=["pleomorphic"],
        key="kind",
        bind="query-params",
        placeholder="none: normal tissue",
        help="The kinds are the calcification types of CBIS-DDSM; several may lie in one picture.",
    )
    distribution = parts.one_of(
        "Distribution",
        DISTRIBUTIONS,
        default="grouped",
        key="spread",
        bind="query-params",
        help="How the specks lie to each other.",
    )
    density = parts.one_of(
        "Breast density",
        DENSITIES,
        key="density",
        bind="query-params",
        help="How much of the breast is gland, in the four classes of BI-RADS.",
    )
    look = parts.one_of("Look", ("film", "digital"), key="look", bind="query-params")
    spacing = st.slider(
        "Pixel spacing (mm): how much one pixel covers", 0.05, 0.22, 0.1, 0.01, key="spacing", bind="query-params"
    )
    size = st.slider("Width of the picture (mm)", 8, 30, 18, key="width", bind="query-params")
    noise = st.slider(
        "Noise (grain of film or detector)",
        0.0,
        0.03,
        NOISE,
        0.001,
        key="noise",
        format="%.3f",
        bind="query-params",
        help="Standard deviation in grey, of 0 to 1. On film between 0.002 and 0.010 is usual.",
    )
    seed = st.number_input(
        "Seed", 0, 999_999, SEED, key="seed", bind="query-params", help="The same seed, the same picture."
    )
    tokens = tuple(KINDS[kind] for kind in kinds)
    return Drawing(tokens, DISTRIBUTIONS[distribution], DENSITIES[density], look, spacing, size, noise, seed)


def _next_seed() -> None:
    st.session_state["seed"] = (st.session_state.get("seed", SEED) + 1) % 1_000_000


def _render_words(crop: "SimulatedCrop") -> None:
    """What was drawn, by group, and whether an eye can see it."""
    if not (crop.tokens or crop.hidden):
        st.markdown("**Nothing was drawn**: tissue, film and dust alone. A third of the training tiles are like this.")
        return
    groups = {rule.token: rule.group for rule in read_mapping().rules}
    lines = []
    for token in (*crop.tokens, *crop.hidden):
        group = groups[token]
        seen = "can be seen" if token in crop.tokens else "drawn, but too faint for an eye"
        colour = GROUP_COLOURS[group] if token in crop.tokens else NEUTRAL
        lines.append(f'<span><i style="background:{colour}"></i>{display(token)}, group {group}: {seen}</span>')
    st.html(f'<div class="key">{"".join(lines)}</div>')
    if crop.tokens:
        seen_groups = dict.fromkeys(groups[token] for token in crop.tokens)
        st.caption(" ".join(f"**{group.capitalize()}**: {GROUP_WORDS[Group(group)]}" for group in seen_groups))
    if crop.hidden:
        st.caption("What no eye could see is neither right nor wrong for the model: the training leaves it out.")


def _seen_words(crop: "SimulatedCrop") -> str:
    named = [f"{display(token)} can be seen" for token in crop.tokens]
    named += [f"{display(token)} is too faint to see" for token in crop.hidden]
    return ", ".join(named) or "no calcium"
