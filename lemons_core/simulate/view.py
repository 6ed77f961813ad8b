"""A whole simulated mammogram: one breast in one projection, with its lesions, on film."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from scipy.interpolate import PchipInterpolator
from scipy.spatial import ConvexHull

from lemons_core.simulate.calcium import Site
from lemons_core.simulate.crop import check_words, draw_insertions, judge, sum_calcium, sum_vessels
from lemons_core.simulate.film import LOOKS, Exposure, blemish, characteristic, draw_curve, grain
from lemons_core.simulate.parameters import FILM, ROOM_MM, VIEW
from lemons_core.simulate.tissue import breast_edge, distractors, enlarge, tissue

COARSE_MM = 0.8  # shapes of the whole breast are computed on this grid


@dataclass(frozen=True)
class Lesion:
    """What to put into a breast.

    tokens : kinds (terms.MORPHOLOGY); distribution : one of terms.DISTRIBUTION
    depth : 0-1, from the chest wall to the skin: the same in both views of a breast
    side : -1 to 1, from the upper to the lower border of the picture
    """

    tokens: tuple[str, ...]
    distribution: str = "CLUSTERED"
    depth: float = 0.6
    side: float = 0.0


@dataclass(frozen=True)
class SimulatedView:
    """A simulated mammogram and what is to be seen in it.

    pixels : (H, W) float32, 0-1, bright is dense
    masks : one (H, W) bool a lesion, the region that a reader would outline
    tokens : the visible tokens of each lesion
    breast : (H, W) bool, inside the skin
    """

    pixels: np.ndarray
    masks: tuple[np.ndarray, ...]
    tokens: tuple[tuple[str, ...], ...]
    breast: np.ndarray


def simulate_view(
    lesions: Sequence[Lesion] = (),
    *,
    rng: np.random.Generator,
    laterality: str = "L",
    view: str = "CC",
    density: int | None = None,
    spacing_mm: float = 0.1,
    look: str = "film",
) -> SimulatedView:
    """Simulate one whole view, about 120 x 190 mm.

    The chest wall is at the left border of a left breast and at the right border of a right one, as readers hang them.
    A lesion is drawn anew with more calcium until all its kinds can be seen (at most five times), so that the picture
    shows what its label says.

    lesions : what to draw; empty for a normal view
    rng : source of all randomness; the same state gives the same bytes
    laterality : "L" or "R"
    view : "CC" or "MLO"
    density : BI-RADS breast density 1-4, or None for any
    spacing_mm : pixel spacing, 0.05-0.2 mm
    look : "film" or "digital"; only film carries a burnt marker and dust
    Raises DataError: an unknown word
    """
    for lesion in lesions:
        check_words(lesion.tokens, lesion.distribution, density, look)
    check_words((), "CLUSTERED", density, look, laterality=laterality, view=view)
    scene, ink, device = (np.random.default_rng(s) for s in rng.integers(0, 2**63, 3))
    camera = LOOKS[look]
    size = np.array([VIEW["height"].draw(scene), VIEW["width"].draw(scene)])
    shape = (round(size[0] / spacing_mm), round(size[1] / spacing_mm))
    skin_depth, nipple = _outline(size, view, scene)
    depth = enlarge(skin_depth, shape)
    image = tissue(
        shape,
        spacing_mm,
        scene,
        density=density or int(scene.integers(1, 5)),
        gland_where=enlarge(_gland_where(skin_depth, nipple, scene), shape),
        angle=scene.normal(0, 0.35),
    )
    for _ in range(4):  # four of the crop's doses: a view has more of everything
        image += distractors(shape, spacing_mm, scene)
    if view == "MLO":
        image = _pectoral(image, spacing_mm, scene)
    image, inside = breast_edge(image, depth, scene, reach_mm=VIEW["fade"].draw(scene))
    gamma, gain, offset = draw_curve(camera, device)
    # Where no breast lies the film is black, and black film shows no grain.
    noise = grain(shape, spacing_mm, device, camera) * np.clip(0.15 + depth / 4, 0.15, 1).astype(np.float32)
    exposure = Exposure((gamma, gain, offset / 2), noise, camera["psf"].draw(device))

    masks, tokens = [], []
    for lesion in lesions:
        mask, seen = _insert(image, lesion, ink, exposure=exposure, spacing_mm=spacing_mm, inside=inside)
        masks.append(_reader_outline(mask, spacing_mm, VIEW["margin"].draw(ink)))
        tokens.append(seen)
    pixels = characteristic(image, *exposure.curve) + noise
    pixels = np.where(depth > 0, pixels, np.minimum(pixels, 0.1) - np.float32(0.03))
    flipped = laterality == "R"
    if flipped:
        pixels, inside, masks = pixels[:, ::-1], inside[:, ::-1], [m[:, ::-1] for m in masks]
    if look == "film":
        pixels = _burn_marker(
            np.ascontiguousarray(pixels), f"{laterality}{view}", spacing_mm, device, right=not flipped
        )
        pixels = blemish(pixels, spacing_mm, device, dust_count=VIEW["dust"].whole(device))
    return SimulatedView(
        np.clip(pixels, 0, 1).astype(np.float32),
        tuple(np.ascontiguousarray(m) for m in masks),
        tuple(tokens),
        np.ascontiguousarray(inside),
    )


def _outline(size: np.ndarray, view: str, rng: np.random.Generator) -> tuple[np.ndarray, tuple[float, float]]:
    """Distance below the skin in mm on the coarse grid (negative outside), and the nipple's row and column in mm.

    The chest wall is at column 0.
    """
    reach = size[1] * VIEW["depth"].draw(rng)
    if view == "CC":
        top, bottom = rng.uniform(0.03, 0.12), rng.uniform(0.88, 0.99)
        rows = np.array([top, 0.25, 0.5, 0.75, bottom]) + np.array([0, 0, 1, 0, 0]) * rng.uniform(-0.05, 0.05)
        cols = np.array([0.0, rng.uniform(0.66, 0.82), 1.0, rng.uniform(0.66, 0.82), 0.0])
    else:
        rows = np.array([0.0, 0.2, 0.4, rng.uniform(0.55, 0.64), 0.78, rng.uniform(0.88, 0.96)])
        cols = np.array([rng.uniform(0.45, 0.7), 0.72, rng.uniform(0.85, 0.93), 1.0, rng.uniform(0.66, 0.8), 0.0])
    n = np.ceil(size / COARSE_MM).astype(int)
    y = (np.arange(n[0]) + 0.5) * COARSE_MM
    x = (np.arange(n[1]) + 0.5) * COARSE_MM
    # Squaring makes the border round where it meets the chest wall.
    border = np.sqrt(np.clip(PchipInterpolator(rows * size[0], cols**2, extrapolate=True)(y), 0, None)) * reach
    border[(y < rows[0] * size[0]) | (y > rows[-1] * size[0])] = 0
    peak = int(np.argmax(border))
    nipple = (float(y[peak]), float(border[peak]))
    breast = x[None, :] < border[:, None]
    bump = rng.uniform(2.5, 5)
    breast |= np.hypot(y[:, None] - nipple[0], x[None, :] - nipple[1]) < bump
    padded = np.pad(breast, ((1, 1), (40, 1)), mode="edge")  # the breast goes on behind the film's border
    padded[:, -1] = False
    depth = ndimage.distance_transform_edt(padded) - ndimage.distance_transform_edt(~padded)
    depth = ndimage.gaussian_filter(depth[1:-1, 40:-1] * COARSE_MM, 1.5)
    return depth.astype(np.float32), nipple


def _gland_where(depth: np.ndarray, nipple: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Where gland is likely, -1.5 to 1: a cone behind the nipple, fat below the skin and before the chest wall."""
    y = (np.arange(depth.shape[0]) + 0.5)[:, None] * COARSE_MM - nipple[0]
    x = (np.arange(depth.shape[1]) + 0.5)[None, :] * COARSE_MM
    middle = nipple[1] * rng.uniform(0.5, 0.65)
    off = np.hypot(y / (depth.shape[0] * COARSE_MM * 0.27), (x - middle) / (nipple[1] * 0.42))
    where = np.clip(1.2 - off, -0.9, 1) - np.clip(1 - depth / 10, 0, 1)
    return np.where(depth > 0, where, -1.5).astype(np.float32)


