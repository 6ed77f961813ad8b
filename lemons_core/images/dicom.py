"""DICOM to a Picture: decode, modality LUT, VOI LUT or window, MONOCHROME1 inversion (PS3.3 C.11)."""

import struct
import zlib
from io import BytesIO
from math import isfinite

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ..errors import ImageError
from ..terms import Laterality, View
from .picture import LOSSY, NO_SPACING, Picture, check_size, decoding, grey_from_rgb, in_blocks, warn_if_flat

# All that is parsed of a header. Names, identifiers, dates and descriptions never enter memory as values, so that no
# message, log or cache can hold them.
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PALETTE = [f"{part}{colour}PaletteColorLookupTable{what}"
            for colour in ("Red", "Green", "Blue")
            for part, what in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))]  # fmt: skip
_ELEMENTS: list[BaseTag | int] = [Tag(keyword) for keyword in (
    "SOPClassUID", "Modality", "PresentationIntentType", "ViewPosition", "ViewCodeSequence", "PatientOrientation",
    "ImageLaterality", "Laterality", "ImagerPixelSpacing", "PixelSpacing", "SamplesPerPixel",
    "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "LossyImageCompression", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    *_PALETTE, *_PIXELS,
)]  # fmt: skip

_SYNTAXES = {
    ImplicitVRLittleEndian: "implicit little endian",
    ExplicitVRLittleEndian: "explicit little endian",
    ExplicitVRBigEndian: "explicit big endian",
    DeflatedExplicitVRLittleEndian: "deflated",
    RLELossless: "RLE",
    JPEGBaseline8Bit: "JPEG baseline",
    JPEGExtended12Bit: "JPEG extended",
    JPEGLossless: "JPEG lossless",
    JPEGLosslessSV1: "JPEG lossless",
    JPEGLSLossless: "JPEG-LS",
    JPEGLSNearLossless: "JPEG-LS near-lossless",
    JPEG2000Lossless: "JPEG 2000 lossless",
    JPEG2000: "JPEG 2000",
}
_LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless}
_JPEG = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless}
_J2K = {JPEG2000, JPEG2000Lossless}
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_MODALITIES = ("MG", "CR", "DX", "OT", "CT", "MR", "US", "XA", "RF", "RG", "NM", "PT", "SC", "SR", "SEG", "DG", "XC")
_INTENTS = ("FOR PRESENTATION", "FOR PROCESSING")
# CID 4014, SNOMED RT and SNOMED CT.
_VIEW_CODES = {"R-10242": View.CC, "399162004": View.CC, "R-10226": View.MLO, "399368009": View.MLO}


