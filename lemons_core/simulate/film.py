"""From tissue and calcium to a picture: characteristic curve, grain, digitiser, and what lies on the film."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lemons_core.simulate.parameters import DIGITAL, FILM, FINE_MM, SCENE, Range
from lemons_core.simulate.shapes import TAU, stamp_spheres, wander

Curve = tuple[float, float, float]  # gamma, gain, offset

GRAIN_MM = 0.1  # the spacing at which the table gives the noise
LOOKS: dict[str, dict[str, Range]] = {"film": FILM, "digital": DIGITAL}


@dataclass(frozen=True, eq=False)
class Exposure:
    """What film or detector make of a picture.

    curve : gamma, gain and offset of the characteristic curve
    noise : (H, W) float32, grain in grey
    psf_mm : standard deviation of the imaging blur
    """

    curve: Curve
    noise: np.ndarray
    psf_mm: float


def area_mean(fine: np.ndarray, factor: int) -> np.ndarray:
    """Average `factor` x `factor` fine pixels into one, as a detector element does."""
    h, w = fine.shape
    return fine.reshape(h // factor, factor, w // factor, factor).mean(axis=(1, 3), dtype=np.float32)


def fine_factor(spacing_mm: float) -> int:
    """How many fine pixels make one pixel of the picture, along each side."""
    return int(np.ceil(spacing_mm / FINE_MM - 1e-6))


def characteristic(image: np.ndarray, gamma: float, gain: float, offset: float) -> np.ndarray:
    """The film's curve: gain and offset about mid-grey, then gamma; the ends level off instead of being cut."""
    x = (image - np.float32(0.45)) * np.float32(gain) + np.float32(0.45 + offset)
    x = np.where(x > 0.8, 1 - 0.2 * np.exp(-(np.maximum(x, 0.8) - 0.8) / 0.2), np.maximum(x, 0.004))
    return (x ** np.float32(gamma)).astype(np.float32)


def draw_curve(look: dict[str, Range], rng: np.random.Generator) -> Curve:
    """Gamma, gain and offset of one film or detector."""
    return look["gamma"].draw(rng), look["gain"].draw(rng), look["offset"].draw(rng)


def grain(shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator, look: dict[str, Range]) -> np.ndarray:
    """Noise of the film or detector, (H, W) float32: a larger pixel averages over more grains."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    blur = look["grain"].draw(rng)
    if blur > 0.2:
        noise = ndimage.gaussian_filter(noise, blur, truncate=2.5)
        noise /= noise.std()
    noise *= np.float32(look["noise"].draw(rng) * min(GRAIN_MM / spacing_mm, 1.5))
    if rng.random() < SCENE["streaks"]:
        stripe = rng.standard_normal(max(shape), dtype=np.float32) * np.float32(look["streak"].draw(rng))
        noise += stripe[: shape[0], None] if rng.random() < 0.5 else stripe[None, : shape[1]]
    return noise


def blemish(
    image: np.ndarray,
    spacing_mm: float,
    rng: np.random.Generator,
    *,
    dust_count: int | None = None,
) -> np.ndarray:
    """Dust, hairs and scratches, all sharp: they lie on the film, not in the breast.

    Every kind comes with its chance in SCENE; `dust_count` sets the number of specks instead.
    """
    h, w = image.shape
    factor = fine_factor(spacing_mm)
    mm = spacing_mm / factor
    size = np.array([h, w]) * spacing_mm
    marks = np.zeros((h * factor, w * factor), np.float32)
    if dust_count is None:
        dust_count = FILM["dust_count"].whole(rng) if rng.random() < SCENE["dust"] else 0
    for _ in range(dust_count):
        grains = int(rng.integers(1, 6))
        r = FILM["dust_size"].many(rng, grains) / 2
        spread = rng.random(2) * size + rng.normal(0, 0.09, (grains, 2))
        stamp_spheres(marks, spread / mm, r / mm, FILM["dust"].draw(rng))
    if rng.random() < SCENE["hair"]:
        path, _ = wander(rng, rng.random(2) * size, rng.uniform(0, TAU), rng.uniform(1, 6), step=mm, bend=1.5)
        stamp_spheres(marks, path / mm, np.full(len(path), 0.03 / mm), rng.uniform(0.05, 0.3))
    if rng.random() < SCENE["scratch"]:
        heading = rng.uniform(0, TAU)
        for _ in range(int(rng.integers(1, 4))):
            path, _ = wander(rng, rng.random(2) * size, rng.normal(heading, 0.1), rng.uniform(3, 25), step=mm, bend=0.1)
            stamp_spheres(
                marks, path / mm, np.full(len(path), rng.uniform(0.015, 0.05) / mm), FILM["scratch"].draw(rng)
            )
    out = image
    if marks.any():
        dust = area_mean(marks, factor)
        dark = rng.random() < 0.12  # a scratch may take the emulsion off: brighter; a fold may press it: darker
        out = np.clip(out - 0.6 * dust, 0.01, None) if dark else out + dust * (1.05 - out).clip(0.2, 1)
    return np.ascontiguousarray(out, dtype=np.float32)


class Border(NamedTuple):
    """Where the film has ended, (H, W) bool, and the grey that the digitiser sees there."""

    where: np.ndarray
    grey: np.float32


def film_border(shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator) -> Border | None:
    """The edge of the film along one side of the picture, with its chance in SCENE, else None."""
    if rng.random() >= SCENE["film_edge"]:
        return None
    side, width = int(rng.integers(4)), int(rng.uniform(0.5, 5) / spacing_mm)
    where = np.zeros(shape, bool)
    np.rot90(where, side)[:width] = True  # a view: changes `where`
    return Border(where, np.float32(rng.uniform(0.75, 1.0) if rng.random() < 0.7 else rng.uniform(0, 0.1)))
