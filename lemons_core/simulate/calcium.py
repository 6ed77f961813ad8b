"""Calcifications of every kind that the field names, each drawn by the shape a reader knows it by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lemons_core.simulate.parameters import CALCIUM, LARGE, SATURATION
from lemons_core.simulate.shapes import TAU, Body, broken, stamp_body, stamp_crescent, stamp_spheres, wander

WIDE = ("REGIONAL", "SEGMENTAL", "DIFFUSELY_SCATTERED")


@dataclass(frozen=True, eq=False)
class Site:
    """Where a lesion lies in a window and how it spreads.

    middle_mm : (2,) row and column of its middle; room_mm : the diameter that it must not exceed
    distribution : one of terms.DISTRIBUTION; heading : radians, direction of the ducts, towards the nipple
    """

    middle_mm: np.ndarray
    room_mm: float
    distribution: str
    heading: float


@dataclass(frozen=True)
class Pen:
    """What every drawing function draws with.

    out : (H, W) float32 thickness in mm, changed in place; mm : its pixel spacing
    heading : radians, towards the nipple; room : mm, the free diameter of the picture
    """

    out: np.ndarray
    mm: float
    rng: np.random.Generator
    heading: float
    room: float

    def spheres(self, centres_mm: np.ndarray, diameters_mm: np.ndarray, peak: np.ndarray | float) -> None:
        """Stamp spheres given in mm; `peak` is the thickness at the middle."""
        stamp_spheres(self.out, centres_mm / self.mm, diameters_mm / 2 / self.mm, peak)

    def soften(self, sigma_mm: float) -> np.ndarray:
        """The drawing so far, blurred."""
        return ndimage.gaussian_filter(self.out, sigma_mm / self.mm, truncate=3)


def scatter(rng: np.random.Generator, n: int, *, site: Site, extent_mm: float) -> np.ndarray:
    """Positions of `n` deposits around the middle of the site, (n, 2) in mm.

    `extent_mm` is the diameter of a group of this kind; what spreads wider than the site's room is held within it.
    """
    distribution, room_mm, heading = site.distribution, site.room_mm, site.heading
    extent = min(extent_mm, room_mm)
    if distribution == "LINEAR":
        path, _ = wander(rng, np.zeros(2), heading, min(max(extent * 1.6, 8), room_mm), step=0.1, bend=0.4)
        path -= path.mean(axis=0)
        return path[rng.integers(0, len(path), n)] + rng.normal(0, 0.35, (n, 2))
    if distribution == "SEGMENTAL":  # a wedge with its tip towards the nipple
        reach = min(max(extent * 2, 14), room_mm)
        r = reach * (1 - 0.95 * np.sqrt(rng.random(n)))
        a = heading + np.pi + rng.uniform(-0.4, 0.4, n)
        along = reach * 0.5 - r
        return np.stack([along * np.sin(heading), along * np.cos(heading)], 1) + np.stack(
            [r * np.sin(a - heading) * np.cos(heading), -r * np.sin(a - heading) * np.sin(heading)], 1
        )
    if distribution in ("REGIONAL", "DIFFUSELY_SCATTERED"):
        return rng.uniform(-0.5, 0.5, (n, 2)) * room_mm * (1.0 if distribution == "REGIONAL" else 1.25)
    radius = extent / 2 * np.sqrt(rng.random(n))
    angle = rng.uniform(0, TAU, n)
    oval = np.stack([radius * np.sin(angle), radius * np.cos(angle) * rng.uniform(0.45, 1)], 1)
    # Lobules hold a group together in a few knots.
    knots = oval[rng.integers(0, n, max(1, n // 7))]
    pull = (rng.random(n) < 0.5)[:, None]
    oval = np.where(pull, knots[rng.integers(0, len(knots), n)] + rng.normal(0, extent * 0.07, (n, 2)), oval)
    turn = rng.uniform(0, TAU)
    return oval @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def draw_kind(
    token: str, shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator, *, site: Site
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw one kind of calcium.

    Returns thickness (H, W) float32 in mm; for VASCULAR the courses of the vessels, (N, 3) each: row, column, width in
    mm
    """
    p = CALCIUM[token]
    out = np.zeros(shape, np.float32)
    count = p["count"].whole(rng)
    if site.distribution in WIDE and token not in ("VASCULAR", "EGGSHELL", "COARSE"):
        count = round(count * 1.4) + 1

    pen = Pen(out, spacing_mm, rng, site.heading, site.room_mm)
    if token == "VASCULAR":
        return out, _vessels(pen, count, site.middle_mm)
    offsets = scatter(rng, count, site=site, extent_mm=p["extent"].draw(rng))
    _DRAW[token](pen, site.middle_mm + offsets)
    return out, []


