"""The simulator draws what it says, the same each time, and no more than an eye can see."""

import numpy as np
import pytest
from scipy import ndimage

from bench.simulate import measure_peaks
from lemons_core.base.errors import DataError
from lemons_core.base.terms import DISTRIBUTION, MORPHOLOGY
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.parameters import CALCIUM, DIGITAL, FILM, GLAND_SHARE, TISSUE, VIEW
from lemons_core.simulate.tissue import power_noise
from lemons_core.simulate.view import Lesion, simulate_view


def crop(*tokens: str, seed: int = 0, **how: object):
    return simulate_crop(tokens, rng=np.random.default_rng(seed), **how)


def calcium(*tokens: str, seed: int = 0, **how: object) -> np.ndarray:
    """What the calcium alone adds: the same seed without it has the same tissue, noise and dust."""
    return crop(*tokens, seed=seed, **how).pixels - crop(seed=seed, **how).pixels


def contrast(pixels: np.ndarray, mask: np.ndarray) -> float:
    around = ndimage.binary_dilation(mask, iterations=12) & ~ndimage.binary_dilation(mask, iterations=3)
    return float(pixels[mask].mean() - pixels[around].mean())


@pytest.mark.parametrize("token", MORPHOLOGY)
def test_every_kind_is_drawn_where_the_mask_says(token):
    crops = [crop(token, seed=seed) for seed in range(6)]
    seen = [c for c in crops if c.tokens]
    assert len(seen) >= 3, "half of the insertions must be visible"
    for c in crops:
        assert c.pixels.shape == c.mask.shape == (224, 224)
        assert c.pixels.dtype == np.float32 and c.mask.dtype == bool
        assert c.pixels.min() >= 0 and c.pixels.max() <= 1
        assert c.tokens == (token,) if c.mask.any() else c.tokens == ()
    assert np.mean([contrast(c.pixels, c.mask) for c in seen]) > 0.025


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not():
    first, again, other = (crop("PLEOMORPHIC", seed=seed) for seed in (5, 5, 6))
    assert first.pixels.tobytes() == again.pixels.tobytes() and first.mask.tobytes() == again.mask.tobytes()
    assert first.pixels.tobytes() != other.pixels.tobytes()


def test_nothing_but_the_calcium_tells_a_positive_crop():
    """Dust, edges and noise are the same with and without: only where calcium lies do the pixels differ."""
    for seed in range(12):
        with_it, without = crop("PUNCTATE", seed=seed), crop(seed=seed)
        near = ndimage.binary_dilation(with_it.mask, iterations=6)
        changed = np.abs(with_it.pixels - without.pixels) > 0.02
        assert np.count_nonzero(changed & ~near) <= 0.002 * near.size
        assert not without.mask.any() and without.tokens == ()


def test_an_insertion_that_no_eye_could_see_is_not_counted(monkeypatch):
    faint = {**CALCIUM["PUNCTATE"], "contrast": CALCIUM["PUNCTATE"]["contrast"]._replace(low=0.01, high=0.02)}
    monkeypatch.setitem(CALCIUM, "PUNCTATE", faint)
    for seed in range(4):
        c = crop("PUNCTATE", seed=seed)
        assert c.tokens == () and not c.mask.any()
        both = crop("PUNCTATE", "COARSE", seed=seed)
        assert both.tokens == ("COARSE",)


def test_several_kinds_share_one_crop():
    assert set(crop("PLEOMORPHIC", "COARSE", seed=1).tokens) == {"PLEOMORPHIC", "COARSE"}


def largest_part(token: str, seed: int) -> np.ndarray:
    drawn = calcium(token, seed=seed) > 0.06
    labels, n = ndimage.label(drawn)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if n else drawn


def elongation(part: np.ndarray) -> float:
    y, x = np.nonzero(part)
    if len(y) < 5:
        return 1.0
    low, high = np.sqrt(np.linalg.eigvalsh(np.cov(y, x)) + 0.1)
    return float(high / low)


def test_tracks_and_rods_are_long_and_discs_are_round():
    long = {t: np.median([elongation(largest_part(t, s)) for s in range(8)]) for t in ("VASCULAR", "LARGE_RODLIKE")}
    disc = np.median([elongation(largest_part("ROUND_AND_REGULAR", s)) for s in range(8)])
    assert disc < 1.7 and min(long.values()) > 2.5


def test_hollow_kinds_are_darker_in_the_middle_than_at_the_rim():
    for token in ("EGGSHELL", "LUCENT_CENTERED"):
        drops = []
        for seed in range(8):
            drawn = np.clip(calcium(token, seed=seed), 0, None)
            labels, n = ndimage.label(ndimage.binary_fill_holes(drawn > 0.03))
            if not n:
                continue
            body = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
            depth = ndimage.distance_transform_edt(body)
            inner = drawn[depth > 0.75 * depth.max()].mean()
            rim = drawn[body & (depth < 0.6 * depth.max())].max()
            drops.append(inner / rim)
        assert np.median(drops) < 0.8, token


def test_amorphous_is_fainter_than_pleomorphic():
    peak = {
        t: np.median([np.quantile(calcium(t, seed=s), 0.999) for s in range(10)]) for t in ("AMORPHOUS", "PLEOMORPHIC")
    }
    assert peak["AMORPHOUS"] < 0.6 * peak["PLEOMORPHIC"]