def read_dicom(data: bytes, where: str, max_pixels: int) -> Picture:
    """Read one DICOM image, with or without preamble; see read_image."""
    notes: list[str] = []
    warnings: list[str] = []
    with decoding("The DICOM file", where):
        ds, syntax = _parse(data, where, max_pixels)
        _check(ds, where, max_pixels)
        header = _header(ds, syntax)
        laterality, view = _laterality(ds), _view(ds)
        spacing, source = _spacing(ds, notes, warnings)
    if data[128:132] != b"DICM":
        notes.append("DICOM without preamble")
    _check_decoder(syntax, where)
    with decoding("The pixel data of the DICOM file", where):
        stored = _decode(ds, syntax, where)
        photometric = header["photometric interpretation"]
        if photometric in _GREY:
            pixels = _grey(stored, ds, notes, warnings)
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
    if syntax in _LOSSY or _text(ds, "LossyImageCompression") == "01":
        warnings.append(LOSSY)
    if spacing is None:
        warnings.append(NO_SPACING)
    warn_if_flat(pixels, warnings)
    return Picture(
        pixels=pixels,
        spacing_mm=spacing,
        spacing_source=source,
        laterality=laterality,
        view=view,
        format=f"DICOM ({header['transfer syntax']})",
        header=header,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _parse(data: bytes, where: str, max_pixels: int) -> tuple[Dataset, UID]:
    """The listed elements only, and the transfer syntax, told from the encoding when the file does not say."""
    buffer = BytesIO(data)
    buffer.seek(132 if data[128:132] == b"DICM" else 0)
    meta = read_dataset(buffer, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    syntax = UID(_text(meta, "TransferSyntaxUID"))
    if syntax == DeflatedExplicitVRLittleEndian:
        # pydicom would inflate without a limit; four bytes a pixel and a generous header are enough for one picture.
        limit = 4 * max_pixels + 2**24
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        body = inflater.decompress(data[buffer.tell() :], limit)
        if not inflater.eof:
            if len(body) < limit:
                raise EOFError
            raise ImageError(
                "The DICOM file inflates to more data than one picture can hold",
                where=where,
                todo="Export it again without the deflated transfer syntax.",
            )
        ds = read_dataset(BytesIO(body), False, True, specific_tags=_ELEMENTS)
        plain = ExplicitVRLittleEndian
        ds.set_original_encoding(False, True)
    else:
        ds = dcmread(BytesIO(data), force=True, specific_tags=_ELEMENTS)
        implicit, little = ds.original_encoding
        plain = syntax = syntax or (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        )
    ds.file_meta = FileMetaDataset()  # the original one holds identifiers
    ds.file_meta.TransferSyntaxUID = plain
    return ds, syntax


def _check(ds: Dataset, where: str, max_pixels: int) -> None:
    """Refuse what holds no single picture, before anything is decoded."""
    sop_class = _text(ds, "SOPClassUID")
    if "Rows" not in ds and not sop_class.startswith("1.2.840.10008.") and not any(k in ds for k in _PIXELS):
        raise ImageError("The file is not an image, or its header is damaged", where=where, todo="Copy it again.")
    if "Rows" not in ds or "Columns" not in ds:
        todo = "It may be a report or cut short: choose the image itself, or copy it again."
        raise ImageError("The DICOM file holds no pixel data", where=where, todo=todo)
    frames = _text(ds, "NumberOfFrames")
    check_size(ds.Columns, ds.Rows, int(frames) if frames.isdigit() else 1, where, max_pixels)
    if not any(keyword in ds for keyword in _PIXELS):
        todo = "It ends before them or was exported as a header only: copy or download it again."
        raise ImageError("The DICOM file describes an image but holds no pixel data", where=where, todo=todo)
    if _text(ds, "PhotometricInterpretation") not in _GREY + _COLOUR:
        todo = "Export it as MONOCHROME2."
        raise ImageError("The DICOM file has an unknown photometric interpretation", where=where, todo=todo)


def _check_decoder(syntax: UID, where: str) -> None:
    """Say before decoding that a transfer syntax is foreign or its decoder not installed."""
    label = _syntax_label(syntax)
    todo = "Convert it to an uncompressed or JPEG 2000 file, for example with gdcmconv or dcmdjpeg."
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise ImageError(f"The transfer syntax is not supported: {label}", where=where, todo=todo) from error
    if not decoder.is_available:
        todo = "Install the packages of requirements.txt (python-gdcm, pylibjpeg-openjpeg)."
        raise ImageError(f"No decoder for {label} is installed", where=where, todo=todo)


def _decode(ds: Dataset, syntax: UID, where: str) -> np.ndarray:
    """Stored values (H, W) or (H, W, 3) in native byte order; bits above BitsStored, such as overlays, are cleared."""
    if syntax in _JPEG | _J2K:
        # A small header over a huge stream is a decompression bomb; over any other stream it is a mistake.
        size = _stream_size(get_frame(ds.PixelData, 0, number_of_frames=1), syntax in _J2K)
        if size != (ds.Rows, ds.Columns, ds.SamplesPerPixel):
            todo = "Export it again."
            raise ImageError(
                "The compressed picture has another size than its DICOM header says", where=where, todo=todo
            )
    if syntax == JPEGExtended12Bit and ds.BitsStored > 8:
        # gdcm decodes 12 bit extended JPEG well, but pydicom does not let it; it does under the name of lossless JPEG.
        ds.file_meta.TransferSyntaxUID = JPEGLossless
    values = pixel_array(ds, index=0, view_only=True)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _stream_size(stream: bytes, j2k: bool) -> tuple[int, int, int]:
    """Rows, columns and components that a JPEG, JPEG-LS or JPEG 2000 stream declares."""
    if j2k:  # SIZ follows SOC; a JP2 wrapper may stand before (ISO 15444-1 A.5.1)
        start = stream.index(b"\xff\x4f\xff\x51")
        right, bottom, left, top = struct.unpack_from(">4I", stream, start + 8)
        return bottom - top, right - left, struct.unpack_from(">H", stream, start + 40)[0]
    at = 2
    while True:  # segments up to the start of frame (ISO 10918-1 B.1.1)
        marker, length = struct.unpack_from(">HH", stream, at)
        if (0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC)) or marker == 0xFFF7:
            rows, columns, components = struct.unpack_from(">HHB", stream, at + 5)
            return rows, columns, components
        at += 1 if marker == 0xFFFF else 2 + length


def _grey(stored: np.ndarray, ds: Dataset, notes: list[str], warnings: list[str]) -> np.ndarray:
    """Stored values (H, W) to (H, W) float32, 0-1.

    Up to 16 bits every possible value is computed once and the picture is looked up in that table: a full mammogram
    then costs no float64 copy, and each step reads like its formula.
    """
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 2:
        values = stored.astype(np.float64)
        return _to_unit(values, np.isfinite(values), ds, notes, warnings)
    index = stored.view(f"u{stored.dtype.itemsize}")
    values = np.arange(1 << 8 * stored.dtype.itemsize, dtype=index.dtype).view(stored.dtype).astype(np.float64)
    seen = np.zeros(values.size, bool)
    in_blocks(lambda rows: seen.__setitem__(index[rows], True), len(index))
    table = _to_unit(values, seen, ds, notes, warnings)
    pixels = np.empty(index.shape, np.float32)
    in_blocks(lambda rows: pixels.__setitem__(rows, table[index[rows]]), len(index))
    return pixels


def _to_unit(stored: np.ndarray, seen: np.ndarray, ds: Dataset, notes: list[str], warnings: list[str]) -> np.ndarray:
    """The grey pipeline for stored values (float64, any shape); seen marks those that occur. Returns float32, 0-1."""
    padding = _padding(stored, ds)
    if (seen & padding).any():
        notes.append("padding set to black")
    bits, signed = ds.get("BitsStored", 0), ds.get("PixelRepresentation", 0) == 1
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)

    values = stored
    slope, intercept = _floats(ds, "RescaleSlope"), _floats(ds, "RescaleIntercept")
    if ds.get("ModalityLUTSequence"):
        values, high = _look_up(values, ds.ModalityLUTSequence[0], signed, ds)
        low = 0.0
        notes.append("modality lookup table applied")
    elif slope and intercept and slope[0] != 0:
        values = values * slope[0] + intercept[0]
        low, high = sorted((low * slope[0] + intercept[0], high * slope[0] + intercept[0]))
        if (slope[0], intercept[0]) != (1, 0):
            notes.append(f"rescaled: slope {slope[0]:g}, intercept {intercept[0]:g}")

    window = _window(ds, warnings)
    if ds.get("VOILUTSequence"):
        values, high = _look_up(values, ds.VOILUTSequence[0], signed or low < 0, ds)
        unit = values / high
        notes.append("VOI lookup table applied")
    elif window:
        unit = _windowed(values, *window)
        notes.append(f"window {window[0]:g}/{window[1]:g} applied")
    else:
        observed = values[seen & ~padding]
        if observed.size and np.ptp(observed) > 0 and (bits == 0 or np.ptp(observed) < (high - low) / 8):
            low, high = float(observed.min()), float(observed.max())
            notes.append(f"scaled from the least to the greatest value ({low:g} to {high:g}): few grey levels in use")
        unit = (values - low) / ((high - low) or 1)
    unit = np.clip(np.nan_to_num(unit, nan=0.0), 0, 1).astype(np.float32)
    if _text(ds, "PhotometricInterpretation") == "MONOCHROME1":
        unit = 1 - unit
        notes.append("inverted: MONOCHROME1")
    unit[padding | ~np.isfinite(stored)] = 0
    return unit


