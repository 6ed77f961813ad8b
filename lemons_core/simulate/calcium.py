"""Calcifications of every kind that the field names, each drawn by the shape a reader knows it by."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from lemons_core.simulate.parameters import CALCIUM, LARGE, SATURATION
from lemons_core.simulate.shapes import TAU, broken, stamp_body, stamp_crescent, stamp_spheres, wander

WIDE = ("REGIONAL", "SEGMENTAL", "DIFFUSELY_SCATTERED")


def scatter(
    rng: np.random.Generator, n: int, *, distribution: str, extent_mm: float, room_mm: float, heading: float
) -> np.ndarray:
    """Places of `n` deposits around a middle point, (n, 2) in mm.

    Parameters
    ----------
    distribution : one of terms.DISTRIBUTION
    extent_mm : diameter of a group of this kind
    room_mm : the free diameter of the picture; what spreads wider is held within it
    heading : radians, direction of the duct system, towards the nipple
    """
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
    token: str,
    shape: tuple[int, int],
    spacing_mm: float,
    rng: np.random.Generator,
    *,
    middle_mm: np.ndarray,
    distribution: str,
    room_mm: float,
    heading: float,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Draw one kind of calcium.

    Returns
    -------
    thickness : (H, W) float32 in mm, and for VASCULAR the path of the vessel (N, 3): row, column, width in mm
    """
    p = CALCIUM[token]
    out = np.zeros(shape, np.float32)
    count = p["count"].whole(rng)
    if distribution in WIDE and token not in ("VASCULAR", "EGGSHELL", "COARSE"):
        count = round(count * 1.4) + 1

    def sites(n: int, extent: float) -> np.ndarray:
        return middle_mm + scatter(
            rng, n, distribution=distribution, extent_mm=extent, room_mm=room_mm, heading=heading
        )

    if token == "VASCULAR":
        return out, _vessels(out, spacing_mm, rng, count, middle_mm, room_mm)
    if token == "FINE_LINEAR_BRANCHING":
        for start in sites(count, p["extent"].draw(rng)):
            _duct_tree(out, spacing_mm, rng, start, heading, room_mm)
        return out, None
    _DRAW[token](out, sites(count, p["extent"].draw(rng)), spacing_mm, rng, heading, room_mm)
    return out, None


def contrast_of(token: str, thickness: np.ndarray, rng: np.random.Generator, *, gain: float = 1.0) -> np.ndarray:
    """Grey contrast of calcium before blur: proportional to thickness, then levelling off; (H, W) float32."""
    top = SATURATION["large" if token in LARGE else "small"]
    per_mm = CALCIUM[token]["contrast"].draw(rng) * gain
    return (top * -np.expm1(thickness * np.float32(-per_mm / top))).astype(np.float32)


def _dots(out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float) -> None:
    """Punctate: round and alike. One size for the group, hardly varied."""
    d = CALCIUM["PUNCTATE"]["diameter"].draw(rng) * rng.normal(1, 0.1, len(sites)).clip(0.75, 1.25)
    stamp_spheres(out, sites / mm, d / 2 / mm, d * rng.uniform(0.85, 1.15, len(sites)))


def _specks(
    out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float
) -> None:
    """Pleomorphic: every speck is a chain of unequal grains, no two alike in size, outline or brightness."""
    d = CALCIUM["PLEOMORPHIC"]["diameter"]
    # Small specks are the most frequent.
    size = d.low + (d.high - d.low) * rng.random(len(sites)) ** rng.uniform(1.2, 2.5)
    centres, radii, peaks = [], [], []
    for site, s in zip(sites, size, strict=True):
        n = int(rng.integers(3, 8))
        r = s * rng.uniform(0.14, 0.32, n)
        walk = np.cumsum(rng.normal(0, s * 0.22, (n, 2)) * rng.uniform(0.4, 1.4, 2), axis=0)
        centres.append(site + walk - walk.mean(axis=0))
        radii.append(r)
        peaks.append(np.full(n, s * rng.uniform(0.5, 1.4)) * rng.uniform(0.7, 1.1, n))
    stamp_spheres(out, np.concatenate(centres) / mm, np.concatenate(radii) / mm, np.concatenate(peaks))


