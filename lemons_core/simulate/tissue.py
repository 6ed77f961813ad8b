"""Breast tissue without calcium: cloudy texture, fat and gland, ligaments, ducts, vessels, the breast's edges."""

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from lemons_core.simulate.parameters import GLAND_SHARE, SCENE, TISSUE
from lemons_core.simulate.shapes import TAU, stamp_spheres, wander

Path = tuple[np.ndarray, float, np.ndarray | float]  # points (N, 2) in mm, width in mm, contrast

# At these slopes hardly any power lies beyond 2.5 lp/mm, so a whole view gets its texture at twice the spacing: a
# quarter of the time for no visible difference.
WHOLE_MM, HALVE_BELOW_MM = 60.0, 0.15


class Stretch(NamedTuple):
    """How a texture is drawn out: along `angle` (radians, from the columns' axis), `factor` times as long as wide."""

    angle: float = 0.0
    factor: float = 1.0


def enlarge(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Smooth enlargement of a (H, W) float32 map to `shape`."""
    return np.array(Image.fromarray(field).resize(shape[::-1], Image.Resampling.BICUBIC), dtype=np.float32)


def power_noise(
    shape: tuple[int, int],
    spacing_mm: float,
    slope: float,
    rng: np.random.Generator,
    *,
    stretch: Stretch = Stretch(),  # noqa: B008 - immutable
    longest_mm: float = 40.0,
    smooth: bool = False,
) -> np.ndarray:
    """Noise with a power spectrum of 1/f^slope, mean 0 and standard deviation 1.

    Structure longer than `longest_mm` is not made stronger, so that a whole view keeps the contrast of a crop. A
    `smooth` field has nothing finer than four pixels and costs a quarter.
    Returns (H, W) float32
    """
    if smooth or (min(shape) * spacing_mm > WHOLE_MM and spacing_mm < HALVE_BELOW_MM):
        half = (shape[0] // 2 + 1, shape[1] // 2 + 1)
        field = power_noise(half, spacing_mm * 2, slope, rng, stretch=stretch, longest_mm=longest_mm)
        return enlarge(field, shape)
    h, w = (fft.next_fast_len(int(n * 1.15) + 1, real=True) for n in shape)  # cut off the wrap-around
    fy = fft.fftfreq(h, spacing_mm)[:, None].astype(np.float32)
    fx = fft.rfftfreq(w, spacing_mm)[None, :].astype(np.float32)
    angle = stretch.angle
    along, across = np.cos(angle) * fx + np.sin(angle) * fy, np.cos(angle) * fy - np.sin(angle) * fx
    power = np.square(along * np.float32(stretch.factor))
    power += np.square(across)
    power += np.float32(1 / longest_mm**2)
    np.log(power, out=power)
    power *= np.float32(-slope / 4)
    np.exp(power, out=power)
    white = fft.rfft2(rng.standard_normal((h, w), dtype=np.float32))
    white *= power
    field = fft.irfft2(white, s=(h, w))[: shape[0], : shape[1]]
    return (field - field.mean()) / (field.std() + np.float32(1e-6))


def add_lines(out: np.ndarray, spacing_mm: float, paths: list[Path], soft_mm: float) -> None:
    """Add soft tubes to `out` (H, W) in place; where two cross, their contrasts add up."""
    pad = int(3 * soft_mm / spacing_mm) + 2
    for points, width, contrast in paths:
        px, reach = points / spacing_mm, int(width / 2 / spacing_mm) + pad
        top, left = np.maximum(np.floor(px.min(axis=0)).astype(int) - reach, 0)
        bottom, right = np.minimum(np.ceil(px.max(axis=0)).astype(int) + reach, out.shape)
        if top >= bottom or left >= right:
            continue
        part = np.zeros((bottom - top, right - left), np.float32)
        stamp_spheres(part, px - (top, left), np.full(len(px), width / 2 / spacing_mm), contrast)
        out[top:bottom, left:right] += ndimage.gaussian_filter(part, soft_mm / spacing_mm, truncate=3)


def tissue(
    shape: tuple[int, int],
    spacing_mm: float,
    rng: np.random.Generator,
    *,
    density: int,
    gland_where: np.ndarray | None = None,
    angle: float | None = None,
) -> np.ndarray:
    """The inside of a breast, as grey before film: (H, W) float32, about 0.2-0.8.

    `gland_where` (H, W), about -1 to 1, is where gland is likelier (a whole view has it behind the nipple);
    `angle` is the direction of the streaks in radians.
    """
    area = shape[0] * shape[1] * spacing_mm**2 / 400  # in units of a 2 cm square
    angle = rng.uniform(0, np.pi) if angle is None else angle
    slope = TISSUE["slope"].draw(rng)
    cloud = power_noise(shape, spacing_mm, slope, rng)
    fibres = Stretch(angle, TISSUE["fibre_stretch"].draw(rng))
    streak = power_noise(shape, spacing_mm, slope - 0.4, rng, stretch=fibres, longest_mm=12)
    whole = gland_where is not None
    coarse = (
        power_noise(shape, spacing_mm, 3.8, rng, longest_mm=60 if whole else 25, smooth=True)
        + 0.12 * cloud
        + 0.3 * streak
    )
    if gland_where is not None:
        coarse = 1.5 * coarse + 1.8 * gland_where.astype(np.float32)
    share = GLAND_SHARE[density].draw(rng)
    inner = coarse if gland_where is None else coarse[gland_where > -1]
    gland = ndimage.gaussian_filter(coarse, 0.2 / spacing_mm, truncate=2) - np.float32(
        np.quantile(inner[::7], 1 - share)
    )
    # A mammogram is a projection: sheets of gland at several depths add up, so that few borders are sharp.
    second = power_noise(shape, spacing_mm, slope + 0.3, rng, stretch=Stretch(angle, 1.5), longest_mm=25, smooth=True)
    steep = np.float32(np.exp(rng.uniform(*np.log((1.5, 4.0) if whole else (0.6, 3.0)))))
    gland = np.float32(0.6) / (1 + np.exp(-steep * gland)) + np.float32(0.4) / (
        1 + np.exp(-steep * (0.6 * gland + 0.7 * second))
    )
    out = np.float32(TISSUE["base"].draw(rng)) + np.float32(TISSUE["gland"].draw(rng)) * gland
    out += np.float32(TISSUE["texture"].draw(rng)) * cloud * (0.6 + 0.4 * gland)
    out += np.float32(TISSUE["fibre"].draw(rng)) * streak

    out += _strands(shape, spacing_mm, rng, angle) * (1.15 - 0.6 * gland)

    size = np.array(shape) * spacing_mm
    paths: list[Path] = []
    for _ in range(int(rng.poisson(TISSUE["ligaments"].draw(rng) * area))):
        length = TISSUE["ligament_length"].draw(rng)
        heading = rng.normal(angle, 0.6)
        points, _ = wander(rng, rng.random(2) * size, heading, length, step=spacing_mm * 0.7, bend=rng.uniform(0, 0.5))
        fade = np.sin(np.linspace(0, np.pi, len(points))) ** 0.5
        paths.append((points, TISSUE["ligament_width"].draw(rng), TISSUE["ligament"].draw(rng) * fade))
    for _ in range(int(rng.poisson(0.04 * area if whole else 0.4 * area))):
        _dark_lobule(out, spacing_mm, rng, size)
    add_lines(out, spacing_mm, paths, 0.1)
    slant = rng.normal(size=2) * TISSUE["gradient"].draw(rng) / 2
    out += np.linspace(-slant[0], slant[0], shape[0], dtype=np.float32)[:, None]
    out += np.linspace(-slant[1], slant[1], shape[1], dtype=np.float32)[None, :]
    return out


def _strands(shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator, angle: float) -> np.ndarray:
    """The net of thin curved strands that film shows everywhere: ligaments, septa, small vessels; (H, W) float32.

    Where a smooth field crosses zero it makes long curved lines, thin where it is steep. Several such nets, coarse and
    fine, each strong in some places only, lie over each other as in a projection.
    """
    out = np.zeros(shape, np.float32)
    for longest in rng.choice([3.0, 5.0, 8.0, 14.0], 3, replace=False):
        stretch = Stretch(rng.normal(angle, 0.7), rng.uniform(1.5, 4.0))
        net = power_noise(shape, spacing_mm, 5.5, rng, stretch=stretch, longest_mm=longest, smooth=True)
        ridge = np.clip(1 - np.abs(net) / np.float32(rng.uniform(0.10, 0.45)), 0, None)
        where = power_noise(shape, spacing_mm, 3.0, rng, longest_mm=8.0, smooth=True)
        out += np.float32(TISSUE["strand"].draw(rng)) * ridge * np.clip(where * 0.8 + np.float32(0.5), 0, 2)
    return out


def _dark_lobule(out: np.ndarray, spacing_mm: float, rng: np.random.Generator, size: np.ndarray) -> None:
    """Let one round fat lobule shine through, dark with a soft rim."""
    y, x = rng.random(2) * size / spacing_mm
    radius = TISSUE["lobule_width"].draw(rng) / 2 / spacing_mm
    reach = int(radius * 1.6) + 2
    ys, xs = (slice(max(int(c) - reach, 0), int(c) + reach) for c in (y, x))
    yy, xx = np.ogrid[ys.start : min(ys.stop, out.shape[0]), xs.start : min(xs.stop, out.shape[1])]
    dist = np.hypot((yy - y) * rng.uniform(0.7, 1.0), (xx - x) * rng.uniform(0.7, 1.0)) / radius
    out[ys, xs] -= (TISSUE["lobule"].draw(rng) / (1 + np.exp(np.minimum((dist - 1) * 5, 30)))).astype(np.float32)


def distractors(shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Structures that a careless detector takes for calcium: vessels, end-on vessels, ducts and crossings of ligaments.

    Every kind is drawn with its chance in SCENE. Returns (H, W) float32 contrast.
    """
    out = np.zeros(shape, np.float32)
    size = np.array(shape) * spacing_mm
    long = min(float(np.hypot(*size)), 60.0)
    thin: list[Path] = []
    wide: list[Path] = []
    if rng.random() < SCENE["vessel"]:
        points, _ = wander(rng, rng.random(2) * size, rng.uniform(0, TAU), long, step=spacing_mm, bend=0.7)
        wide.append((points, TISSUE["vessel_width"].draw(rng), TISSUE["vessel"].draw(rng)))
    if rng.random() < SCENE["duct"]:
        heading = rng.uniform(0, TAU)
        for _ in range(int(rng.integers(1, 4))):
            points, _ = wander(rng, rng.random(2) * size, rng.normal(heading, 0.3), long / 2, step=spacing_mm, bend=0.5)
            wide.append((points, TISSUE["duct_width"].draw(rng), TISSUE["duct"].draw(rng)))
    if rng.random() < SCENE["spot"]:
        for _ in range(int(rng.integers(1, 4))):
            wide.append((rng.random((1, 2)) * size, TISSUE["spot_width"].draw(rng), TISSUE["spot"].draw(rng)))
    if rng.random() < SCENE["crossing"]:
        middle, heading = rng.random(2) * size, rng.uniform(0, TAU)
        for _ in range(int(rng.integers(2, 7))):
            way, length = rng.normal(heading, 0.7), rng.uniform(5, 15)
            points, _ = wander(rng, middle, way, length, step=spacing_mm * 0.7, bend=0.4)
            points += middle - points[len(points) // 2] + rng.normal(0, 1.2, 2)
            thin.append((points, TISSUE["ligament_width"].draw(rng), TISSUE["ligament"].draw(rng)))
    add_lines(out, spacing_mm, thin, 0.08)
    add_lines(out, spacing_mm, wide, 0.25)
    return out


def edges(image: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Let the breast end, the pectoral muscle begin or the skin fold, each with its chance in SCENE.

    Returns image (H, W) float32 and where there is breast to put calcium into, (H, W) bool
    """
    h, w = image.shape
    inside = np.ones((h, w), bool)
    size = np.array([h, w]) * spacing_mm
    if rng.random() < SCENE["pectoral_edge"]:
        depth = _half_plane((h, w), spacing_mm, rng, rng.uniform(0.15, 0.45), bend=0.02)
        edge = 1 / (1 + np.exp(np.clip(-depth / rng.uniform(0.15, 0.8), -30, 30)))
        muscle = image.mean() + rng.uniform(0.05, 0.25) + 0.3 * (image - image.mean())
        image = image * (1 - edge) + muscle * edge
    if rng.random() < SCENE["breast_edge"]:
        depth = -_half_plane((h, w), spacing_mm, rng, rng.uniform(0.15, 0.45), bend=0.05)  # mm below the skin
        image, inside = breast_edge(image, depth, rng)
    if rng.random() < SCENE["skin_fold"]:
        long = float(np.hypot(*size))
        points, _ = wander(rng, rng.random(2) * size, rng.uniform(0, TAU), long, step=spacing_mm, bend=0.3)
        image = image.astype(np.float32)
        fade = np.sin(np.linspace(0, np.pi, len(points))) ** 0.7
        add_lines(image, spacing_mm, [(points, rng.uniform(0.4, 1.5), rng.uniform(0.03, 0.10) * fade)], 0.2)
    return image.astype(np.float32), inside


def breast_edge(
    image: np.ndarray, depth_mm: np.ndarray, rng: np.random.Generator, *, reach_mm: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fade the breast towards its skin: darker as it thins, a faint line of skin, nothing beyond.

    `depth_mm` (H, W) is the distance below the skin, negative outside; `reach_mm` how far the thinning goes.
    Returns the picture and where calcium may lie.
    """
    reach_mm = rng.uniform(6, 16) if reach_mm is None else reach_mm
    fade = np.clip(depth_mm / np.float32(reach_mm), 0, 1) ** np.float32(rng.uniform(0.25, 0.7))
    skin = np.exp(-(((depth_mm - 0.7) / 0.6) ** 2)) * np.float32(rng.uniform(0.01, 0.05))
    dark = np.float32(rng.uniform(0.01, 0.06))
    image = np.where(depth_mm > 0, dark + (image - dark) * fade + skin, dark)
    return image.astype(np.float32), depth_mm > 1.5


def _half_plane(
    shape: tuple[int, int], spacing_mm: float, rng: np.random.Generator, share: float, *, bend: float
) -> np.ndarray:
    """Signed distance in mm to a slightly curved line that has about `share` of the picture on its positive side."""
    heading = rng.uniform(0, TAU)
    y = (np.arange(shape[0]) * spacing_mm)[:, None]
    x = (np.arange(shape[1]) * spacing_mm)[None, :]
    across, along = np.cos(heading) * x + np.sin(heading) * y, np.cos(heading) * y - np.sin(heading) * x
    middle = along.mean()
    across = across + rng.uniform(-bend, bend) * (along - middle) ** 2 / 2
    across = across + 0.15 * np.sin(along / rng.uniform(1.5, 4) + rng.uniform(0, TAU))
    return (across - np.quantile(across[::5, ::5], 1 - share)).astype(np.float32)