def _pectoral(image: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """The pectoral muscle of an MLO view: a bright triangle in the upper corner at the chest wall."""
    h, w = image.shape
    low, wide = h * rng.uniform(0.45, 0.7), w * rng.uniform(0.3, 0.5)
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)[None, :]
    bulge = np.float32(rng.uniform(0, 0.12)) * np.sin(np.pi * np.clip(y / np.float32(low), 0, 1))
    inside = (1 - y / np.float32(low) - x / np.float32(wide) + bulge) * np.float32(wide * spacing_mm)  # about mm
    edge = 1 / (1 + np.exp(np.clip(-inside / np.float32(rng.uniform(0.4, 1.5)), -30, 30)))
    muscle = np.quantile(image[::9, ::9], 0.6) + VIEW["muscle"].draw(rng) + 0.7 * (image - image[::9, ::9].mean())
    return (image * (1 - edge) + muscle * edge).astype(np.float32)


def _insert(
    image: np.ndarray,
    lesion: Lesion,
    rng: np.random.Generator,
    *,
    exposure: Exposure,
    spacing_mm: float,
    inside: np.ndarray,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Draw a lesion into `image` in place. Returns the visible calcium (H, W) bool and the visible tokens."""
    room = ROOM_MM[lesion.distribution]
    half = round(room * 0.8 / spacing_mm)
    y, x = _position(inside, lesion, spacing_mm)
    ys, xs = (slice(max(c - half, 0), min(c + half, n)) for c, n in zip((y, x), image.shape, strict=True))
    part, allowed = image[ys, xs], inside[ys, xs]
    middle_mm = np.array([y - ys.start, x - xs.start]) * spacing_mm
    shown = replace(exposure, noise=exposure.noise[ys, xs])
    whole = np.zeros(image.shape, bool)
    gain = FILM["calcium"].draw(rng)
    for attempt in range(5):
        # The nipple lies to the right before any flip.
        site = Site(middle_mm, room, lesion.distribution, heading=rng.normal(0, 0.4))
        insertions = draw_insertions(
            lesion.tokens, part.shape, spacing_mm, rng, site=site, psf_mm=exposure.psf_mm, gain=gain * 1.4**attempt
        )
        vessels = part + sum_vessels(insertions) * allowed
        masks, seen = judge(vessels, insertions, shown, spacing_mm=spacing_mm, inside=allowed)
        if len(seen) == len(lesion.tokens):
            break
    image[ys, xs] = vessels + sum_calcium(insertions) * allowed
    whole[ys, xs] = np.logical_or.reduce([np.zeros(part.shape, bool), *masks])
    return whole, seen


def _position(inside: np.ndarray, lesion: Lesion, spacing_mm: float) -> tuple[int, int]:
    """Row and column for a lesion: by its depth and side, at least 8 mm from skin and film border."""
    step = max(1, round(1 / spacing_mm))
    room = ndimage.distance_transform_edt(np.pad(inside[::step, ::step], 1))[1:-1, 1:-1]
    h = len(room)
    wish = np.array([h / 2 + lesion.side * h * 0.3, lesion.depth * np.max(np.nonzero(inside.any(axis=0))) / step])
    rows, cols = np.nonzero(room >= min(8.0, room.max()))
    best = int(np.argmin((rows - wish[0]) ** 2 + (cols - wish[1]) ** 2))
    return int(rows[best] * step), int(cols[best] * step)


def _reader_outline(mask: np.ndarray, spacing_mm: float, margin_mm: float) -> np.ndarray:
    """The region a reader outlines: the hull of the visible calcium with a margin, (H, W) bool."""
    if not mask.any():
        return mask
    points = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.stack([np.sin(around), np.cos(around)], 1) * margin_mm / spacing_mm
    cloud = (points[:, None, :] + circle[None]).reshape(-1, 2)
    hull = cloud[ConvexHull(cloud).vertices]
    canvas = Image.new("1", mask.shape[::-1])
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for y, x in hull], fill=1)
    return np.asarray(canvas, dtype=bool)


def _burn_marker(
    pixels: np.ndarray, text: str, spacing_mm: float, rng: np.random.Generator, *, right: bool
) -> np.ndarray:
    """Lead letters in the upper outer corner, turned as they fell, and the film's number in print."""
    w = pixels.shape[1]
    label = Image.new("L", (round(30 / spacing_mm), round(30 / spacing_mm)))
    font = ImageFont.load_default(size=rng.uniform(6, 9) / spacing_mm)
    ImageDraw.Draw(label).text((label.width // 2, label.height // 2), text, fill=255, font=font, anchor="mm")
    label = label.rotate(rng.choice([0.0, 0.0, rng.uniform(-50, 50)]), Image.Resampling.BILINEAR)
    lead = ndimage.gaussian_filter(np.asarray(label, dtype=np.float32) / 255, 0.3 / spacing_mm)
    lead *= np.float32(rng.uniform(0.25, 0.9))
    row = round(rng.uniform(2, 12) / spacing_mm)
    column = round(rng.uniform(2, 8) / spacing_mm)
    column = w - column - lead.shape[1] if right else column
    part = pixels[row : row + lead.shape[0], column : column + lead.shape[1]]
    np.maximum(part, lead, out=part)
    number = Image.new("L", (round(12 / spacing_mm), round(7 / spacing_mm)))
    font = ImageFont.load_default(size=5 / spacing_mm)
    ImageDraw.Draw(number).text((2, 2), str(rng.integers(1, 99)), fill=200, font=font)
    digits = np.asarray(number, dtype=np.float32) / 255
    column = w - digits.shape[1] - 5 if right else 5
    corner = pixels[5 : 5 + digits.shape[0], column : column + digits.shape[1]]
    np.maximum(corner, digits, out=corner)
    return pixels
