"""One door for everything that has pixels: DICOM, PNG, JPEG or TIFF, from disk or from memory, to one frozen value."""

from pathlib import Path

from lemons_core.base import config
from lemons_core.base.errors import ImageError
from lemons_core.images.dicom import read_dicom
from lemons_core.images.find import IMAGE_SUFFIXES
from lemons_core.images.picture import COLOUR, LOSSY, NO_SPACING, TURNED, Picture
from lemons_core.images.raster import read_raster, write_png

__all__ = ["COLOUR", "IMAGE_SUFFIXES", "LOSSY", "NO_SPACING", "TURNED", "Picture", "read_image", "write_png"]

# The first bytes of a file. Those of formats that are not read are known so that the message can say what it is.
_RASTERS = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_UNSUPPORTED = {
    "GIF": (b"GIF8",),
    "BMP": (b"BM",),
    "WebP": (b"RIFF",),
    "JPEG 2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "PDF": (b"%PDF",),
    "ZIP": (b"PK\x03\x04",),
    "gzip": (b"\x1f\x8b",),
    "PGM": (b"P5",),
    "NIfTI": (b"n+1",),
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
    for kind, beginnings in _RASTERS.items():
        if data.startswith(beginnings):
            return read_raster(data, kind, where, max_pixels)
    for kind, beginnings in _UNSUPPORTED.items():
        if data.startswith(beginnings):
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
