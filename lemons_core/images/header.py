"""The header of a DICOM file: the elements that are read, and of these the facts that are safe to show."""

import re
import zlib
from collections.abc import Sequence
from io import BytesIO
from math import isfinite
from typing import BinaryIO, NamedTuple

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
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

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import Laterality, View

# All that is parsed of a header. Names, identifiers, dates and descriptions never enter memory as values, so that no
# message, log or cache can hold them.
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PALETTE = [f"{part}{colour}PaletteColorLookupTable{what}"
            for colour in ("Red", "Green", "Blue")
            for part, what in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))]  # fmt: skip
ELEMENTS: list[BaseTag | int] = [Tag(keyword) for keyword in (
    "SOPClassUID", "Modality", "PresentationIntentType", "ViewPosition", "ViewCodeSequence", "PatientOrientation",
    "ImageLaterality", "Laterality", "ImagerPixelSpacing", "PixelSpacing", "SamplesPerPixel",
    "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "LossyImageCompression", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    *_PALETTE, *PIXELS,
)]  # fmt: skip
_META: list[BaseTag | int] = [Tag("TransferSyntaxUID")]
ENDLESS = 0xFFFFFFFF
_PIXEL_TAGS = {int(Tag(keyword)) for keyword in PIXELS}

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
_MODALITIES = ("MG", "CR", "DX", "OT", "CT", "MR", "US", "XA", "RF", "RG", "NM", "PT", "SC", "SR", "SEG", "DG", "XC")
_INTENTS = ("FOR PRESENTATION", "FOR PROCESSING")
# CID 4014, SNOMED RT and SNOMED CT.
_VIEW_CODES = {"R-10242": View.CC, "399162004": View.CC, "R-10226": View.MLO, "399368009": View.MLO}


class PixelSpan(NamedTuple):
    """Where the value of the pixel element `tag` begins in a file, and its length in bytes: ENDLESS if compressed."""

    tag: BaseTag
    start: int
    length: int


def skip_preamble(file: BinaryIO) -> bool:
    """Whether a file begins with DICOM's preamble; leaves the file behind it, without one at its beginning."""
    if file.read(132)[128:] == b"DICM":
        return True
    file.seek(0)
    return False


def read_syntax(file: BinaryIO) -> UID:
    """The transfer syntax, from the encoding when the file does not state it; leaves the file at its data set."""
    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2, specific_tags=_META)
    if syntax := uid_of(meta, "TransferSyntaxUID"):
        return syntax
    head = file.read(6)
    file.seek(-len(head), 1)
    if head.startswith(b"\0"):  # groups are small numbers
        return ExplicitVRBigEndian
    return ExplicitVRLittleEndian if head[4:].isalpha() and head[4:].isupper() else ImplicitVRLittleEndian


def read_until_pixels(
    file: BinaryIO, syntax: UID, *, tags: Sequence[BaseTag | int]
) -> tuple[Dataset, PixelSpan | None]:
    """The elements `tags` of the data set that begins here, without its pixels, and where these lie."""
    spans: list[PixelSpan] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if int(tag) in _PIXEL_TAGS:
            spans.append(PixelSpan(tag, file.tell(), length))
        return bool(spans)

    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    ds = read_dataset(file, implicit, little, stop_when=at_pixels, specific_tags=list(tags))
    ds.set_original_encoding(implicit, little)
    return ds, spans[0] if spans else None


def parse_dicom(data: bytes, where: str, max_pixels: int) -> tuple[Dataset, UID]:
    """The ELEMENTS of a file in memory, pixels included, and its transfer syntax."""
    buffer = BytesIO(data)
    skip_preamble(buffer)
    syntax = plain = read_syntax(buffer)
    if syntax == DeflatedExplicitVRLittleEndian:
        body, whole = inflate(buffer.read(), max_pixels=max_pixels)
        if not whole and len(body) < _most_bytes(max_pixels):
            raise EOFError
        if not whole:
            what = "The DICOM file inflates to more data than one picture can hold"
            raise ImageError(what, where=where, todo="Export it again without the deflated transfer syntax.")
        buffer, plain = BytesIO(body), ExplicitVRLittleEndian
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    ds = read_dataset(buffer, implicit, little, specific_tags=ELEMENTS)
    if not ds:  # pydicom drops every element when it meets the end of the file inside one
        raise EOFError
    ds.set_original_encoding(implicit, little)
    ds.file_meta = FileMetaDataset()  # not the original one, which holds identifiers
    ds.file_meta.TransferSyntaxUID = plain
    return ds, syntax


