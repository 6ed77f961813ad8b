"""DICOM to a Picture: decode, modality LUT, VOI LUT or window, MONOCHROME1 inversion (PS3.3 C.11)."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from lemons_core.base.errors import ImageError
from lemons_core.images.grey import grey_from_rgb, grey_from_stored
from lemons_core.images.header import (
    PIXELS,
    parse_dicom,
    read_header,
    read_laterality,
    read_spacing,
    read_view,
    syntax_label,
    text,
)
from lemons_core.images.picture import LOSSY, Picture, build_picture, check_size, decoding

GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_JPEG = {*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes}
_J2K = {*JPEG2000TransferSyntaxes}
_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless}


def read_dicom(data: bytes, where: str, max_pixels: int) -> Picture:
    """Read one DICOM image, with or without preamble; see read_image."""
    notes: list[str] = []
    warnings: list[str] = []
    with decoding("The DICOM file", where):
        ds, syntax = parse_dicom(data, where, max_pixels)
        check_header(ds, where, max_pixels)
        header = read_header(ds, syntax)
        laterality, view = read_laterality(ds), read_view(ds)
        spacing, source = read_spacing(ds, notes, warnings)
        if "HighBit" in ds and ds.HighBit != ds.BitsStored - 1:
            warnings.append("The header places the bits of a pixel unusually (HighBit): grey values may be wrong.")
    if data[128:132] != b"DICM":
        notes.append("DICOM without preamble")
    with decoding("The pixel data of the DICOM file", where):
        stored = decode(ds, syntax, where)
        photometric = header["photometric interpretation"]
        if photometric in GREY:
            pixels = grey_from_stored(stored, ds, notes, warnings)
        else:
            if photometric == "PALETTE COLOR":
                stored = apply_color_lut(stored, ds)
                high = np.iinfo(stored.dtype).max
            else:
                high = 2**ds.BitsStored - 1
            pixels = grey_from_rgb(stored, high, notes, warnings)
    if header.get("presentation intent") == "FOR PROCESSING":
        warnings.append("A raw digital image ('for processing'), not made for viewing: contrast will look unlike film.")
    if header.get("modality", "MG") not in ("MG", "OT", "SC"):
        warnings.append(f"The modality is {header['modality']}, not mammography (MG).")
    if syntax in _LOSSY or text(ds, "LossyImageCompression") == "01":
        warnings.append(LOSSY)
    return build_picture(
        pixels,
        notes,
        warnings,
        spacing_mm=spacing,
        spacing_source=source,
        laterality=laterality,
        view=view,
        format=f"DICOM ({header['transfer syntax']})",
        header=header,
    )


def check_header(ds: Dataset, where: str, max_pixels: int) -> None:
    """Refuse what holds no single picture, before anything is decoded.

    Raises ImageError: no picture, no pixels, an unknown photometric interpretation, or what `check_size` refuses
    """
    if not any(keyword in ds for keyword in ("SOPClassUID", "Rows", *PIXELS)):
        raise ImageError("The file is not an image, or its header is damaged", where=where, todo="Copy it again.")
    if "Rows" not in ds or "Columns" not in ds:
        todo = "It may be a report or cut short: choose the image itself, or copy it again."
        raise ImageError("The DICOM file holds no pixel data", where=where, todo=todo)
    frames = text(ds, "NumberOfFrames")
    check_size(ds.Columns, ds.Rows, int(frames) if frames.isdigit() else 1, where, max_pixels)
    ds.pop("NumberOfFrames", None)  # now known to be one, however it was written
    if not any(keyword in ds for keyword in PIXELS):
        todo = "It ends before them or was exported as a header only: copy or download it again."
        raise ImageError("The DICOM file describes an image but holds no pixel data", where=where, todo=todo)
    if text(ds, "PhotometricInterpretation") not in GREY + _COLOUR:
        todo = "Export it as MONOCHROME2."
        raise ImageError("The DICOM file has an unknown photometric interpretation", where=where, todo=todo)


def decode(ds: Dataset, syntax: UID, where: str) -> np.ndarray:
    """Stored values (H, W) or (H, W, 3) in native byte order; bits above BitsStored, such as overlays, are cleared.

    Raises ImageError: no decoder, or the compressed picture has another size than the header; what decoders raise, as
        it is
    """
    _check_decoder(syntax, where)
    if syntax in _JPEG | _J2K:
        stream = get_frame(ds.PixelData, 0, number_of_frames=1)
        *size, bits = _stream_format(stream, syntax in _J2K)
        # A small header over a huge stream is a decompression bomb; over any other stream it is a mistake.
        if size != [ds.Rows, ds.Columns, ds.SamplesPerPixel]:
            what = "The compressed picture has another size than its DICOM header says"
            raise ImageError(what, where=where, todo="Export it again.")
        if _plugin(syntax) == "gdcm":
            ds.PixelData = _decode_apart(stream, ds, bits, syntax)
            ds.BitsAllocated = 8 if bits <= 8 else 16
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            syntax = ExplicitVRLittleEndian
    values = pixel_array(ds, index=0, view_only=True, decoding_plugin=_plugin(syntax))
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _check_decoder(syntax: UID, where: str) -> None:
    """Raise before decoding when a transfer syntax is foreign or its decoder not installed."""
    label = syntax_label(syntax)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        todo = "Export it uncompressed or as JPEG 2000."
        raise ImageError(f"The transfer syntax is not supported: {label}", where=where, todo=todo) from error
    installed = decoder.is_available if syntax not in _JPEG | _J2K else _plugin(syntax) in decoder.available_plugins
    if not installed:
        todo = "Install the packages of requirements.txt (python-gdcm, pylibjpeg-openjpeg, Pillow)."
        raise ImageError(f"No decoder for {label} is installed", where=where, todo=todo)


def _plugin(syntax: UID) -> str:
    """pydicom's name for the decoder to use: of several, one that raises on damaged data instead of crashing."""
    if syntax in _J2K:
        return "pylibjpeg"
    return "pillow" if syntax == JPEGBaseline8Bit else "gdcm" if syntax in _JPEG else ""