def contrast_of(token: str, thickness: np.ndarray, rng: np.random.Generator, *, gain: float = 1.0) -> np.ndarray:
    """Grey contrast of calcium before blur: proportional to thickness, then levelling off; (H, W) float32."""
    top = SATURATION["large" if token in LARGE else "small"]
    per_mm = CALCIUM[token]["contrast"].draw(rng) * gain
    return (top * -np.expm1(thickness * np.float32(-per_mm / top))).astype(np.float32)


def _dots(pen: Pen, sites: np.ndarray) -> None:
    """Punctate: round and alike. One size for the group, hardly varied."""
    size = CALCIUM["PUNCTATE"]["diameter"].draw(pen.rng) * pen.rng.normal(1, 0.1, len(sites)).clip(0.75, 1.25)
    pen.spheres(sites, size, size * pen.rng.uniform(0.85, 1.15, len(sites)))


def _specks(pen: Pen, sites: np.ndarray) -> None:
    """Pleomorphic: every speck is a chain of unequal grains, no two alike in size, outline or brightness."""
    rng, p = pen.rng, CALCIUM["PLEOMORPHIC"]
    # Small specks are the most frequent, and powder lies between them.
    size = p["diameter"].low + (p["diameter"].high - p["diameter"].low) * rng.random(len(sites)) ** rng.uniform(1.2, 3)
    centres, widths, peaks = [], [], []
    for site, s in zip(sites, size, strict=True):
        n = int(rng.integers(3, 8))
        walk = np.cumsum(rng.normal(0, s * 0.22, (n, 2)) * rng.uniform(0.4, 1.4, 2), axis=0)
        centres.append(site + walk - walk.mean(axis=0))
        widths.append(s * rng.uniform(0.28, 0.64, n))
        peaks.append(s * rng.uniform(0.4, 1.4) * rng.uniform(0.7, 1.1, n))
    powder = sites[rng.integers(0, len(sites), len(sites))] + rng.normal(0, 0.9, sites.shape)
    centres.append(powder)
    widths.append(rng.uniform(0.08, 0.2, len(powder)))
    peaks.append(rng.uniform(0.08, 0.25, len(powder)))
    pen.spheres(np.concatenate(centres), np.concatenate(widths), np.concatenate(peaks))


def _haze(pen: Pen, sites: np.ndarray) -> None:
    """Amorphous: powder too fine to have a shape, over a faint veil."""
    p = CALCIUM["AMORPHOUS"]
    size = p["diameter"].many(pen.rng, len(sites))
    pen.spheres(sites, size, size)
    pen.out[:] = pen.soften(p["blur"].draw(pen.rng))
    veil = pen.soften(0.6)
    pen.out[:] = 1.6 * pen.out + pen.rng.uniform(0.3, 1.0) * veil  # blur took from the peaks what 1.6 gives back


def _discs(pen: Pen, sites: np.ndarray) -> None:
    """Round and regular: smooth, well-defined, of unequal size."""
    for site, d in zip(sites, CALCIUM["ROUND_AND_REGULAR"]["diameter"].many(pen.rng, len(sites)), strict=True):
        body = Body(d / 2 / pen.mm, aspect=pen.rng.uniform(1, 1.15))
        stamp_body(pen.out, site / pen.mm, d, body, rng=pen.rng)