def inflate(body: bytes, *, max_pixels: int) -> tuple[bytes, bool]:
    """A deflated data set, up to a limit, and whether that is all of it; pydicom itself knows no limit."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return inflater.decompress(body, _most_bytes(max_pixels)), inflater.eof


def _most_bytes(max_pixels: int) -> int:
    return 4 * max_pixels + 2**24  # four bytes a pixel and a generous header


def text(ds: Dataset, keyword: str) -> str:
    """Text as stored. Not through pydicom's conversion, which repeats values that break a rule in its warnings."""
    value = ds.get_item(keyword).value if keyword in ds else None
    return value.decode("ascii", "replace").strip(" \0") if isinstance(value, bytes) else str(value or "")


def floats(ds: Dataset, keyword: str) -> list[float]:
    """Decimal strings as stored; empty when missing or when one of them is no finite number."""
    try:
        numbers = [float(part) for part in text(ds, keyword).split("\\")]
    except ValueError:
        return []
    return numbers if all(isfinite(number) for number in numbers) else []


def uid_of(ds: Dataset, keyword: str) -> UID:
    """A UID, empty when missing or when it holds anything but digits and dots."""
    value = text(ds, keyword)
    return UID(value if re.fullmatch(r"\d+(\.(0|[1-9]\d*))+", value) else "")


def syntax_label(syntax: UID) -> str:
    return _SYNTAXES.get(syntax) or (syntax.name if syntax.name != syntax else "private or unknown")


def read_header(ds: Dataset, syntax: UID) -> dict[str, str]:
    """Facts for display: numbers, or words from closed lists, so that nothing typed by a person passes."""
    header = {
        "photometric interpretation": text(ds, "PhotometricInterpretation"),
        "transfer syntax": syntax_label(syntax),
        "bits": f"{int(ds.get('BitsStored') or 0)} of {int(ds.get('BitsAllocated') or 0)}",
    }
    sop_class = uid_of(ds, "SOPClassUID")
    if sop_class.type == "SOP Class":
        header["object"] = sop_class.name
    if (modality := text(ds, "Modality")) in _MODALITIES:
        header["modality"] = modality
    if (intent := text(ds, "PresentationIntentType")) in _INTENTS:
        header["presentation intent"] = intent
    return header


def read_laterality(ds: Dataset) -> Laterality | None:
    for keyword in ("ImageLaterality", "Laterality"):
        if (side := text(ds, keyword)) in tuple(Laterality):
            return Laterality(side)
    return None


def read_view(ds: Dataset) -> View | None:
    """ViewPosition, the view code, or PatientOrientation, where CBIS-DDSM writes the view."""
    if (position := text(ds, "ViewPosition")) in tuple(View):
        return View(position)
    for item in ds.get("ViewCodeSequence") or ():
        if (code := text(item, "CodeValue")) in _VIEW_CODES:
            return _VIEW_CODES[code]
    orientation = text(ds, "PatientOrientation")
    return View(orientation) if orientation in tuple(View) else None


def read_spacing(ds: Dataset, notes: list[str], warnings: list[str]) -> tuple[float | None, str]:
    """mm per pixel and the element it comes from. ImagerPixelSpacing first: it is the one without magnification."""
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        if not text(ds, keyword):
            continue
        spacing = floats(ds, keyword)
        if len(spacing) != 2 or not all(0 < side <= 2 for side in spacing):
            warnings.append(f"{keyword} makes no sense and was not used.")
            continue
        if max(spacing) > 1.02 * min(spacing):
            notes.append(f"{keyword} differs between rows and columns: the mean is used")
        return sum(spacing) / 2, keyword
    return None, "unknown"


def read_window(ds: Dataset, warnings: list[str]) -> tuple[float, float, str] | None:
    """Centre, width and function of the first window, None without a usable one."""
    centre, width = floats(ds, "WindowCenter"), floats(ds, "WindowWidth")
    if "WindowCenter" not in ds and "WindowWidth" not in ds:
        return None
    function = text(ds, "VOILUTFunction") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
        warnings.append("The VOI LUT function is unknown: taken as linear.")
    if not centre or not width or width[0] <= 0 or (function == "LINEAR" and width[0] < 1):
        warnings.append("The window of the file makes no sense and was not applied.")
        return None
    return centre[0], width[0], function
