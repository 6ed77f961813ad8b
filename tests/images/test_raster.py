"""PNG, JPEG and TIFF of any depth and colour, and the PNG that is written."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.dicom import H, W, encoded, ramp

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image, write_png


def test_png_round_trip_is_exact_and_keeps_the_spacing(tmp_path: Path) -> None:
    values = np.arange(256 * 256, dtype=np.uint16).reshape(256, 256)
    write_png(tmp_path / "a.png", values / np.float32(65535), spacing_mm=0.0435)
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(np.rint(picture.pixels * 65535), values)
    assert picture.pixels.max() == 1 and picture.format == "PNG 16 bit"
    assert picture.spacing_mm == pytest.approx(0.0435, rel=1e-4)
    assert picture.spacing_source == "PNG pHYs"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_png_8_bit_and_bad_arguments(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", ramp(8) / 255, bits=8)
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "a.png").pixels * 255), ramp(8))
    black = np.zeros((20, 20))
    for pixels, options in ((black[0], {}), (black * np.nan, {}), (black, {"bits": 12}), (black, {"spacing_mm": 0.0})):
        with pytest.raises(ValueError):
            write_png(tmp_path / "a.png", pixels, **options)
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "a.png").pixels * 255), ramp(8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("dpi", [72, 96, 100, 150, 200, 300, 600, 1200])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_print_resolutions_are_no_spacing(kind: str, dpi: int) -> None:
    assert read_image(encoded(ramp(8), kind, dpi=(dpi, dpi))).spacing_mm is None


@pytest.mark.parametrize(
    ("kind", "source"), [("PNG", "PNG pHYs"), ("JPEG", "JPEG density"), ("TIFF", "TIFF resolution")]
)
def test_resolution_of_a_film_scanner_is_spacing(kind: str, source: str) -> None:
    picture = read_image(encoded(ramp(8), kind, dpi=(508, 508)))  # 0.05 mm
    assert picture.spacing_mm == pytest.approx(0.05, rel=1e-4)
    assert picture.spacing_source == source
    assert read_image(encoded(ramp(8), kind, dpi=(5, 5))).spacing_mm is None
    assert read_image(encoded(ramp(8), kind, dpi=(508, 254))).spacing_mm is None


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(ramp(8)).convert("RGB"), ramp(8) / 255),
        (Image.fromarray(ramp(8)).convert("P"), ramp(8) / 255),
        (Image.fromarray(ramp(8)).convert("1", dither=Image.Dither.NONE), ramp(8) > 127),
        (Image.merge("LA", [Image.fromarray(ramp(8)), Image.new("L", (W, H), 128)]), ramp(8) / 255 * 128 / 255),
        (Image.merge("RGBA", [Image.new("L", (W, H), 255)] * 3 + [Image.fromarray(ramp(8))]), ramp(8) / 255),
        (Image.fromarray(ramp(16)), ramp(16) / 65535),
    ],
    ids=["RGB", "P", "1", "LA", "RGBA", "I;16"],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_modes(image: Image.Image, expected: np.ndarray, kind: str) -> None:
    picture = read_image(encoded(image, kind))
    np.testing.assert_allclose(picture.pixels, expected, atol=0.006)
    assert not any("colour" in warning for warning in picture.warnings)


def test_transparent_grey_value_is_black() -> None:
    pixels = read_image(encoded(Image.new("L", (W, H), 200), "PNG", transparency=200)).pixels
    assert pixels.max() == 0


def test_jpeg_colour_cmyk_and_orientation() -> None:
    upright = Image.fromarray(np.stack([ramp(8), ramp(8), ramp(8)[::-1]], axis=-1))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_image(encoded(upright, "JPEG", quality=95, exif=exif))
    assert picture.pixels.shape == (W, H)
    assert any("EXIF" in note for note in picture.notes) and "colour converted to grey" in picture.notes
    assert any("Lossy" in warning for warning in picture.warnings)
    expected = np.asarray(upright.convert("L").transpose(Image.Transpose.ROTATE_270)) / 255
    np.testing.assert_allclose(picture.pixels, expected, atol=0.03)

    cmyk = read_image(encoded(upright.convert("CMYK"), "JPEG", quality=95))
    np.testing.assert_allclose(cmyk.pixels, np.asarray(upright.convert("L")) / 255, atol=0.06)


def test_16_bit_colour_png_says_that_depth_is_lost() -> None:
    rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in ramp(16))
    data = _png_chunks(struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0), zlib.compress(rows))
    picture = read_image(data)
    np.testing.assert_allclose(picture.pixels, ramp(16) / 65535, atol=0.006)
    assert "16 bit colour reduced to 8 bit" in picture.notes


def test_float_and_white_is_zero_tiff() -> None:
    values = (ramp(16) * 3.5 - 7).astype(np.float32)
    values[3, 3] = np.inf
    picture = read_image(encoded(values, "TIFF"))
    np.testing.assert_allclose(np.delete(picture.pixels, 3, 0), np.delete(ramp(16), 3, 0) / 65535, atol=1e-4)
    assert picture.pixels[3, 3] == 0 and len(picture.notes) == 2

    for bits in (8, 16):
        data = bytearray(encoded(ramp(bits), "TIFF"))
        at = data.index(struct.pack("<HHIHH", 262, 3, 1, 1, 0))  # PhotometricInterpretation: black is zero
        data[at + 8] = 0
        picture = read_image(bytes(data))
        np.testing.assert_allclose(picture.pixels, 1 - ramp(bits) / (2**bits - 1), atol=1e-6)


def test_dark_16_bit_png_keeps_its_values_but_warns() -> None:
    picture = read_image(encoded((ramp(16) // 16).astype(np.uint16), "PNG"))
    assert picture.pixels.max() == pytest.approx(4095 / 65535)
    assert any("dark" in warning for warning in picture.warnings)


def test_flat_picture_warns() -> None:
    assert any("same value" in warning for warning in read_image(encoded(np.zeros((20, 20), np.uint8), "PNG")).warnings)


def _png_chunks(header: bytes, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


_NOISE = np.random.default_rng(3).integers(0, 256, (H, W), np.uint8)
_FRAMES = [Image.fromarray(ramp(8)), Image.fromarray(ramp(8)[::-1])]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded(_NOISE, "PNG")[:-200], "PNG file is damaged or cut short"),
        (encoded(ramp(8), "JPEG")[:-200], "JPEG file is damaged or cut short"),
        (encoded(ramp(16), "TIFF")[:-200], "TIFF file is damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "PNG file is damaged"),
        (b"\xff\xd8\xff", "JPEG file is damaged"),
        (b"II*\0", "TIFF file is damaged"),
        (encoded(np.zeros((1, 1), np.uint8), "PNG"), "too small"),
        (_png_chunks(struct.pack(">IIBBBBB", 0, 9, 8, 0, 0, 0, 0), b""), "zero size"),
        (_png_chunks(struct.pack(">IIBBBBB", 40000, 40000, 16, 0, 0, 0, 0), b""), "too many pixels"),
        (encoded(_FRAMES[0], "TIFF", save_all=True, append_images=_FRAMES[1:]), "more than one frame"),
        (encoded(_FRAMES[0], "PNG", save_all=True, append_images=_FRAMES[1:]), "more than one frame"),
        (encoded(ramp(8), "GIF"), "GIF file is not a supported format.*PNG, JPEG or TIFF"),
        (encoded(ramp(8), "BMP"), "BMP file is not a supported format"),
        (encoded(ramp(8), "WEBP"), "WebP file is not a supported format"),
        (b"%PDF-1.7 report", "PDF file is not a supported format"),
    ],
)
def test_raster_errors(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        read_image(data, name="upload")
    assert "upload" in str(error.value) and error.value.todo


def test_limit_is_ours_and_pillow_keeps_its_own() -> None:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = 10  # another part of the process may be stricter or laxer than we are
    try:
        for kind in ("PNG", "JPEG"):
            assert read_image(encoded(ramp(8), kind), max_pixels=H * W).pixels.shape == (H, W)
            with pytest.raises(ImageError, match="too many pixels"):
                read_image(encoded(ramp(8), kind), max_pixels=H * W - 1)
        assert Image.MAX_IMAGE_PIXELS == 10
    finally:
        Image.MAX_IMAGE_PIXELS = before