def _hollow(token: str, *, ragged: float) -> Callable[[Pen, np.ndarray], None]:
    """A drawing function for bodies with a lucent centre."""
    p = CALCIUM[token]

    def draw(pen: Pen, sites: np.ndarray) -> None:
        rng = pen.rng
        for site in sites:
            d = min(p["diameter"].draw(rng), pen.room * 0.6)
            wall = p["wall"].draw(rng)
            share = min(2 * wall / d, 0.8) if p["wall"].unit == "mm" else wall
            if token == "DYSTROPHIC" and rng.random() < 0.25:
                share = 1.0  # a solid plate
            chord = d * np.sqrt(1 - (1 - share) ** 2) if share < 1 else d * 0.6
            body = Body(
                d / 2 / pen.mm,
                wall=share,
                ragged=ragged,
                aspect=rng.uniform(1, 1.3),
                corners=int(rng.choice([0, 0, 4, 5, 6, 7])) if token == "SKIN" else 0,
                gaps=float(rng.choice([0.0, 0.0, 0.2, 0.4])) if token == "EGGSHELL" else 0.0,
            )
            stamp_body(pen.out, site / pen.mm, chord, body, rng=rng)

    return draw


def _popcorn(pen: Pen, sites: np.ndarray) -> None:
    """Coarse: unequal lumps grown together, with clefts between them."""
    rng, p = pen.rng, CALCIUM["COARSE"]
    for site in sites:
        d = min(p["diameter"].draw(rng), pen.room * 0.6)
        stamp_body(pen.out, site / pen.mm, d * 0.15, Body(d / 2.8 / pen.mm, ragged=0.15), rng=rng)
        n = int(8 + 4 * d)
        angle, dist = rng.uniform(0, TAU, n), d / 2 * np.sqrt(rng.random(n)) * 0.75
        lumps = site + np.stack([dist * np.sin(angle), dist * np.cos(angle) * rng.uniform(0.6, 1)], 1)
        width = 2 * p["lump"].many(rng, n) * rng.uniform(0.5, 1, n) * min(1, d / 3)
        pen.spheres(lumps, width, width * rng.uniform(0.5, 1.4, n))


def _rods(pen: Pen, sites: np.ndarray) -> None:
    """Large rod-like: smooth cigars along the ducts, all towards the nipple, thinner at the ends."""
    rng, p = pen.rng, CALCIUM["LARGE_RODLIKE"]
    for site in sites:
        width, length = p["diameter"].draw(rng), min(p["length"].draw(rng), pen.room * 0.7)
        path, _ = wander(rng, site, rng.normal(pen.heading, 0.13), length, step=pen.mm, bend=0.25)
        path += site - path.mean(axis=0)
        taper = np.sqrt(np.clip(1 - np.linspace(-1, 1, len(path)) ** 8, 0.1, 1))
        pen.spheres(path, width * taper, width * taper)


def _milk(pen: Pen, sites: np.ndarray) -> None:
    """Milk of calcium: teacups, hollow side up, where the beam is level; round smudges where it comes from above."""
    size = CALCIUM["MILK_OF_CALCIUM"]["diameter"].many(pen.rng, len(sites))
    if pen.rng.random() < 0.6:
        for site, d in zip(sites, size, strict=True):
            level = pen.rng.uniform(0.2, 0.8)
            stamp_crescent(pen.out, site / pen.mm, d / 2 / pen.mm, d * 0.6, level=level)
    else:
        pen.spheres(sites, size, size * 0.35)
        pen.out[:] = pen.soften(0.2)


