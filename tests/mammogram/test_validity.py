"""What is no mammogram is refused with a reason; mammograms, film or digital, whole or in part, are not."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.strangers import strangers

from lemons_core.images import Picture, read_image
from lemons_core.mammogram import find_breast, find_geometry
from lemons_core.mammogram.validity import notes_on, refusal
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import Lesion, simulate_view


def upload(pixels: np.ndarray, kind: str = "PNG", **options: object) -> Picture:
    """Through the door that every file takes."""
    file = BytesIO()
    Image.fromarray(pixels if pixels.dtype == np.uint8 else np.rint(pixels * 255).astype(np.uint8)).save(
        file, kind, **options
    )
    return read_image(file.getvalue(), name="upload")


def view(seed: int, **shot: object) -> np.ndarray:
    lesions = [Lesion((("PLEOMORPHIC", "COARSE", "LARGE_RODLIKE")[seed % 3],))] if seed % 2 else []
    return simulate_view(lesions, rng=np.random.default_rng(seed), spacing_mm=0.2, **shot).pixels


def framed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scan as film collections at 0.2 mm have it: fog, grain, sticker, bright edge, black padding to a square."""
    height, width = pixels.shape
    film = 0.1 + 0.8 * pixels + rng.normal(0, 0.012, pixels.shape)
    film[40:140, 4:60] = 0.95
    film[:, -6:] = 0.97
    square = np.zeros((1024, 1024))
    square[20 : 20 + height, 200 : 200 + width] = film[:1000]
    return np.clip(square, 0, 1)


@pytest.fixture(scope="module")
def reasons() -> dict[str, tuple[str, str | None]]:
    """Name -> kind and reason of every stranger."""
    return {name: (kind, refusal(upload(picture))) for kind, name, picture in strangers()}


def test_strangers_are_refused_with_a_reason(reasons):
    missed = [name for name, (_, reason) in reasons.items() if reason is None]
    assert len(reasons) >= 30 and len({kind for kind, _ in reasons.values()}) >= 10
    assert len(missed) <= 0.05 * len(reasons), missed
    assert all(reason.endswith(".") for _, reason in reasons.values() if reason)


@pytest.mark.parametrize(("kind", "word"), [("chest X-ray", "chest"), ("colour photo", "colour"), ("blank", "blank")])
def test_the_reason_names_what_the_picture_is(reasons, kind, word):
    found = [reason for of, reason in reasons.values() if of == kind]
    assert found and all(word in (reason or "") for reason in found)


def test_an_inverted_mammogram_is_told_to_be_one(reasons):
    found = [reason or "" for kind, reason in reasons.values() if kind == "inverted"]
    assert sum("inverted" in reason for reason in found) >= len(found) - 1


@pytest.mark.parametrize("look", ["film", "digital"])
@pytest.mark.parametrize("projection", ["CC", "MLO"])
def test_no_simulated_view_is_refused(look, projection):
    for seed in range(3):
        pixels = view(seed, look=look, view=projection, density=2 + seed, laterality="LR"[seed % 2])
        assert refusal(upload(pixels)) is None, seed
        if look == "film":
            assert refusal(upload(framed(pixels, np.random.default_rng(seed)))) is None, seed


def test_no_simulated_crop_is_refused():
    kinds = ["PLEOMORPHIC", "COARSE", "VASCULAR", "EGGSHELL", "LARGE_RODLIKE", "AMORPHOUS"]
    for seed in range(24):
        rng = np.random.default_rng(seed)
        spacing = (0.05, 0.1, 0.2)[seed % 3]
        shot = {"look": ("film", "digital")[seed % 2], "size_px": (128, 224, 400)[seed // 3 % 3]}
        crop = simulate_crop(kinds[seed % 6 : seed % 6 + 1], rng=rng, spacing_mm=spacing, **shot)
        assert refusal(upload(crop.pixels)) is None, seed
        assert refusal(upload(crop.pixels), find_breast(crop.pixels, spacing_mm=spacing)) is None, seed


def test_a_mask_is_refused_as_a_view_and_as_a_crop():
    drawn = simulate_view([Lesion(("COARSE",))], rng=np.random.default_rng(1), spacing_mm=0.2)
    mask = drawn.masks[0].astype(np.float32)
    rows, cols = np.nonzero(mask)
    for part in (mask, mask[rows.min() - 9 : rows.max() + 9, cols.min() - 9 : cols.max() + 9]):
        assert "mask" in refusal(upload(part))
    mask[5, 5] = 0.5
    assert "mask" not in (refusal(upload(mask)) or "")


def test_a_dark_16_bit_mammogram_is_no_blank():
    pixels = np.rint(view(0, look="digital") * 1023).astype(np.uint16)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert refusal(read_image(file.getvalue())) is None


def test_a_contrast_enhanced_mammogram_is_not_refused():
    exposure = pytest.importorskip("skimage.exposure")
    for seed in range(2):
        assert refusal(upload(exposure.equalize_adapthist(view(seed, look="film"), clip_limit=0.01))) is None


def test_real_film_is_not_refused(real_data):
    crop = read_image(next((real_data / "cbis-ddsm/crop").glob("*.dcm")))
    whole = read_image(next((real_data / "cbis-ddsm/view").glob("*.png")))
    assert refusal(crop) is None and refusal(whole) is None
    rng = np.random.default_rng(0)
    for picture in (crop.pixels, whole.pixels[1000:3000, 1500:]):
        for _ in range(10):  # patches of 2 to 3 cm, also scaled down
            side = int(rng.integers(400, 600))
            row, col = (int(rng.integers(0, n - side)) for n in picture.shape)
            patch = picture[row : row + side, col : col + side]
            assert refusal(upload(patch)) is None and refusal(upload(patch[::2, ::2])) is None


def test_notes_name_what_to_mind():
    pixels = view(0, look="digital", view="CC")
    notes = " ".join(notes_on(upload(pixels, "JPEG", quality=90)))
    assert "0.2 mm is estimated" in notes and "finest specks are lost" in notes and "Lossy" in notes
    assert "digital" in " ".join(notes_on(upload(pixels)))
    assert "Text" not in notes
    film = framed(view(0, look="film", view="CC"), np.random.default_rng(0))
    assert "digital" not in " ".join(notes_on(upload(film)))


def test_burnt_in_text_is_noted():
    shot = Image.fromarray(np.rint(view(0, look="digital", view="CC", laterality="L") * 255).astype(np.uint8))
    draw = ImageDraw.Draw(shot)
    for line in range(4):
        draw.text((shot.width - 160, 20 + 24 * line), "Name 12.03.1999", fill=255, font_size=18)
    assert any("Text" in note for note in notes_on(upload(np.asarray(shot))))


def test_a_crop_without_spacing_is_said_to_be_taken_as_film():
    crop = simulate_crop(["PUNCTATE"], rng=np.random.default_rng(1))
    assert any("assumed, as of film" in note for note in notes_on(upload(crop.pixels)))


def test_a_view_that_the_user_calls_a_crop_is_said_to_be_taken_as_film():
    picture = upload(view(0, look="film", view="CC"))
    assert any("is estimated" in note for note in notes_on(picture))
    notes = notes_on(picture, find_geometry(picture.pixels, kind="crop"))
    assert any("assumed, as of film" in note for note in notes) and not any("is estimated" in note for note in notes)