def _haze(out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float) -> None:
    """Amorphous: powder too fine to have a shape, over a faint veil."""
    p = CALCIUM["AMORPHOUS"]
    d = p["diameter"].many(rng, len(sites))
    stamp_spheres(out, sites / mm, d / 2 / mm, d)
    out[:] = ndimage.gaussian_filter(out, p["blur"].draw(rng) / mm, truncate=3)
    veil = ndimage.gaussian_filter(out, 0.6 / mm, truncate=3)
    out *= 1.6  # blur spreads what the specks hold; the contrast range is meant for what is seen
    out += rng.uniform(0.3, 1.0) * veil


def _discs(
    out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float
) -> None:
    p = CALCIUM["ROUND_AND_REGULAR"]["diameter"]
    for site in sites:
        d = p.draw(rng)
        stamp_body(out, site / mm, d / 2 / mm, d, rng=rng, aspect=rng.uniform(1, 1.15))


def _hollow(token: str, **how: float) -> Callable[..., None]:
    """A drawing function for bodies with a lucent centre."""
    p = CALCIUM[token]

    def draw(
        out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float
    ) -> None:
        for site in sites:
            d = min(p["diameter"].draw(rng), room * 0.6)
            wall = p["wall"].draw(rng)
            share = min(2 * wall / d, 0.8) if p["wall"].unit == "mm" else wall
            options = dict(how)
            if token == "SKIN":
                options["corners"] = int(rng.integers(0, 8)) if rng.random() < 0.7 else 0
                options["corners"] *= options["corners"] > 3
            if token == "DYSTROPHIC" and rng.random() < 0.35:
                share = 1.0  # a solid plate
            if token == "EGGSHELL":
                options["gaps"] = float(rng.choice([0.0, 0.0, 0.2, 0.4]))
            chord = d * np.sqrt(1 - (1 - share) ** 2) if share < 1 else d * 0.6
            stamp_body(out, site / mm, d / 2 / mm, chord, rng=rng, wall=share, aspect=rng.uniform(1, 1.3), **options)  # type: ignore[arg-type]

    return draw


def _popcorn(
    out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float
) -> None:
    """Coarse: lumps grown together, with clefts between them."""
    p = CALCIUM["COARSE"]
    for site in sites:
        d = min(p["diameter"].draw(rng), room * 0.6)
        n = int(6 + 3 * d)
        angle, dist = rng.uniform(0, TAU, n), d / 2 * np.sqrt(rng.random(n)) * 0.8
        lumps = site + np.stack([dist * np.sin(angle), dist * np.cos(angle) * rng.uniform(0.6, 1)], 1)
        r = p["lump"].many(rng, n) * min(1, d / 3)
        stamp_spheres(out, lumps / mm, r / mm, 2 * r * rng.uniform(0.6, 1.3, n))


def _rods(out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float) -> None:
    """Large rod-like: smooth cigars along the ducts, all towards the nipple, thinner at the ends."""
    p = CALCIUM["LARGE_RODLIKE"]
    for site in sites:
        d, length = p["diameter"].draw(rng), min(p["length"].draw(rng), room * 0.7)
        path, _ = wander(rng, site, rng.normal(heading, 0.2), length, step=mm, bend=0.15)
        path += site - path.mean(axis=0)
        taper = np.sqrt(np.clip(1 - np.linspace(-1, 1, len(path)) ** 4, 0.05, 1))
        stamp_spheres(out, path / mm, d / 2 / mm * taper, d * taper)


def _milk(out: np.ndarray, sites: np.ndarray, mm: float, rng: np.random.Generator, heading: float, room: float) -> None:
    """Milk of calcium: teacups, hollow side up, where the beam is level; round smudges where it comes from above."""
    p = CALCIUM["MILK_OF_CALCIUM"]
    if rng.random() < 0.6:
        for site in sites:
            d = p["diameter"].draw(rng)
            stamp_crescent(out, site / mm, d / 2 / mm, d * 0.6, level=rng.uniform(0.2, 0.8))
    else:
        d = p["diameter"].many(rng, len(sites))
        stamp_spheres(out, sites / mm, d / 2 / mm, d * 0.35)
        out[:] = ndimage.gaussian_filter(out, 0.2 / mm, truncate=3)