def _decode_apart(stream: bytes, ds: Dataset, bits: int, syntax: UID) -> bytes:
    """Decode with gdcm in a process of its own; see gdcm_child. Also 12 bit extended JPEG, which pydicom refuses."""
    numbers = (ds.Rows, ds.Columns, ds.SamplesPerPixel, bits, ds.PixelRepresentation)
    arguments = [*(str(int(number)) for number in numbers), text(ds, "PhotometricInterpretation"), str(syntax)]
    child = [sys.executable, "-P", str(Path(__file__).with_name("gdcm_child.py")), *arguments]
    return subprocess.run(child, input=stream, capture_output=True, check=True, timeout=120).stdout


def _stream_format(stream: bytes, j2k: bool) -> tuple[int, int, int, int]:
    """Rows, columns, components and bits a sample that a JPEG, JPEG-LS or JPEG 2000 stream declares."""
    if j2k:  # SIZ follows SOC; a JP2 wrapper may stand before (ISO 15444-1 A.5.1)
        start = stream.index(b"\xff\x4f\xff\x51")
        right, bottom, left, top = struct.unpack_from(">4I", stream, start + 8)
        components, depth = struct.unpack_from(">HB", stream, start + 40)
        return bottom - top, right - left, components, (depth & 0x7F) + 1
    at = 2
    while True:  # segments up to the start of frame (ISO 10918-1 B.1.1)
        marker, length = struct.unpack_from(">HH", stream, at)
        if (0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC)) or marker == 0xFFF7:
            bits, rows, columns, components = struct.unpack_from(">BHHB", stream, at + 4)
            return rows, columns, components, bits
        if marker < 0xFF00:
            raise ValueError("no JPEG marker where one must be")
        at += 1 if marker == 0xFFFF else 2 + length
