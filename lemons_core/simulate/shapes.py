"""Drawing on a fine grid: spheres, shells, crescents and wandering lines, all as thickness in mm."""

from dataclasses import dataclass

import numpy as np

TAU = 2 * np.pi


def stamp_spheres(canvas: np.ndarray, centres: np.ndarray, radii: np.ndarray, peak: np.ndarray | float) -> None:
    """Draw spheres into `canvas`, keeping the larger thickness where they overlap.

    canvas : (H, W) float32, changed in place
    centres : (N, 2) row and column in pixels, fractions allowed; parts outside the canvas are cut off
    radii : (N,) in pixels
    peak : thickness at the middle, scalar or (N,)
    """
    if len(centres) == 0:
        return
    # A sphere near the size of a pixel would flicker with its sub-pixel position: widen it and keep its volume.
    r = np.hypot(radii, 0.4)
    height = np.broadcast_to(peak, r.shape) * (radii / r) ** 2
    reach = int(np.ceil(r.max()))
    off = np.arange(-reach, reach + 1)
    row, col = np.rint(centres[:, 0]).astype(np.int64), np.rint(centres[:, 1]).astype(np.int64)
    dy = (row - centres[:, 0])[:, None] + off
    dx = (col - centres[:, 1])[:, None] + off
    left = 1 - (dy[:, :, None] ** 2 + dx[:, None, :] ** 2) / (r**2)[:, None, None]
    iy = np.broadcast_to((row[:, None] + off)[:, :, None], left.shape)
    ix = np.broadcast_to((col[:, None] + off)[:, None, :], left.shape)
    keep = (left > 0) & (iy >= 0) & (iy < canvas.shape[0]) & (ix >= 0) & (ix < canvas.shape[1])
    value = (np.broadcast_to(height[:, None, None], left.shape)[keep] * np.sqrt(left[keep])).astype(np.float32)
    np.maximum.at(canvas.reshape(-1), iy[keep] * canvas.shape[1] + ix[keep], value)


@dataclass(frozen=True)
class Body:
    """The shape of one closed body.

    radius : pixels
    wall : thickness of the shell as a share of the radius; 1 is solid. A shell is brightest just inside its rim, where
        the beam runs along the wall: the chord through it.
    ragged : relative roughness of the outline
    corners : 0 for round, else the corners of a polygon
    aspect : length to width
    gaps : share of the rim without calcium
    """

    radius: float
    wall: float = 1.0
    ragged: float = 0.0
    corners: int = 0
    aspect: float = 1.0
    gaps: float = 0.0


def stamp_body(canvas: np.ndarray, centre: np.ndarray, peak: float, body: Body, *, rng: np.random.Generator) -> None:
    """Draw one closed body, solid or hollow, into `canvas` (H, W) float32, in place.

    `centre` is row and column in pixels, `peak` the largest thickness.
    """
    box = _box(canvas, centre, int(np.ceil(body.radius * (1 + 2 * body.ragged) * body.aspect)) + 2)
    if box is None:
        return
    ys, xs = box
    dy = (np.arange(ys.start, ys.stop) - centre[0])[:, None].astype(np.float32)
    dx = (np.arange(xs.start, xs.stop) - centre[1])[None, :].astype(np.float32)
    turn = rng.uniform(0, TAU)
    u, v = np.cos(turn) * dy + np.sin(turn) * dx, (np.cos(turn) * dx - np.sin(turn) * dy) * body.aspect
    angle, dist = np.arctan2(v, u), np.hypot(u, v)
    rim = np.full_like(angle, body.radius)
    if body.ragged:
        for k in range(2, 9):
            rim *= 1 + body.ragged * 1.4 * rng.normal() / k**0.9 * np.cos(k * angle + rng.uniform(0, TAU))
    if body.corners:
        step = TAU / body.corners
        rim *= np.cos(step / 2) / np.cos(np.mod(angle, step) - step / 2)
    rim = np.maximum(rim, 0.3)
    outer = np.sqrt(np.clip(1 - (dist / rim) ** 2, 0, None))
    if body.wall >= 1:
        value = outer
    else:
        inner = 1 - body.wall
        value = outer - np.sqrt(np.clip(inner**2 - (dist / rim) ** 2, 0, None))
        value /= np.sqrt(1 - inner**2)
    if body.gaps:
        wave = np.sum([np.cos(k * angle + rng.uniform(0, TAU)) / k for k in (1, 2, 3)], axis=0)
        there = np.clip((wave - np.quantile(wave, body.gaps)) * 3 + 0.5, 0.1, 1)
        value *= 1 - (1 - there) * np.clip(dist / rim * 2 - 1, 0, 1)  # the middle is the wall in front and behind
    part = canvas[ys, xs]
    np.maximum(part, (peak * value).astype(np.float32), out=part)


def stamp_crescent(canvas: np.ndarray, centre: np.ndarray, radius: float, peak: float, *, level: float) -> None:
    """Draw sediment at the bottom of a round cyst, seen from the side: a teacup, hollow side up.

    `level` 0-1 is how deep the hollow reaches: near 0 a full cup, near 1 a thin crescent.
    """
    box = _box(canvas, centre, int(np.ceil(radius)) + 2)
    if box is None:
        return
    ys, xs = box
    dy = (np.arange(ys.start, ys.stop) - centre[0])[:, None]
    dx = (np.arange(xs.start, xs.stop) - centre[1])[None, :]
    cup = np.clip(radius - np.hypot(dy, dx) + 0.5, 0, 1)
    shift = radius * (1.15 - 0.75 * level)
    hollow = np.clip(np.hypot(dy + shift, dx) - radius * 1.1 + 0.5, 0, 1)
    part = canvas[ys, xs]
    np.maximum(part, (peak * cup * hollow).astype(np.float32), out=part)


def _box(canvas: np.ndarray, centre: np.ndarray, reach: int) -> tuple[slice, slice] | None:
    """The rows and columns of a canvas within `reach` pixels of a centre; None when there are none."""
    y0, x0 = int(centre[0]) - reach, int(centre[1]) - reach
    ys = slice(max(y0, 0), min(y0 + 2 * reach + 1, canvas.shape[0]))
    xs = slice(max(x0, 0), min(x0 + 2 * reach + 1, canvas.shape[1]))
    return None if ys.start >= ys.stop or xs.start >= xs.stop else (ys, xs)


def wander(
    rng: np.random.Generator, start: np.ndarray, heading: float, length: float, *, step: float, bend: float
) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve that turns slowly at random.

    start : (2,) row and column; heading : radians; length and step : in the units of `start`
    bend : standard deviation of the whole turn in radians
    Returns points (N, 2) and the heading at each, (N,)
    """
    n = max(2, round(length / step))
    t = np.linspace(0, 1, n)
    turn = np.sum([rng.normal() / k * np.sin(np.pi * k * t + rng.uniform(0, TAU)) for k in (1, 2, 3)], axis=0)
    headings = heading + bend * (turn - turn[n // 2])
    moves = step * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    path = np.cumsum(moves, axis=0)
    return start + path - path[0], headings


def broken(rng: np.random.Generator, n: int, piece: float, share: float) -> np.ndarray:
    """A strength 0-1 along `n` points: pieces about `piece` points long, together about `share` of the line."""
    knots = rng.random(int(n / max(piece, 1)) + 3)
    wave = np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)
    return np.clip((wave - np.quantile(wave, 1 - share)) * 5, 0, 1)