def _padding(stored: np.ndarray, ds: Dataset) -> np.ndarray:
    """Where stored values are padding outside the picture (PS3.3 C.7.5.1.1.2)."""
    first = ds.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(stored.shape, bool)
    last = ds.get("PixelPaddingRangeLimit")
    ends = np.array([first, last if isinstance(last, int) else first])
    if ds.get("PixelRepresentation", 0) == 1:  # written as unsigned more often than not
        half = 1 << (ds.BitsAllocated - 1)
        ends = (ends + half) % (2 * half) - half
    return (stored >= ends.min()) & (stored <= ends.max())


def _look_up(values: np.ndarray, item: Dataset, signed: bool, ds: Dataset) -> tuple[np.ndarray, float]:
    """Values through a modality or VOI lookup table, and the greatest value of its range (PS3.3 C.11.1.1).

    Not pydicom's own: it wraps indices at 256 for tables with 8 bit entries.
    """
    entries, first, depth = (int(number) for number in item.LUTDescriptor)
    entries = entries or 65536
    if signed and first > 32767:
        first -= 65536
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if ds.original_encoding[1] else ">"
        data = np.frombuffer(data, "u1" if len(data) < 2 * entries else f"{order}u2")
    table = np.asarray(data, np.float64)[:entries]
    if table.size < entries or not 1 <= depth <= 16:
        raise ValueError("lookup table shorter than its descriptor says")
    high = 2.0**depth - 1
    return table[np.clip(np.rint(np.nan_to_num(values)) - first, 0, entries - 1).astype(np.intp)], high