def test_peaks_and_widths_fit_film():
    """Film patches: contrast .07/.13/.23 and width .28/.42/.73 mm at 10/50/90 %."""
    peaks = []
    for seed in range(12):
        c = crop("PLEOMORPHIC" if seed % 2 else "PUNCTATE", seed=seed)
        if c.tokens:
            peaks.append(measure_peaks(c.pixels, spacing_mm=0.1, where=c.mask, count=10))
    height, width = np.median(np.concatenate(peaks), axis=0)
    assert 0.08 < height < 0.19 and 0.32 < width < 0.58


def test_spacing_is_honoured():
    """A disc keeps its millimetres whatever the pixel."""
    for mm in (0.05, 0.1, 0.2):
        c = crop("ROUND_AND_REGULAR", seed=3, size_px=round(22.4 / mm), spacing_mm=mm)
        widths = measure_peaks(c.pixels, spacing_mm=mm, where=c.mask, count=4)[:, 1]
        assert 0.4 < np.median(widths) < 1.7


def test_spread_follows_the_distribution():
    reach = {}
    for name in ("CLUSTERED", "DIFFUSELY_SCATTERED"):
        spreads = []
        for seed in range(10):
            y, x = np.nonzero(calcium("PUNCTATE", seed=seed, distribution=name) > 0.05)
            if len(y):
                spreads.append(np.hypot(y.std(), x.std()))
        reach[name] = np.median(spreads)
    assert reach["DIFFUSELY_SCATTERED"] > 1.8 * reach["CLUSTERED"]


@pytest.mark.parametrize("distribution", DISTRIBUTION)
def test_every_distribution_can_be_drawn(distribution):
    assert any(crop("PLEOMORPHIC", seed=s, distribution=distribution).tokens for s in range(3))


def test_the_texture_has_the_slope_it_is_asked_for():
    field = power_noise((256, 256), 0.1, 3.0, np.random.default_rng(0))
    window = np.hanning(256)[:, None] * np.hanning(256)[None, :]
    power = np.abs(np.fft.fft2(field * window)) ** 2
    f = np.hypot(np.fft.fftfreq(256, 0.1)[:, None], np.fft.fftfreq(256, 0.1)[None, :])
    keep = (f > 0.2) & (f < 3)
    slope = -np.polyfit(np.log(f[keep]), np.log(power[keep]), 1)[0]
    assert 2.7 < slope < 3.3


@pytest.mark.parametrize("wrong", [{"tokens": ["NONSENSE"]}, {"density": 5}, {"distribution": "HEAP"}, {"look": "x"}])
def test_unknown_words_are_refused(wrong):
    tokens = wrong.pop("tokens", ["PUNCTATE"])
    with pytest.raises(DataError, match="Unknown"):
        simulate_crop(tokens, rng=np.random.default_rng(0), **wrong)


def test_every_parameter_has_a_unit_range():
    ranges = [r for table in (TISSUE, GLAND_SHARE, FILM, VIEW, DIGITAL, *CALCIUM.values()) for r in table.values()]
    assert set(CALCIUM) >= set(MORPHOLOGY)
    assert all(r.low <= r.high for r in ranges)


@pytest.fixture(scope="module")
def views():
    lesions = [
        Lesion(("PLEOMORPHIC",), "CLUSTERED", 0.55, -0.7),
        Lesion(("VASCULAR", "COARSE"), "LINEAR", 0.45, 0.7),
    ]
    return {
        (side, view): simulate_view(lesions, rng=np.random.default_rng(2), laterality=side, view=view, density=2)
        for side, view in (("L", "CC"), ("R", "MLO"))
    }


def test_a_view_shows_its_lesions_inside_the_breast(views):
    for v in views.values():
        h, w = v.pixels.shape
        assert 1790 <= h <= 2010 and 1090 <= w <= 1310 and v.pixels.dtype == np.float32
        assert v.tokens == (("PLEOMORPHIC",), ("VASCULAR", "COARSE"))
        for mask in v.masks:
            assert mask.shape == (h, w) and mask.any()
            assert np.count_nonzero(mask & ~ndimage.binary_dilation(v.breast, iterations=25)) == 0
            box = ndimage.find_objects(mask.astype(int))[0]
            assert measure_peaks(v.pixels[box], spacing_mm=0.1, count=3)[:, 0].max() > 0.04


def test_a_view_hangs_with_its_chest_wall_where_readers_expect_it(views):
    for (side, _), v in views.items():
        left, right = v.breast[:, :50].sum(), v.breast[:, -50:].sum()
        assert (left > right) if side == "L" else (right > left)
        background = v.pixels[:, -20:] if side == "L" else v.pixels[:, :20]
        assert np.median(background) < 0.1


def test_an_mlo_view_has_a_bright_muscle_at_the_chest_wall(views):
    v = views["R", "MLO"]
    h, w = v.pixels.shape
    corner, fat = v.pixels[: h // 12, -w // 12 :], v.pixels[h // 2 : h * 2 // 3][v.breast[h // 2 : h * 2 // 3]]
    assert np.median(corner) > np.quantile(fat, 0.3)
    assert v.breast[0].any(), "an MLO view reaches the armpit at its upper border"


def test_denser_breasts_are_brighter_inside():
    gland = []
    for density in (1, 4):
        v = [simulate_view(rng=np.random.default_rng(s), density=density, spacing_mm=0.2) for s in range(2)]
        gland.append(np.mean([x.pixels[x.breast].mean() for x in v]))
    assert gland[1] > gland[0]
