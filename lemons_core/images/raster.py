"""PNG, JPEG and TIFF to a Picture, and pixels to PNG."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from lemons_core.base.io import atomic_path
from lemons_core.images.grey import grey_from_rgb
from lemons_core.images.picture import LOSSY, TURNED, Picture, build_picture, check_size, decoding

# The plugins are called directly, not through Image.open: its guard against bombs is a global limit of the process,
# ours is an argument, and no other format can slip in.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {"PNG": PngImageFile, "JPEG": JpegImageFile, "TIFF": TiffImageFile}
_ORIENTATION, _BITS_PER_SAMPLE, _PHOTOMETRIC = 0x0112, 258, 262

# Resolutions that programs write when they know nothing about the object, in dots per inch.
_PRINT_DPI = (72, 96, 100, 120, 144, 150, 180, 200, 220, 240, 300, 350, 360, 400, 600, 720, 1200)
_MAMMOGRAM_MM = (0.02, 0.5)


def read_raster(data: bytes, kind: str, where: str, max_pixels: int) -> Picture:
    """Read a PNG, JPEG or TIFF of any depth and colour; see read_image."""
    notes: list[str] = []
    warnings: list[str] = []
    if kind == "PNG" and len(data) >= 24 and data[12:16] == b"IHDR":  # Pillow takes zero size for damage
        check_size(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]), 1, where, max_pixels)
    with decoding(f"The {kind} file", where):
        image = _PLUGINS[kind](BytesIO(data))
        width, height = image.size
        check_size(width, height, 1, where, max_pixels)  # before n_frames, which walks through the file
        check_size(width, height, getattr(image, "n_frames", 1), where, max_pixels)
        bits = _bits(image, data)
        header = {"mode": image.mode, "bits": str(bits)}
        spacing = _spacing_mm(image)
        turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
        # Pillow inverts such files by itself when they have 8 bit.
        white_is_zero = isinstance(image, TiffImageFile) and bits > 8 and image.tag_v2.get(_PHOTOMETRIC) == 0
        image.load()
        pixels = _to_grey(ImageOps.exif_transpose(image) if turned else image, bits, notes, warnings)
    if white_is_zero:
        np.subtract(1, pixels, out=pixels)
        notes.append("inverted: white is zero")
    if turned:
        notes.append(TURNED)
    if kind == "JPEG":
        warnings.append(LOSSY)
    source = {"PNG": "PNG pHYs", "JPEG": "JPEG density", "TIFF": "TIFF resolution"}[kind]
    return build_picture(
        pixels,
        notes,
        warnings,
        spacing_mm=spacing,
        spacing_source=source if spacing is not None else "unknown",
        laterality=None,
        view=None,
        format=f"{kind} {bits} bit",
        header=header,
    )


def _bits(image: ImageFile.ImageFile, data: bytes) -> int:
    """Bits per sample as stored."""
    if isinstance(image, PngImageFile):
        return data[24]
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))[0])
    return 8


def _to_grey(image: Image.Image, bits: int, notes: list[str], warnings: list[str]) -> np.ndarray:
    """Any Pillow picture to (H, W) float32, 0-1."""
    if image.mode.startswith("I;16"):
        high = (1 << min(bits, 16)) - 1  # a TIFF may hold 12 bit samples
        pixels = np.divide(np.asarray(image), np.float32(high), dtype=np.float32)
        if pixels.max() < 1 / 8:
            warnings.append(f"The grey values fill less than an eighth of the {bits} bit range: the picture is dark.")
        return pixels
    if image.mode in ("I", "F"):
        return _stretched(np.asarray(image), notes)
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.divide(np.asarray(image.convert("L")), np.float32(255), dtype=np.float32)
    if bits > 8:
        notes.append("16 bit colour reduced to 8 bit")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        black.alpha_composite(image.convert("RGBA"))
        image = black
        notes.append("transparency laid over black")
    return grey_from_rgb(np.asarray(image.convert("RGB")), 255, notes, warnings)


def _stretched(values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Values without a known range, scaled to 0-1 from the least to the greatest."""
    finite = np.isfinite(values)
    if not finite.all():
        notes.append("values that are not numbers set to black")
    low, high = (float(values[finite].min()), float(values[finite].max())) if finite.any() else (0.0, 0.0)
    notes.append("scaled from the least to the greatest value")
    scaled = np.zeros(values.shape, np.float32)
    np.divide(values - low, (high - low) or 1.0, out=scaled, where=finite, casting="unsafe")
    return scaled


def _spacing_mm(image: ImageFile.ImageFile) -> float | None:
    """Pixel spacing when the resolution can be a mammogram's; None for the defaults of print and screen, or none."""
    x, y = (float(dpi) for dpi in image.info.get("dpi", (0, 0)))
    if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0) or abs(x - y) > 0.02 * x:
        return None
    dpi = (x + y) / 2
    # PNG counts whole pixels per metre (600 dpi comes back as 599.999), JPEG whole dots, at worst per centimetre.
    tolerance = 1.3 if isinstance(image, JpegImageFile) else 0.02
    if any(abs(dpi - default) < tolerance for default in _PRINT_DPI):
        return None
    return 25.4 / dpi if _MAMMOGRAM_MM[0] <= 25.4 / dpi <= _MAMMOGRAM_MM[1] else None


def write_png(path: str | Path, pixels: np.ndarray, *, bits: int = 16, spacing_mm: float | None = None) -> None:
    """Write a grey PNG; it appears under its name only when it is complete.

    path : where to write; its folder is made when missing
    pixels : (H, W), 0-1; values outside are clipped
    bits : 8 or 16 per pixel
    spacing_mm : mm per pixel, kept in the pHYs chunk as whole pixels per metre
    Raises ValueError: pixels that are not two-dimensional or not finite, other bits, a spacing that is not positive
    """
    if pixels.ndim != 2 or not np.isfinite(pixels).all():
        raise ValueError("pixels must be finite, with rows and columns only")
    if bits not in (8, 16):
        raise ValueError("bits must be 8 or 16")
    if spacing_mm is not None and not 0 < spacing_mm < math.inf:
        raise ValueError("spacing_mm must be positive")
    scaled = np.clip(pixels, 0, 1, dtype=np.float32)
    scaled *= 2**bits - 1
    image = Image.fromarray(np.rint(scaled, out=scaled).astype(f"uint{bits}"))
    resolution = {} if spacing_mm is None else {"dpi": (25.4 / spacing_mm, 25.4 / spacing_mm)}
    with atomic_path(Path(path)) as part:
        image.save(part, "PNG", compress_level=3, **resolution)  # level 6 takes twice as long for a few per cent
