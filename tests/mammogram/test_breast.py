"""The breast is found without what else lies on a film, and its size tells the pixel spacing."""

import time

import numpy as np
import pytest

from lemons_core.images import read_image
from lemons_core.mammogram.breast import enlarge, find_breast, shrink
from lemons_core.mammogram.spacing import guess_spacing, kind_of_pixels
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import simulate_view


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / (found | true).sum())


@pytest.mark.parametrize("look", ["film", "digital"])
@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("laterality", ["L", "R"])
def test_the_breast_is_found_and_its_side(look, view, laterality):
    for density in (1, 4):
        rng = np.random.default_rng(density)
        shot = {"look": look, "view": view, "laterality": laterality, "density": density}
        simulated = simulate_view([], rng=rng, spacing_mm=0.2, **shot)
        breast = find_breast(simulated.pixels, spacing_mm=0.2)
        assert breast.outlined and breast.side == laterality
        assert overlap(breast.mask, simulated.breast) > 0.92
        assert (simulated.breast & ~breast.mask).sum() < 0.05 * simulated.breast.sum()


def framed(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A view as in film collections: fog, grain, sticker, tape, bright edge, padded to a square; and its breast."""
    rng = np.random.default_rng(seed)
    simulated = simulate_view([], rng=rng, view=("CC", "MLO")[seed % 2], density=2 + seed % 3, spacing_mm=0.2)
    pixels = 0.1 + 0.8 * simulated.pixels + rng.normal(0, 0.01, simulated.pixels.shape)
    height, width = pixels.shape
    pixels[30:130, -60:-20] = 0.9
    pixels[:, -14:] = 0.5 + rng.normal(0, 0.03, (height, 14))
    pixels[-7:] = 0.98
    square, breast = np.zeros((1024, 1024), np.float32), np.zeros((1024, 1024), bool)
    square[8 : 8 + height, 250 : 250 + width] = np.clip(pixels, 0, 1)[:1000]
    breast[8 : 8 + height, 250 : 250 + width] = simulated.breast[:1000]
    breast[8 + height - 7 :] = False
    if seed % 2:  # the padding of some scans is not quite black
        square = np.clip(square + rng.normal(0, 0.01, square.shape), 0, 1).astype(np.float32)
    return square, breast


@pytest.mark.parametrize("seed", range(4))
def test_labels_tape_borders_and_padding_are_left_out(seed):
    pixels, breast = framed(seed)
    found = find_breast(pixels, spacing_mm=0.2)
    assert found.side == "L"
    assert overlap(found.mask, breast) > 0.92


def test_a_notch_of_fat_at_the_chest_wall_belongs_to_the_breast():
    simulated = simulate_view([], rng=np.random.default_rng(0), density=3, spacing_mm=0.2, look="digital")
    pixels = simulated.pixels.copy()
    pixels[420:480, :30] = 0.0
    assert find_breast(pixels).mask[430:470, :30].all()


def test_muscle_is_told_in_mlo_views_and_seldom_taken_for_in_cc_views():
    shares = {"CC": [], "MLO": []}
    for seed in range(5):
        for view, found in shares.items():
            simulated = simulate_view([], rng=np.random.default_rng(seed), view=view, density=2, spacing_mm=0.2)
            breast = find_breast(simulated.pixels)
            found.append(0.0 if breast.muscle is None else float(breast.muscle.sum() / breast.coarse.sum()))
            if breast.muscle is not None:
                corner = np.argwhere(breast.muscle)[0]
                assert corner[0] < 3 and not breast.tissue()[enlarge(breast.muscle, breast.shape)].any()
    assert sum(share > 0.05 for share in shares["MLO"]) >= 4
    assert max(shares["MLO"]) < 0.4 and sum(share > 0 for share in shares["CC"]) <= 1


def test_a_dark_picture_is_no_other():
    pixels = simulate_view([], rng=np.random.default_rng(3), spacing_mm=0.2).pixels
    assert np.array_equal(find_breast(pixels / 20).coarse, find_breast(pixels).coarse)


def test_a_crop_is_tissue_throughout():
    for seed, token in enumerate(("PLEOMORPHIC", "COARSE", "LARGE_RODLIKE", "EGGSHELL", "VASCULAR", "AMORPHOUS")):
        crop = simulate_crop([token], rng=np.random.default_rng(seed), size_px=300, spacing_mm=0.05)
        for spacing in (0.05, None):
            breast = find_breast(crop.pixels, spacing_mm=spacing)
            assert breast.mask[crop.mask | crop.faint].mean() > 0.97, token
        assert kind_of_pixels(crop.pixels) == "crop"


@pytest.mark.parametrize("spacing_mm", [0.05, 0.1, 0.2])
def test_the_spacing_of_a_view_is_told_by_its_breast(spacing_mm):
    simulated = simulate_view([], rng=np.random.default_rng(4), view="MLO", spacing_mm=spacing_mm, look="digital")
    assert kind_of_pixels(simulated.pixels) == "view"
    assert guess_spacing(simulated.pixels).mm == pytest.approx(spacing_mm, rel=0.2)


def test_the_spacing_of_a_scaled_view_is_told_too():
    pixels = simulate_view([], rng=np.random.default_rng(5), spacing_mm=0.1).pixels
    height, width = (n // 3 * 3 for n in pixels.shape)
    third = pixels[:height, :width].reshape(height // 3, 3, width // 3, 3).mean((1, 3))
    assert guess_spacing(third).mm == pytest.approx(0.3, rel=0.3)


def test_a_known_detector_is_known_by_its_pixels():
    pixels = np.zeros((3328, 2560), np.float32)
    view = simulate_view([], rng=np.random.default_rng(1), spacing_mm=0.1, look="digital").pixels
    pixels[500 : 500 + view.shape[0], : view.shape[1]] = view
    guess = guess_spacing(pixels)
    assert guess is not None and guess.mm == 0.07 and "2560 x 3328" in guess.reason


def test_no_spacing_for_a_crop_and_nothing_found_in_nothing():
    crop = simulate_crop(["PUNCTATE"], rng=np.random.default_rng(0), size_px=400)
    assert guess_spacing(crop.pixels) is None
    for grey in (0.0, 0.5, 1.0):
        empty = np.full((300, 200), grey, np.float32)
        assert guess_spacing(empty) is None and find_breast(empty).mask.shape == (300, 200)


def test_shrinking_keeps_the_mean_and_enlarging_the_place():
    pixels = np.random.default_rng(0).random((1000, 770), dtype=np.float32)
    small = shrink(pixels)
    assert max(small.shape) <= 256 and small.mean() == pytest.approx(pixels.mean(), abs=0.002)
    mask = np.zeros((250, 193), bool)
    mask[100:120, 50:60] = True
    rows, cols = np.nonzero(enlarge(mask, (1000, 770)))
    assert (rows.min(), rows.max()) == (400, 479) and abs(cols.min() - 200) <= 2


def test_a_large_view_takes_a_moment_only():
    pixels = np.repeat(np.repeat(simulate_view([], rng=np.random.default_rng(0), spacing_mm=0.2).pixels, 5, 0), 4, 1)
    start = time.process_time()
    find_breast(pixels)
    assert time.process_time() - start < 1.0  # 0.1 s on an idle core


def test_real_film(real_data):
    pixels = read_image(next((real_data / "cbis-ddsm/view").glob("*.png"))).pixels
    breast = find_breast(pixels)
    assert breast.side == "R" and breast.muscle is None and kind_of_pixels(pixels, breast=breast) == "view"
    assert breast.mask[2000:3500, 1800:].all()  # the gland
    assert not breast.mask[:1000, :2000].any() and not breast.mask[:, :900].any()  # marker, number, black film
    assert 0.04 <= guess_spacing(pixels).mm <= 0.055
    crop = read_image(next((real_data / "cbis-ddsm/crop").glob("*.dcm"))).pixels
    assert find_breast(crop).mask.mean() > 0.95 and kind_of_pixels(crop) == "crop"