def _ducts(pen: Pen, sites: np.ndarray) -> None:
    """Fine linear branching: the broken, uneven casts of ducts and of their branches."""
    rng, p = pen.rng, CALCIUM["FINE_LINEAR_BRANCHING"]
    for site in sites:
        length = min(p["length"].draw(rng), pen.room * 0.9)
        width = p["diameter"].draw(rng)
        way = rng.normal(pen.heading, 0.3)
        branches = [(site - length / 2 * np.array([np.sin(way), np.cos(way)]), way, length)]
        for depth in range(3):
            grown = []
            for origin, towards, reach in branches:
                path, ways = wander(rng, origin, towards, reach, step=pen.mm, bend=0.4)
                n = len(path)
                there = broken(rng, n, p["piece"].draw(rng) / pen.mm, rng.uniform(0.4, 0.75))
                bumps = np.repeat(rng.uniform(0.5, 1.3, n // 4 + 1), 4)[:n]
                shaken = path + np.repeat(rng.normal(0, 0.05, (n // 3 + 1, 2)), 3, axis=0)[:n]
                size = width * 0.85**depth * bumps * there
                on = size > 0.06
                pen.spheres(shaken[on], size[on], size[on] * rng.uniform(0.8, 1.2))
                for _ in range(int(rng.integers(1, 3)) if depth < 2 else 0):
                    at = int(rng.integers(n // 5, n))
                    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.85)  # branches point away from the nipple
                    grown.append((path[at], ways[at] + side, reach * rng.uniform(0.25, 0.55)))
            branches = grown


def _vessels(pen: Pen, count: int, middle: np.ndarray) -> list[np.ndarray]:
    """Vascular: both walls of a curving artery, broken each in its own places. Returns (N, 3): row, column, width."""
    rng, p = pen.rng, CALCIUM["VASCULAR"]
    courses = []
    for k in range(count):
        width = p["diameter"].draw(rng) * (1 if k == 0 else 0.7)
        length = pen.room * rng.uniform(0.8, 1.6)
        path, ways = wander(rng, middle, rng.uniform(0, TAU), length, step=pen.mm, bend=rng.uniform(0.4, 1.1))
        n = len(path)
        path += middle + rng.normal(0, pen.room / 8, 2) * (k > 0) - path[n // 2]
        across = np.stack([np.cos(ways), -np.sin(ways)], 1) * width / 2
        stretch = broken(rng, n, n / 3, rng.uniform(0.7, 1.0))  # some stretches are free of calcium
        share, wall = rng.uniform(0.55, 0.95), p["wall"].draw(rng)
        for side in (-1, 1):
            there = broken(rng, n, p["piece"].draw(rng) / pen.mm, share) * stretch
            size = wall * np.repeat(rng.uniform(0.6, 1.3, n // 4 + 1), 4)[:n] * there
            on = size > 0.05
            pen.spheres((path + side * across)[on], size[on], size[on] * 1.5)
        flecks = np.flatnonzero(rng.random(n) < 0.02)  # plaques in the wall towards the reader
        spots = path[flecks] + across[flecks] * rng.uniform(-0.8, 0.8, (len(flecks), 1))
        pen.spheres(spots, rng.uniform(0.1, 0.3, len(flecks)), 0.2)
        courses.append(np.column_stack([path, np.full(n, width)]))
    return courses


_DRAW: dict[str, Callable[[Pen, np.ndarray], None]] = {
    "AMORPHOUS": _haze,
    "COARSE": _popcorn,
    "DYSTROPHIC": _hollow("DYSTROPHIC", ragged=0.12),
    "EGGSHELL": _hollow("EGGSHELL", ragged=0.02),
    "FINE_LINEAR_BRANCHING": _ducts,
    "LARGE_RODLIKE": _rods,
    "LUCENT_CENTERED": _hollow("LUCENT_CENTERED", ragged=0.03),
    "MILK_OF_CALCIUM": _milk,
    "PLEOMORPHIC": _specks,
    "PUNCTATE": _dots,
    "ROUND_AND_REGULAR": _discs,
    "SKIN": _hollow("SKIN", ragged=0.03),
}
