"""One simulated crop: tissue, distractors and calcium, brought onto film or a detector."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY, Laterality, View
from lemons_core.simulate.calcium import Site, contrast_of, draw_kind
from lemons_core.simulate.film import (
    LOOKS,
    Border,
    Exposure,
    area_mean,
    blemish,
    characteristic,
    draw_curve,
    film_border,
    fine_factor,
    grain,
)
from lemons_core.simulate.parameters import FAINT_GREY, TISSUE, VISIBLE_GREY, VISIBLE_SIGMA, Range
from lemons_core.simulate.shapes import TAU
from lemons_core.simulate.tissue import add_lines, distractors, edges, tissue


@dataclass(frozen=True)
class SimulatedCrop:
    """A simulated region of a mammogram and what is to be seen in it.

    pixels : (H, W) float32, 0-1, bright is dense
    mask : (H, W) bool, where calcium stands out visibly
    tokens : the morphology tokens (terms.MORPHOLOGY) that are visible; an insertion that no eye could see is not named
    masks : (H, W) bool for each of the tokens
    faint : (H, W) bool, where calcium was drawn that no eye could see: neither an example of calcium nor of its absence
    hidden : the tokens that were drawn and cannot be seen
    """

    pixels: np.ndarray
    mask: np.ndarray
    tokens: tuple[str, ...]
    faint: np.ndarray
    hidden: tuple[str, ...]
    masks: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Insertion:
    """Calcium of one kind in a window, ready to be added to tissue.

    contrast : (H, W) float32, grey before film; vessel : (H, W) float32, the vessel around it, zero for other kinds
    """

    token: str
    contrast: np.ndarray
    vessel: np.ndarray


@dataclass(frozen=True, eq=False)
class _Scene:
    """A window of a breast before calcium: (H, W) grey before film, where calcium can lie, and what the film adds."""

    image: np.ndarray
    inside: np.ndarray
    exposure: Exposure
    border: Border | None = None


def simulate_crop(  # noqa: PLR0913 - each is one independent choice that a caller may make by name
    tokens: Sequence[str],
    *,
    rng: np.random.Generator,
    size_px: int = 224,
    spacing_mm: float = 0.1,
    distribution: str = "CLUSTERED",
    density: int | None = None,
    look: str = "film",
    background: np.ndarray | None = None,
    noise_grey: float | None = None,
) -> SimulatedCrop:
    """Simulate one square crop.

    Everything but the calcium has its own random stream: with the same seed, a crop with calcium and one without
    share tissue, distractors, dust and noise, so that none of these can tell one from the other.

    tokens : kinds of calcification (terms.MORPHOLOGY) to draw; empty for normal tissue
    rng : source of all randomness; the same state gives the same bytes
    size_px : side in pixels
    spacing_mm : pixel spacing, 0.03-0.3 mm
    distribution : one of terms.DISTRIBUTION
    density : BI-RADS breast density 1-4, or None for any
    look : "film" or "digital"
    background : (size_px, size_px) float32, 0-1, normal tissue of a real mammogram at `spacing_mm`: calcium is drawn
        into it instead of into simulated tissue, and nothing else is changed
    noise_grey : standard deviation of the grain, or None for any of the look's own
    Raises DataError: an unknown token, distribution, density or look, or a background of another size
    """
    check_words(tokens, distribution, density, look)
    scene, ink, device = (np.random.default_rng(s) for s in rng.integers(0, 2**63, 3))
    camera = LOOKS[look]
    if noise_grey is not None:
        camera = camera | {"noise": Range(noise_grey, noise_grey, "grey", "as requested")}
    shape = (size_px, size_px)
    if background is None:
        on_film = look == "film"
        window = _draw_scene(shape, spacing_mm, scene, device, camera=camera, density=density, on_film=on_film)
    else:
        window = _real_scene(background, shape, device, camera=camera)
    image, curve = window.image, window.exposure.curve
    mask, faint = np.zeros(shape, bool), np.zeros(shape, bool)
    masks: tuple[np.ndarray, ...] = ()
    seen: tuple[str, ...] = ()
    if tokens:
        middle_mm, gain = _middle(window.inside, ink) * spacing_mm, camera["calcium"].draw(ink)
        site = Site(middle_mm, size_px * spacing_mm * 0.8, distribution, heading=ink.uniform(0, TAU))
        insertions = draw_insertions(
            tokens, shape, spacing_mm, ink, site=site, psf_mm=window.exposure.psf_mm, gain=gain
        )
        image = image + sum_vessels(insertions) * window.inside
        masks, seen = judge(image, insertions, window.exposure, spacing_mm=spacing_mm, inside=window.inside)
        mask = np.logical_or.reduce([mask, *masks])
        calcium = sum_calcium(insertions) * window.inside
        faint = (calcium > FAINT_GREY) & ~mask
        image = image + calcium
    pixels = characteristic(image, *curve)
    if background is None:
        # Black film and air show little grain.
        pixels += window.exposure.noise * np.clip(pixels / np.float32(0.3), 0.3, 1.0)
        if on_film:
            pixels = blemish(pixels, spacing_mm, device)
    else:
        pixels = background + pixels - characteristic(window.image, *curve)
    if window.border:
        pixels = np.where(window.border.where, window.border.grey, pixels)
    hidden = tuple(token for token in tokens if token not in seen)
    return SimulatedCrop(np.clip(pixels, 0, 1), mask, seen, faint, hidden, masks)


def _draw_scene(
    shape: tuple[int, int],
    spacing_mm: float,
    scene: np.random.Generator,
    device: np.random.Generator,
    *,
    camera: dict[str, Range],
    density: int | None,
    on_film: bool,
) -> _Scene:
    """Simulated tissue with its distractors; `scene` and `device` are the random streams of breast and camera."""
    curve = draw_curve(camera, device)
    image = tissue(shape, spacing_mm, scene, density=density or int(scene.integers(1, 5)))
    image += distractors(shape, spacing_mm, scene)
    image, inside = edges(image, spacing_mm, scene)
    noise = grain(shape, spacing_mm, device, camera)
    border = film_border(shape, spacing_mm, device) if on_film else None
    if border:
        inside &= ~border.where
    return _Scene(image, inside, Exposure(curve, noise, camera["psf"].draw(device)), border)


def _real_scene(
    background: np.ndarray, shape: tuple[int, int], device: np.random.Generator, *, camera: dict[str, Range]
) -> _Scene:
    """Normal tissue of a real mammogram: it has been on film already, and gets no curve and no grain."""
    if background.shape != shape:
        raise DataError(f"The background must be {shape}, not {background.shape}", where="simulation")
    draw_curve(camera, device)  # unused: drawn all the same, so that each seed keeps its blur
    exposure = Exposure((1.0, 1.0, 0.0), np.zeros(shape, np.float32), camera["psf"].draw(device))
    return _Scene(background, ndimage.uniform_filter(background, 9) > 0.08, exposure)


def draw_insertions(
    tokens: Sequence[str],
    shape: tuple[int, int],
    spacing_mm: float,
    rng: np.random.Generator,
    *,
    site: Site,
    psf_mm: float,
    gain: float = 1.0,
) -> list[Insertion]:
    """Draw the kinds in `tokens` on a fine grid, blur them and bring them to `spacing_mm`.

    shape, spacing_mm : of the window they are drawn into
    site : the lesion's within the window
    psf_mm : standard deviation of the imaging blur
    gain : multiplies the contrast
    """
    factor = fine_factor(spacing_mm)
    fine_mm = spacing_mm / factor
    fine_shape = (shape[0] * factor, shape[1] * factor)
    out = []
    for k, token in enumerate(tokens):
        own = replace(site, middle_mm=site.middle_mm + rng.normal(0, site.room_mm / 12, 2) * (k > 0))
        thickness, courses = draw_kind(token, fine_shape, fine_mm, rng, site=own)
        contrast = np.zeros(shape, np.float32)
        box = ndimage.find_objects(thickness > 0, max_label=1)[0]
        if box is not None:
            pad = int(np.ceil(4 * psf_mm / fine_mm))
            ys, xs = (
                slice(max(s.start - pad, 0) // factor * factor, -(-min(s.stop + pad, n) // factor) * factor)
                for s, n in zip(box, fine_shape, strict=True)
            )
            part = contrast_of(token, thickness[ys, xs], rng, gain=gain)
            part = ndimage.gaussian_filter(part, psf_mm / fine_mm, truncate=3)
            contrast[ys.start // factor : ys.stop // factor, xs.start // factor : xs.stop // factor] = area_mean(
                part, factor
            )
        vessel = np.zeros(shape, np.float32)
        for line in courses:
            steps = line[:: max(1, round(spacing_mm / fine_mm)), :2]
            add_lines(vessel, spacing_mm, [(steps, line[0, 2] * 1.1, TISSUE["vessel"].draw(rng))], 0.2)
        out.append(Insertion(token, contrast, vessel))
    return out


def sum_vessels(insertions: Sequence[Insertion]) -> np.ndarray:
    """The vessels around the calcium, (H, W) float32."""
    return np.maximum.reduce([one.vessel for one in insertions])


def sum_calcium(insertions: Sequence[Insertion]) -> np.ndarray:
    """The contrast of all calcium, (H, W) float32; where kinds overlap, the denser one."""
    return np.maximum.reduce([one.contrast for one in insertions])


def judge(
    image: np.ndarray,
    insertions: Sequence[Insertion],
    exposure: Exposure,
    *,
    spacing_mm: float,
    inside: np.ndarray,
) -> tuple[tuple[np.ndarray, ...], tuple[str, ...]]:
    """Judge which calcium an eye can see: its contrast on the film must clear both limits of the parameter table.

    image : (H, W) float32 tissue before film, without the calcium
    exposure : what the film does to it
    inside : (H, W) bool, where calcium can lie
    Returns (H, W) bool of visible calcium for each visible token; these tokens
    """
    without = characteristic(image, *exposure.curve)
    bare = without + exposure.noise
    fine = bare - ndimage.gaussian_filter(bare, 0.4 / spacing_mm, truncate=2)
    # The spread of fine structure where the calcium lies: the eye's noise.
    local = np.sqrt(np.maximum(ndimage.uniform_filter(fine**2, max(3, round(4 / spacing_mm))), 0))
    limit = np.maximum(VISIBLE_GREY, VISIBLE_SIGMA * local)
    seen, masks = [], []
    for one in insertions:
        shown = (characteristic(image + one.contrast * inside, *exposure.curve) - without) / limit
        # A few pixels above the limit may be chance; the eye needs a share of what was drawn to name its kind.
        drawn = np.count_nonzero(one.contrast > 0.25 * one.contrast.max())
        if np.count_nonzero(shown > 1) >= max(4, 0.15 * drawn):
            seen.append(one.token)
            masks.append(shown > 0.5)
    return tuple(masks), tuple(seen)


def _middle(inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A position for the lesion: within the breast, in the inner part of the picture; (2,) in pixels."""
    n = np.array(inside.shape)
    best = n / 2
    for _ in range(20):
        best = n * rng.uniform(0.36, 0.64, 2)
        if inside[int(best[0]), int(best[1])]:
            break
    return best


def check_words(
    tokens: Sequence[str], distribution: str, density: int | None, look: str, *, laterality: str = "L", view: str = "CC"
) -> None:
    """Raise DataError for a word that the simulation does not know."""
    for value, known, name in (
        *((t, MORPHOLOGY, "token") for t in tokens),
        (distribution, DISTRIBUTION, "distribution"),
        (density, (None, 1, 2, 3, 4), "density"),
        (look, tuple(LOOKS), "look"),
        (laterality, tuple(Laterality), "laterality"),
        (view, tuple(View), "view"),
    ):
        if value not in known:
            raise DataError(f"Unknown {name} {value!r}", where="simulation", todo=f"Known: {known}.")