def _duct_tree(
    out: np.ndarray, mm: float, rng: np.random.Generator, start: np.ndarray, heading: float, room: float
) -> None:
    """Fine linear branching: a broken, uneven cast of a duct and its branches."""
    p = CALCIUM["FINE_LINEAR_BRANCHING"]
    length = min(p["length"].draw(rng), room * 0.9)
    width = p["diameter"].draw(rng)
    way = rng.normal(heading, 0.3)
    start = start - length / 2 * np.array([np.sin(way), np.cos(way)])
    branches = [(start, way, length)]
    for depth in range(3):
        grown = []
        for origin, towards, reach in branches:
            path, ways = wander(rng, origin, towards, reach, step=mm, bend=0.35)
            ragged = np.repeat(rng.normal(0, 0.05, (len(path) // 3 + 1, 2)), 3, axis=0)[: len(path)]
            there = broken(rng, len(path), p["piece"].draw(rng) / mm, rng.uniform(0.45, 0.8))
            bumps = np.repeat(rng.uniform(0.55, 1.25, len(path) // 4 + 1), 4)[: len(path)]
            d = width * 0.85**depth * bumps * there
            on = d > 0.06
            stamp_spheres(out, (path + ragged)[on] / mm, d[on] / 2 / mm, d[on] * rng.uniform(0.8, 1.2))
            for _ in range(int(rng.integers(1, 3)) if depth < 2 else 0):
                at = int(rng.integers(len(path) // 5, len(path)))
                side = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
                grown.append((path[at], ways[at] + side, reach * rng.uniform(0.25, 0.55)))
        branches = grown


def _vessels(
    out: np.ndarray, mm: float, rng: np.random.Generator, count: int, middle: np.ndarray, room: float
) -> np.ndarray:
    """Vascular: both walls of a curving artery, broken each in its own places."""
    p = CALCIUM["VASCULAR"]
    courses = []
    for k in range(count):
        width = p["diameter"].draw(rng) * (1 if k == 0 else 0.7)
        length = room * rng.uniform(0.8, 1.6)
        path, ways = wander(rng, middle, rng.uniform(0, TAU), length, step=mm, bend=rng.uniform(0.4, 1.1))
        path += middle + rng.normal(0, 1.0, 2) * (k > 0) * room / 8 - path[len(path) // 2]
        across = np.stack([np.cos(ways), -np.sin(ways)], 1) * width / 2
        share = rng.uniform(0.45, 0.9)
        stretch = broken(rng, len(path), len(path) / 3, rng.uniform(0.6, 1.0))  # some stretches are free of calcium
        wall = p["wall"].draw(rng)
        for side in (-1, 1):
            there = broken(rng, len(path), p["piece"].draw(rng) / mm, share) * stretch
            rough = np.repeat(rng.uniform(0.7, 1.2, len(path) // 3 + 1), 3)[: len(path)]
            d = wall * rough * there
            on = d > 0.05
            stamp_spheres(out, (path + side * across)[on] / mm, d[on] / 2 / mm, d[on] * 1.5)
        flecks = np.flatnonzero(rng.random(len(path)) < 0.02)  # plaques in the wall towards the reader
        spots = path[flecks] + across[flecks] * rng.uniform(-0.8, 0.8, (len(flecks), 1))
        stamp_spheres(out, spots / mm, rng.uniform(0.05, 0.15, len(flecks)) / mm, 0.2)
        courses.append(np.column_stack([path, np.full(len(path), width)]))
    return np.concatenate(courses)


_DRAW: dict[str, Callable[..., None]] = {
    "AMORPHOUS": _haze,
    "COARSE": _popcorn,
    "DYSTROPHIC": _hollow("DYSTROPHIC", ragged=0.16),
    "EGGSHELL": _hollow("EGGSHELL", ragged=0.02),
    "LARGE_RODLIKE": _rods,
    "LUCENT_CENTERED": _hollow("LUCENT_CENTERED", ragged=0.03),
    "MILK_OF_CALCIUM": _milk,
    "PLEOMORPHIC": _specks,
    "PUNCTATE": _dots,
    "ROUND_AND_REGULAR": _discs,
    "SKIN": _hollow("SKIN", ragged=0.03),
}