def _window(ds: Dataset, warnings: list[str]) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window, None without a usable one."""
    centre, width = _floats(ds, "WindowCenter"), _floats(ds, "WindowWidth")
    if "WindowCenter" not in ds and "WindowWidth" not in ds:
        return None
    function = _text(ds, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
        warnings.append("The VOI LUT function is unknown: taken as linear.")
    if not centre or not width or width[0] <= 0 or (function == "LINEAR" and width[0] < 1):
        warnings.append("The window of the file makes no sense and was not applied.")
        return None
    return centre[0], width[0], function


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Values to 0-1 through a window. Source: PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)  # a width of 1 is a threshold
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _text(ds: Dataset, keyword: str) -> str:
    """Text as stored. Not through pydicom's conversion, which repeats values that break a rule in its warnings."""
    value = ds.get_item(keyword).value if keyword in ds else None
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value or "")


def _floats(ds: Dataset, keyword: str) -> list[float]:
    """Decimal strings as stored; empty when missing or when one of them is no finite number."""
    try:
        numbers = [float(part) for part in _text(ds, keyword).split("\\")]
    except ValueError:
        return []
    return numbers if all(isfinite(number) for number in numbers) else []


def _syntax_label(syntax: UID) -> str:
    return _SYNTAXES.get(syntax) or (syntax.name if syntax.name != syntax else "private or unknown")


def _header(ds: Dataset, syntax: UID) -> dict[str, str]:
    """Facts for display: numbers, or words from closed lists, so that nothing typed by a person passes."""
    header = {
        "photometric interpretation": _text(ds, "PhotometricInterpretation"),
        "transfer syntax": _syntax_label(syntax),
        "bits": f"{int(ds.get('BitsStored') or 0)} of {int(ds.get('BitsAllocated') or 0)}",
    }
    sop_class = UID(_text(ds, "SOPClassUID"))
    if sop_class.type == "SOP Class":
        header["object"] = sop_class.name
    if (modality := _text(ds, "Modality")) in _MODALITIES:
        header["modality"] = modality
    if (intent := _text(ds, "PresentationIntentType")) in _INTENTS:
        header["presentation intent"] = intent
    return header


def _laterality(ds: Dataset) -> Laterality | None:
    for keyword in ("ImageLaterality", "Laterality"):
        if (side := _text(ds, keyword)) in tuple(Laterality):
            return Laterality(side)
    return None


def _view(ds: Dataset) -> View | None:
    """ViewPosition, the view code, or PatientOrientation, where CBIS-DDSM writes the view."""
    if (position := _text(ds, "ViewPosition")) in tuple(View):
        return View(position)
    for item in ds.get("ViewCodeSequence") or ():
        if (code := _text(item, "CodeValue")) in _VIEW_CODES:
            return _VIEW_CODES[code]
    orientation = _text(ds, "PatientOrientation")
    return View(orientation) if orientation in tuple(View) else None


def _spacing(ds: Dataset, notes: list[str], warnings: list[str]) -> tuple[float | None, str]:
    """mm per pixel and the element it comes from. ImagerPixelSpacing first: it is the one without magnification."""
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        if not _text(ds, keyword):
            continue
        spacing = _floats(ds, keyword)
        if len(spacing) != 2 or not all(0 < side <= 2 for side in spacing):
            warnings.append(f"{keyword} makes no sense and was not used.")
            continue
        if max(spacing) > 1.02 * min(spacing):
            notes.append(f"{keyword} differs between rows and columns: the mean is used")
        return sum(spacing) / 2, keyword
    return None, "unknown"
