"""What the simulator draws: a visitor chooses, and the picture changes at once."""

from typing import TYPE_CHECKING

import streamlit as st

from lemons_core.base.colours import GROUP_COLOURS, NEUTRAL
from lemons_core.base.terms import DISTRIBUTION, GROUP_WORDS, MORPHOLOGY, Group, display
from lemons_core.labels.mapping import read_mapping

if TYPE_CHECKING:
    import numpy as np

    from lemons_core.simulate.crop import SimulatedCrop

KINDS = {display(token): token for token in MORPHOLOGY}
DISTRIBUTIONS = {display(token): token for token in DISTRIBUTION}
DENSITIES = {"any": None, "1 fatty": 1, "2 scattered": 2, "3 uneven": 3, "4 dense": 4}
SHOWN_PX = 760  # side of the picture as it is sent
BAR_MM = 5
NOISE, SEED = 0.005, 8


@st.cache_data(max_entries=16, show_spinner=False)
def draw(
    kinds: tuple[str, ...],
    distribution: str,
    density: int | None,
    look: str,
    spacing_mm: float,
    size_mm: int,
    noise: float,
    seed: int,
) -> "SimulatedCrop":
    """One simulated crop; the same choice gives the same picture."""
    import numpy as np

    from lemons_core.simulate.crop import simulate_crop

    return simulate_crop(
        kinds,
        rng=np.random.default_rng(seed),
        size_px=round(size_mm / spacing_mm),
        spacing_mm=spacing_mm,
        distribution=distribution,
        density=density,
        look=look,
        noise_grey=noise,
    )


@st.fragment
def render_simulator() -> None:
    left, controls = st.columns([1.3, 1], gap="large")
    picture = left.empty()
    with left.container(horizontal=True, vertical_alignment="center"):
        st.button("Draw another", icon=":material/casino:", type="primary", on_click=_next_seed)
        outlined = st.toggle("Outline the calcium that can be seen", key="outlined", persist_state="session")
    with controls:
        kinds = st.multiselect(
            "Kinds of calcification",
            list(KINDS),
            default=["pleomorphic"],
            key="kind",
            bind="query-params",
            placeholder="none: normal tissue",
            help="The kinds are the calcification types of CBIS-DDSM; several may lie in one picture.",
        )
        distribution = st.segmented_control(
            "Distribution",
            list(DISTRIBUTIONS),
            default="grouped",
            required=True,
            key="spread",
            bind="query-params",
            wrap=True,
            help="How the specks lie to each other.",
        )
        density = st.segmented_control(
            "Breast density",
            list(DENSITIES),
            default="any",
            required=True,
            key="density",
            bind="query-params",
            wrap=True,
            help="How much of the breast is gland, in the four classes of BI-RADS.",
        )
        look = st.segmented_control(
            "Look", ["film", "digital"], default="film", required=True, key="look", bind="query-params"
        )
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
            "Seed",
            0,
            999_999,
            SEED,
            key="seed",
            bind="query-params",
            help="The same seed, the same picture.",
        )
    crop = draw(
        tuple(KINDS[kind] for kind in kinds),
        DISTRIBUTIONS[distribution],
        DENSITIES[density],
        look,
        spacing,
        size,
        noise,
        seed,
    )
    words = " and ".join(kinds) or "normal tissue without calcium"
    picture.image(
        paint(crop.pixels, spacing, crop.mask if outlined else None),
        caption=f"Simulated: {words}, {look} look, {size} mm wide, {spacing:.2f} mm a pixel, seed {seed}",
        width="stretch",
        output_format="PNG",
        alt=f"Simulated crop of a mammogram: {words}; {_seen_words(crop)}",
    )
    with left:
        _render_words(crop)


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


def paint(pixels: "np.ndarray", spacing_mm: float, mask: "np.ndarray | None" = None) -> "np.ndarray":
    """(S, S, 3) uint8: the crop with whole screen pixels for each of its own, a bar of 5 mm, and the mask's outline.

    pixels : (H, H) float32 0-1; mask : (H, H) bool or None
    """
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from lemons_core.images.display import to_grey8

    times = max(1, -(-SHOWN_PX // len(pixels)))
    grey = np.kron(to_grey8(pixels), np.ones((times, times), np.uint8))
    picture = np.repeat(grey[..., None], 3, axis=2)
    if mask is not None:
        inside = np.kron(np.pad(mask, 1), np.ones((times, times), bool))
        near = inside.copy()
        for axis in (0, 1):
            for step in range(1, 3):
                near |= np.roll(near, step, axis) | np.roll(near, -step, axis)
        picture[(near & ~inside)[times:-times, times:-times]] = (247, 216, 58)
    image = Image.fromarray(picture)
    pen, side = ImageDraw.Draw(image), len(picture)
    pen.rectangle([(0, 0), (side - 1, side - 1)], outline=NEUTRAL, width=2)  # film may be as white as the page
    length, edge, font = BAR_MM / spacing_mm * times, side // 30, ImageFont.load_default(side / 32)
    end = side - edge
    pen.line([(end - length, end), (end, end)], fill="black", width=side // 110 + 4)
    pen.line([(end - length, end), (end, end)], fill="white", width=side // 110)
    pen.text(
        (end - length / 2, end - edge * 0.5), f"{BAR_MM} mm", fill="white", font=font, anchor="mb",
        stroke_width=2, stroke_fill="black",
    )  # fmt: skip
    return np.asarray(image)
