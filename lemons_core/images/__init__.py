"""One door for everything that has pixels: DICOM, PNG, JPEG or TIFF, from disk or from memory, to one frozen value."""

from pathlib import Path

from lemons_core.base import config
from lemons_core.base.errors import ImageError
from lemons_core.images.dicom import read_dicom
from lemons_core.images.find import IMAGE_SUFFIXES
from lemons_core.images.picture import COLOUR, LOSSY, NO_SPACING, TURNED, Picture
from lemons_core.images.raster import read_raster, write_png

__all__ = ["COLOUR", "IMAGE_SUFFIXES", "LOSSY", "NO_SPACING", "TURNED", "Picture", "read_image", "write_png"]

_RASTERS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
# Known by their first bytes, so that the message can say what the file is.
_UNSUPPORTED = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WebP",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"%PDF": "PDF",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
    b"P5": "PGM",
    b"n+1": "NIfTI",
}
# A DICOM file without preamble starts with group 0002 or 0008, the latter in either byte order.
_BARE_DICOM = (b"\x02\0", b"\x08\0", b"\0\x08")
_SUPPORTED = "Give a DICOM, PNG, JPEG or TIFF file."


def read_image(source: str | Path | bytes, *, name: str | None = None, max_pixels: int = config.MAX_PIXELS) -> Picture:
    """Read one picture; its type is recognised by its content, never by its suffix.

    DICOM pixels pass the modality LUT, then the VOI LUT or window, then the inversion of MONOCHROME1 (PS3.3 C.11).
    Nothing that could name a patient is kept: of a DICOM header only a fixed list of harmless elements is parsed.

    source : path of the file, or its bytes
    name : what to call the file in error messages; the path when not given
    max_pixels : rows x columns above which a picture is refused before it is decoded
    Returns picture with pixels (H, W) float32, 0-1, bright = dense
    Raises ImageError: the file cannot be read, is no picture, is damaged, has several frames, or is too small or too
        large
    """
    where = name or ("uploaded file" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else _read_bytes(Path(source), where, max_pixels)
    if not data:
        raise ImageError("The file is empty", where=where, todo="Copy or download it again.")
    if data[128:132] == b"DICM":  # first: the preamble of a DICOM file may hold the signature of a TIFF
        return read_dicom(data, where, max_pixels)
    for magic, kind in _RASTERS.items():
        if data.startswith(magic):
            return read_raster(data, kind, where, max_pixels)
    for magic, kind in _UNSUPPORTED.items():
        if data.startswith(magic):
            raise ImageError(f"A {kind} file is not a supported format", where=where, todo=_SUPPORTED)
    if data.startswith(_BARE_DICOM):
        return read_dicom(data, where, max_pixels)
    raise ImageError("The file is not an image, whatever its name says", where=where, todo=_SUPPORTED)


def _read_bytes(path: Path, where: str, max_pixels: int) -> bytes:
    try:
        if path.is_dir():
            raise ImageError("A folder was given where a file is needed", where=where, todo=_SUPPORTED)
        if not path.exists():
            raise ImageError("The file does not exist", where=where, todo="Check the path.")
        if not path.is_file():  # reading a pipe or a device might never end
            raise ImageError("This is not an ordinary file", where=where, todo=_SUPPORTED)
        if path.stat().st_size > 8 * max_pixels + 2**26:  # 8 bytes a pixel and a generous header
            raise ImageError("The file is too large for one picture", where=where, todo=_SUPPORTED)
        return path.read_bytes()
    except PermissionError as error:
        raise ImageError("The file may not be read", where=where, todo="Change its permissions.") from error
    except OSError as error:
        raise ImageError(
            "The file cannot be read from disk", where=where, todo="Check the path and the disk."
        ) from error
